"""Hostile text, all of it, as everything that others can choose: in a REPL at a real terminal, through a pipe, and as JSON.

Messages, reactions, names of files and groups come from a person's client over the server. Names of users are checked there, so they
are written into the receiver's own database, as a lying server's would have come; with them people who send, react and are members.
Whatever is written to the terminal is harmless by Unicode's tables (not by the filter's own), and benign text is unchanged.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import trio

import qpqclient
from qpqclient.store import Store
from qpqcore.api.content import ContentFile
from qpqcore.model.ids import make_id
from tests.support import terminals
from tests.support.hostile_text import BENIGN, check, texts
from tools.client_drills.outcome import Outcome
from tools.client_drills.stage import QPQ, environment, qpq, server_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qpqclient import Conversation

EVERY = {"full": 1, "small": 8}
"""Each text, or one of so many."""
NAME_CHARS = 200
"""Of a text as a name or a reaction."""
PATIENCE_SECONDS = 900
"""For a terminal that shows a thousand messages on a busy machine."""
LOOKS = (
    "/dm bob",
    "/history 9999",
    "/members",
    "/gi",
    "/list",
    "/search a",
    "/switch #club",
    "/history 9999",
    "/members",
    "/gi",
)
END = "and that was all"
JSON_LOOKS = (("history", "@bob", "-n", "9999"), ("members", "#club"), ("list",), ("search", "a"))


def encodable(text: str) -> str:
    """Return what of a text a message can hold: half a surrogate pair cannot be sent."""
    return text.encode(errors="replace").decode()


async def send_all(talk: Conversation, group: Conversation, chosen: list[str]) -> None:
    """Send each text as a message, as a reaction, as a file's name and as the group's."""
    for text in map(encodable, chosen):
        message = await talk.send(text or " ")
        await talk.react(message.id, text[:NAME_CHARS])
        name = text[:NAME_CHARS]
        file = ContentFile(
            blob=b"b" * 41, secret=b"s" * 16, key=b"k" * 32, total_bytes=5, name=name, mime=name, sha256=b"h" * 32
        )
        talk._post("file", file=file, fallback=f"[file] {name}")  # noqa: SLF001 - its sender's own client would clean the name
        await group.rename(name)
    for text in BENIGN:
        await talk.send(text)
    await group.rename("club")
    await talk.send(END)


def write_names(folder: Path, key: bytes, channels: dict[str, bytes], chosen: list[str]) -> None:
    """Write people of such names into a database: senders, who react, and members."""
    store = Store(folder, key)
    number = int(store.rows("SELECT max(number) FROM messages")[0][0])
    with store.transaction() as db:
        for at, text in enumerate([*map(encodable, chosen), *BENIGN], 1):
            account, ident = make_id(secrets.token_bytes(16), "localhost"), secrets.token_bytes(16)
            db.execute("INSERT INTO people VALUES (?, ?, ?, x'', 0)", (account, text[:NAME_CHARS], b"k" * 32))
            db.execute(
                "INSERT INTO leaves (channel, leaf, account, device) VALUES (?, ?, ?, ?)",
                (channels["club"], 1000 + at, account, ident),
            )
            db.execute(
                "INSERT INTO messages (number, channel, id, sender, kind, text, sent_ms, accepted_ms, log_number, state, own, edited, shown, "
                "expires_ms) VALUES (?, ?, ?, ?, 'text', ?, 1, 1, ?, 'received', 0, 0, ?, 0)",
                (number + at, channels["club"], ident, account, f"from number {at}", 10_000 + at, at % 2),
            )
            db.execute("INSERT INTO reactions VALUES (?, ?, ?, '👍')", (channels["club"], ident, account))
    store.close()


def judge_lines(outcome: Outcome, where: str, written: str) -> None:
    """Check each line that reached a terminal or a pipe."""
    lines = written.replace("\r", "").split("\n")
    bad = []
    for line in lines:
        try:
            check(line)
        except AssertionError as exc:
            bad.append(f"{exc}")
    outcome.note(f"lines written {where}, harmful", f"{len(lines)}, {len(bad)}")
    outcome.expect(not bad, f"{where}: {bad[:3]}")


def judge_benign(outcome: Outcome, where: str, written: str) -> None:
    """See that benign text is shown as it is."""
    changed = [text for text in BENIGN if f"[bob] {text}" not in written]
    outcome.expect(not changed, f"{where}: benign text was changed: {changed}")


def at_terminal(told: dict[str, str], lines: tuple[str, ...], until: str) -> str:
    """Run a REPL in a terminal until it has shown something, then give it lines; return what it wrote but its own sequences."""
    terminals.PATIENCE_SECONDS = PATIENCE_SECONDS
    with terminals.terminals() as open_:
        repl = open_([*QPQ, "repl"], told)
        repl.sees("you are alice…")
        repl.sees(f"…{until}…")
        repl.type(*lines, "/quit")
        if repl.ends():
            raise RuntimeError("the REPL did not end well")
        return terminals.SEQUENCES_OF_OUR_OWN.sub("", repl.raw.decode())


def judge_json(outcome: Outcome, command: tuple[str, ...], written: str) -> None:
    """See that JSON is ASCII without a control character, a value a line."""
    lines = written.splitlines()
    values: list[Any] = [json.loads(line) for line in lines]
    outcome.note(f"JSON lines of `{' '.join(command)}`", len(values))
    outcome.expect(values, f"{command}: nothing")
    outcome.expect(written.isascii() and all(c >= " " for line in lines for c in line), f"{command}: not plain ASCII")


async def play(root: Path, size: str, told: Callable[[str], None]) -> Outcome:
    """Play with all texts, or some of each class."""
    outcome = Outcome("hostile")
    chosen = list(dict.fromkeys(text for _, text in texts()))[:: EVERY[size]]
    kinds = {kind for kind, text in texts() if text in set(chosen)}
    outcome.note("classes, texts, places for each", f"{len(kinds)}, {len(chosen)}, 5")
    async with server_process(root / "server") as server:
        alice = environment(root, server.address, "alice")
        await qpq(alice, "register")
        async with qpqclient.open_client(root / "by", server=server.address, password="of bob") as bob:  # noqa: S106 - a drill's
            await bob.register("bob", "of bob")
            talk, group = await bob.dm("alice"), await bob.create_group("club", ["alice"])
            await send_all(talk, group, chosen)
            await bob.flush()
            channels = {"bob": talk.id, "club": group.id}
            told("all sent")
            shown = await trio.to_thread.run_sync(at_terminal, alice, LOOKS, END)
            judge_lines(outcome, "by the REPL at a terminal", shown)
            judge_benign(outcome, "at a terminal", shown)
            told("shown at a terminal")
        key = await trio.to_thread.run_sync(qpqclient.store.open_key, root / "alice", alice["QPQ_PASSWORD"])
        write_names(root / "alice", key, channels, chosen)
        shown = await trio.to_thread.run_sync(at_terminal, alice, LOOKS, "from number")
        judge_lines(outcome, "by the REPL, user names among it", shown)
        typed = "".join(f"{line}\n" for line in LOOKS)
        plain = await qpq(alice, "repl", typed=typed)
        judge_lines(outcome, "by the REPL through a pipe", plain)
        judge_benign(outcome, "through a pipe", plain)
        for command in JSON_LOOKS:
            judge_json(outcome, command, await qpq(alice, "--json", *command))
    return outcome
