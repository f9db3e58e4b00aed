"""A real probe from registration to reception: two accounts that exist for as long as it takes."""

from __future__ import annotations

import secrets
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import trio

import qpqclient

if TYPE_CHECKING:
    from trio_quic import EngineName

PROBE_SECONDS_MAX = 30.0
STORE_KEY_BYTES = 32


async def probe(server: str, token: str, ca_cert: Path | None, engine: EngineName) -> dict[str, float]:
    """Return how long each step took, seconds. QpqError; Unreachable also past PROBE_SECONDS_MAX."""
    took: dict[str, float] = {}
    began = trio.current_time()

    def step(name: str) -> None:
        nonlocal began
        took[name] = trio.current_time() - began
        began = trio.current_time()

    with tempfile.TemporaryDirectory(prefix="qpqctl-test-") as folder:
        with trio.move_on_after(PROBE_SECONDS_MAX):
            async with AsyncExitStack() as stack:
                one, two = [
                    await stack.enter_async_context(
                        qpqclient.open_client(
                            Path(folder) / side,
                            server=server,
                            ca_cert=ca_cert,
                            engine=engine,
                            store_key=secrets.token_bytes(STORE_KEY_BYTES),
                        )  # fmt: skip
                    )
                    for side in ("one", "two")
                ]
                names = [f"probe-{secrets.token_hex(8)}" for _ in range(2)]
                for client, name in zip((one, two), names, strict=True):
                    await client.register(name, secrets.token_hex(16), token=token)
                step("register_s")
                text = secrets.token_hex(16)
                events = two.events()
                await (await one.dm(names[1])).send(text)
                await _received(events, text)
                step("send_to_receive_s")
                for client in (one, two):
                    await client.delete_account()
                step("delete_s")
                return took
    raise qpqclient.Unreachable(
        f"the probe was not over in {PROBE_SECONDS_MAX:.0f} s; done: {', '.join(took) or 'nothing'}"
    )


async def _received(events: qpqclient.Events, text: str) -> None:
    async for event in events:
        if isinstance(event, qpqclient.MessageReceived) and event.message.text == text:
            return
