"""`qpqctl federation`: a CA of one's own, and certificates that a server takes as they are."""

from __future__ import annotations

import json

from click.testing import CliRunner
from cryptography import x509

from qpqcore.config.settings import Settings
from qpqserver.ctl import main
from qpqserver.peering import tls_of


def run(*arguments):
    return CliRunner().invoke(main, ["--json", *arguments])


def test_a_federation_of_ones_own_is_made_with_two_commands(tmp_path):
    assert json.loads(run("federation", "ca", str(tmp_path)).output)["made"]
    assert not json.loads(run("federation", "ca", str(tmp_path)).output)["made"]
    issued = json.loads(run("federation", "cert", str(tmp_path), "a.example").output)
    own = tmp_path / "a.example"
    assert issued["folder"] == str(own)
    leaf = x509.load_pem_x509_certificate((own / "federation.pem").read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example"]
    settings = Settings(
        federation_enabled=True, federation_ca=str(own / "federation-ca.pem"), federation_cert=str(own / "federation.pem"),
        federation_key=str(own / "federation.key"),
    )  # fmt: skip
    server, client = tls_of(settings)
    assert server.client_required
    assert server.client_ca_pem == client.ca_pem == (tmp_path / "ca/ca.pem").read_bytes()


def test_what_is_no_domain_gets_no_certificate(tmp_path):
    run("federation", "ca", str(tmp_path))
    for bad in ("A.example", "*.example", "a.example.", ""):
        assert run("federation", "cert", str(tmp_path), bad).exit_code == 2
    (tmp_path / "empty").mkdir()
    assert run("federation", "cert", str(tmp_path / "empty"), "a.example").exit_code == 1


def test_without_a_database_it_says_so(tmp_path):
    assert CliRunner().invoke(main, ["--data-dir", str(tmp_path), "federation", "list"]).exit_code == 1
