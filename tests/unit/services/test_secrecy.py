"""Which secrets a process is given."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from qpqcore.api.methods import SERVICES
from qpqcore.config.settings import Settings
from qpqcore.net import certificates
from qpqserver import secrecy
from qpqserver.backup import places
from qpqserver.ctl import main as qpqctl
from qpqserver.secrecy import EDGE_CERT, EDGE_KEY
from qpqserver.sharing import SEAL


@pytest.mark.parametrize("service", SERVICES.values())
def test_every_process_can_share_notices_and_limits(service):
    # Each opens them where a redis_url is set; one without the key of their seal would not start.
    assert SEAL in secrecy.needed(service)


@pytest.mark.parametrize("of", ["data", "secrets"])
def test_everybody_finds_the_edges_certificate_where_the_server_has_it(tmp_path, of):
    """The server reads it in secrets_dir where it is there: so must a backup, which else lacks the key that clients pin."""
    settings = Settings(data_dir=str(tmp_path / "data"), secrets_dir=str(tmp_path / "secrets"))
    cert, key = tmp_path / of / EDGE_CERT, tmp_path / of / EDGE_KEY
    certificates.ensure(cert, key, "localhost", datetime.now(UTC))
    pin = certificates.spki_sha256(certificates.chain_pem(cert)).hex()
    assert secrecy.edge_files(settings) == (cert, key)
    kept = places.found(places.of(settings, None))
    assert (kept[EDGE_CERT], kept[EDGE_KEY]) == (cert.read_bytes(), key.read_bytes())

    def ctl(*words):
        environment = {"QPQ_DATA_DIR": settings.data_dir, "QPQ_SECRETS_DIR": settings.secrets_dir}
        done = CliRunner().invoke(qpqctl, ["--json", *words], env=environment)
        return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()]

    code, (shown,) = ctl("certs", "show")
    assert (code, shown["of"], shown["path"], shown["spki_sha256"]) == (0, "edge", str(cert), pin)
    code, (database, checked) = ctl("check", "--service", "auth")
    assert (code, database["ok"], checked) == (1, False, {"part": "certificate", "ok": True, "spki_sha256": pin})
    key.unlink()
    code, (_, checked) = ctl("check", "--service", "auth")
    assert (code, checked["part"], checked["ok"]) == (1, "certificate", False)
    assert not key.exists(), "who looks makes nothing"
