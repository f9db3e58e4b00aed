"""Files of two sizes on their way up and down, both sides killed once each way: the same hash, little sent twice, equal peaks of memory.

The clients are `qpq send-file` and `qpq download` as processes, which write down each chunk (`counted`). In the middle of each
way the server is killed and started again, later the client; who sent the file, or wants it, gives the command once more.
"""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from qpqclient.blobs import CHUNK_BYTES, UNDER_WAY
from qpqclient.downloads import sealed_bytes
from qpqcore.model.errors import EXIT_CODES, ErrorCode
from tools.client_drills.counting_server import sent_again
from tools.client_drills.outcome import Outcome
from tools.client_drills.stage import LOOK_SECONDS, environment, peak_kib, qpq, server_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tools.client_drills.stage import DrillServer

SIZES = {"full": (200_000_000, 1_000_000_000), "small": (24_000_000,)}
CONFIG = "blob_bytes_max = 1073741824\n"
BLOCK_BYTES = 1 << 20
UNAVAILABLE = EXIT_CODES[ErrorCode.UNAVAILABLE]
KILLS = 2
"""On each way: the server, then the client."""
PEAKS_RATIO_MAX = 1.10
WAY_SECONDS_MAX = 3_600
UP, DOWN = "up", "down"


@dataclass
class Way:
    """One file's way in one direction, as the client's log has it."""

    direction: str
    log: Path
    client_kib: int = 0
    server_kib: int = 0
    seconds: float = 0.0
    server_kills: int = 0
    lines: list[tuple[str, int, int]] = field(default_factory=list)
    """Begun or done, offset, bytes."""
    _read: int = 0

    def look(self) -> int:
        """Read on in the log; return how many bytes were done so far."""
        if self.log.exists():
            with self.log.open() as file:
                file.seek(self._read)
                while (line := file.readline()).endswith("\n"):
                    direction, what, offset, count = line.split()
                    if direction == self.direction:
                        self.lines.append((what, int(offset), int(count)))
                    self._read = file.tell()
        return sum(count for what, _, count in self.lines if what == "done")

    def twice(self, size: int, what: str) -> int:
        """Return how many bytes were begun, or done, beyond the file's own."""
        return sum(count for w, _, count in self.lines if w == what) - size

    def after_done(self) -> int:
        """Return how many bytes were begun again that the other side had said it has."""
        done: set[int] = set()
        again = 0
        for what, offset, count in self.lines:
            if what == "done":
                done.add(offset)
            elif offset in done:
                again += count
        return again


def write_file(path: Path, size: int) -> bytes:
    """Write a file of which no two blocks are equal; return its hash."""
    digest, block = hashlib.sha256(), hashlib.shake_256(b"qpq").digest(BLOCK_BYTES)
    with path.open("wb") as out:
        for number in range(-(-size // BLOCK_BYTES)):
            piece = (number.to_bytes(8, "big") + block[8:])[: size - number * BLOCK_BYTES]
            digest.update(piece)
            out.write(piece)
    return digest.digest()


def hash_of(path: Path) -> bytes:
    """Return a file's hash."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


async def go(way: Way, size: int, server: DrillServer, told: dict[str, str], words: list[str]) -> None:
    """Take a file one way: the server is killed at a third, the client at two thirds, then it goes to its end."""
    begun_s = time.monotonic()
    with trio.fail_after(WAY_SECONDS_MAX):
        for dies in (2 * size // 3, 0):
            # On a busy machine the server takes longer to come back than a client waits; then the command is given again.
            while (code := await one_command(way, size, server, told, dies, words)) == UNAVAILABLE and way.server_kills:
                await trio.sleep(LOOK_SECONDS)
            if code != (-signal.SIGKILL if dies else 0):
                raise RuntimeError(f"{words[0]} ended with {code} after {way.look()} bytes")
    way.look()
    way.seconds = time.monotonic() - begun_s


async def one_command(
    way: Way, size: int, server: DrillServer, told: dict[str, str], dies: int, words: list[str]
) -> int:  # fmt: skip
    """Give the command once, dying when so many bytes are done in all; return its exit code."""
    own = str(dies - way.look() if dies else 0)
    program = [sys.executable, "-m", "tools.client_drills.counted", str(way.log), own, *words]
    process = await trio.lowlevel.open_process(program, env=told, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if dies and not way.server_kills and way.look() >= size // 3:
            await server.kill()
            await server.start()
            way.server_kills = 1
        way.client_kib = max(way.client_kib, peak_kib(process.pid))
        way.server_kib = max(way.server_kib, *map(peak_kib, server.pids))
        await trio.sleep(LOOK_SECONDS)
    return int(process.returncode or 0)


async def one_size(root: Path, size: int, outcome: Outcome, told: Callable[[str], None]) -> tuple[Way, Way]:
    """Send a file of a size and fetch it."""
    source = root / "film.bin"
    wanted = await trio.to_thread.run_sync(write_file, source, size)
    program = [sys.executable, "-m", "tools.client_drills.counting_server", str(root / "server.chunks")]
    async with server_process(root / "server", CONFIG, program) as server:
        alice, bob = (environment(root / name, server.address, name) for name in ("alice", "bob"))
        for person in (alice, bob):
            await qpq(person, "register")
        await qpq(alice, "dm", "bob", "a film")
        await qpq(bob, "recv", "--wait", "60")
        up, down = Way(UP, root / "up.log"), Way(DOWN, root / "down.log")
        await go(up, size, server, alice, ["send-file", "@bob", str(source)])
        told(f"{size} bytes up in {up.seconds:.0f} s")
        await qpq(bob, "recv", "--wait", "60")
        (root / "in").mkdir()
        await go(down, size, server, bob, ["download", "@alice", "--to", str(root / "in")])
        told(f"{size} bytes down in {down.seconds:.0f} s")
    if server.counts_chunks:
        again = sent_again(root / "server.chunks")
        outcome.note(
            f"{size / 1e6:.0f} MB up: bytes sent again that the server had whole, in its memory or stored",
            f"{again} ({again / CHUNK_BYTES:.1f} chunks)",
        )
        outcome.expect(again <= KILLS * CHUNK_BYTES, f"{size} bytes: {again} bytes sent again that the server had")
    got = root / "in" / source.name
    outcome.expect(await trio.to_thread.run_sync(hash_of, got) == wanted, f"{size} bytes: another hash")
    outcome.expect([p.name for p in (root / "in").iterdir()] == [source.name], f"{size} bytes: something is left")
    got.unlink()
    source.unlink()
    return up, down


def judge(outcome: Outcome, size: int, way: Way) -> None:
    """Note what one way cost."""
    sealed = sealed_bytes(size)
    megabytes = f"{size / 1e6:.0f} MB {way.direction}"
    twice = way.twice(sealed, "done")
    outcome.note(f"{megabytes}: seconds, two kills in them", f"{way.seconds:.0f}")
    outcome.expect(way.server_kills, f"{megabytes}: the server was not killed on the way")
    if way.direction == UP:
        begun = way.twice(sealed, "begun")
        outcome.note(f"{megabytes}: bytes sent again that the server had said it has", way.after_done())
        outcome.note(
            f"{megabytes}: bytes sent again that were under way at a kill",
            f"{begun} ({begun / CHUNK_BYTES:.1f} chunks)",
        )
        outcome.expect(not way.after_done(), f"{megabytes}: what the server had was sent again")
        outcome.expect(begun <= KILLS * UNDER_WAY * CHUNK_BYTES, f"{megabytes}: {begun} bytes sent again")
    else:
        outcome.note(f"{megabytes}: bytes received again", f"{twice} ({twice / CHUNK_BYTES:.1f} chunks)")
        outcome.expect(0 <= twice <= KILLS * CHUNK_BYTES, f"{megabytes}: {twice} bytes received again")
    outcome.note(
        f"{megabytes}: peak of the client, of the server, MiB",
        f"{way.client_kib / 1024:.0f}, {way.server_kib / 1024:.0f}",
    )


async def play(root: Path, size: str, told: Callable[[str], None]) -> Outcome:
    """Play with each size; compare."""
    outcome = Outcome("files")
    ways: list[tuple[Way, Way]] = []
    for count in SIZES[size]:
        folder = root / str(count)
        folder.mkdir()
        ways.append(await one_size(folder, count, outcome, told))
        for way in ways[-1]:
            judge(outcome, count, way)
    peaks = [(up.client_kib, down.client_kib, max(up.server_kib, down.server_kib)) for up, down in ways]
    for number, who in enumerate(("sending client", "receiving client", "server") if len(peaks) > 1 else ()):
        ratio = peaks[-1][number] / peaks[0][number]
        outcome.note(f"peak of memory, large by small: {who}", f"{ratio:.2f}")
        outcome.expect(1 / PEAKS_RATIO_MAX <= ratio <= PEAKS_RATIO_MAX, f"the {who}'s peak grows {ratio:.2f} times")
    return outcome
