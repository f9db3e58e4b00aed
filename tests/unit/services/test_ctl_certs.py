"""`qpqctl certs` as it is typed: a CA, certificates for services, what is renewed and what is shown; and settings that are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from qpqcore.api.methods import SERVICES
from qpqcore.net import authority, certificates
from qpqserver.ctl import main
from qpqserver.secrecy import EDGE_CERT, EDGE_KEY


@pytest.fixture
def ctl(tmp_path):
    """Type a command; return the values that it says. `code`: how it ends."""

    def typed(*words, code=0):
        line = ["--json", "--data-dir", str(tmp_path / "data"), *map(str, words)]
        done = CliRunner().invoke(main, line)
        assert done.exit_code == code, (words, done.output, done.exception)
        return [json.loads(one) for one in done.stdout.splitlines() if one.startswith("{")]

    return typed


@pytest.fixture
def folder(tmp_path, ctl):
    """Return the folder of a CA."""
    made = tmp_path / "bus"
    ctl("certs", "init", made)
    return made


def pem(folder, service):
    return (folder / service / authority.BUS_CERT).read_bytes()


def test_a_ca_is_made_once(tmp_path, ctl):
    where = tmp_path / "bus" / authority.CA_FOLDER
    assert ctl("certs", "init", tmp_path / "bus") == [{"ca": str(where), "made": True}]
    certificate = (where / authority.CA_CERT).read_bytes()
    assert ctl("certs", "init", tmp_path / "bus") == [{"ca": str(where), "made": False}]
    assert (where / authority.CA_CERT).read_bytes() == certificate


def test_what_is_due_is_renewed_and_named_and_nothing_else(folder, ctl):
    ctl("certs", "issue", folder, "auth", "--days", "30")
    kept = pem(folder, "auth")
    others = sorted(set(SERVICES.values()) - {"auth"})
    said = ctl("certs", "renew", folder)
    assert sorted(one["service"] for one in said) == others
    assert pem(folder, "auth") == kept
    (folder / "auth" / authority.BUS_CERT).write_text("nonsense")
    assert ctl("certs", "renew", folder) == [{"service": "auth", "renewed": True}]
    assert ctl("certs", "renew", folder) == []


def test_without_a_ca_nothing_is_renewed_or_issued(tmp_path, ctl):
    for words in (("renew", tmp_path), ("issue", tmp_path, "auth")):
        (no,) = ctl("certs", *words, code=1)
        assert (no["error"], "holds no CA" in no["detail"]) == ("CertificateUnreadable", True)
    assert not (tmp_path / "auth").exists()


def test_only_what_is_there_is_shown(folder, tmp_path, ctl):
    ctl("certs", "issue", folder, "blob", "--days", "2")
    assert [one["of"] for one in ctl("certs", "show", folder)] == ["blob", "ca"]
    edge = tmp_path / "data" / EDGE_CERT
    certificates.ensure(edge, tmp_path / "data" / EDGE_KEY, "a.example", datetime.now(UTC))
    (shown,) = ctl("certs", "show")
    assert (shown["of"], shown["path"]) == ("edge", str(edge))
    assert shown["spki_sha256"] == certificates.spki_sha256(certificates.chain_pem(edge)).hex()


def test_a_ca_that_is_no_certificate_is_named(folder, ctl):
    (folder / authority.CA_FOLDER / authority.CA_CERT).write_text("-----BEGIN CERTIFICATE-----\n")
    (no,) = ctl("certs", "show", folder, code=1)
    assert no["error"] == "CertificateUnreadable"
    assert str(folder / authority.CA_FOLDER / authority.CA_CERT) in no["detail"]


@pytest.mark.parametrize(("text", "said"), [("listen = 7", "listen"), ("nonsense = 1", "nonsense"), ("[", "qpq.toml")])
def test_settings_that_are_none_are_said_so_before_any_command(tmp_path, text, said):
    (tmp_path / "qpq.toml").write_text(text)
    done = CliRunner().invoke(main, ["--config", str(tmp_path / "qpq.toml"), "certs", "show"])
    assert done.exit_code == 2
    assert done.stderr.startswith("qpqctl: ")
    assert said in done.stderr
    assert done.stdout == ""
