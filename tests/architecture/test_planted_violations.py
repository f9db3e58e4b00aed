"""Each wall and each linter of `make check` stands: one planted violation each makes its very command fail.

The commands are read out of the Makefile. They run in a copy of the tree, first as it is, then with one change.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 600


def check_commands() -> list[str]:
    """Return the lines of the Makefile's `check`."""
    target = re.search(r"^check:.*?\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert target
    return [line.strip() for line in target[1].splitlines()]


COMMANDS = {
    name: next(c for c in check_commands() if mark in c)
    for name, mark in {
        "ruff": "ruff check",
        "format": "ruff format",
        "flake8-async": "flake8-async",
        "walls": "lint-imports",
        "mypy": "-m mypy",
        "codegen": "qpqcore.codegen",
        "policies": "tools.deployment.policies",
        "rustfmt": "cargo fmt",
        "clippy": "cargo clippy",
    }.items()
}


@dataclass(frozen=True)
class Planted:
    """A change to one file, the command that must notice, and what it must say."""

    command: str
    file: str
    text: str
    said: str
    instead_of: str = ""
    """What `text` takes the place of; empty: it is put at the end."""


QUIC = "libs/trio_quic/trio_quic/addresses.py"
CASES = [
    Planted("walls", "libs/qpqcore/qpqcore/model/ids.py", "\nimport qpqcore.bus.local\n", "1. qpqcore is layered"),
    Planted("walls", "libs/qpqcore/qpqcore/stray.py", '"""A module outside of all layers."""\nimport qpqcore.bus.local\n', "1. qpqcore is layered"),
    Planted("walls", "services/blob/qpqblob/rules.py", "\nimport qpqblob.service\n", "2. every service has the same anatomy"),
    Planted("walls", "services/blob/qpqblob/service.py", "\nimport qpqauth.config\n", "3. services never import each other"),
    Planted("walls", "services/auth/qpqauth/rules.py", "\nimport trio\n", "4. protocol and rules do no I/O"),
    Planted("walls", "libs/qpqcore/qpqcore/wire/message.py", "\nimport socket\n", "4. protocol and rules do no I/O"),
    Planted("walls", "sdks/python/qpqclient/core.py", "\nimport qpqgateway.rules\n", "5. only apps import services"),
    Planted("walls", QUIC, "\nimport qpqcore.model.ids\n", "5b. trio_quic stands alone"),
    Planted("walls", "sdks/python/qpqclient/core.py", "\nimport asyncio\n", "6. asyncio stays out"),
    Planted("ruff", QUIC, "\nimport time\n\nNOW = time.time()\n", "TID251"),
    Planted("ruff", QUIC, "\nimport random\n\nDICE = random.random()\n", "TID251"),
    Planted("ruff", QUIC, "\nimport datetime\n\nNOW = datetime.datetime.now()\n", "TID251"),
    Planted("ruff", QUIC, "\nimport asyncio\n\nLOOP = asyncio.run\n", "TID251"),
    Planted("ruff", QUIC, "\n\ndef undocumented(a: int) -> int:\n    return a\n", "D103"),
    Planted("ruff", QUIC, "\n\ndef _query(table: str) -> str:\n    return f\"SELECT * FROM {table}\"\n", "S608"),
    Planted("format", QUIC, "\nX = {  'a':1 }\n", "would be reformatted"),
    Planted("flake8-async", QUIC, "\n\nasync def _idle() -> None:\n    import trio\n\n    with trio.move_on_after(1):\n        pass\n", "ASYNC100"),
    Planted("flake8-async", QUIC, "\n\nasync def _loop(nursery: object) -> None:\n    import trio\n\n    async with trio.open_nursery() as n:\n        yield n\n", "ASYNC101"),
    Planted("mypy", QUIC, "\nX: int = 'text'\n", "[assignment]"),
    Planted("mypy", QUIC, "\n\ndef _loose(a):\n    return a\n", "[no-untyped-def]"),
    Planted("codegen", "libs/qpqcore/qpqcore/api/blob.py", "\nX = 1\n", "api/blob.py"),
    Planted("codegen", "schemas/blob.capnp", "struct Stray { a @0 :Data; }\n", "api/blob.py"),
    Planted("codegen", "schemas/blob.capnp", '$caller("account")', "api/blob.py", '$caller("owner")'),
    Planted("policies", "deploy/k8s/base/network-policies.yaml", "# by hand\n", "not what the table says"),
    Planted("rustfmt", "libs/trio_quic/src/error.rs", "\nfn  stray( ){}\n", "Diff in"),
    Planted("clippy", "libs/trio_quic/src/error.rs", "\n/// Stray.\npub fn stray(a: Option<u8>) -> u8 {\n    a.unwrap()\n}\n", "unwrap"),
    Planted("clippy", "libs/qpqnative/src/mls/pending.rs", "\n/// Stray.\npub fn stray(a: &[u8]) -> u8 {\n    a[0]\n}\n", "index"),
]  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Return a copy of what is, or could be, committed, with what is built of it."""
    copy = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    for built in ROOT.glob("libs/*/*/_native*.so"):
        (copy / built.relative_to(ROOT)).symlink_to(built)
    return copy


@pytest.fixture(scope="module")
def small_tree(tree, tmp_path_factory):
    """Return a tree of one package: flake8-async takes its time over each file."""
    copy = tmp_path_factory.mktemp("small")
    for folder in ("libs", "services", "apps", "sdks", "tools"):
        (copy / folder).mkdir()
    shutil.copytree(tree / "libs" / "trio_quic" / "trio_quic", copy / "libs" / "trio_quic" / "trio_quic")
    return copy


def run(tree: Path, command: str) -> tuple[int, str]:
    """Run one command of `check` in the copy; the copy's packages are the ones that are found."""
    folders = [p.parent for p in tree.glob("*/*/pyproject.toml")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target")),
        "NO_COLOR": "1",
    }
    line = COMMANDS[command].replace("$(BIN)", str(BIN))
    done = subprocess.run(
        ["bash", "-c", line], cwd=tree, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_every_step_of_check_has_a_case():
    assert sorted(COMMANDS.values()) == sorted(check_commands())
    assert {case.command for case in CASES} == set(COMMANDS)


def test_every_wall_has_a_case():
    walls = re.findall(r'^name = "(\d+b?\. .*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    planted = [case.said for case in CASES if case.command == "walls"]
    assert all(any(wall.startswith(said) for said in planted) for wall in walls)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_tree_as_it_is_passes(tree, small_tree, command):
    code, said = run(small_tree if command == "flake8-async" else tree, command)
    assert code == 0, said


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.command} {c.said} {Path(c.file).name}")
def test_a_planted_violation_is_found(tree, small_tree, case):
    tree = small_tree if case.command == "flake8-async" else tree
    path = tree / case.file
    before = path.read_text() if path.exists() else None
    assert before is None or case.instead_of in before
    planted = before.replace(case.instead_of, case.text, 1) if case.instead_of else (before or "") + case.text
    path.write_text(planted)
    try:
        code, said = run(tree, case.command)
    finally:
        path.unlink() if before is None else path.write_text(before)
    assert code != 0
    assert case.said in said
