"""How a server is named, and what its certificate may be written in."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

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


def test_a_certificate_is_read_from_pem_and_from_der(tmp_path):
    pem = Certificates().server.chain_pem
    certificate = x509.load_pem_x509_certificate(pem)
    (tmp_path / "cert.pem").write_bytes(pem)
    (tmp_path / "cert.der").write_bytes(certificate.public_bytes(Encoding.DER))
    assert read_ca(tmp_path / "cert.pem") == pem
    assert x509.load_pem_x509_certificate(read_ca(tmp_path / "cert.der")) == certificate
