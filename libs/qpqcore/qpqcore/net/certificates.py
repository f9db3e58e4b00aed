"""The edge's certificate: read in DER or PEM, or self-made at first start."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import os
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

LIFETIME_DAYS = 3_650
"""A self-made certificate is pinned by its key; its date protects nobody."""


class CertificateUnreadable(Exception):
    """The certificate or key file is missing or damaged."""


def ends_s(chain_pem: bytes) -> float:
    """Return when a chain's own certificate ends, in seconds since 1970. ValueError."""
    return x509.load_pem_x509_certificates(chain_pem)[0].not_valid_after_utc.timestamp()


def ensure(cert: Path, key: Path, domain: str, now: dt.datetime) -> bool:
    """Make a self-signed certificate unless both files are there; tell whether it was made."""
    if cert.exists() and key.exists():
        return False
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "qpq-server")])
    names: list[x509.GeneralName] = [x509.DNSName(n) for n in dict.fromkeys(("localhost", domain))]
    names += [x509.IPAddress(ipaddress.ip_address(a)) for a in ("127.0.0.1", "::1")]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=LIFETIME_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    write_secret(
        key,
        private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    write_secret(cert, made.public_bytes(serialization.Encoding.DER), mode=0o644)
    return True


def write_secret(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file whole or not at all, readable by its owner alone; on the disk, under its name, when this returns."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, mode=0o700)
        sync_folder(path.parent.parent)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make durable which names a folder has: a rename is not, by itself."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def chain_pem(path: Path) -> bytes:
    """Return a certificate chain as PEM, from PEM or DER. Raises CertificateUnreadable."""
    try:
        data = path.read_bytes()
        if b"-----BEGIN" in data:
            x509.load_pem_x509_certificates(data)
            return data
        return x509.load_der_x509_certificate(data).public_bytes(serialization.Encoding.PEM)
    except (OSError, ValueError) as exc:
        raise CertificateUnreadable(f"{path} is not a certificate: {exc}") from exc


def key_pem(path: Path) -> bytes:
    """Return a private key as PEM, from PEM or DER. Raises CertificateUnreadable."""
    try:
        data = path.read_bytes()
        if b"-----BEGIN" in data:
            serialization.load_pem_private_key(data, None)
            return data
        return serialization.load_der_private_key(data, None).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    except (OSError, ValueError, TypeError) as exc:
        raise CertificateUnreadable(f"{path} is not a private key: {exc}") from exc


def spki_sha256(pem: bytes) -> bytes:
    """Return what clients pin: SHA-256 of the leaf's SubjectPublicKeyInfo."""
    leaf = x509.load_pem_x509_certificates(pem)[0]
    spki = leaf.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()
