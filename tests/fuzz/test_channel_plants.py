"""The channel's model can be contradicted: faults planted into the delivery service are each found by a seed."""

from __future__ import annotations

import pytest

from qpqdelivery import rules, sqlite_channels
from tools.fuzz.judge import Finding, Meter, judge
from tools.fuzz.table import TARGETS

CHANNEL = TARGETS["channel"]
SEEDS = dict(CHANNEL.seeds())


def nothing(*_args, **_more):
    return None


def not_gone(*_args):
    return False


def nobody(real):
    return lambda c, bounds, devices, ref: real(c, bounds, list(devices)[1:], ref)


def everybody(real):
    return lambda c, values: [
        each.device for each in sqlite_channels.members(c, values["channel"], values["generation"])
    ]


@pytest.mark.parametrize(
    ("module", "name", "planted", "seed"),
    [
        (rules, "check_welcomes", lambda _: nothing, "lies"),
        (rules, "check_write_key", lambda _: nothing, "lies"),
        (sqlite_channels, "_leaf_is_gone", lambda _: not_gone, "rejoining"),
        (sqlite_channels, "deliver", nobody, "messages"),
        (sqlite_channels, "_audience", everybody, "changes"),
    ],
)
def test_a_planted_fault_is_found(monkeypatch, module, name, planted, seed):
    judge(CHANNEL, SEEDS[seed], Meter())
    monkeypatch.setattr(module, name, planted(getattr(module, name)))
    with pytest.raises(Finding):
        judge(CHANNEL, SEEDS[seed], Meter())
