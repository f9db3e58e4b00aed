"""Certificates and settings that are read again while people are connected."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from structlog.testing import capture_logs

import qpqclient
from qpqclient.transport import Trust, open_link
from qpqcore.api import auth
from qpqcore.api.gateway import HealthParams, HealthResult
from qpqcore.net import certificates
from qpqcore.net.certificates import spki_sha256
from qpqserver import reloading
from qpqserver.secrecy import EDGE_CERT, EDGE_KEY
from tests.support import constellation


def of(server):
    """Return what reloads the edge's parts, and auth's: one object, or one a process."""
    if constellation.chosen == "tcp":
        return [server.processes[name].reloading for name in ("gateway", "auth")]
    return [server.reloading]


def renewed(cert, key):
    """Return another certificate of the same key, as a CA gives one."""
    old = x509.load_der_x509_certificate(cert.read_bytes())
    private = serialization.load_der_private_key(key.read_bytes(), None)
    made = x509.CertificateBuilder(
        old.subject, old.subject, old.public_key(), x509.random_serial_number(), old.not_valid_before_utc,
        old.not_valid_after_utc + dt.timedelta(days=30), list(old.extensions),
    ).sign(private, hashes.SHA256())  # fmt: skip
    return made.public_bytes(serialization.Encoding.DER)


def put(path, data):
    """Replace a file, as who renews certificates does."""
    part = path.with_suffix(".new")
    part.write_bytes(data)
    os.replace(part, path)


async def shown(server, pin=None):
    """Connect as a stranger; return the certificate that is shown."""
    async with open_link(where(server), Trust(pin=pin), accept=lambda _: True) as link:
        return link._connection.peer_certificates[0]


def where(server):
    return f"127.0.0.1:{server.endpoint.address[1]}"


async def test_a_renewed_certificate_is_shown_to_new_clients_and_nobody_is_dropped(open_world):
    async with open_world() as w:
        data = w.folder / "server"
        cert, key = data / EDGE_CERT, data / EDGE_KEY
        first = await shown(w.server)
        pin = spki_sha256(certificates.chain_pem(cert))
        async with open_link(where(w.server), Trust(), accept=lambda _: True) as link:
            put(cert, renewed(cert, key))
            with capture_logs() as logs:
                of(w.server)[0].look()
                of(w.server)[0].look()
            assert [line["event"] for line in logs] == ["edge_certificate_reloaded"]
            second = await shown(w.server, pin)  # whoever has pinned the key comes in
            assert first != second == cert.read_bytes()
            await link.call(HealthParams(), HealthResult)
            assert link._connection.closed is None
            ends = [line for line in w.server.metrics.page().decode().splitlines() if 'of="edge"' in line]
            assert float(ends[0].split()[1]) == x509.load_der_x509_certificate(second).not_valid_after_utc.timestamp()


async def test_what_cannot_be_used_leaves_what_is_in_use(open_world, tmp_path):
    async with open_world() as w:
        data = w.folder / "server"
        cert, key = data / EDGE_CERT, data / EDGE_KEY
        first, look = await shown(w.server), of(w.server)[0].look
        certificates.ensure(tmp_path / EDGE_CERT, tmp_path / EDGE_KEY, "localhost", dt.datetime.now(dt.UTC))
        for spoil, event in (
            (lambda: put(cert, b"no certificate"), "edge_certificate_unreadable"),
            (lambda: put(cert, (tmp_path / EDGE_CERT).read_bytes()), "edge_certificate_unreadable"),  # of another key
            (lambda: cert.unlink(), "edge_certificate_unreadable"),
        ):
            spoil()
            with capture_logs() as logs:
                look()
            assert [line["event"] for line in logs] == [event]
            assert await shown(w.server) == first
        # Both of another key: an operator may want that, and is told what it means.
        put(key, (tmp_path / EDGE_KEY).read_bytes())
        put(cert, (tmp_path / EDGE_CERT).read_bytes())
        with capture_logs() as logs:
            look()
        assert [line["event"] for line in logs] == ["edge_key_changed", "edge_certificate_reloaded"]
        assert await shown(w.server) == cert.read_bytes()


async def test_it_looks_by_itself(open_world, monkeypatch):
    monkeypatch.setattr(reloading, "LOOK_SECONDS", 0.05)
    async with open_world() as w:
        cert, key = w.folder / "server" / EDGE_CERT, w.folder / "server" / EDGE_KEY
        put(cert, renewed(cert, key))
        if constellation.chosen == "tcp":
            w.server.processes["gateway"].reload()  # the first of its looks is 30 s away
        while await shown(w.server) != cert.read_bytes():
            await trio.sleep(0.05)


async def test_settings_that_may_change_under_way_do_and_the_others_wait(open_world, tmp_path):
    async with open_world() as w:
        parts = of(w.server)
        async with open_link(where(w.server), Trust(), accept=lambda _: True) as link:
            for part in parts:
                with capture_logs() as logs:
                    part.take(
                        replace(
                            part._settings,
                            registration="closed",
                            shed_delay_us=0,
                            shed_stay_ms=7,
                            blob_bytes_max=1,
                            auth_token="t" * 16,
                        )
                    )
                said = {line["setting"]: (line["event"], line["value"]) for line in logs}
                assert said == {
                    "registration": ("setting_taken", "closed"), "shed_delay_us": ("setting_taken", 0),
                    "shed_stay_ms": ("setting_taken", 7),
                    "auth_token": ("setting_taken", ""), "blob_bytes_max": ("setting_waits_for_restart", 1),
                }  # fmt: skip
            assert w.server.gateway.admission.delay_seconds_max == 0
            assert w.server.gateway.admission.stay_seconds == 0.007
            assert w.server.gateway._config.registration == "closed"
            with pytest.raises(qpqclient.Refused, match="no new accounts") as refused:
                await link.call(auth.RegisterStartParams(name="zoe", request=b"?"), auth.RegisterStartResult)
            assert refused.value.name == "registrationClosed"
