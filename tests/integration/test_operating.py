"""What an operator does takes effect on the running server, and waits for one that is stopped; on either store."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio

import qpqclient
from qpqcore.api.keystore import ResolveUserParams, ResolveUserResult
from qpqcore.config.settings import Settings
from qpqcore.model.errors import ErrorCode
from qpqserver.ctl import bench
from qpqserver.operating import control
from qpqserver.operating.acts import perform
from tests.support.operating import PATIENCE_SECONDS, Operated

CUT_OFF_SECONDS_MAX = 1.0


@pytest.fixture(params=["sql", "postgres"])
def operated(request, tmp_path):
    stored = {}
    if request.param == "postgres":
        stored = {"store_backend": "postgres", "database_url": request.getfixturevalue("fresh_postgres")}
    settings = Settings(listen="127.0.0.1:0", data_dir=str(tmp_path / "server"), **stored)
    return Operated(tmp_path, settings)


def tells_at_once(operated):
    """On PostgreSQL without Redis nobody tells the server: it finds out when an assertion ends."""
    return operated.settings.store_backend == "sql"


async def code_of(client):
    """Ask the server something as this device."""
    try:
        await client._core.wire.call(ResolveUserParams(name="alice"), ResolveUserResult)
    except qpqclient.Refused as exc:
        return exc.code
    return ErrorCode.OK


async def cut_off(client):
    with trio.fail_after(CUT_OFF_SECONDS_MAX * 10):
        while await code_of(client) is ErrorCode.OK:
            await trio.sleep(0.01)


async def test_a_suspended_account_is_cut_off_and_comes_back_when_it_is_reopened(operated):
    async with operated.running(), AsyncExitStack() as stack:
        alice = await stack.enter_async_context(operated.client("alice"))
        await alice.register("alice", "secret")
        (done,) = await operated.ctl("user", "suspend", "Alice")
        assert (done["ok"], done["sessions_ended"]) == (True, 1)
        if tells_at_once(operated):
            await cut_off(alice)
        else:
            assert done["told"] is False
        with pytest.raises(qpqclient.Refused, match="suspended"):
            await alice.login("alice", "secret")
        assert [u["state"] for u in await operated.ctl("user", "list")] == ["suspended"]
        await operated.ctl("user", "reopen", "alice")
        await alice.login("alice", "secret")
        assert await code_of(alice) is ErrorCode.OK
        entries = await operated.ctl("audit", "show")
    assert [(e["operator"], e["act"], e["typed"], e["outcome"], e["of"]) for e in entries] == [
        ("olga", "user suspend", ["Alice"], "begun", 0), ("olga", "user suspend", [], "done", 1),
        ("olga", "user reopen", ["alice"], "begun", 0), ("olga", "user reopen", [], "done", 3),
    ]  # fmt: skip


async def test_sessions_are_seen_and_ended_one_by_one_or_all(operated):
    async with operated.running(), AsyncExitStack() as stack:
        alice = await stack.enter_async_context(operated.client("alice"))
        await alice.register("alice", "secret")
        phone = await stack.enter_async_context(operated.client("phone"))
        await phone.login("alice", "secret")
        shown = await operated.ctl("session", "list", "--user", "alice")
        assert {s["device"] for s in shown} == {alice.device.hex(), phone.device.hex()}
        (of_phone,) = [s["session"] for s in shown if s["device"] == phone.device.hex()]
        (done,) = await operated.ctl("session", "end", of_phone)
        assert done["sessions_ended"] == 1
        if tells_at_once(operated):
            await cut_off(phone)
        assert await code_of(alice) is ErrorCode.OK
        assert (await operated.ctl("user", "show", "alice"))[0]["sessions"] == 1
        (no,) = await operated.ctl("session", "end", of_phone, code=1)
        assert no["error"] == "NOT_FOUND"
        (done,) = await operated.ctl("user", "logout", "alice")
        assert done["sessions_ended"] == 1
        if tells_at_once(operated):
            await cut_off(alice)
        assert await operated.ctl("session", "list") == []


async def test_registration_is_switched_and_invitations_let_in_as_often_as_they_say(operated):
    async with operated.running(), AsyncExitStack() as stack:

        async def register(name, token=""):
            client = await stack.enter_async_context(operated.client(name))
            await client.register(name, "secret", token=token)

        await register("alice")
        await operated.ctl("registration", "set", "token")
        with pytest.raises(qpqclient.Refused, match="registration token"):
            await register("bob")
        with pytest.raises(qpqclient.Refused, match="registration token"):
            await register("bob1", "a guess")
        (made,) = await operated.ctl("invite", "create", "--uses", "2", "--note", "the club")
        await register("carol", made["token"])
        await register("dave", made["token"])
        with pytest.raises(qpqclient.Refused, match="registration token"):
            await register("eve", made["token"])
        (left,) = await operated.ctl("invite", "list")
        assert (left["uses_left"], left["note"]) == (0, "the club")
        (more,) = await operated.ctl("invite", "create")
        (_, fresh) = await operated.ctl("invite", "list")
        await operated.ctl("invite", "withdraw", fresh["invite"])
        with pytest.raises(qpqclient.Refused, match="registration token"):
            await register("frank", more["token"])
        await operated.ctl("registration", "set", "closed")
        with pytest.raises(qpqclient.Refused, match="no new accounts"):
            await register("grace", more["token"])
        assert (await operated.ctl("registration", "show"))[0] == {
            "registration": "closed", "switched": True, "configured": "open",
        }  # fmt: skip
        await operated.ctl("registration", "set", "configured")
        await register("heidi")
        written = str(await operated.ctl("audit", "show"))
        assert made["token"] not in written
        assert "carol" not in written


async def test_a_deleted_account_leaves_nothing(operated):
    async with operated.running(), AsyncExitStack() as stack:
        alice = await stack.enter_async_context(operated.client("alice"))
        await alice.register("alice", "secret")
        await operated.ctl("user", "delete", "--yes", "alice")
        if tells_at_once(operated):
            await cut_off(alice)
        if not tells_at_once(operated):
            await operated.server.services["auth"].jobs.run(None)  # its own round, every 5 s
        assert await operated.ctl("user", "list") == []
        with pytest.raises(qpqclient.Refused, match="wrong name or password"):
            await alice.login("alice", "secret")
        (total,) = await operated.ctl("queue", "total")
        assert total == {"mailboxes": 0, "entries": 0, "bytes": 0}


async def test_what_is_done_while_the_server_is_stopped_holds_when_it_starts(operated):
    async with operated.running(), operated.client("alice") as alice:
        await alice.register("alice", "secret")
        await operated.ctl("queue", "total")
    (done,) = await operated.ctl("user", "suspend", "alice")
    assert done["sessions_ended"] == 1
    (no,) = await operated.ctl("user", "suspend", "nobody", code=1)
    assert no["error"] == "NOT_FOUND"
    async with operated.running(), operated.client("alice") as alice:
        with pytest.raises(qpqclient.Refused, match="suspended"):
            await alice.login("alice", "secret")
    outcomes = [e["outcome"] for e in await operated.ctl("audit", "show")]
    assert outcomes == ["begun", "done", "begun", "failed: NOT_FOUND"]
    (head,) = await operated.ctl("audit", "head")
    assert (await operated.ctl("audit", "verify", "--expect", f"{head['number']}:{head['hash']}"))[0]["entries"] == 4
    (no,) = await operated.ctl("audit", "verify", "--expect", f"{head['number']}:{'0' * 64}", code=1)
    assert "another one than was noted" in no["detail"]


async def test_the_fullest_mailbox_is_listed_first(operated):
    async with operated.running(), AsyncExitStack() as stack:
        alice = await stack.enter_async_context(operated.client("alice"))
        await alice.register("alice", "secret")
        async with operated.client("bob") as bob:
            await bob.register("bob", "secret")
            direct = await alice.dm("bob")
            await bob.sync()
        for number in range(3):
            await direct.send(str(number))
        await alice.flush()
        (first, *_) = await operated.ctl("queue", "list")
        assert first["name"] == "bob"
        assert first["entries"] >= 3


@pytest.fixture
def listening(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "END_SECONDS_MAX", PATIENCE_SECONDS)  # a busy machine is slow, not away
    return Operated(tmp_path, Settings(listen="127.0.0.1:0", data_dir=str(tmp_path / "server")))


async def test_a_bench_measures_and_leaves_nothing(listening):
    async with listening.running():
        (done,) = await listening.ctl("bench", "--server", listening.where, "--pairs", "1", "--seconds", "2")
        assert done["ok"]
        assert done["messages"] > 0
        assert 0 < done["message_p50_s"] <= done["message_p99_s"]
        assert await listening.ctl("user", "list") == []


@pytest.mark.parametrize("step", ["register", "dm"])
async def test_a_bench_that_fails_says_why_and_leaves_nothing(listening, monkeypatch, step):
    done, called = getattr(qpqclient.Client, step), []

    async def fails(self, *args, **more):
        called.append(step)
        if len(called) == 2:
            raise qpqclient.Unreachable("the server went away just then")
        return await done(self, *args, **more)

    monkeypatch.setattr(qpqclient.Client, step, fails)
    async with listening.running():
        (no,) = await listening.ctl("bench", "--server", listening.where, "--pairs", "2", "--seconds", "30", code=1)
        assert (no["ok"], no["error"], no["detail"]) == (False, "Unreachable", "the server went away just then")
        assert await listening.ctl("user", "list") == []


async def test_a_bench_in_which_nothing_comes_through_says_so(listening, monkeypatch):
    async def silent(*_):
        await trio.sleep_forever()

    monkeypatch.setattr(bench, "_talk", silent)
    async with listening.running():
        (done,) = await listening.ctl("bench", "--server", listening.where, "--pairs", "1", "--seconds", "0.1")
        assert (done["messages"], done["message_p50_s"], done["message_p99_s"]) == (0, None, None)


async def test_a_bench_names_the_accounts_that_it_could_not_delete(listening, monkeypatch):
    async def stays(self):
        raise qpqclient.Unreachable("gone")

    monkeypatch.setattr(qpqclient.Client, "delete_account", stays)
    async with listening.running():
        (no,) = await listening.ctl("bench", "--server", listening.where, "--pairs", "1", "--seconds", "0.1", code=1)
        left = [user["name"] for user in await listening.ctl("user", "list")]
        assert len(left) == 2
        assert all(name in no["detail"] for name in left)


def test_certificates_are_shown_with_their_ends(listening):
    folder = listening.folder / "secrets"
    assert listening.typed("certs", "show") == []
    listening.typed("secrets", "init", folder)
    found = listening.typed("certs", "show", folder)
    assert {c["of"] for c in found} >= {"auth", "delivery", "ca", "edge of gateways"}
    assert all(0 < c["days_left"] for c in found)
    assert {c["days_left"] for c in found if c["of"] == "auth"} == {29}
    (folder / "auth" / "bus.pem").write_text("nonsense")
    (*_, no) = listening.typed("certs", "show", folder, code=1)
    assert "auth" in no["detail"]


# --- the socket


NONSENSE = (
    b"", b"\n", b"[]\n", b"nonsense\n", b'{"act": 1}\n', b'{"act": "suspend"}\n', b'{"act": "withdraw", "invite": "zz"}\n',
    b"x" * 70_000,
)  # fmt: skip


@pytest.mark.parametrize("fault", [KeyError, TypeError, ValueError])
async def test_a_fault_of_the_servers_own_is_not_taken_for_a_malformed_act(fault):
    class Broken:
        async def suspend(self, name):
            raise fault(name)

    with pytest.raises(fault):
        await perform(Broken(), {"act": "suspend", "name": "alice"})


async def test_nonsense_on_the_socket_is_refused_and_the_next_act_is_done(listening):
    async with listening.running():
        for line in NONSENSE:
            with control.address(listening.folder / "server") as where:
                stream = await trio.open_unix_socket(where)
            async with stream:
                await stream.send_all(line)
                await stream.send_eof()
                said = await stream.receive_some(4_096)
            assert b'"ok": false' in said, line
            assert b"INTERNAL" not in said, line
        for _ in range(2 * control.AT_ONCE_MAX):  # who goes away at once
            with control.address(listening.folder / "server") as where:
                await (await trio.open_unix_socket(where)).aclose()
        assert await listening.ctl("user", "list") == []
        await listening.ctl("registration", "set", "closed")


async def test_only_the_servers_user_may_use_the_socket(listening, monkeypatch):
    async with listening.running():
        assert (listening.folder / "server" / control.SOCKET).stat().st_mode & 0o777 == 0o600
        monkeypatch.setattr(control, "_user", lambda _: 4_711)
        (no,) = await listening.ctl("registration", "set", "closed", code=1)
        assert no["error"] == "FORBIDDEN"
        assert (await listening.ctl("audit", "show"))[-1]["outcome"] == "failed: FORBIDDEN"


async def test_a_fault_in_an_act_is_told_and_the_server_lives(listening, monkeypatch):
    async with listening.running():

        async def broken(_name):
            raise RuntimeError("a fault")

        monkeypatch.setattr(listening.server.operator, "suspend", broken)
        (no,) = await listening.ctl("user", "suspend", "alice", code=1)
        assert no["error"] == "INTERNAL"
        await listening.ctl("registration", "set", "closed")


async def test_a_socket_that_a_crash_left_means_that_nobody_runs(listening):
    async with listening.running():
        pass
    folder = listening.folder / "server"
    assert not (folder / control.SOCKET).exists()
    with trio.socket.socket(trio.socket.AF_UNIX) as dead, control.address(folder) as where:
        await dead.bind(where)
    with pytest.raises(control.NotRunning):
        control.ask(folder, {"act": "registration", "mode": ""})
    await listening.ctl("registration", "set", "closed")
    async with listening.running():
        assert (await listening.ctl("registration", "show"))[0]["registration"] == "closed"


async def test_an_act_waits_for_no_server_that_is_starting(listening):
    """The files are locked, and nobody listens yet: nothing is done, and a sentence says why."""
    async with listening.running():
        (listening.folder / "server" / control.SOCKET).unlink()
        (no,) = await listening.ctl("registration", "set", "closed", code=1)
        assert "open in another process" in no["detail"]
