"""`qpq-server`: read the settings, start the embedded form, say how to chat, drain on a signal."""

from __future__ import annotations

import errno
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import structlog
import trio

from qpqcore.api.methods import SERVICES
from qpqcore.config.settings import ConfigError, Settings, address_of, example, load
from qpqcore.net.certificates import CertificateUnreadable
from qpqcore.net.places import place_of
from qpqcore.obs import logs
from qpqcore.obs.metrics import Metrics
from qpqcore.runtime import memory
from qpqcore.runtime.health import HealthPage
from qpqcore.store.connection import memory_bytes
from qpqcore.store.errors import DatabaseError
from qpqserver.backup.journal import finish as finish_restore
from qpqserver.composition import edge_certificate
from qpqserver.embedded import VERSION, Embedded, open_embedded
from qpqserver.operating import control
from qpqserver.process import Process, open_process
from qpqserver.secrecy import SecretMissing
from qpqserver.workers import of_worker, run_workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qpqauth.operator import Operator
    from qpqserver.reloading import Reloading

log = structlog.get_logger()

DRAIN_SECONDS_MAX = 3.0
"""Calls in flight get so long on a signal; the whole end takes less than 5 s."""
EXIT_CONFIGURATION = 2
EXIT_START = 1


@click.command()
@click.version_option(VERSION, prog_name="qpq-server")
@click.argument("service", required=False, type=click.Choice(sorted(SERVICES.values())))
@click.option("--config", "config", type=click.Path(path_type=Path), help="TOML file.")
@click.option("--listen", help="host:port of the QUIC endpoint.")
@click.option("--data-dir", help="Folder of databases, keys and certificate.")
@click.option("--workers", type=int, help="gateway: so many processes behind its one address.")
@click.option("--bus-listen", help="host:port of a single service's bus.")
@click.option("--metrics-listen", help="host:port of /livez, /readyz, /metrics.")
@click.option("--quic-engine", type=click.Choice(["native", "aioquic"]))
@click.option("--allow-insecure-auth", is_flag=True, default=None, help="Development: registration without the token.")
@click.option("--print-config", is_flag=True, help="Print the annotated example and leave.")
def main(service: str | None, config: Path | None, print_config: bool, **flags: str | int | bool | None) -> None:
    """Run a QPQ server: all of it in this process, or one SERVICE of many."""
    if print_config:
        click.echo(example(), nl=False)
        return
    try:
        settings = load(config, os.environ, flags, service)
    except ConfigError as exc:
        click.echo(f"qpq-server: {exc}", err=True)
        sys.exit(EXIT_CONFIGURATION)
    logs.set_up("warning" if sys.stdout.isatty() else "info")
    sys.exit(trio.run(run, settings, service, lambda: of_worker(load(config, os.environ, flags, service))))


async def run(settings: Settings, service: str | None, reread: Callable[[], Settings]) -> int:
    """Serve until a signal comes; return the exit code. SIGHUP has certificates and settings read again."""
    try:
        if settings.store_backend == "sql" and settings.worker < 0 and finish_restore(settings):
            log.info("restore_finished")
        if settings.workers > 1 and settings.worker < 0:
            Path(settings.data_dir).mkdir(parents=True, exist_ok=True, mode=0o700)
            edge_certificate(settings)  # made once, before several would
            await run_workers(settings, sys.argv[1:])
            return 0
        settings = of_worker(settings)
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            if service is None:
                await serve(settings, signals, reread)
            else:
                await serve_one(settings, service, signals, reread)
    except* (DatabaseError, CertificateUnreadable, SecretMissing, OSError) as group:
        for exc in leaves(group):
            click.echo(f"qpq-server: {sentence(exc, settings)}", err=True)
        return_code = EXIT_START
    except* ConfigError as group:
        for exc in leaves(group):
            click.echo(f"qpq-server: {exc}", err=True)
        return_code = EXIT_CONFIGURATION
    else:
        return_code = 0
    return return_code


LISTENING = ("listen", "metrics_listen", "bus_listen", "federation_listen")


def sentence(exc: BaseException, settings: Settings) -> str:
    """Say what is wrong; of an address that cannot be had, which it is and what to do."""
    reasons = {
        errno.EADDRINUSE: "another program listens there, a server that runs already perhaps: end it, or",
        errno.EADDRNOTAVAIL: "this machine has no such address:",
        errno.EACCES: "this user may not listen there:",
    }
    if not isinstance(exc, OSError) or not isinstance(exc.filename, str) or exc.errno not in reasons:
        return str(exc)
    names = [name for name in LISTENING if getattr(settings, name) == exc.filename]
    if not names and exc.errno == errno.EACCES:
        return str(exc)  # a file
    return f"{exc.filename}: {reasons[exc.errno]} choose another address ({' or '.join(names) or 'listen'})"


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """Return the exceptions in a group."""
    found: list[BaseException] = []
    for exc in group.exceptions:
        found += leaves(exc) if isinstance(exc, BaseExceptionGroup) else [exc]
    return found


def take_settings(reloading: Reloading, reread: Callable[[], Settings]) -> None:
    """Take changed settings; those that cannot be used leave those in use."""
    try:
        reloading.take(reread())
    except ConfigError as exc:
        log.warning("settings_unusable", reason=str(exc))


async def until_ended(signals: AsyncIterator[int], reload: Callable[[], None] | None) -> None:
    """Wait for the signal that ends us; at SIGHUP reload, where that can be done, and wait on."""
    async for number in signals:
        if number != signal.SIGHUP or reload is None:
            return
        reload()


async def serve(settings: Settings, signals: AsyncIterator[int], reread: Callable[[], Settings]) -> None:
    """Start, wait for a signal, drain."""
    state = {"away": "starting"}
    async with trio.open_nursery() as nursery, open_embedded(settings) as server:
        if settings.metrics_enabled:

            def away() -> str:
                return state["away"] or server.away()

            show_process(server.metrics, away)
            page = HealthPage(server.metrics, away, server.notes)
            await nursery.start(page.serve, *address_of(settings.metrics_listen))
        await listen_to_operator(settings, server.operator, nursery)
        memory.settle()
        state["away"] = ""
        welcome(settings, server)

        def reloaded() -> None:
            server.reloading.look()
            take_settings(server.reloading, reread)

        # At a terminal SIGHUP says that it was closed.
        await until_ended(signals, None if sys.stdin.isatty() else reloaded)
        state["away"] = "draining"
        log.info("draining")
        server.gateway.begin_drain()
        with trio.move_on_after(DRAIN_SECONDS_MAX):
            await server.endpoint.drain(reason=b"the server is going away")
        nursery.cancel_scope.cancel()


async def listen_to_operator(settings: Settings, operator: Operator | None, nursery: trio.Nursery) -> None:
    """Open the control socket where accounts lie in files: nobody else may write to them (operating.reach)."""
    if operator is not None and settings.store_backend == "sql":
        await nursery.start(control.serve, Path(settings.data_dir), operator)


async def serve_one(
    settings: Settings, service: str, signals: AsyncIterator[int], reread: Callable[[], Settings]
) -> None:
    """Start one service, wait for a signal, drain."""
    running: list[Process] = []
    state = {"away": "starting"}
    metrics, asked = Metrics(), trio.Event()

    def away() -> str:
        return state["away"] or running[0].away()

    def reloaded() -> None:
        for process in running:
            process.reload()
            if process.reloading is not None:
                take_settings(process.reloading, reread)

    async def obey() -> None:
        await until_ended(signals, reloaded)
        asked.set()
        if state["away"] == "starting":  # a gateway may wait for delivery, and nobody for this gateway
            nursery.cancel_scope.cancel()

    show_process(metrics, away)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(obey)
        if settings.metrics_enabled:
            page = HealthPage(metrics, away, lambda: running[0].notes() if running else ())
            await nursery.start(page.serve, *address_of(settings.metrics_listen))
        async with open_process(settings, service, metrics=metrics, on_made=running.append) as process:
            await listen_to_operator(settings, process.operator, nursery)
            memory.settle()
            state["away"] = ""
            log.info(
                "serving", service=service, bus=process.address, quic=process.endpoint and process.endpoint.address
            )
            await asked.wait()
            state["away"] = "draining"
            log.info("draining")
            await process.drain()
        nursery.cancel_scope.cancel()


def show_process(metrics: Metrics, away: Callable[[], str]) -> None:
    """Show what there is of every process: which version, whether it is ready, its memory and processor time."""
    metrics.watch_process()
    metrics.watch(
        lambda: [
            ("qpq_build_info", "1, and the version.", "version", {VERSION: 1}),
            ("qpq_ready", "Whether /readyz says yes.", "", {"": int(not away())}),
            ("qpq_sqlite_memory_bytes", "What SQLite holds: page caches above all.", "", {"": memory_bytes()}),
        ]
    )


def welcome(settings: Settings, server: Embedded) -> None:
    """Say, to people, where the server is and how to chat with it."""
    host, port = server.endpoint.address[:2]
    log.info("serving", port=port, engine=settings.quic_engine)
    qpq = Path(sys.executable).with_name("qpq")
    shown = os.path.relpath(qpq)
    place = place_of(host, port)
    where = "" if place == "127.0.0.1:7000" else f" --server {place}"
    click.echo(
        f"QPQ {VERSION} listens on {place} (QUIC). Ctrl-C ends it.\n"
        f"Its key's SHA-256: {server.spki_sha256.hex()}\n\n"
        f"Chat from two more terminals:\n"
        f"  1:  {shown} repl{where} --username alice --password secretA\n"
        f"  2:  {shown} repl{where} --username bob --password secretB\n"
        f"In the first, type /dm bob, and then what you have to say; /help lists the rest.",
        err=True,
    )


if __name__ == "__main__":
    main()
