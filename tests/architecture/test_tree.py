"""The tree itself: docstrings, sizes, dependencies, what must not stand in it, and what must agree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from qpqcore.api.methods import METHODS, SERVICES
from qpqcore.config.settings import example
from qpqcore.model.errors import EXIT_CODES, ErrorCode

ROOT = Path(__file__).parent.parent.parent
TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if (ROOT / name).is_file()
]
PACKAGES = sorted(
    p.parent for p in ROOT.glob("*/*/pyproject.toml") if p.parent.parent.name in {"libs", "services", "apps", "sdks"}
)
MODULES = [
    p
    for p in TRACKED
    if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in {"libs", "services", "apps", "sdks", "tools"}
]
LINES_MAX = 400
NOT_OURS = {"Cargo.lock", "go.sum"}

REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("files", "pythonhosted", "org"), ("registry", "npmjs", "org"), ("static", "crates", "io"),
        ("index", "crates", "io"), ("proxy", "golang", "org"), ("repo1", "maven", "org"), ("deb", "debian", "org"),
    )
]  # fmt: skip
MACHINE_PATHS = re.compile(r"(?<![\w.<])/(?:" + "|".join(("work", "root", "home/[a-z]+", "tmp/qp" + "q")) + r")/")

UNUSED_CODES = {
    ErrorCode.NO_KEY_PACKAGE: "for SDKs: an account that has nothing to be added by",
}
EXAMPLES = {("CONTRIBUTING.md", "tests/integration/test_x.py")}
"""Tests that a page names for no test of ours."""
OWN = {tomllib.loads((p / "pyproject.toml").read_text())["project"]["name"] for p in PACKAGES}


def texts():
    for path in TRACKED:
        if path.name not in NOT_OURS:
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def generated(path):
    return "qpqcore/api" in path.as_posix()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_module_says_what_it_is_and_is_not_too_large(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    if not generated(path):
        assert len(path.read_text().splitlines()) <= LINES_MAX


def test_rust_modules_are_not_too_large():
    for path in TRACKED:
        if path.suffix == ".rs":
            assert len(path.read_text().splitlines()) <= LINES_MAX, path


def test_no_registry_and_no_machine_is_named():
    for path, text in texts():
        for host in REGISTRIES:
            assert host not in text, (path, host)
        found = MACHINE_PATHS.search(text)
        assert found is None, (path, found)


def test_methods_are_numbered_as_the_schema_says():
    ordinals = set()
    for number, method in METHODS.items():
        assert number == method.number
        assert SERVICES[number >> 8] == method.service
        ordinals.add((method.service, method.internal, method.name))
    assert len(ordinals) == len(METHODS)
    assert set(EXIT_CODES) == set(ErrorCode)


def test_regenerating_changes_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "qpqcore.codegen", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_code_is_answered_by_something():
    product = [p for p in MODULES if p.relative_to(ROOT).parts[0] != "tools"]
    sources = "".join(p.read_text() for p in product if not generated(p) and p.name != "codes.py")
    unused = {code for code in ErrorCode if f"ErrorCode.{code.name}" not in sources}
    assert unused == set(UNUSED_CODES)


def imported(package):
    """Return the top-level names that a package's modules import."""
    names = set()
    for path in MODULES:
        if path.is_relative_to(package):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.name)
def test_what_is_imported_is_declared_and_what_is_declared_imported(package):
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    declared = {normal(re.match(r"[A-Za-z0-9_.-]+", d)[0]) for d in project.get("dependencies", ())}
    extras = {
        normal(re.match(r"[A-Za-z0-9_.-]+", d)[0])
        for group in project.get("optional-dependencies", {}).values()
        for d in group
    }
    found = {**packages_distributions(), **{name: [name] for name in OWN}}
    used = {normal(found[name][0]) for name in imported(package) - sys.stdlib_module_names if name in found}
    assert used - declared - extras - {normal(project["name"])} == set()
    assert declared - used == set()


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_operators_page_has_every_setting():
    page = (ROOT / "docs" / "operate" / "running.md").read_text()
    assert f"```toml\n{example()}```" in page


def test_every_page_is_in_the_book():
    book = (ROOT / "mkdocs.yml").read_text()
    pages = {
        p.relative_to(ROOT / "docs").as_posix()
        for p in TRACKED
        if p.suffix == ".md" and p.is_relative_to(ROOT / "docs")
    }
    assert {page for page in pages if page not in book} == set()


def test_what_the_pages_name_of_the_tests_is_there():
    """A row of docs/parity.md counts only with the test that proves it."""
    named = re.compile(r"tests/[\w/.-]*\w(?![\w*])(?:::\w+)?")
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in TRACKED
        if path.suffix == ".md"
        for name in named.findall(path.read_text())
        if not is_there(*name.partition("::")[::2])
    }
    assert found == EXAMPLES


def is_there(file, test):
    path = ROOT / file
    return (path.exists() or path.with_suffix(".py").exists()) and (not test or f"def {test}(" in path.read_text())


def test_no_statement_has_a_variable_alone_as_its_limit():
    """SQLite looks at its value to plan by, and so prepares the statement anew each time it is run."""
    alone = re.compile(r"LIMIT (?:\?\d*+|:\w++)(?! \+ 0)")
    found = [str(path.relative_to(ROOT)) for path in MODULES if alone.search(path.read_text())]
    assert not found, "write LIMIT ? + 0 (qpqcore.store.connection says why)"
