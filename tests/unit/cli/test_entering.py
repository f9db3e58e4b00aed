"""Who one becomes in a profile, by what the server answers: the answers are given here, the client is only their bearer."""

from __future__ import annotations

import pytest

from qpq.entering import caught_up, enter, renew
from qpq.profile import Profile
from qpqclient import DiskFull, NotLoggedIn, PasswordEmpty, Refused, Unreachable
from qpqcore.model.errors import ErrorCode, Refusal


def refused(code):
    return Refused(Refusal(code, "no"))


class Client:
    """Calls are noted; each is answered by what was laid down for it, first come first served, and then goes well."""

    def __init__(self, **answers):
        self.known, self.name = False, "alice"
        self.calls, self._answers = [], answers

    def _call(self, name):
        self.calls.append(name)
        if (left := self._answers.get(name, [])) and (answer := left.pop(0)) is not None:
            raise answer

    async def register(self, name, password, *, label):
        assert (name, password) == ("alice", "secret")
        self._call("register")

    async def login(self, name, password, *, label, history=False):
        assert (name, password) == ("alice", "secret")
        self._call("login")

    async def sync(self):
        self._call("sync")


@pytest.fixture
def profile(tmp_path):
    return Profile("127.0.0.1:1", tmp_path, "alice", "secret", None, "native", json=False)


async def test_an_old_account_with_an_empty_password_is_logged_in_and_no_new_one_made(profile):
    client = Client(register=[PasswordEmpty("no")])
    assert await enter(client, profile) == "logged in as alice"
    assert client.calls == ["register", "login"]
    client = Client(register=[PasswordEmpty("no")], login=[refused(ErrorCode.LOGIN_FAILED)])
    with pytest.raises(PasswordEmpty):
        await enter(client, profile)


async def test_a_folder_with_an_account_asks_no_server(profile):
    client = Client()
    client.known = True
    assert await enter(client, profile) == "you are alice"
    assert client.calls == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "registered alice"),
        (ErrorCode.NAME_TAKEN, "logged in as alice"),
        (ErrorCode.REGISTRATION_CLOSED, "logged in as alice"),
        (ErrorCode.REGISTRATION_TOKEN_INVALID, "logged in as alice"),
    ],
)
async def test_a_name_that_is_there_is_logged_in(profile, answer, words):
    client = Client(register=[answer and refused(answer)])
    assert await enter(client, profile) == words
    assert client.calls == (["register", "login"] if answer else ["register"])


async def test_other_refusals_are_no_reason_to_log_in(profile):
    client = Client(register=[refused(ErrorCode.RATE_LIMITED)])
    with pytest.raises(Refused) as found:
        await enter(client, profile)
    assert (found.value.name, client.calls) == ("rateLimited", ["register"])


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (ErrorCode.NAME_TAKEN, ErrorCode.LOGIN_FAILED, "loginFailed"),  # one's own, and the password is wrong
        (
            ErrorCode.REGISTRATION_CLOSED,
            ErrorCode.LOGIN_FAILED,
            "registrationClosed",
        ),  # there is none, and none to be had
        (ErrorCode.REGISTRATION_CLOSED, ErrorCode.RATE_LIMITED, "rateLimited"),
    ],
)
async def test_of_two_refusals_the_one_that_helps_is_told(profile, first, second, told):
    client = Client(register=[refused(first)], login=[refused(second)])
    with pytest.raises(Refused) as found:
        await enter(client, profile)
    assert found.value.name == told


@pytest.mark.parametrize(
    "over", [NotLoggedIn("over"), refused(ErrorCode.UNAUTHENTICATED), refused(ErrorCode.DEVICE_UNKNOWN)]
)
async def test_a_session_that_is_over_is_begun_anew(profile, over):
    client = Client(sync=[over])
    await renew(client, profile)
    assert client.calls == ["sync", "login", "sync"]


async def test_a_refusal_that_a_session_does_not_cure_is_raised(profile):
    client = Client(sync=[refused(ErrorCode.RATE_LIMITED)])
    with pytest.raises(Refused):
        await renew(client, profile)
    assert client.calls == ["sync"]


async def test_what_will_pass_is_said_at_the_beginning_of_a_chat(profile):
    assert await caught_up(Client(), profile) == ""
    assert await caught_up(Client(sync=[Unreachable("nobody there")]), profile) == "offline: nobody there"
    assert await caught_up(Client(sync=[DiskFull("the disk is full")]), profile) == "the disk is full"
    later = refused(ErrorCode.RATE_LIMITED)
    assert await caught_up(Client(sync=[later]), profile) == str(later)


async def test_what_will_not_pass_ends_it(profile):
    with pytest.raises(Refused) as found:
        await caught_up(Client(sync=[NotLoggedIn("over")], login=[refused(ErrorCode.LOGIN_FAILED)]), profile)
    assert found.value.name == "loginFailed"
