"""Power cuts: everything a store wrote is recorded, and what each cut would have left on the disk is opened and read.

A cut keeps what was synced, and of what was not: nothing, everything, a seeded choice of the writes, or half of the last
one. Whatever was acknowledged before the cut must be there, and the database whole. With `synchronous=OFF` it is not.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

from qpqcore.store.connection import connect
from qpqcore.store.errors import DatabaseError
from tests.durability.writer import CHANNEL, KEY, payload

HERE = Path(__file__).parent
SEED = 7
CUTS_MIN = 1_000
DATABASES = {"server": "delivery.db", "client": "client.db"}
ACK_BYTES = 6


class Disk:
    """Files as a disk has them: what is synced, and what may or may not have reached it."""

    def __init__(self):
        self.synced = defaultdict(bytes)
        self.pending = defaultdict(list)

    def take(self, operation, path, offset, data):
        if operation == "s":
            self.synced[path] = applied(self.synced[path], self.pending.pop(path, []))
        elif operation == "u":
            self.synced.pop(path, None)
            self.pending.pop(path, None)
        else:
            self.pending[path].append((operation, offset, data))

    def after(self, choose):
        """Return what a cut leaves; `choose` says which of a file's pending operations reached the disk."""
        names = set(self.synced) | set(self.pending)
        return {name: applied(self.synced.get(name, b""), choose(self.pending.get(name, []))) for name in names}


def applied(content, operations):
    found = bytearray(content)
    for operation, offset, data in operations:
        if operation == "t":
            del found[offset:]
            found.extend(bytes(max(0, offset - len(found))))
        else:
            found.extend(bytes(max(0, offset - len(found))))
            found[offset : offset + len(data)] = data
    return bytes(found)


def nothing(operations):
    return []


def everything(operations):
    return operations


def torn(operations):
    if not operations or operations[-1][0] == "t":
        return operations
    operation, offset, data = operations[-1]
    return [*operations[:-1], (operation, offset, data[: len(data) // 2])]


def some_of(dice):
    return lambda operations: [o for o in operations if dice.random() < 0.5]


def read_trace(path):
    data, at = path.read_bytes(), 0
    while at < len(data):
        operation, length = chr(data[at]), struct.unpack_from("<I", data, at + 1)[0]
        name = data[at + 5 : at + 5 + length].decode()
        offset, size = struct.unpack_from("<QQ", data, at + 5 + length)
        at += 21 + length
        yield operation, Path(name).name, offset, data[at : at + size]
        at += size


@pytest.fixture(scope="module")
def recorder(tmp_path_factory):
    library = tmp_path_factory.mktemp("recorder") / "recorder.so"
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-o", library, HERE / "recorder.c", "-ldl", "-lpthread"], check=True
    )
    return library


def record(recorder, tmp_path, what, count, how):
    folder, trace = tmp_path / "watched", tmp_path / "trace"
    folder.mkdir()
    environment = {
        **os.environ, "LD_PRELOAD": str(recorder), "QPQ_TRACE_FOLDER": str(folder), "QPQ_TRACE_FILE": str(trace),
    }  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "tests.durability.writer", what, folder, str(count), how], env=environment, check=True,
        timeout=120, cwd=HERE.parent.parent,
    )  # fmt: skip
    return list(read_trace(trace))


def found_in(what, folder):
    """Return which writes a database left by a cut holds; None if it cannot be read."""
    path = folder / DATABASES[what]
    if not path.exists() or not path.stat().st_size:
        return set()
    try:
        connection = connect(path, KEY)
        try:
            if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                return None
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name IN ('log', 'meta')").fetchone():
                return set()
            if what == "server":
                rows = connection.execute("SELECT payload FROM log WHERE channel = ? AND kind = 0", (CHANNEL,))
                numbers = set()
                for (data,) in rows:
                    assert data == payload(int(data[:6]))
                    numbers.add(int(data[:6]))
                entries = connection.execute("SELECT count(*) FROM entries WHERE device = x'626f62'").fetchone()[0]
                assert entries >= len(numbers)
                return numbers
            rows = connection.execute("SELECT name, value FROM meta WHERE name LIKE 'message %'").fetchall()
            position = connection.execute("SELECT value FROM meta WHERE name = 'position'").fetchone()
            assert len(rows) == (int.from_bytes(position[0], "big") if position else 0)
            return {int(name[8:]) for name, value in rows if value == payload(int(name[8:]))}
        finally:
            connection.close()
    except DatabaseError:
        return None


def judge(what, trace):
    """Cut after every record; return (cuts, acknowledged writes lost, databases that were not whole)."""
    dice = random.Random(SEED)
    disk, acked = Disk(), set()
    cuts = lost = broken = 0
    for operation, name, offset, data in trace:
        if name == "acks":
            acked.add(int(data))
            continue
        if name.endswith(("-shm", ".lock", "lock")):
            continue
        disk.take(operation, name, offset, data)
        ways = [nothing, some_of(dice)] if cuts % 3 else [nothing, everything, torn]
        for choose in ways:
            with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
                for file, content in disk.after(choose).items():
                    (Path(folder) / file).write_bytes(content)
                found = found_in(what, Path(folder))
            cuts += 1
            broken += found is None
            lost += len(acked - found) if found is not None else 0
    return cuts, lost, broken


@pytest.mark.parametrize(("what", "count"), [("server", 400), ("client", 250)])
def test_no_power_cut_takes_what_was_acknowledged(recorder, tmp_path, what, count):
    cuts, lost, broken = judge(what, record(recorder, tmp_path, what, count, "safe"))
    assert (lost, broken) == (0, 0)
    assert cuts >= CUTS_MIN


@pytest.mark.parametrize(("what", "count"), [("server", 60), ("client", 60)])
def test_without_syncs_it_would(recorder, tmp_path, what, count):
    """What the test can see: the same store with `synchronous=OFF` loses what it acknowledged."""
    _, lost, broken = judge(what, record(recorder, tmp_path, what, count, "unsafe"))
    assert lost + broken > 0
