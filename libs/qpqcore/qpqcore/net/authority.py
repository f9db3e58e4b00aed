"""The private CA of a deployment: short-lived certificates for its services (docs/operate/running.md).

`ca/` holds the CA and is nobody's but the operator's; each service has a folder of its own with what it needs. The first
certificate in `ca.pem` issues; all in it are believed, so that one CA can follow another.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from qpqcore.net.certificates import CertificateUnreadable, write_secret
from qpqcore.net.mutual_tls import name_of

if TYPE_CHECKING:
    from pathlib import Path

CA_DAYS = 3_650
SERVICE_DAYS = 30
"""What a stolen key is worth; renewed when a third is left."""
BACKDATED = dt.timedelta(hours=1)
"""For clocks that are behind."""
CA_FOLDER, CA_CERT, CA_KEY = "ca", "ca.pem", "ca.key"
BUS_CA, BUS_CERT, BUS_KEY = "bus-ca.pem", "bus.pem", "bus.key"
DOMAIN_DAYS = 365
"""Of a small federation's own CA, whose operators renew by hand."""
COMMON_CHARS_MAX = 64
"""RFC 5280, appendix A.1: ub-common-name."""
PEER_CA, PEER_CERT, PEER_KEY = "federation-ca.pem", "federation.pem", "federation.key"


def make_ca(folder: Path, now: dt.datetime) -> bool:
    """Make folder/ca unless it is there; tell whether it was made."""
    cert, key = folder / CA_FOLDER / CA_CERT, folder / CA_FOLDER / CA_KEY
    if cert.exists() and key.exists():
        return False
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "qpq internal CA")])
    made = (
        _builder(name, name, private, private, now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .sign(private, hashes.SHA256())
    )
    write_secret(key, _pem(private))
    write_secret(cert, made.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return True


def issue(folder: Path, service: str, now: dt.datetime, days: float = SERVICE_DAYS) -> dt.datetime:
    """Write folder/SERVICE/bus.{pem,key} and the CA beside them; return the certificate's end. CertificateUnreadable."""
    return _issue(folder, service, name_of(service), (BUS_CA, BUS_CERT, BUS_KEY), now, days)


def issue_domain(folder: Path, domain: str, now: dt.datetime, days: float = DOMAIN_DAYS) -> dt.datetime:
    """Write folder/DOMAIN/federation.{pem,key} and the CA beside them: who a domain's server is to other domains'."""
    return _issue(folder, domain, domain, (PEER_CA, PEER_CERT, PEER_KEY), now, days)


def _issue(
    folder: Path, common: str, name: str, files: tuple[str, str, str], now: dt.datetime, days: float
) -> dt.datetime:
    """Write CA, certificate and key, the certificate last, into the folder of who they are for."""
    to, (ca_file, cert_file, key_file) = folder / common, files
    made, private = _leaf(folder, common, name, now, days)
    write_secret(to / ca_file, (folder / CA_FOLDER / CA_CERT).read_bytes(), mode=0o644)
    write_secret(to / key_file, _pem(private))
    write_secret(to / cert_file, made.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return made.not_valid_after_utc


def _leaf(
    folder: Path, common: str, name: str, now: dt.datetime, days: float
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return a certificate for both ends of a connection, and its key."""
    ca, ca_key = read_ca(folder)
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:COMMON_CHARS_MAX])])
    made = (
        _builder(subject, ca.subject, private, ca_key, now, days)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    return made, private


def is_due(folder: Path, service: str, now: dt.datetime) -> bool:
    """Tell whether a service's certificate is missing, damaged, of another CA, or in the last third of its life."""
    try:
        cert = x509.load_pem_x509_certificate((folder / service / BUS_CERT).read_bytes())
        cert.verify_directly_issued_by(read_ca(folder)[0])
        key = serialization.load_pem_private_key((folder / service / BUS_KEY).read_bytes(), None)
        if key.public_key() != cert.public_key():  # we died between the two files
            return True
    except (OSError, ValueError, TypeError, InvalidSignature):
        return True
    life = cert.not_valid_after_utc - cert.not_valid_before_utc
    return cert.not_valid_after_utc - now < life / 3


def read_ca(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return the CA's certificate and key. CertificateUnreadable."""
    try:
        cert = x509.load_pem_x509_certificate((folder / CA_FOLDER / CA_CERT).read_bytes())
        key = serialization.load_pem_private_key((folder / CA_FOLDER / CA_KEY).read_bytes(), None)
    except (OSError, ValueError, TypeError) as exc:
        raise CertificateUnreadable(f"{folder / CA_FOLDER} holds no CA: {exc}") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateUnreadable(f"{folder / CA_FOLDER / CA_KEY} is not a key of this CA's kind")
    return cert, key


def _builder(
    subject: x509.Name, issuer: x509.Name, private: ec.EllipticCurvePrivateKey, ca: ec.EllipticCurvePrivateKey,
    now: dt.datetime, days: float,
) -> x509.CertificateBuilder:  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.public_key()), critical=False)
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
