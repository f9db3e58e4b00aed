"""Numbered error codes.

Generated from schemas/errors.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

import enum


class ErrorCode(enum.IntEnum):
    """Why a call was refused."""

    OK = 0
    MALFORMED = 1
    UNKNOWN_METHOD = 2
    UNAUTHENTICATED = 3
    FORBIDDEN = 4
    NOT_FOUND = 5
    TOO_LARGE = 6
    RATE_LIMITED = 7
    OVERLOADED = 8
    UNAVAILABLE = 9
    DEADLINE_EXCEEDED = 10
    INTERNAL = 11
    NOT_IMPLEMENTED_YET = 12
    VERSION_TOO_OLD = 13
    IDEMPOTENCY_MISMATCH = 14
    STORAGE_FULL = 15
    NAME_TAKEN = 16
    NAME_INVALID = 17
    REGISTRATION_CLOSED = 18
    REGISTRATION_TOKEN_INVALID = 19
    LOGIN_FAILED = 20
    LOGIN_EXPIRED = 21
    ACCOUNT_SUSPENDED = 22
    VERSION_CONFLICT = 23
    DEVICE_LIST_STALE = 24
    DEVICE_LIST_INVALID = 25
    DEVICE_UNKNOWN = 26
    DEVICE_LIMIT = 27
    SIGNATURE_INVALID = 28
    KEY_PACKAGE_INVALID = 29
    KEY_PACKAGE_OWNER = 30
    KEY_PACKAGE_LIMIT = 31
    NO_KEY_PACKAGE = 32
    HYBRID_KEY_INVALID = 33
    CHANNEL_EXISTS = 34
    NOT_MEMBER = 35
    EPOCH_CONFLICT = 36
    STALE_EPOCH = 37
    GENERATION_CONFLICT = 38
    COMMIT_INVALID = 39
    PROPOSAL_MISSING = 40
    PROPOSAL_INVALID = 41
    GROUP_INFO_INVALID = 42
    CREDENTIAL_INVALID = 43
    CHANNEL_LIMIT = 44
    TREE_UNKNOWN = 45
    WRITE_KEY_INVALID = 46
    BLOB_HASH_MISMATCH = 47
    BLOB_OFFSET = 48
    BLOB_SECRET = 49
    BLOB_TOO_LARGE = 50
    BLOB_QUOTA = 51
    PEER_MISMATCH = 52
    RATCHET_USED = 53


RETRYABLE = frozenset(
    {
        ErrorCode.RATE_LIMITED,
        ErrorCode.OVERLOADED,
        ErrorCode.UNAVAILABLE,
        ErrorCode.DEADLINE_EXCEEDED,
        ErrorCode.INTERNAL,
        ErrorCode.STORAGE_FULL,
    }
)
"""The same call may succeed later, unchanged."""

EXIT_CODES = {
    ErrorCode.OK: 0,
    ErrorCode.MALFORMED: 2,
    ErrorCode.UNKNOWN_METHOD: 2,
    ErrorCode.UNAUTHENTICATED: 3,
    ErrorCode.FORBIDDEN: 4,
    ErrorCode.NOT_FOUND: 5,
    ErrorCode.TOO_LARGE: 6,
    ErrorCode.RATE_LIMITED: 7,
    ErrorCode.OVERLOADED: 7,
    ErrorCode.UNAVAILABLE: 8,
    ErrorCode.DEADLINE_EXCEEDED: 9,
    ErrorCode.INTERNAL: 10,
    ErrorCode.NOT_IMPLEMENTED_YET: 11,
    ErrorCode.VERSION_TOO_OLD: 12,
    ErrorCode.IDEMPOTENCY_MISMATCH: 2,
    ErrorCode.STORAGE_FULL: 13,
    ErrorCode.NAME_TAKEN: 20,
    ErrorCode.NAME_INVALID: 20,
    ErrorCode.REGISTRATION_CLOSED: 21,
    ErrorCode.REGISTRATION_TOKEN_INVALID: 21,
    ErrorCode.LOGIN_FAILED: 22,
    ErrorCode.LOGIN_EXPIRED: 22,
    ErrorCode.ACCOUNT_SUSPENDED: 22,
    ErrorCode.VERSION_CONFLICT: 23,
    ErrorCode.DEVICE_LIST_STALE: 24,
    ErrorCode.DEVICE_LIST_INVALID: 24,
    ErrorCode.DEVICE_UNKNOWN: 24,
    ErrorCode.DEVICE_LIMIT: 24,
    ErrorCode.SIGNATURE_INVALID: 24,
    ErrorCode.KEY_PACKAGE_INVALID: 25,
    ErrorCode.KEY_PACKAGE_OWNER: 25,
    ErrorCode.KEY_PACKAGE_LIMIT: 25,
    ErrorCode.NO_KEY_PACKAGE: 25,
    ErrorCode.HYBRID_KEY_INVALID: 25,
    ErrorCode.CHANNEL_EXISTS: 26,
    ErrorCode.NOT_MEMBER: 26,
    ErrorCode.EPOCH_CONFLICT: 27,
    ErrorCode.STALE_EPOCH: 27,
    ErrorCode.GENERATION_CONFLICT: 27,
    ErrorCode.COMMIT_INVALID: 28,
    ErrorCode.PROPOSAL_MISSING: 28,
    ErrorCode.PROPOSAL_INVALID: 28,
    ErrorCode.GROUP_INFO_INVALID: 28,
    ErrorCode.CREDENTIAL_INVALID: 28,
    ErrorCode.CHANNEL_LIMIT: 26,
    ErrorCode.TREE_UNKNOWN: 26,
    ErrorCode.WRITE_KEY_INVALID: 26,
    ErrorCode.BLOB_HASH_MISMATCH: 29,
    ErrorCode.BLOB_OFFSET: 29,
    ErrorCode.BLOB_SECRET: 29,
    ErrorCode.BLOB_TOO_LARGE: 29,
    ErrorCode.BLOB_QUOTA: 29,
    ErrorCode.PEER_MISMATCH: 30,
    ErrorCode.RATCHET_USED: 27,
}
"""The exit code of the command line for each error."""
