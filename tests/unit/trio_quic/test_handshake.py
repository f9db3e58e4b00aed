"""Who gets a connection: protocols, server keys, client certificates, and what both ends know afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trio

from trio_quic import (
    AlpnRefused,
    CertificateRefused,
    ClientCertificateRefused,
    ClientTls,
    ConnectFailed,
    QuicConfiguration,
    ServerTls,
    make_engine,
)
from trio_quic.testing import NAME, Certificate, Certificates, bench, self_signed

if TYPE_CHECKING:
    from trio.testing import MockClock

Engines = tuple[Any, Any]


async def test_call_and_facts(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    async with bench(certificates, engines) as place, place.connect() as connection:
        assert await connection.call(b"hello") == b"hello"
        (server_side,) = place.server_connections
        assert connection.alpn == server_side.alpn == b"test/1"
        assert server_side.server_name == NAME
        assert connection.peer_spki_sha256 == certificates.server.spki_sha256
        assert connection.remote_address == place.endpoint.address
        assert len(connection.peer_certificates) == 1
        assert not server_side.peer_certificates
        expected = "X25519MLKEM768" if engines == ("native", "native") else "X25519"
        assert connection.group == server_side.group == expected
        assert place.endpoint.counters()["connections_accepted"] == 1


async def test_exporter_is_equal_on_both_sides(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with bench(certificates, engines) as place, place.connect() as connection:
        await connection.call(b"x")
        (server_side,) = place.server_connections
        ours = connection.export_keying_material(b"label", b"context", 48)
        assert ours == server_side.export_keying_material(b"label", b"context", 48)
        assert len(ours) == 48
        assert ours != connection.export_keying_material(b"label", b"other", 48)
        assert ours != connection.export_keying_material(b"other", b"context", 48)


async def test_wrong_alpn(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    async with bench(certificates, engines) as place:
        with pytest.raises(AlpnRefused):
            async with place.connect(configuration=replace(place.client, alpn=(b"other",))):
                raise AssertionError("connected")
        assert not place.server_connections


async def test_pin_good(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    tls = ClientTls(pins_sha256=(bytes(32), certificates.server.spki_sha256))
    async with bench(certificates, engines) as place, place.connect(tls=tls, name="any.name") as connection:
        assert await connection.call(b"x") == b"x"


async def test_pin_mismatch_names_the_key(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    tls = ClientTls(pins_sha256=(certificates.other.spki_sha256,))
    async with bench(certificates, engines) as place:
        with pytest.raises(CertificateRefused) as refused:
            async with place.connect(tls=tls):
                raise AssertionError("connected")
        assert refused.value.spki_sha256 == certificates.server.spki_sha256


async def test_first_use_shows_the_key(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    async with (
        bench(certificates, engines) as place,
        place.connect(tls=ClientTls(first_use=True), name="any.name") as connection,
    ):
        assert connection.peer_spki_sha256 == certificates.server.spki_sha256


async def test_foreign_root(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    async with bench(certificates, engines) as place:
        with pytest.raises(CertificateRefused):
            async with place.connect(tls=ClientTls(ca_pem=certificates.other.chain_pem)):
                raise AssertionError("connected")


async def test_wrong_name(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    async with bench(certificates, engines) as place:
        with pytest.raises(CertificateRefused):
            async with place.connect(name="elsewhere.test"):
                raise AssertionError("connected")


async def test_self_signed_leaf_that_calls_itself_an_authority(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    leaf = self_signed(NAME, ca=True)
    tls = ServerTls(chain_pem=leaf.chain_pem, key_pem=leaf.key_pem)
    async with bench(certificates, engines, server_tls=tls) as place:
        async with place.connect(tls=ClientTls(ca_pem=leaf.chain_pem)) as connection:
            assert await connection.call(b"x") == b"x"
        with pytest.raises(CertificateRefused):
            async with place.connect(tls=ClientTls(ca_pem=leaf.chain_pem), name="elsewhere.test"):
                raise AssertionError("connected")


async def test_expired_server(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    expired = certificates.authority.issue(NAME, expired=True)
    tls = ServerTls(chain_pem=expired.chain_pem, key_pem=expired.key_pem)
    async with bench(certificates, engines, server_tls=tls) as place:
        with pytest.raises(CertificateRefused):
            async with place.connect(tls=ClientTls(ca_pem=certificates.authority.root_pem)):
                raise AssertionError("connected")


def _wants_clients(certificates: Certificates, *, required: bool = True) -> ServerTls:
    server = certificates.server
    return ServerTls(
        chain_pem=server.chain_pem,
        key_pem=server.key_pem,
        client_ca_pem=certificates.authority.root_pem,
        client_required=required,
    )


def _client(certificates: Certificates, identity: Certificate | None) -> ClientTls:
    trust = ClientTls(ca_pem=certificates.server.chain_pem)
    if identity is None:
        return trust
    return replace(trust, chain_pem=identity.chain_pem, key_pem=identity.key_pem)


async def test_client_certificate_good(engines: Engines, certificates: Certificates, autojump_clock: MockClock) -> None:
    alice = certificates.authority.issue("alice", client=True, elliptic=True)
    tls = _client(certificates, alice)
    async with (
        bench(certificates, engines, server_tls=_wants_clients(certificates)) as place,
        place.connect(tls=tls) as connection,
    ):
        assert await connection.call(b"x") == b"x"
        (server_side,) = place.server_connections
        assert server_side.peer_spki_sha256 == alice.spki_sha256
        assert len(server_side.peer_certificates) == 1


@pytest.mark.parametrize("kind", ["none", "rogue", "expired", "usage"])
async def test_client_certificate_bad(
    engines: Engines, kind: str, certificates: Certificates, autojump_clock: MockClock
) -> None:
    identity = {
        "none": None,
        "rogue": certificates.rogue.issue("mallory", client=True, elliptic=True),
        "expired": certificates.authority.issue("alice", client=True, expired=True, elliptic=True),
        "usage": certificates.authority.issue("alice", client=False, elliptic=True),
    }[kind]
    async with bench(certificates, engines, server_tls=_wants_clients(certificates)) as place:
        with pytest.raises(ClientCertificateRefused):
            async with place.connect(tls=_client(certificates, identity)):
                raise AssertionError("connected")
        assert not place.server_connections


async def test_client_certificate_optional(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    tls = _wants_clients(certificates, required=False)
    async with bench(certificates, engines, server_tls=tls) as place, place.connect() as connection:
        assert await connection.call(b"x") == b"x"
        assert place.server_connections[0].peer_spki_sha256 is None


async def test_new_certificate_without_restart(
    engines: Engines, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with bench(certificates, engines) as place, place.connect() as before:
        other = certificates.other
        place.endpoint.set_certificate(ServerTls(chain_pem=other.chain_pem, key_pem=other.key_pem))
        async with place.connect(tls=ClientTls(ca_pem=other.chain_pem)) as after:
            assert after.peer_spki_sha256 == other.spki_sha256
            assert await before.call(b"x") == await after.call(b"x") == b"x"


async def test_nobody_there(engine: Any, certificates: Certificates, autojump_clock: MockClock) -> None:
    async with bench(certificates, engine) as place:
        place.server_scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        started = trio.current_time()
        with pytest.raises(ConnectFailed, match="handshake_late"):
            async with place.connect():
                raise AssertionError("connected")
        assert trio.current_time() - started == pytest.approx(10, abs=0.1)


async def test_errors_leave_the_block_as_themselves(
    engine: Any, certificates: Certificates, autojump_clock: MockClock
) -> None:
    async with bench(certificates, engine) as place:
        with pytest.raises(LookupError):
            async with place.connect():
                raise LookupError
        with trio.move_on_after(1) as scope:
            async with place.connect():
                await trio.sleep_forever()
        assert scope.cancelled_caught


def test_unusable_settings(certificates: Certificates) -> None:
    server = certificates.server
    with pytest.raises(ValueError, match="needs"):
        ClientTls()
    with pytest.raises(ValueError, match="32 bytes"):
        ClientTls(pins_sha256=(b"short",))
    with pytest.raises(ValueError, match="both"):
        ClientTls(first_use=True, chain_pem=server.chain_pem)
    with pytest.raises(ValueError, match="neither"):
        QuicConfiguration(alpn=(b"x",))


@pytest.mark.parametrize("wrong", ["chain", "key", "pair"])
def test_unusable_certificates(engine: Any, wrong: str, certificates: Certificates) -> None:
    server, other = certificates.server, certificates.other
    tls = {
        "chain": ServerTls(chain_pem=b"nonsense", key_pem=server.key_pem),
        "key": ServerTls(chain_pem=server.chain_pem, key_pem=b"nonsense"),
        "pair": ServerTls(chain_pem=server.chain_pem, key_pem=other.key_pem),
    }[wrong]
    with pytest.raises(ValueError):  # noqa: PT011 - each engine has words of its own
        make_engine(engine, QuicConfiguration(alpn=(b"x",), server=tls))
