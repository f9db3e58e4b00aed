"""A program at the daemon's other end and the events that it is told, in the test's own process; the daemon as one: tests/cli."""

from __future__ import annotations

import json
import socket
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from qpq.daemon import rpc
from qpq.daemon.events import told, unshown
from qpq.daemon.peer import LINE_BYTES_MAX, WAITING_MAX, Collector, Peer
from qpq.table.model import Mistake
from qpqclient import (
    Connected,
    Disconnected,
    Event,
    GroupChanged,
    MessageChanged,
    MessageReceived,
    Missed,
    SessionEnded,
    Typing,
)
from tests.support.people import settle

PATIENCE_SECONDS = 60
GONE = b"\x77" * 16


async def test_each_event_has_its_name_and_what_is_gone_has_none(open_world):
    async with open_world() as w:
        alice, bob = await w.client("alice"), await w.client("bob")
        talk, hers = w.direct.hex(), alice.conversation(w.direct)
        message = await hers.send("hello")
        name, params = told(alice, MessageChanged(w.direct, message.id))
        assert (name, params["text"], params["conversation"]) == ("messageChanged", "hello", talk)
        await alice.flush()
        await hers.delete(message.id)
        await alice.flush()
        found = told(alice, MessageChanged(w.direct, message.id))
        assert found == ("messageChanged", {"id": message.id.hex(), "deleted": True, "conversation": talk})
        name, params = told(alice, GroupChanged(w.club, active=True))
        assert (name, params["name"], params["members"]) == ("groupChanged", "club", 3)
        assert told(alice, Typing(w.direct, "bob", on=True)) == (
            "typing",
            {"conversation": talk, "name": "bob", "on": True},
        )
        assert told(alice, Missed(w.direct)) == ("missed", {"conversation": talk})
        assert told(alice, Connected(b"")) == ("connected", {})
        assert told(alice, Disconnected(b"")) == ("disconnected", {})
        assert told(alice, SessionEnded(b"")) == ("sessionEnded", {})
        for nothing in (Event(w.direct), GroupChanged(GONE, active=False), MessageChanged(GONE, message.id)):
            assert told(alice, nothing) is None
        await settle(alice, bob)
        fresh = await bob.conversation(w.direct).send("to alice")
        await bob.conversation(w.club).send("to all")
        await settle(bob, alice)
        there = hers.message(fresh.id)
        assert told(alice, MessageReceived(w.direct, there)) is None
        assert unshown(alice, Missed(w.direct)) == []
        assert "to alice" in [p["text"] for _, p in unshown(alice, MessageReceived(w.direct, there))]
        assert [p["text"] for _, p in unshown(alice, None)][-1] == "to all"
        assert unshown(alice, None) == []


class Program:
    """The other end of a peer's stream."""

    def __init__(self, peer, stream):
        self.peer, self.stream, self.ended = peer, stream, trio.Event()
        self._rest = b""

    async def run(self):
        await self.peer.run()
        self.ended.set()

    async def read(self):
        """Return the next frame, None at the end."""
        with trio.fail_after(PATIENCE_SECONDS):
            while b"\n" not in self._rest:
                if not (data := await self.stream.receive_some()):
                    return None
                self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    async def call(self, method, **params):
        frame = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        await self.stream.send_all(rpc.frame(frame))
        return await self.read()

    async def is_over(self):
        with trio.fail_after(PATIENCE_SECONDS):
            await self.ended.wait()


@asynccontextmanager
async def program(client=None, ends=trio.testing.memory_stream_pair):
    """Yield a program that is connected."""
    its, ours = ends()
    found = Program(Peer(None, client, ours), its)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(found.run)
        yield found
        nursery.cancel_scope.cancel()


async def test_a_program_that_does_not_read_is_cut_off():
    async with program(ends=trio.testing.lockstep_stream_pair) as p:
        p.peer.notify("connected", {})
        await trio.testing.wait_all_tasks_blocked()  # that one is on its way
        for _ in range(WAITING_MAX):
            p.peer.notify("connected", {})
        await trio.testing.wait_all_tasks_blocked()
        assert not p.ended.is_set(), "so many wait"
        p.peer.notify("connected", {})
        await p.is_over()
        p.peer.notify("connected", {})  # nobody is there any more: no error


async def test_a_program_that_goes_while_it_is_written_to_ends_its_peer():
    async with program(ends=trio.testing.lockstep_stream_pair) as p:
        p.peer.notify("connected", {})
        await trio.testing.wait_all_tasks_blocked()
        await p.stream.aclose()
        await p.is_over()


def unix_sockets():
    its, ours = socket.socketpair()
    return trio.SocketStream(trio.socket.from_stdlib_socket(its)), trio.SocketStream(
        trio.socket.from_stdlib_socket(ours)
    )


async def test_a_program_that_goes_with_something_unread_ends_its_peer():
    """Its socket is reset, not closed."""
    async with program(ends=unix_sockets) as p:
        p.peer.notify("connected", {})
        await trio.testing.wait_all_tasks_blocked()
        await p.stream.aclose()
        await p.is_over()


async def test_a_program_that_ends_gets_its_answers_still():
    async with program() as p:
        await p.stream.send_all(b'\n{"jsonrpc": "2.0", "id": 7, "method": "nothing"}\n')
        await p.stream.send_eof()
        answer = await p.read()
        assert (answer["id"], answer["error"]["code"]) == (7, rpc.UNKNOWN_METHOD)
        await p.is_over()


async def test_a_line_without_end_is_refused():
    async with program() as p:
        await p.stream.send_all(b" " * (LINE_BYTES_MAX + 1))
        assert (await p.read())["error"]["code"] == rpc.INVALID_REQUEST
        await p.is_over()


async def test_what_a_call_meets_is_told_and_a_fault_inside_stays_inside(open_world, tmp_path, capsys):
    async with open_world() as w, program(await w.client("alice")) as p:
        await p.call("recovery-code")
        answer = await p.call("backup", to=str(tmp_path / "no folder" / "backup"))
        assert answer["error"]["code"] == rpc.INVALID_PARAMS
        assert answer["error"]["message"].startswith(f"No such file or directory: {tmp_path / 'no folder'}")
        assert (await p.call("dm", name="nobody"))["error"]["data"] == {"name": "notFound"}
        assert (await p.call("passwd"))["error"]["message"] == "New password: say it in the parameters"
        assert {c["name"] for c in (await p.call("list"))["result"]} == {"bob", "club"}
    async with program(client=None) as p:
        answer = await p.call("list")
        assert answer["error"] == {"code": rpc.INTERNAL, "message": "a fault inside; standard error has it"}
        assert "AttributeError" in capsys.readouterr().err
        assert (await p.call("list"))["error"]["code"] == rpc.INTERNAL, "and goes on"


async def test_a_call_asks_nobody_and_tells_how_far_a_file_has_come():
    found = []
    collector = Collector(lambda name, params: found.append((name, params)))
    for ask in (collector.ask, collector.ask_secret):
        with pytest.raises(Mistake, match="New password: say it in the parameters"):
            await ask("New password")
    collector.progress("film", 1, 2)
    assert found == [("progress", {"what": "film", "done_bytes": 1, "total_bytes": 2})]
