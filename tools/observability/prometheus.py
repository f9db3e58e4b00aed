"""Prometheus in a process of its own, with the project's rules in a hurry."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

import trio

from tools.redis_server import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

ROOT: Final = Path(__file__).parent.parent.parent
RULES: Final = ROOT / "deploy" / "prometheus" / "rules.yml"
TESTS: Final = ROOT / "deploy" / "prometheus" / "tests"
WINDOW: Final = "20s"
"""In place of five minutes: twenty scrapes."""
LONG_WINDOW: Final = "90s"
"""In place of longer ones."""
HOLDS: Final = "2s"
"""In place of every `for:`."""
START_SECONDS_MAX: Final = 30
ANSWER_SECONDS_MAX: Final = 10


class Missing(Exception):
    """A program is not there."""


def program(name: str) -> str:
    """Return where a program is. Missing."""
    found = shutil.which(name)
    if found is None:
        raise Missing(
            f"{name} is not on the PATH: this needs Prometheus 2.42 or later with promtool "
            "(Debian: apt-get install prometheus), or PATH=... to where they are"
        )
    return found


def hurried(text: str) -> str:
    """Return expressions, or rules, with short windows and hardly any `for:`."""
    text = re.sub(r"\[\d+[mh]\]", f"[{LONG_WINDOW}]", text.replace("[5m]", f"[{WINDOW}]"))
    return re.sub(r"for: \d+m", f"for: {HOLDS}", text)


def check_rules() -> list[str]:
    """Have promtool check the rules and run their tests; return what is wrong."""
    tool = program("promtool")
    commands = [[tool, "check", "rules", str(RULES)]]
    commands += [[tool, "test", "rules", str(path)] for path in sorted(TESTS.glob("*.yml"))]
    commands.append([tool, "check", "config", str(RULES.with_name("prometheus.yml"))])
    wrong = []
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - promtool
        if done.returncode:
            wrong.append(f"{' '.join(command[1:])}: {done.stdout}{done.stderr}")
    return wrong


def alerts_of(text: str) -> dict[str, str]:
    """Return each alert's name and expression, as the rules' file has them: one line each."""
    return dict(re.findall(r"- alert: (\w+)\n +expr: '?(.*?)'?\n", text))


class Prometheus:
    """A running one."""

    def __init__(self, port: int) -> None:
        self._at = f"http://127.0.0.1:{port}"

    async def ask(self, expr: str) -> list[dict[str, Any]]:
        """Return an instant vector; ValueError if the expression is none."""
        answer = await self._get("/api/v1/query", {"query": expr})
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    async def values(self, expr: str) -> list[float]:
        """Return the numbers of an instant vector."""
        numbers = [float(sample["value"][1]) for sample in await self.ask(expr)]
        return [number for number in numbers if not math.isnan(number)]

    async def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        answer = await self._get("/api/v1/alerts", {})
        return {a["labels"]["alertname"] for a in answer["data"]["alerts"] if a["state"] == "firing"}

    async def _get(self, path: str, query: Mapping[str, str]) -> Any:
        def get() -> Any:
            try:
                with urlopen(f"{self._at}{path}?{urlencode(query)}", timeout=ANSWER_SECONDS_MAX) as answer:  # noqa: S310 - ours
                    return json.load(answer)
            except OSError as exc:
                raise ValueError(f"{query}: {exc}") from exc

        return await trio.to_thread.run_sync(get)


@asynccontextmanager
async def prometheus(folder: Path, targets: Mapping[str, int]) -> AsyncIterator[Prometheus]:
    """Run one that scrapes each process's port every second, while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yml").write_text(hurried(RULES.read_text()))
    scraped = [{"targets": [f"127.0.0.1:{port}"], "labels": {"process": process}} for process, port in targets.items()]
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "qpq", "static_configs": scraped}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    port = free_port()
    command = [
        program("prometheus"), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--query.lookback-delta=5s",
    ]  # fmt: skip
    with (folder / "prometheus.log").open("ab") as log:
        process = await trio.lowlevel.open_process(command, stdout=log, stderr=log)
    try:
        made = Prometheus(port)
        with trio.fail_after(START_SECONDS_MAX):
            while True:
                try:
                    await made.ask("up")
                    break
                except ValueError:
                    await trio.sleep(0.1)
        yield made
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
