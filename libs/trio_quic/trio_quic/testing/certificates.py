"""Certificates made on the spot: a self-signed one, or an authority and what it signs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

VALID_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key."""

    chain_pem: bytes
    key_pem: bytes
    spki_sha256: bytes
    """SHA-256 of the SubjectPublicKeyInfo: what a pin is made of."""


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _spki_sha256(key: PrivateKey) -> bytes:
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return sha256(public).digest()


def _new_key(elliptic: bool) -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1()) if elliptic else ed25519.Ed25519PrivateKey.generate()


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return builder.sign(key, None)
    return builder.sign(key, SHA256())


def _builder(
    subject: str, issuer: str, key: PrivateKey, not_before: dt.datetime, days: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_before + dt.timedelta(days=days))
    )


def _yesterday() -> dt.datetime:
    # Both engines judge by the system's clock.
    return dt.datetime.now(dt.UTC) - dt.timedelta(days=1)  # noqa: TID251 - certificates are made for now


def self_signed(*names: str, elliptic: bool = False, ca: bool = False) -> Certificate:
    """A self-signed server certificate for these DNS names or addresses; with `ca` it marks itself as an authority, as
    openssl's do.
    """
    key = _new_key(elliptic)
    builder = _builder(names[0], names[0], key, _yesterday(), VALID_DAYS).add_extension(
        x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    pem = _sign(builder, key).public_bytes(serialization.Encoding.PEM)
    return Certificate(pem, _pem(key), _spki_sha256(key))


class CertificateAuthority:
    """Signs certificates; `root_pem` is what others trust."""

    def __init__(self, name: str = "test authority", *, elliptic: bool = False) -> None:
        self._name = name
        self._key = _new_key(elliptic)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = _builder(name, name, self._key, _yesterday(), VALID_DAYS).add_extension(constraints, critical=True)
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
        )
        builder = builder.add_extension(_certificate_signing(), critical=True)
        self.root_pem = _sign(builder, self._key).public_bytes(serialization.Encoding.PEM)

    def issue(self, *names: str, client: bool = False, expired: bool = False, elliptic: bool = False) -> Certificate:
        """A leaf for these names, good for servers, or for clients; `expired`: since yesterday."""
        key = _new_key(elliptic)
        start = _yesterday() - dt.timedelta(days=1 if expired else 0)
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = _builder(names[0], self._name, key, start, 1 if expired else VALID_DAYS)
        for extension in (
            x509.SubjectAlternativeName([_alternative(name) for name in names]),
            x509.BasicConstraints(ca=False, path_length=None),
            x509.ExtendedKeyUsage([usage]),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
        ):
            builder = builder.add_extension(extension, critical=False)
        pem = _sign(builder, self._key).public_bytes(serialization.Encoding.PEM)
        return Certificate(pem, _pem(key), _spki_sha256(key))


def _certificate_signing() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
