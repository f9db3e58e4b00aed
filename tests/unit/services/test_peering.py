"""What federation is made of by the settings: whom it asks where domains are, and whose certificates it believes."""

from __future__ import annotations

import ssl
from types import SimpleNamespace

import pytest

from qpqcore.config.settings import ConfigError, Settings
from qpqcore.net.certificates import CertificateUnreadable
from qpqfederation.discovery import SystemAddresses
from qpqfederation.dns import Dns
from qpqserver import peering


@pytest.fixture
def system(monkeypatch):
    """Let the system's own certificates lie where we say."""

    def lie(path):
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: SimpleNamespace(cafile=path))

    return lie


@pytest.mark.parametrize(("discovery", "asked"), [(False, SystemAddresses), (True, Dns)])
def test_the_dns_is_asked_only_by_who_looks_for_domains_in_it(discovery, asked):
    assert type(peering.resolver_of(Settings(federation_discovery=discovery))) is asked


def test_without_a_ca_of_its_own_a_federation_believes_whom_the_system_does(system, tmp_path):
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(b"of the system")
    system(str(bundle))
    assert peering.roots(Settings()) == b"of the system"


def test_a_ca_that_is_named_counts_alone(system, tmp_path):
    system(str(tmp_path / "bundle.pem"))
    with pytest.raises(CertificateUnreadable, match=r"own\.pem"):
        peering.roots(Settings(federation_ca=str(tmp_path / "own.pem")))


@pytest.mark.parametrize("path", [None, "", "/nowhere/bundle.pem"])
def test_a_system_that_believes_nobody_is_told_of_in_a_sentence(system, path):
    system(path)
    with pytest.raises(ConfigError, match="federation_ca: this system has no certificates"):
        peering.roots(Settings())
