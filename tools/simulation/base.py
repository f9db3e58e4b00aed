"""The world that runs begin with: a server's folder and the folders of registered people, made once and copied."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import trio
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from tools.simulation import machine
from tools.simulation.plan import NAMES, Plan
from tools.simulation.play import Play
from trio_quic.testing import MemoryLink

if TYPE_CHECKING:
    from pathlib import Path

SERIAL = 1 << 100


def _certificate(folder: Path) -> None:
    """Write an Ed25519 certificate: its signatures have one length, so that runs have datagrams of one length."""
    key = Ed25519PrivateKey.from_private_bytes(b"simulation only!" * 2)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulation")])
    begin = dt.datetime.fromtimestamp(machine.BEGIN_S, dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(SERIAL)
        .not_valid_before(begin - dt.timedelta(days=1))
        .not_valid_after(begin + dt.timedelta(days=3_650))
        .sign(key, None)
    )
    folder.mkdir(parents=True)
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def build(folder: Path) -> Path:
    """Make the world in an empty folder; return the folder."""
    _certificate(folder / "server")

    async def main() -> None:
        async with MemoryLink.running() as link, trio.open_nursery() as nursery:
            play = Play(Plan(0, 0, ()), folder, link, nursery)
            await play.server.start(nursery)
            for name in NAMES:
                device = play.device(f"{name}/1")
                await device.start(nursery)
                assert device.client is not None
                await device.client.register(name, f"secret {name}", label=f"{name}'s first")
            await trio.sleep(1)
            for process in (*play.devices, play.server):
                await process.kill()
            nursery.cancel_scope.cancel()

    machine.run(0, main)
    return folder
