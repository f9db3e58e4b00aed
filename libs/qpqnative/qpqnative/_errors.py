"""Owns the exceptions that the native code raises: a kind from a closed list and a cause that holds no secret."""

from __future__ import annotations


class NativeError(Exception):
    """A refusal or failure of the native code.

    ``kind`` is one of the names that the subclass lists; ``cause`` is fixed text or the library's own name for it.
    """

    def __init__(self, kind: str, cause: str = "", sender_index: int | None = None) -> None:
        super().__init__(f"{kind}: {cause}" if cause else kind)
        self.kind = kind
        self.cause = cause
        self.sender_index = sender_index


class MlsError(NativeError):
    """An MLS call failed.

    ``malformed``: no valid encoding, or another kind of message than the call takes. ``wrong_group``, ``wrong_epoch``:
    of another group or epoch, or of one whose keys are gone. ``invalid``: a signature, tag, hash or rule of RFC 9420
    does not hold. ``not_a_member``: sender or target is no member. ``reused_key``: read before, or its key is gone.
    ``unsupported``: suite, version, credential or capability. ``missing_key_package``, ``missing_psk``: not in the
    store. ``rule``: valid MLS that QPQ refuses. ``commit_required``: proposals are cached, commit before encrypting.
    ``skipped_keys``: a sender's keys jump too far (``sender_index``: whose). ``poisoned``: used after an error.
    ``internal``: a caught panic or a fault of ours.
    """


class OpaqueError(NativeError):
    """An OPAQUE call failed.

    ``malformed``: bytes that are no message, record, state or setup. ``invalid_login``: wrong password, unknown user,
    or a peer that is not who it says. ``poisoned``: a step out of order or after an error. ``internal``: our fault.
    """
