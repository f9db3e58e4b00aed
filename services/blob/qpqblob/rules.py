"""What the blob service accepts: pure decisions."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import BLOB_HASH_BYTES, domain_of, is_id

if TYPE_CHECKING:
    from qpqblob.config import Config
    from qpqcore.api.blob import UploadBlobParams

SECRET_BYTES = 16
HASH_BYTES = 32


def check_form(blob: bytes) -> None:
    """Refuse what is no blob id."""
    if not is_id(blob, BLOB_HASH_BYTES):
        raise Refusal(ErrorCode.MALFORMED, "not a blob id")


def check_id(config: Config, blob: bytes) -> None:
    """Refuse what is no blob id, or of another domain."""
    check_form(blob)
    if domain_of(blob, BLOB_HASH_BYTES) != config.domain:
        raise Refusal(ErrorCode.NOT_FOUND, "a blob of another domain")


def is_away(config: Config, blob: bytes) -> bool:
    """Tell whether a blob is another domain's, and we go there."""
    is_ours = not is_id(blob, BLOB_HASH_BYTES) or domain_of(blob, BLOB_HASH_BYTES) == config.domain
    return config.federated and not is_ours


def check_upload(config: Config, params: UploadBlobParams) -> None:
    """Refuse a chunk that is out of bounds."""
    check_id(config, params.blob)
    if len(params.secret_hash) != HASH_BYTES:
        raise Refusal(ErrorCode.MALFORMED, "the read secret's hash has 32 bytes")
    if not 0 < params.total_bytes <= config.blob_bytes_max:
        raise Refusal(ErrorCode.BLOB_TOO_LARGE, f"a blob has 1 to {config.blob_bytes_max} bytes")
    if len(params.chunk) > config.chunk_bytes_max:
        raise Refusal(ErrorCode.TOO_LARGE, f"a chunk has at most {config.chunk_bytes_max} bytes")
    if params.offset + len(params.chunk) > params.total_bytes:
        raise Refusal(ErrorCode.BLOB_OFFSET, "the chunk goes past the blob's end")


def secret_fits(secret: bytes, secret_hash: bytes) -> bool:
    """Tell, in constant time, whether a read secret is the blob's."""
    return len(secret) == SECRET_BYTES and hmac.compare_digest(hashlib.sha256(secret).digest(), secret_hash)


def ttl_ms(config: Config, asked_seconds: int) -> int:
    """Return how long a blob is kept."""
    return min(asked_seconds or config.default_ttl_seconds, config.default_ttl_seconds) * 1000
