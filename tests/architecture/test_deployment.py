"""deploy/ as far as files alone can show it: what compose.yaml names is there, what the image holds is what was tested."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from qpqcore.config.settings import ENV_PREFIX, Settings, load
from qpqserver import secrecy
from qpqserver.ctl.secrets import complete
from tools.deployment.manifests import PROGRAMS, _parse
from tools.deployment.policies import FILES, text

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()


def pins(name):
    return dict(re.findall(r"^([a-z0-9_.-]+)==(\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))


def names(lines):
    return {re.match(r"[A-Za-z0-9_.-]+", line)[0].lower().replace("_", "-") for line in lines}


def composed():
    """compose.yaml as it is read without any variable set."""
    raw = (ROOT / "compose.yaml").read_text()
    return yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", raw))["services"]


OURS = {name: s for name, s in composed().items() if s.get("image", "").startswith("qpq:")}


@pytest.mark.parametrize("name", ["server.txt", "build.txt"])
def test_the_image_holds_the_versions_that_are_tested(name):
    tested = pins("lock.txt")
    assert {p: v for p, v in pins(name).items() if p in tested} == {p: tested[p] for p in pins(name) if p in tested}
    assert pins(name).keys() - tested.keys() == set()


def test_the_image_holds_what_the_packages_name():
    projects = [tomllib.loads(p.read_text())["project"] for p in ROOT.glob("*/*/pyproject.toml")]
    own = names(p["name"] for p in projects)
    wanted = names(d for p in projects for d in p.get("dependencies", ())) - own
    lines = (ROOT / "requirements/server.in").read_text().splitlines()
    assert names(line for line in lines if line and not line.startswith("#")) == wanted


def test_what_the_image_is_built_from_is_there_and_let_through():
    let = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert any(source == entry or source.startswith(entry + "/") for entry in let)


def test_where_links_lead_is_copied_too():
    copied = [
        ROOT / s for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for s in line.split()[:-1]
    ]
    links = [p for base in copied for p in base.rglob("*") if p.is_symlink() and ".venv" not in p.parts]
    assert links
    for link in links:
        assert any(link.resolve().is_relative_to(base) for base in copied)


def test_the_policies_are_what_the_table_says():
    for path, made in FILES.items():
        assert path.read_text() == text(made())


def test_the_root_has_a_link():
    assert os.readlink(ROOT / "compose.yaml") == "deploy/compose.yaml"


@pytest.mark.parametrize("name", composed())
def test_every_container_is_held_tight(name):
    service = composed()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].split(":")[0] not in {"0", "root"}
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["restart"] == ("no" if name in {"secrets", "migrate"} else "unless-stopped")
    assert all(p.endswith("/udp") or p.startswith("127.0.0.1:") for p in service.get("ports", []))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folders that the job makes, called as compose.yaml calls it."""
    root = tmp_path_factory.mktemp("secrets")
    words = OURS["secrets"]["command"]
    given = dict(word[2:].split("=", 1) for word in words if "=" in word)
    complete(root, "localhost", **given, grafana="--grafana" in words)
    return root


@pytest.mark.parametrize("name", sorted(n for n, s in composed().items() if "command" in s and n in OURS))
def test_every_process_is_told_what_it_understands(name, made):
    service = OURS[name]
    command, environment = service["command"], service.get("environment", {})
    if command[0] == "sh":
        assert name == "renewal"
        return
    _parse(PROGRAMS[command[0]], command[1:])
    assert {n for n in environment if n not in {ENV_PREFIX + f.upper() for f in Settings.__dataclass_fields__}} == set()
    settings = load(None, {n: "" if v is None else str(v) for n, v in environment.items()}, {}, service=name)
    seen = {v.split(":")[1]: made / v.split(":")[0].removeprefix("secrets-") for v in service.get("volumes", [])}
    for setting, value in environment.items():
        if setting.endswith("_FILE"):
            path = Path(value)
            assert (seen[str(path.parent)] / path.name).is_file()
    if command[0] == "qpq-server":
        assert settings.bus_listen == "0.0.0.0:7400"
        assert settings.metrics_listen == "0.0.0.0:9090"
        assert command[1:] == [name]
        there = {p.name for p in seen[settings.secrets_dir].iterdir()}
        assert secrecy.needed(name) | {"bus.pem", "bus.key", "bus-ca.pem"} <= there


def test_no_service_sees_the_secrets_of_another():
    for name, service in OURS.items():
        if name not in {"secrets", "renewal"}:
            assert {v for v in service["volumes"] if v.startswith("secrets-")} == {f"secrets-{name}:/secrets/{name}:ro"}


def test_every_volume_is_named_and_the_image_has_its_place():
    used = {v.split(":")[0] for s in composed().values() for v in s.get("volumes", []) if not v.startswith("./")}
    assert used == set(yaml.safe_load((ROOT / "compose.yaml").read_text())["volumes"])
    places = re.search(r"for each in ([a-z ]+); do mkdir -p /secrets/\$each", DOCKERFILE)[1].split()
    assert {v.removeprefix("secrets-") for v in used if v.startswith("secrets-")} == set(places)
