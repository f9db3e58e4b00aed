"""MLS (RFC 9420) and OPAQUE (RFC 9807) for QPQ: state machines in Rust behind a thin, typed face.

State never lives here: what a call changed is handed over by ``take_changes`` and belongs into the caller's own
transaction. After any exception of a :class:`Group` the object is poisoned: drop it and load it again from the store.
"""

from __future__ import annotations

from qpqnative._errors import MlsError, NativeError, OpaqueError
from qpqnative._native import (
    EXT_POLICY,
    SUITE_1,
    SUITE_XWING,
    Application,
    CommitFacts,
    Device,
    Group,
    GroupView,
    KeyPackageInfo,
    Layout,
    Member,
    MessageInfo,
    OpaqueLogin,
    OpaqueRegistration,
    OpaqueServerSetup,
    PendingCommit,
    Proposal,
    argon2id,
    generate_signature_key,
    inspect_key_package,
    inspect_message,
    is_signed,
    opaque_login_finish,
    opaque_login_response,
    opaque_registration_record,
    opaque_registration_response,
)

__all__ = [
    "EXT_POLICY",
    "SUITE_1",
    "SUITE_XWING",
    "Application",
    "CommitFacts",
    "Device",
    "Group",
    "GroupView",
    "KeyPackageInfo",
    "Layout",
    "Member",
    "MessageInfo",
    "MlsError",
    "NativeError",
    "OpaqueError",
    "OpaqueLogin",
    "OpaqueRegistration",
    "OpaqueServerSetup",
    "PendingCommit",
    "Proposal",
    "argon2id",
    "generate_signature_key",
    "inspect_key_package",
    "inspect_message",
    "is_signed",
    "opaque_login_finish",
    "opaque_login_response",
    "opaque_registration_record",
    "opaque_registration_response",
]
