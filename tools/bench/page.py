"""The measured part of docs/benchmarks.md, between its two marks; what is written by hand stays."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tools.bench.goals import GOALS, figures
from tools.bench.groups import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tools.bench.goals import Found
    from tools.bench.measure import Row

PAGE = Path(__file__).parents[2] / "docs/benchmarks.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


def write(runs: Sequence[Found], found: Found) -> None:
    """Put the figures into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + measured(runs, found) + END + after, encoding="utf-8")


def measured(runs: Sequence[Found], found: Found) -> str:
    """Return the goals and every part that was measured, as Markdown."""
    sections = [("goals", _goals(runs))]
    parts = {
        "calls": _calls, "store": _store, "postgres": _postgres, "messages": _messages, "fan-out": _fan_out, "entering": _entering, "blobs": _files,
        "restart": _restart, "idle": _idle, "large": _large, "latency": _latency, "groups": _groups, "sdk": _by_sdk,
    }  # fmt: skip
    sections += [(name, lines(found[name])) for name, lines in parts.items() if name in found]
    return "\n" + "\n\n".join("\n".join(lines) for _, lines in sections) + "\n\n"


def _goals(runs: Sequence[Found]) -> Iterator[str]:
    yield "## Goals\n"
    yield f"| measure | goal | median of {len(runs)} | lowest to highest | |\n|---|---|---|---|---|"
    for goal in GOALS:
        of = figures(goal, runs)
        limit = f"at {'least' if goal.at_least else 'most'} {goal.limit:g}"
        if of:
            spread = f"{of[0]:,.2f} to {of[-1]:,.2f} " if len(of) > 1 else ""
            verdict = "met" if goal.met(median(of)) else "**missed**"
            yield f"| {goal.measure} | {limit} | {median(of):,.2f} | {spread}| {verdict} |"
        else:
            yield f"| {goal.measure} | {limit} | not measured in this run | | |"


def _calls(rows: list[Row]) -> Iterator[str]:
    yield "## Calls\n"
    yield "| call | in flight | connections | frame, bytes | calls/s | server CPU us | native echo us | aioquic echo us | ratio to native | lowest to highest |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for r in rows:
        yield (
            f"| `{r['what']}` | {r['in_flight']} | {r['connections']} | {r['frame_bytes']} | {r['per_second']:,.0f} "
            f"| {r['cpu_us']:.1f} | {r['native_echo_us']:.1f} | {r['aioquic_echo_us']:.1f} | **{r['ratio']:.1f}** "
            f"| {r['lowest']:.1f} to {r['highest']:.1f} |"
        )


def _store(rows: list[Row]) -> Iterator[str]:
    (r,) = rows
    yield (
        f"With {r['in_flight']} in flight the server takes {r['server_per_second']:,.0f} durable messages a second, delivery's store alone "
        f"{r['store_per_second']:,.0f} of the same ({r['store_cpu_us']:.0f} us each): {r['share']:.2f} of the store's own rate."
    )


def _postgres(rows: list[Row]) -> Iterator[str]:
    yield "## Delivery's store on PostgreSQL\n"
    yield "1 KiB payloads; acknowledged means committed, mailboxes filled.\n"
    yield "| mailboxes a message | in flight | messages/s | p50 ms | p99 ms | CPU us of our process | of PostgreSQL |"
    yield "|---|---|---|---|---|---|---|"
    for r in rows:
        yield (
            f"| {r['copies']} | {r['in_flight']} | {r['per_second']:,.0f} | {r['p50_ms']:.1f} | {r['p99_ms']:.1f} "
            f"| {r['python_cpu_us']:,.0f} | {r['postgres_cpu_us']:,.0f} |"
        )


def _messages(rows: list[Row]) -> Iterator[str]:
    (m,) = rows
    yield "## Messages from device to device\n"
    yield (
        f"Enqueue, push and acknowledgement, six devices, {m['in_flight']} in flight: {m['per_second']:,.0f} a second, "
        f"{m['server_cpu_us']:.0f} us of the server's CPU for one, of which {m['store_us']:.0f} are the store's thread and "
        f"{m['edge_and_dispatch_us']:.0f} edge and dispatch. At half of that rate, send to receive: p50 {m['p50_ms']:.1f} ms, "
        f"p99 {m['p99_ms']:.1f} ms."
    )


def _fan_out(rows: list[Row]) -> Iterator[str]:
    yield "| fan-out to devices that are away | messages/s | server CPU us | us a copy |\n|---|---|---|---|"
    for r in rows:
        yield f"| {r['devices']} | {r['per_second']:,.0f} | {r['server_cpu_us']:,.0f} | {r['cpu_us_a_copy']:.1f} |"


def _entering(rows: list[Row]) -> Iterator[str]:
    yield "## Handshakes, log-ins, files, restart, idle clients, large groups\n"
    cost = {r["what"]: r["server_cpu_ms"] for r in rows}
    yield f"Handshake with X25519MLKEM768 and `hello`, one at a time: {cost['handshake']:.2f} ms of the server; log-in (OPAQUE): {cost['log-in']:.2f} ms."


def _files(rows: list[Row]) -> Iterator[str]:
    (f,) = rows
    yield (
        f"A file of {f['megabytes']:.0f} MB through the SDK, encrypted, hashed at both ends, on disk at the server: "
        f"{f['up_mb_s']:.0f} MB/s up, {f['down_mb_s']:.0f} MB/s down; {f['server_cpu_ms_a_mb']:.1f} ms of the server a MB."
    )


def _restart(rows: list[Row]) -> Iterator[str]:
    (r,) = rows
    yield (
        f"Start with {r['entries']:,} mailbox entries: {r['seconds']:.2f} s from the process's start to the first delivery; "
        f"peak memory {r['peak_mib']:.0f} MiB."
    )


def _idle(rows: list[Row]) -> Iterator[str]:
    for r in rows:
        yield f"{r['clients']:,} subscribed clients that do nothing: {r['kib_each']:.1f} KiB of the server each, {r['cpu_percent']:.2f} % of a core."


def _large(rows: list[Row]) -> Iterator[str]:
    (r,) = rows
    yield (
        f"A group of {r['members']:,} through the server, by the SDK: create {r['create_s']:.2f} s, join {r['join_s']:.2f} s, "
        f"add one {r['add_ms']:.0f} ms, send {r['send_ms']:.1f} ms, and a member who is online has it after {r['reached_ms']:.1f} ms "
        "a message. CPU of the clients and of the server, ms: "
        + ", ".join(
            f"{n} {r[f'{n}_client_ms']:.1f} and {r[f'{n}_server_ms']:.1f}" for n in ("create", "join", "add", "send")
        )
        + f"; {r['server_cpu_s']:.1f} s of the server in all, peak {r['server_peak_mib']:.0f} MiB."
    )


def _latency(rows: list[Row]) -> Iterator[str]:
    (r,) = rows
    yield (
        "Send to receive between two SDK clients in the server's process, one message at a time, both clients' databases "
        f"included: p50 {r['p50_ms']:.1f} ms, p99 {r['p99_ms']:.1f} ms."
    )


def _groups(rows: list[Row]) -> Iterator[str]:
    yield "## Groups\n"
    yield "qpqnative alone, milliseconds; no network and no database, but what would be written is taken each time.\n"
    yield "| suite | members | create | join | add one | commit | follow a commit | server's check | send | receive | message, bytes | bytes written: send + receive |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for r in rows:
        steps = " | ".join(f"{r[f'{step}_ms']:.2f}" for step in STEPS)
        yield f"| {r['suite']} | {r['members']:,} | {steps} | {r['message_bytes']:.0f} | {r['written_by_send']:,.0f} + {r['written_by_receive']:,.0f} |"


def _by_sdk(rows: list[Row]) -> Iterator[str]:
    (r,) = rows
    yield f"By the SDK through the server, a group of {r['members']}: {r['create_ms']:.0f} ms, with the other members away."
