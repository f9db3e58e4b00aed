"""Certificates for the aioquic engine: its configuration, pins, client chains, and the exporter."""

# ruff: noqa: SLF001 - aioquic has no public way to these names

from __future__ import annotations

import ssl
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from aioquic import tls
from aioquic.quic.configuration import QuicConfiguration as AioquicConfiguration
from aioquic.quic.packet import QuicProtocolVersion
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

if TYPE_CHECKING:
    from trio_quic.configuration import ClientTls, QuicConfiguration, ServerTls

    from .bounds import BoundedConnection

GROUPS: Final[dict[str, tls.Group]] = {"X25519": tls.Group.X25519, "SECP256R1": tls.Group.SECP256R1}

CERTIFICATE_REQUIRED: Final = 0x100 + 116
BAD_CERTIFICATE: Final = 0x100 + 42


def supported_groups(configuration: QuicConfiguration, *, seeded: bool) -> list[tls.Group]:
    """The groups asked for that aioquic has; seeded, the one whose keys repeat. Raises ValueError if there are none."""
    if seeded:
        return [tls.Group.X25519]
    groups = [GROUPS[name] for name in configuration.groups if name in GROUPS]
    if not groups:
        raise ValueError("the aioquic engine has none of the key exchange groups configured")
    return groups


def _common(configuration: QuicConfiguration, *, is_client: bool) -> AioquicConfiguration:
    limits = configuration.limits
    return AioquicConfiguration(
        alpn_protocols=[protocol.decode("ascii") for protocol in configuration.alpn],
        is_client=is_client,
        idle_timeout=limits.idle_ms / 1000,
        max_data=limits.connection_window_bytes if is_client else limits.beginning_window_bytes,
        max_stream_data=limits.stream_window_bytes,
        max_datagram_size=limits.datagram_bytes,
        supported_versions=[QuicProtocolVersion.VERSION_1],
    )


def _load_identity(target: AioquicConfiguration, chain_pem: bytes, key_pem: bytes) -> None:
    chain = tls.load_pem_x509_certificates(chain_pem)
    if not chain:
        raise ValueError("no certificate in the PEM text")
    target.certificate, target.certificate_chain = chain[0], chain[1:]
    target.private_key = tls.load_pem_private_key(key_pem)
    if target.private_key.public_key() != chain[0].public_key():
        raise ValueError("the private key is not the certificate's")


def server_configuration(configuration: QuicConfiguration, server: ServerTls) -> AioquicConfiguration:
    """aioquic's form of an accepting side. Raises ValueError for certificates and keys that cannot be used."""
    made = _common(configuration, is_client=False)
    _load_identity(made, server.chain_pem, server.key_pem)
    if server.client_ca_pem is not None:
        x509.load_pem_x509_certificates(server.client_ca_pem)
    return made


def client_configuration(configuration: QuicConfiguration, client: ClientTls, server_name: str) -> AioquicConfiguration:
    """aioquic's form of an opening side; with pins or first use its own check is off and `judge_server` decides."""
    made = _common(configuration, is_client=True)
    made.server_name = server_name
    if client.pins_sha256 or client.ca_pem is None:
        made.verify_mode = ssl.CERT_NONE
    else:
        made.verify_mode = ssl.CERT_REQUIRED
        made.cadata = client.ca_pem
    if client.chain_pem is not None and client.key_pem is not None:
        _load_identity(made, client.chain_pem, client.key_pem)
    return made


def peer_chain(connection: BoundedConnection) -> list[x509.Certificate]:
    """What the peer showed, leaf first."""
    leaf = connection.tls._peer_certificate
    return [leaf, *connection.tls._peer_certificate_chain] if leaf is not None else []


def spki_sha256(certificate: x509.Certificate) -> bytes:
    """What pins are made of."""
    public = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return sha256(public).digest()


def judge_server(client: ClientTls, connection: BoundedConnection) -> int | None:
    """The close code for a server that is not pinned, else None. Chains were judged by aioquic already."""
    chain = peer_chain(connection)
    if not chain:
        return BAD_CERTIFICATE
    if client.pins_sha256 and spki_sha256(chain[0]) not in client.pins_sha256:
        return BAD_CERTIFICATE
    return None


def judge_client(server: ServerTls, connection: BoundedConnection) -> int | None:
    """The close code for a client whose certificate is missing, rogue, expired, not for clients, or another's;
    else None.
    """
    if server.client_ca_pem is None:
        return None
    chain = peer_chain(connection)
    if not chain:
        return CERTIFICATE_REQUIRED if server.client_required else None
    try:
        _verify_client(server, chain)
        usage = chain[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except tls.Alert as alert:
        return 0x100 + int(alert.description)
    except x509.ExtensionNotFound:
        return None
    except ValueError:
        return BAD_CERTIFICATE
    return None if ExtendedKeyUsageOID.CLIENT_AUTH in usage else BAD_CERTIFICATE


def _verify_client(server: ServerTls, chain: list[x509.Certificate]) -> None:
    """Time, chain, and that it holds one of the names asked for, if any are. Raises tls.Alert."""
    names: list[str | None] = [*server.client_names] or [None]
    for name in names:
        try:
            tls.verify_certificate(chain[0], chain[1:], server_name=name, cadata=server.client_ca_pem)
        except tls.Alert:
            if name is names[-1]:
                raise
        else:
            return


def export_keying_material(connection: BoundedConnection, label: bytes, context: bytes, length: int) -> bytes:
    """RFC 8446 section 7.5. Raises RuntimeError before the handshake is done."""
    if connection.exporter_secret is None or connection.tls.key_schedule is None:
        raise RuntimeError("the handshake is not done")
    algorithm = connection.tls.key_schedule.algorithm

    def digest(data: bytes) -> bytes:
        running = hashes.Hash(algorithm)
        running.update(data)
        return running.finalize()

    derived = tls.hkdf_expand_label(algorithm, connection.exporter_secret, label, digest(b""), algorithm.digest_size)
    return bytes(tls.hkdf_expand_label(algorithm, derived, b"exporter", digest(context), length))
