"""Whose certificates are taken, at either end: cases beside those of `cases.py`."""

from __future__ import annotations

from .cases import case, echoes, refused
from .place import CLIENT_NAME, Stage, papers


def server_certificate(kind: str) -> None:
    """Enter the case of a server that is not what it says."""

    @case(f"server certificate: {kind}")
    async def play(stage: Stage) -> None:
        async with stage.open(certificate=papers().of_server(kind)) as place:
            await refused(place, "certificate", "transport-local", "other", "closed")


def client_certificate(kind: str) -> None:
    """Enter the case of a client with such a certificate: refused in the handshake, and nothing dispatched."""

    @case(f"client certificate: {kind}")
    async def play(stage: Stage) -> None:
        wanted = {"client_ca_pem": papers().authority.root_pem, "client_name": CLIENT_NAME}
        async with stage.open(**wanted) as place:
            if kind == "good":
                return await echoes(await place.connect(certificate=papers().of_client(kind)))
            await refused(place, certificate=papers().of_client(kind))
            assert not place.server.notes.some("connected")


for bad in ("rogue", "expired", "name"):
    server_certificate(bad)
for one in ("good", "rogue", "expired", "usage", "name", "empty"):
    client_certificate(one)
