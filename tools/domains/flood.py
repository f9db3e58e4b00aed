"""`python -m tools.domains.flood PORT FOLDER DOMAIN TO`: a peer that calls as fast as it is answered, until it is ended.

It prints, every second, how many answers of each code came.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import trio

from qpqcore.api.federation import METHODS, FederationHealthParams
from qpqcore.api.rpc import Call, Reply
from qpqcore.net import authority
from qpqfederation.links import ALPN
from trio_quic import ClientTls, QuicConfiguration, QuicError, open_quic_connection

AT_ONCE = 32
"""Two processes stay within what a domain has of calls at once, and so meet its limit by the second."""
HEALTH = next(m.number for m in METHODS if m.name == "federationHealth")


async def flood(port: int, own: Path, domain: str, to: str) -> None:
    """Flood, for ever."""
    tls = ClientTls(
        ca_pem=(own / authority.PEER_CA).read_bytes(), chain_pem=(own / authority.PEER_CERT).read_bytes(),
        key_pem=(own / authority.PEER_KEY).read_bytes(),
    )  # fmt: skip
    answers: Counter[int] = Counter()
    # The cheapest call there is: what the server spends on it is what a peer can take from the others.
    hello = FederationHealthParams(domain=domain, protocol=1).to_bytes()
    frame = Call(method=HEALTH, deadline_ms=5_000, params=hello).to_bytes()
    configuration = QuicConfiguration(alpn=(ALPN,), client=tls)
    async with open_quic_connection("127.0.0.1", port, configuration, server_name=to) as peer:

        async def again() -> None:
            while peer.closed is None:
                with suppress(QuicError):
                    answers[Reply.from_bytes(await peer.call(frame)).code] += 1

        async with trio.open_nursery() as nursery:
            for _ in range(AT_ONCE):
                nursery.start_soon(again)
            while True:
                await trio.sleep(1.0)
                print(json.dumps(answers), flush=True)  # noqa: T201 - the tool's purpose
                answers.clear()


if __name__ == "__main__":
    trio.run(flood, int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
