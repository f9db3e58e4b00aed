"""A log-in of a name that nobody has is answered like any other: the same bytes, by the same work.

Work is counted, not timed: every function of ours and of the libraries that we call, in order; every statement of the
database, and how many of its steps. `python -m tools.timing` takes the time.
"""

from __future__ import annotations

import random
import sys
from contextlib import contextmanager

import pytest

import qpqclient
import qpqnative
from qpqcore.api import auth
from qpqcore.model.errors import ErrorCode
from tests.support.logins import REQUEST_PASSWORD, open_logins

TRIALS = 2_000
FINISHED_EVERY = 10
SEED = 5
NAMES = 20
OURS = ("qpqauth", "qpqcore", "cryptography", "hmac", "secrets", "hashlib", "sqlite", "precis_i18n")
STEPS_APART_MAX = 16
"""A name that is not found has a row less to read a column of: some steps of the hundreds."""


@contextmanager
def recorded(path):
    """Append to `path` what is called, by whom that is ours."""

    def note(frame, event, what):
        if event not in {"call", "c_call"}:
            return
        where = frame.f_globals.get("__name__", "")
        if where.startswith(OURS):
            path.append(
                f"{where}.{frame.f_code.co_qualname}" + (f" > {what.__qualname__}" if event == "c_call" else "")
            )

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


class Counted:
    """What a database is asked for."""

    def __init__(self, connection):
        self.statements, self.steps = [], 0
        connection.set_trace_callback(self.statements.append)
        connection.set_progress_handler(self._step, 1)

    def _step(self):
        self.steps += 1
        return 0

    def taken(self):
        found = [s.partition("'")[0] for s in self.statements], self.steps
        self.statements.clear()
        self.steps = 0
        return found


async def test_known_and_unknown_take_the_same_path(tmp_path):
    """2,000 trials, interleaved: one path, one length, one structure; and one way to be refused."""
    dice = random.Random(SEED)
    known, unknown = [f"known{n:02}" for n in range(NAMES)], [f"other{n:02}" for n in range(NAMES)]
    paths, shapes, statements, refusals = ({True: set(), False: set()} for _ in range(4))
    steps = {True: [], False: []}
    trials = [True, False] * (TRIALS // 2)
    dice.shuffle(trials)
    async with open_logins(tmp_path, known, inline=True) as logins:
        counted = Counted(logins.database._writer)
        for warm_up in (*known[:2], *unknown[:2]):
            await logins.start(logins.call(), warm_up, qpqnative.OpaqueLogin().start(REQUEST_PASSWORD))
        for number, is_known in enumerate(trials):
            name, call, path = dice.choice(known if is_known else unknown), logins.call(), []
            request = qpqnative.OpaqueLogin().start(REQUEST_PASSWORD)
            counted.taken()
            with recorded(path):
                answer = await logins.start(call, name, request)
            asked, took = counted.taken()
            paths[is_known].add(tuple(path))
            statements[is_known].add(tuple(asked))
            steps[is_known].append(took)
            shapes[is_known].add((len(answer.response), len(answer.state), type(answer)))
            if number % FINISHED_EVERY == 0:
                path = []
                with recorded(path):
                    no = await logins.finish(call, answer.state)
                asked, _ = counted.taken()
                refusals[is_known].add((no.code, no.detail, no.retry_after_ms, tuple(path), tuple(asked)))
    assert paths[True] == paths[False]
    assert len(paths[True]) == 1
    (path,) = paths[True]
    assert sum("opaque_login_response" in step for step in path) == 1
    assert statements[True] == statements[False]
    assert len(statements[True]) == 1
    assert abs(max(steps[True]) - min(steps[False])) <= STEPS_APART_MAX
    assert shapes[True] == shapes[False] == {(320, 198, auth.LoginStartResult)}
    assert refusals[True] == refusals[False]
    assert {code for code, *_ in refusals[True]} == {ErrorCode.LOGIN_FAILED}


async def test_what_the_comparison_can_see(tmp_path):
    """The plain look-up of a name, which no log-in takes, has a path for each answer."""
    paths = []
    async with open_logins(tmp_path, ["known"], inline=True) as logins:
        for name in ("known", "known", "nobody"):
            path = []
            with recorded(path):
                await logins.auth._store.account_by_name(name)
            paths.append(path)
    assert paths[0] == paths[1] != paths[2]


async def test_an_unknown_user_is_answered_like_a_known_one(open_world):
    """RFC 9807 §6.3.2.2: sizes, the deterministic part, and the code at the end say nothing."""
    async with open_world() as w:
        link = await w.anonymous()
        request = qpqnative.OpaqueLogin().start(b"a guess")
        answers = {}
        for name in ("alice", "nobody"):
            params = auth.LoginStartParams(name=name, request=request)
            answers[name] = [await link.call(params, auth.LoginStartResult) for _ in range(2)]
        shapes = {name: [(len(a.response), len(a.state)) for a in found] for name, found in answers.items()}
        assert shapes["alice"] == shapes["nobody"]
        for found in answers.values():
            # The evaluated element depends on name and request alone; all else is fresh each time.
            assert found[0].response[:32] == found[1].response[:32]
            assert found[0].response[32:] != found[1].response[32:]
        codes = []
        for name in ("alice", "nobody"):
            finish = auth.LoginFinishParams(state=answers[name][0].state, finalization=bytes(64))
            with pytest.raises(qpqclient.Refused) as no:
                await link.call(finish, auth.LoginFinishResult)
            codes.append((no.value.code, str(no.value)))
        assert codes[0] == codes[1] == (ErrorCode.LOGIN_FAILED, "wrong name or password")
