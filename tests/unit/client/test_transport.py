"""How a server is named, and what its certificate may be written in."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from qpqclient import AddressInvalid
from qpqclient.transport import PORT_DEFAULT, address_of, read_ca
from trio_quic.testing import Certificates


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("example.org", ("example.org", PORT_DEFAULT)),
        ("example.org:7443", ("example.org", 7443)),
        ("192.0.2.7:1", ("192.0.2.7", 1)),
        ("[2001:db8::1]:7443", ("2001:db8::1", 7443)),
        ("[2001:db8::1]", ("2001:db8::1", PORT_DEFAULT)),
        ("2001:db8::1", ("2001:db8::1", PORT_DEFAULT)),
    ],
)
def test_a_server_is_named_with_or_without_a_port(server, address):
    assert address_of(server) == address


@pytest.mark.parametrize(
    "server",
    ["", "a b", ":7000", "example.org:", "example.org:port", "example.org:0", "example.org:65536", "example.org:+1", "example.org:١",
     "http://example.org", "http://example.org:7000", "somebody@example.org", "[2001:db8::1", "[2001:db8::1]:", "[2001:db8::1]7000x", "[]:7000", "example..org:7000", "a" * 64 + ".org", "h:" + "9" * 5000],
)  # fmt: skip
def test_what_is_no_address_is_said_to_be_none(server):
    with pytest.raises(AddressInvalid, match="is no server's address"):
        address_of(server)


def test_a_certificate_is_read_from_pem_and_from_der(tmp_path):
    pem = Certificates().server.chain_pem
    certificate = x509.load_pem_x509_certificate(pem)
    (tmp_path / "cert.pem").write_bytes(pem)
    (tmp_path / "cert.der").write_bytes(certificate.public_bytes(Encoding.DER))
    assert read_ca(tmp_path / "cert.pem") == pem
    assert x509.load_pem_x509_certificate(read_ca(tmp_path / "cert.der")) == certificate
