"""What an operator is shown: the page of metrics is the one that is written down, nothing on it or in a log names anybody,
and dashboards, alerts and runbooks speak of what there is.
"""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import structlog
from prometheus_client.parser import text_string_to_metric_families

from qpqcore.api.delivery import Box
from qpqcore.api.methods import METHODS, SERVICES
from qpqcore.bus.limits import KINDS
from qpqcore.bus.redis.address import parse
from qpqcore.bus.redis.parts import open_redis
from qpqcore.config.settings import Settings
from qpqcore.model.errors import ErrorCode
from qpqcore.obs import logs
from qpqcore.obs.histogram import COUNTS, SECONDS, Histogram
from qpqcore.obs.metrics import Metrics
from qpqcore.store.readings import Connections, Load, Routes
from qpqcore.store.waits import Waits
from qpqfederation.counted import Counted
from qpqserver import stores
from qpqserver.embedded import open_embedded
from qpqserver.main import show_process
from tests.support.constellation import open_constellation
from tools.dashboards.__main__ import FOLDER, written
from tools.dashboards.boards import BOARDS
from tools.observability.conditions import NOT_PLANTED
from tools.observability.peers import ALL
from tools.observability.prometheus import RULES, TESTS, alerts_of
from trio_quic import Handover

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "operate" / "monitoring.md"
RUNBOOKS = ROOT / "docs" / "operate" / "runbooks"
NOBODY_LISTENS = "redis://127.0.0.1:1"
STORES = {"auth", "keystore", "delivery", "blob"}
ALLOWED = {
    "method": {m.name for m in METHODS.values()} | {"unknown"}, "code": {c.name.lower() for c in ErrorCode},
    "service": set(SERVICES.values()), "store": STORES, "limit": set(KINDS.values()),
    "path": {"local", "redis", "fallback"}, "waiter": {"subscribe", "fetchWait"}, "outcome": {"ok", "wrong", "other"},
    "kind": {"one_time", "last_resort"}, "by": {"redis", "alone"}, "of": {"edge", "bus"}, "check": {"commands", "answers", "seals"}, "peer": {"b.example", "unknown"},
    "le": {*map(str, SECONDS), *map(str, COUNTS), "+Inf"}, "version": {"0.1.0"},
}  # fmt: skip
"""Every label there is, with every value that it may have."""


def on_page(metrics):
    """Return the families of a page."""
    return list(text_string_to_metric_families(metrics.page().decode()))


def name_of(family):
    """Return what a family is asked for by: a counter's name ends in _total."""
    return family.name + ("_total" if family.type == "counter" else "")


def documented():
    """Return each metric in the page's tables with its labels."""
    rows = re.findall(r"^\| `([a-z_]+)` \| ([a-z, ]*) ?\|", PAGE.read_text(), re.M)
    return {name: set(filter(None, labels.replace(" ", "").split(","))) for name, labels in rows}


def peers_seen():
    """Return what federation counts where there is another domain."""
    counted = Counted(lambda: 2_000)
    counted.called("b.example", ErrorCode.OK, 0.1)
    counted.answered("b.example", ErrorCode.OK)
    counted.answered("", ErrorCode.FORBIDDEN)
    counted.delivered("b.example", 1)
    counted.taken("b.example", 1)
    counted.note_boxes([Box(domain="b.example", last=2, acked=1, entries=1, held_bytes=10, oldest_ms=1_000)])
    counted.up = lambda: {"b.example": True}
    return counted


async def all_there_is(tmp_path):
    """Return the pages of a server of many processes after some calls, and of what it has not: Redis, a database server."""
    rest = Metrics()
    load = Load(
        up=True, writes=0, reads=0, waiting=0, commit_seconds=Histogram(), batch=Histogram(COUNTS),
        connections=Connections(open=0, in_use=0, dropped=0), routes=Routes(0, 0),
    )  # fmt: skip
    rest.watch(lambda: load.readings("auth"))
    show_process(rest, str)
    handover = Handover(tmp_path / "workers", 0, 2)
    rest.watch_quic(handover.counters)
    handover.close()
    rest.watch(peers_seen().readings)
    async with open_redis(parse(NOBODY_LISTENS, None), key=bytes(32), domain="localhost") as parts:
        rest.watch(parts.readings)
        families = on_page(rest)
    settings = Settings(listen="127.0.0.1:0", data_dir=str(tmp_path / "server"))
    async with open_constellation(settings) as server:
        for process in server.processes.values():
            process.metrics.call_finished("health", "OK", 0.0)
            await process.metrics.weigh()
            families += on_page(process.metrics)
    return families


async def test_the_page_of_metrics_is_the_one_that_is_written_down(tmp_path):
    found = {}
    for family in await all_there_is(tmp_path):
        labels = {label for s in family.samples for label in s.labels} - {"le"}
        found.setdefault(name_of(family), set()).update(labels)
    assert found == documented()


async def test_every_label_has_few_values_all_known_beforehand(tmp_path):
    for family in await all_there_is(tmp_path):
        for sample in family.samples:
            for label, value in sample.labels.items():
                assert value in ALLOWED[label], (family.name, label)


async def test_a_conversation_leaves_nobody_in_logs_and_metrics(open_world, monkeypatch):
    said = io.StringIO()
    before = structlog.get_config()
    monkeypatch.setattr(sys, "stdout", said)
    logs.set_up("debug")
    try:
        async with open_world() as w:
            alice, bob = await w.client("alice"), await w.client("bob")
            await alice.conversation((await alice.dm("bob")).id).send("a word")
            await alice.flush()
            await bob.sync()
            others = [p.metrics for p in getattr(w.server, "processes", {}).values()]
            page = "".join(m.page().decode() for m in (w.server.metrics, *others))
            services = [a for of in getattr(w.server, "addresses", {}).values() for a in of]
            ids = [alice._core.account.account.hex(), alice._core.account.device.hex()]
    finally:
        structlog.configure(**before)
    told = said.getvalue()
    assert told.count("\n") == len([json.loads(line) for line in told.splitlines()])
    for address in services:  # which process is away an operator has to know; the people here have the same host
        told = told.replace(address, "a service")
    for text in (told.lower(), page.lower()):
        assert not re.search(r"alice|\bbob\b|a word|127\.0\.0\.1|[0-9a-f]{32}", text)
        assert not [ident for ident in ids if ident in text]


def test_dashboards_are_as_the_code_writes_them():
    assert {path: path.read_text() for path in FOLDER.glob("*.json")} == written()


def test_dashboards_and_alerts_ask_for_what_there_is():
    known = documented()
    asked = [e for text in written().values() for e in re.findall(r'"expr": "(.*)"', text)]
    for expr in [*asked, *alerts_of(RULES.read_text()).values()]:
        for name in re.findall(r"\b(?:qpq|process)_[a-z_]+", expr.replace('\\"', '"')):
            bare = re.sub(r"_(bucket|count|sum)$", "", name)
            assert name in known or bare in known, expr


def test_each_alert_has_a_page_a_test_and_a_condition_that_fires_it():
    alerts = alerts_of(RULES.read_text())
    assert len(alerts) == RULES.read_text().count("- alert:")
    assert {p.stem for p in RUNBOOKS.glob("*.md")} == {*alerts, "README"}
    tested = "".join(p.read_text() for p in TESTS.glob("*.yml"))
    planted = {name for condition in ALL for name in condition.fires} | NOT_PLANTED.keys()
    for name, expr in alerts.items():
        page = (RUNBOOKS / f"{name}.md").read_text()
        assert f"`{expr}`" in page
        assert all(part in page for part in ("## What it means", "## What to look at", "## What to do"))
        assert f"runbook: docs/operate/runbooks/{name}.md" in RULES.read_text()
        assert f"- name: {name} fires" in tested
        assert f"- name: {name} stays silent" in tested
    assert planted == alerts.keys()


def test_what_panels_say_moves_them_is_planted():
    names = {condition.name for condition in ALL}
    for board in BOARDS:
        for panel in board.panels:
            assert {panel.moves, *(q.only for q in panel.queries)} - {""} <= names, panel.title


async def test_readyz_says_which_store_is_slow(tmp_path, monkeypatch):
    async with open_embedded(Settings(listen="127.0.0.1:0", data_dir=str(tmp_path))) as server:
        assert server.notes() == []
        monkeypatch.setattr(stores, "SLOW_SECONDS", 0.0)
        assert sorted(server.notes()) == [f"{name}: the store is slow, a call waits for 0 s" for name in sorted(STORES)]


async def test_readyz_says_whose_disk_is_full(tmp_path, monkeypatch):
    async with open_embedded(Settings(listen="127.0.0.1:0", data_dir=str(tmp_path))) as server:
        monkeypatch.setattr(Waits, "is_full", True)
        assert sorted(server.notes()) == [f"{name}: the disk is full, writes are refused" for name in sorted(STORES)]
