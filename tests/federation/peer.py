"""A peer that says what it likes: certificates of the domains' CA for any names, and calls without any manners."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from qpqcore.api.federation import METHODS, FederationHealthParams
from qpqcore.api.rpc import Call, Reply
from qpqcore.model.errors import ErrorCode
from qpqcore.net import authority
from qpqfederation.links import ALPN
from tests.support.buses import now
from tests.support.domains import certified
from trio_quic import ClientTls, Limits, QuicConfiguration, open_quic_connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NUMBERS = {m.name: m.number for m in METHODS}
BOTH = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)


def certificate(names, *, usage=BOTH, days=1.0, root=None):
    """Return chain and key of a certificate with these alternative names (text: a DNS name); none: without the extension."""
    ca, ca_key = authority.read_ca(root or certified())
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example")])
    builder = authority._builder(subject, ca.subject, key, ca_key, now(), days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(authority._usage(ca=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(list(usage)), critical=False)
    if names:
        kinds = [x509.DNSName(n) if isinstance(n, str) else n for n in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(kinds), critical=False)
    made = builder.sign(ca_key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM), authority._pem(key)


class Raw:
    """A connection to a domain's server."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def number(self, number: int, params: bytes, **more: Any) -> Reply:
        """Call by number."""
        call = Call(method=number, deadline_ms=10_000, params=params, **more)
        return Reply.from_bytes(await self.connection.call(call.to_bytes()))

    async def call(self, name: str, params: Any) -> ErrorCode:
        """Call by name; return the code."""
        return ErrorCode((await self.number(NUMBERS[name], params.to_bytes())).code)

    async def claim(self, domain: str, protocol: int = 1) -> ErrorCode:
        """Say which domain one is."""
        return await self.call("federationHealth", FederationHealthParams(domain=domain, protocol=protocol))


@asynccontextmanager
async def raw(
    port: int, names=("a.example",), *, to: str = "b.example", trust: bool = False, **more: Any
) -> AsyncIterator[Raw]:
    """Connect with a certificate for these names; `trust`: the CA that it is of, in place of the domains'."""
    chain, key = certificate(names, **more) if names is not None else (None, None)
    root = more["root"] if trust else certified()
    tls = ClientTls(ca_pem=(root / "ca/ca.pem").read_bytes(), chain_pem=chain, key_pem=key)
    limits = Limits(frame_bytes_max=9 << 20, held_bytes_max=18 << 20)
    configuration = QuicConfiguration(alpn=(ALPN,), client=tls, limits=limits)
    async with open_quic_connection("127.0.0.1", port, configuration, server_name=to) as connection:
        yield Raw(connection)
