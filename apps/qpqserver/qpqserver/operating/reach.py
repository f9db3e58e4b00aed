"""Where an act is done: by the running server, or here, over a store that this process opens.

| store | the server runs | it does not |
|---|---|---|
| SQLCipher files | the server does it (control.py) | here, with the files' locks held: a server cannot start meanwhile |
| PostgreSQL | here: in the database, and told over Redis to all gateways | the same |
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from qpqauth.config import Config
from qpqauth.operator import Operator
from qpqcore.bus.notices import LocalNotices
from qpqcore.config.settings import redis_url_of
from qpqcore.runtime import clock
from qpqserver import secrecy
from qpqserver.backup.journal import finish
from qpqserver.operating.acts import perform
from qpqserver.operating.control import NotRunning, ask
from qpqserver.sharing import SEAL
from qpqserver.stores import Stores

if TYPE_CHECKING:
    from qpqcore.bus.notices import Notices
    from qpqcore.config.settings import Settings

TELL_SECONDS_MAX = 5.0
"""For Redis to be told who was revoked; the store has it, and gateways look there every few minutes."""


def act(settings: Settings, asked: dict[str, Any]) -> dict[str, Any]:
    """Have an act done; return what came of it. Refusal, DatabaseError, ConfigError, SecretMissing, ControlBroken.

    In the answer `told` is False where running gateways could not be told: they find out by themselves, within 5 minutes.
    """
    if settings.store_backend == "sql":
        try:
            return ask(Path(settings.data_dir), asked)
        except NotRunning:
            finish(settings)  # a restore that was cut off counts: what is done to the old files would be lost
    done: dict[str, Any] = trio.run(_here, settings, asked)
    return done


async def _here(settings: Settings, asked: dict[str, Any]) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        notices, told = await _notices(settings, stack)
        store = await stack.enter_async_context(Stores(settings).of("auth", Config(domain=settings.federation_domain)))
        operator = Operator(store, notices=notices, clock_ms=clock.now_ms)
        done = await perform(operator, asked)
        return done | {"told": await told()}


async def _notices(settings: Settings, stack: AsyncExitStack) -> tuple[Notices, Any]:
    """Return what tells running processes, and what waits until that is done."""
    url = redis_url_of(settings)
    if not url:

        async def nobody() -> bool:
            await trio.lowlevel.checkpoint()
            return settings.store_backend == "sql"  # no server runs: there is nobody to tell

        return LocalNotices(), nobody
    # Only who uses Redis pays for the import: half a second.
    from qpqcore.bus.redis.address import parse
    from qpqcore.bus.redis.parts import open_redis

    folder = Path(settings.secrets_dir or Path(settings.data_dir) / "secrets")
    address = parse(url, Path(settings.redis_ca) if settings.redis_ca else None)
    parts = await stack.enter_async_context(
        open_redis(address, key=secrecy.read(folder, SEAL), domain=settings.federation_domain)
    )
    with trio.move_on_after(TELL_SECONDS_MAX):
        await parts.notices.wait_up()

    async def told() -> bool:
        with trio.move_on_after(TELL_SECONDS_MAX):
            await parts.notices.wait_revoked()
            return True
        return False

    return parts.notices, told
