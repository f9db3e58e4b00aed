"""The harness itself: a crash, a slow input, a hungry one and a leak, each planted, each found."""

from __future__ import annotations

import signal
import time
from functools import partial

import pytest

from qpqcore.model.errors import ErrorCode, Refusal
from qpqnative import MlsError
from tools.fuzz import running
from tools.fuzz.judge import Finding, Meter, judge
from tools.fuzz.shrink import EXIT_CODES, outcome, shrink, shrunk
from tools.fuzz.target import MEMORY_BYTES_BASE, PropertyBroken, Target, demand

TRIGGER = b"!"


def planted(run, **more):
    return Target(name="planted", what="a plant", run=run, errors=(Refusal, MlsError), seeds=lambda: [], **more)


def on_trigger(effect):
    def run(data):
        if TRIGGER in data:
            effect()

    return run


def refuse(detail="no"):
    raise Refusal(ErrorCode.MALFORMED, detail)


def spin():
    until_s = time.process_time() + 4 * planted(None).cpu_ms_max / 1000
    while time.process_time() < until_s:
        pass


def gorge():
    # More than 32 MiB, which malloc never has left over from what was freed before: it maps them anew.
    assert len(b"x" * (3 * MEMORY_BYTES_BASE))


def raise_native(kind):
    raise MlsError(kind, "cause")


def test_a_typed_refusal_is_an_answer():
    cost = judge(planted(on_trigger(refuse)), TRIGGER, Meter())
    assert cost.answered
    assert not judge(planted(on_trigger(refuse)), b"", Meter()).answered


@pytest.mark.parametrize(
    "effect",
    [
        partial(demand, False, "a property"),
        lambda: b""[0],
        lambda: b"\xff".decode(),
        partial(refuse, "src/capnp/layout.c++:2224: failed: expected ref->kind()"),
        partial(raise_native, "internal"),
        partial(raise_native, "poisoned"),
    ],
)
def test_everything_else_is_a_finding(effect):
    target = planted(on_trigger(effect))
    judge(target, b"harmless", Meter())
    with pytest.raises(Finding) as found:
        judge(target, TRIGGER, Meter())
    assert found.value.kind == "crash"


@pytest.mark.parametrize(("effect", "kind"), [(spin, "slow"), (gorge, "hungry")])
def test_time_and_memory_out_of_bounds_are_findings(effect, kind):
    target = planted(on_trigger(effect))
    judge(target, b"harmless", Meter())
    with pytest.raises(Finding) as found:
        judge(target, TRIGGER, Meter())
    assert found.value.kind == kind


def test_an_input_that_ends_the_process_is_seen_from_outside():
    end = partial(signal.raise_signal, signal.SIGKILL)
    assert outcome(planted(on_trigger(end)), TRIGGER) == -signal.SIGKILL
    assert outcome(planted(on_trigger(end)), b"") == 0


def test_a_finding_is_made_smaller_and_fails_in_the_same_way():
    target = planted(on_trigger(partial(demand, False, "a property")))
    data, how = shrunk(target, b"much before " * 9 + TRIGGER + b" and after" * 9)
    assert (data, how) == (TRIGGER, EXIT_CODES["crash"])
    assert shrunk(target, b"harmless") == (b"harmless", 0)


def test_shrinking_keeps_what_matters():
    assert shrink(b"abcdefgh" * 4 + b"xyz", lambda d: d.count(b"a") >= 2 and b"z" in d) == b"aaz"


def test_a_process_that_grows_is_a_finding():
    figures = {"resident_first": 0, "resident_last": running.GROWTH_BYTES_MAX + 1}
    assert running._result(planted(spin), "", figures, 1.0, 0).findings == 1
    assert running._result(planted(spin), "", {**figures, "resident_last": 1}, 1.0, 0).findings == 0
    assert running._result(planted(spin), "", {}, 1.0, 77).findings == 1


def test_broken_properties_have_a_name():
    with pytest.raises(PropertyBroken, match="two readers"):
        demand(False, "two readers disagree")
