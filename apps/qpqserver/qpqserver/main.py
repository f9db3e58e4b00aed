"""`qpq-server`: read the settings, start the embedded form, say how to chat, drain on a signal."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click
import structlog
import trio

from qpqcore.config.settings import ConfigError, Settings, address_of, example, load
from qpqcore.net.certificates import CertificateUnreadable
from qpqcore.obs import logs
from qpqcore.runtime.health import HealthPage
from qpqcore.store.errors import DatabaseError
from qpqserver.embedded import VERSION, Embedded, open_embedded

log = structlog.get_logger()

DRAIN_SECONDS_MAX = 3.0
"""Calls in flight get so long on a signal; the whole end takes less than 5 s."""
EXIT_CONFIGURATION = 2
EXIT_START = 1


@click.command()
@click.version_option(VERSION, prog_name="qpq-server")
@click.option("--config", "config", type=click.Path(path_type=Path), help="TOML file.")
@click.option("--listen", help="host:port of the QUIC endpoint.")
@click.option("--data-dir", help="Folder of databases, keys and certificate.")
@click.option("--metrics-listen", help="host:port of /livez, /readyz, /metrics.")
@click.option("--quic-engine", type=click.Choice(["native", "aioquic"]))
@click.option("--allow-insecure-auth", is_flag=True, default=None, help="Development: registration without the token.")
@click.option("--print-config", is_flag=True, help="Print the annotated example and leave.")
def main(config: Path | None, print_config: bool, **flags: str | bool | None) -> None:
    """Run a QPQ server in its embedded form."""
    if print_config:
        click.echo(example(), nl=False)
        return
    try:
        settings = load(config, os.environ, flags)
    except ConfigError as exc:
        click.echo(f"qpq-server: {exc}", err=True)
        sys.exit(EXIT_CONFIGURATION)
    logs.set_up("warning" if sys.stdout.isatty() else "info")
    sys.exit(trio.run(run, settings))


async def run(settings: Settings) -> int:
    """Serve until a signal comes; return the exit code."""
    try:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            await serve(settings, signals)
    except* (DatabaseError, CertificateUnreadable, OSError) as group:
        for exc in leaves(group):
            click.echo(f"qpq-server: {exc}", err=True)
        return_code = EXIT_START
    else:
        return_code = 0
    return return_code


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """Return the exceptions in a group."""
    found: list[BaseException] = []
    for exc in group.exceptions:
        found += leaves(exc) if isinstance(exc, BaseExceptionGroup) else [exc]
    return found


async def serve(settings: Settings, signals: object) -> None:
    """Start, wait for a signal, drain."""
    state = {"away": "starting"}
    async with trio.open_nursery() as nursery, open_embedded(settings) as server:
        if settings.metrics_enabled:
            page = HealthPage(server.metrics, lambda: state["away"] or server.away())
            await nursery.start(page.serve, *address_of(settings.metrics_listen))
        state["away"] = ""
        welcome(settings, server)
        async for _ in signals:  # type: ignore[attr-defined]  # trio's signal receiver
            break
        state["away"] = "draining"
        log.info("draining")
        server.gateway.begin_drain()
        with trio.move_on_after(DRAIN_SECONDS_MAX):
            await server.endpoint.drain(reason=b"the server is going away")
        nursery.cancel_scope.cancel()


def welcome(settings: Settings, server: Embedded) -> None:
    """Say, to people, where the server is and how to chat with it."""
    host, port = server.endpoint.address[:2]
    log.info("serving", port=port, engine=settings.quic_engine)
    qpq = Path(sys.executable).with_name("qpq")
    shown = os.path.relpath(qpq)
    where = "" if (host, port) == ("127.0.0.1", 7000) else f" --server {host}:{port}"
    click.echo(
        f"QPQ {VERSION} listens on {host}:{port} (QUIC). Ctrl-C ends it.\n"
        f"Its key's SHA-256: {server.spki_sha256.hex()}\n\n"
        f"Chat from two more terminals:\n"
        f"  1:  {shown}{where} -u alice -p secretA register && {shown}{where} -u alice -p secretA dm bob\n"
        f"  2:  {shown}{where} -u bob -p secretB register && {shown}{where} -u bob -p secretB dm alice\n"
        f"(register in both first; then type, and press Return)",
        err=True,
    )


if __name__ == "__main__":
    main()
