"""The TCP bus and certificates: bad ones reach nothing, on either side; renewed ones are taken."""

from __future__ import annotations

import datetime as dt
import ssl

import pytest
import trio

from qpqcore.bus.tcp_server import BusServer
from qpqcore.model.errors import ErrorCode
from qpqcore.net import authority
from qpqcore.wire.bus_frame import Kind, frame, hello
from tests.support.buses import (
    PATIENCE_SECONDS,
    a_bus,
    calling,
    credentials_of,
    echo,
    envelope,
    never,
    now,
    raw,
    read,
    serving,
)


def another_ca(folder):
    return credentials_of(folder / "another", "gateway")


def another_name(folder):
    return credentials_of(folder, "blob")


def expired(folder):
    return credentials_of(folder, "gateway", at=now() - dt.timedelta(days=9))


def not_yet(folder):
    return credentials_of(folder, "gateway", at=now() + dt.timedelta(days=9))


@pytest.mark.parametrize("rogue", [another_ca, another_name, expired, not_yet])
async def test_a_caller_with_a_bad_certificate_reaches_nothing(tmp_path, rogue):
    server = BusServer("keystore", never, credentials_of(tmp_path, "keystore"))
    credentials = rogue(tmp_path)
    if rogue is another_ca:  # it knows whom to believe, and is not believed
        ours = credentials_of(tmp_path, "gateway")
        credentials.client.load_verify_locations(tmp_path / "gateway" / authority.BUS_CA)
        assert ours
    async with a_bus(server, credentials) as bus:
        assert (await bus.call(envelope())).code == ErrorCode.UNAVAILABLE
        assert bus.away() == ["keystore"]


@pytest.mark.parametrize("rogue", [another_ca, another_name, expired, not_yet])
async def test_a_callee_with_a_bad_certificate_is_told_nothing(tmp_path, rogue):
    """`another_name`: a genuine certificate, of another service."""
    server = BusServer("keystore", never, rogue(tmp_path))
    async with a_bus(server, credentials_of(tmp_path, "gateway")) as bus:
        assert (await bus.call(envelope())).code == ErrorCode.UNAVAILABLE


async def test_a_caller_without_a_certificate_is_refused(tmp_path):
    gateway = credentials_of(tmp_path, "gateway")
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.load_verify_locations(tmp_path / "gateway" / authority.BUS_CA)
    gateway.client = bare
    server = BusServer("keystore", never, credentials_of(tmp_path, "keystore"))
    with trio.fail_after(PATIENCE_SECONDS):
        async with serving(server) as address, raw(address, gateway) as stream:
            with pytest.raises((ssl.SSLError, trio.BrokenResourceError)):
                await stream.send(hello() + frame(Kind.REQUEST, 1, envelope().to_bytes()))
                while await stream.receive():
                    pass
                raise ssl.SSLError("the server ended")


async def test_renewed_certificates_are_taken_and_connections_live_on(tmp_path):
    """The old CA is believed until all have changed; here all change at once, so the old connection is all there is."""
    server = BusServer("keystore", echo, credentials_of(tmp_path, "keystore"))
    own = credentials_of(tmp_path, "gateway")
    with trio.fail_after(PATIENCE_SECONDS):
        async with serving(server) as address, calling({"keystore": [address]}, own) as bus:
            assert (await bus.call(envelope(b"before"))).result == b"before"
            assert not own.reload()
            authority.issue(tmp_path, "gateway", now())
            assert own.reload()
            assert (await bus.call(envelope(b"after"))).result == b"after"
            (tmp_path / "gateway" / authority.BUS_CERT).write_bytes(b"half a cert")
            with pytest.raises(Exception, match="bus.pem"):
                own.reload()
            async with calling({"keystore": [address]}, own) as another:
                assert (await another.call(envelope(b"with the one before"))).result == b"with the one before"


def test_what_is_due_is_renewed_and_nothing_else(tmp_path):
    credentials_of(tmp_path, "auth", days=30)
    assert not authority.is_due(tmp_path, "auth", now())
    assert not authority.is_due(tmp_path, "auth", now() + dt.timedelta(days=19))
    assert authority.is_due(tmp_path, "auth", now() + dt.timedelta(days=21))
    assert authority.is_due(tmp_path, "blob", now())
    (tmp_path / "auth" / authority.BUS_KEY).write_bytes((tmp_path / "ca" / authority.CA_KEY).read_bytes())
    assert authority.is_due(tmp_path, "auth", now())  # we died between the two files
    assert (tmp_path / "auth" / authority.BUS_KEY).stat().st_mode & 0o777 == 0o600
    authority.issue(tmp_path, "auth", now())
    assert read(tmp_path / "auth")
