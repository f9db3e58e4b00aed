"""What federation is made of, from the settings: whom it talks to, by which certificate, and whom it believes."""

from __future__ import annotations

import hashlib
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from qpqcore.config.settings import ConfigError, address_of, federation_peers_of
from qpqcore.net import certificates
from qpqfederation.config import Config
from qpqfederation.discovery import SystemAddresses
from trio_quic import ClientTls, ServerTls

if TYPE_CHECKING:
    from qpqcore.config.settings import Settings
    from qpqfederation.discovery import Resolver


HOLDER_BYTES = 16


def config_of(settings: Settings, look_again_seconds: float = 30.0) -> Config:
    """Return federation's settings."""
    host, port = address_of(settings.federation_listen)
    return Config(
        domain=settings.federation_domain, enabled=settings.federation_enabled, host=host, port=port,
        engine=settings.quic_engine,  # type: ignore[arg-type]  # checked with the settings
        peers=federation_peers_of(settings), discovery=settings.federation_discovery,
        private_addresses=settings.federation_private_addresses, look_again_seconds=look_again_seconds,
        holder=_holder(settings),
    )  # fmt: skip


def _holder(settings: Settings) -> bytes:
    """Return who this process is among several of federation: a restarted one goes on where it was killed."""
    place = f"{socket.gethostname()} {settings.bus_listen}"
    return hashlib.sha256(place.encode()).digest()[:HOLDER_BYTES]


def resolver_of(settings: Settings) -> Resolver:
    """Return what is asked where domains and hosts are. Only who looks in the DNS pays for the import."""
    if not settings.federation_discovery:
        return SystemAddresses()
    from qpqfederation.dns import Dns

    return Dns()


def roots(settings: Settings) -> bytes:
    """Return the certificates of those who may vouch for other domains. ConfigError, CertificateUnreadable."""
    if settings.federation_ca:
        return certificates.chain_pem(Path(settings.federation_ca))
    bundle = ssl.get_default_verify_paths().cafile
    if not bundle or not Path(bundle).exists():
        raise ConfigError("federation_ca: this system has no certificates of its own to trust: name a file")
    return Path(bundle).read_bytes()


def tls_of(settings: Settings) -> tuple[ServerTls | None, ClientTls]:
    """Return what other domains are shown here and there; where federation is off, nothing. CertificateUnreadable."""
    if not settings.federation_enabled:
        return None, ClientTls(first_use=True)
    trusted = roots(settings)
    own = settings.federation_cert and settings.federation_key
    chain = certificates.chain_pem(Path(settings.federation_cert if own else settings.tls_cert))
    key = certificates.key_pem(Path(settings.federation_key if own else settings.tls_key))
    server = ServerTls(chain_pem=chain, key_pem=key, client_ca_pem=trusted, client_required=True)
    return server, ClientTls(ca_pem=trusted, chain_pem=chain, key_pem=key)
