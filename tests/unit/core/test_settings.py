"""The configuration: the reference's block, each refusal, and the order of its sources."""

from __future__ import annotations

import pytest

from qpqcore.config.settings import ConfigError, example, load, peers_of, registration_of

REFERENCE = """
listen = "0.0.0.0:7000"
data_dir = "data"
tls_cert = "data/server-cert.der"
tls_key = "data/server-key.der"
auth_token = "your-strong-token-here"
store_backend = "sql"       # or "file"
db_path = "data/qpq.db"
db_key = "your-db-encryption-key"
metrics_listen = "0.0.0.0:9090"
metrics_enabled = true
"""


def read(tmp_path, text, environment=None, flags=None, service=None):
    path = tmp_path / "qpq-server.toml"
    path.write_text(text)
    return load(path, environment or {}, flags or {}, service)


def test_the_references_block_is_taken_as_it_stands(tmp_path):
    settings = read(tmp_path, REFERENCE)
    assert settings.listen == "0.0.0.0:7000"
    assert registration_of(settings) == "token"
    assert registration_of(read(tmp_path, REFERENCE, flags={"allow_insecure_auth": True})) == "open"


def test_flags_go_before_environment_before_file(tmp_path):
    text, environment = 'listen = "127.0.0.1:1"', {"QPQ_LISTEN": "127.0.0.1:2"}
    assert read(tmp_path, text).listen == "127.0.0.1:1"
    assert read(tmp_path, text, environment).listen == "127.0.0.1:2"
    assert read(tmp_path, text, environment, {"listen": "127.0.0.1:3"}).listen == "127.0.0.1:3"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('lisen = "x"', "did you mean 'listen'"),
        ("listen = 7000", "is a str"),
        ('listen = "nowhere"', "host:port"),
        ('store_backend = "file"', 'write "sql"'),
        ('store_backend = "redis"', "one of sql, postgres"),
        ('store_backend = "postgres"', "needs a database_url"),
        ('database_url = "x"\ndatabase_url_file = "y"', "not both"),
        ("federation_enabled = true", "federation_cert and federation_key"),
        ('federation_enabled = true\nfederation_cert = "c"\nfederation_key = "k"', "federation_peers"),
        ('federation_peers = "b.example"', "DOMAIN=host:port"),
        ('federation_peers = "b.example=here"', "host:port"),
        ('federation_peers = "B.example=h:1"', "lower case"),
        ('federation_peers = "10.0.0.1=h:1"', "DOMAIN=host:port"),
        ('federation_peers = "b.example=h:1,b.example=h:2"', "each domain once"),
        (
            'federation_enabled = true\nfederation_cert = "c"\nfederation_key = "k"\nfederation_peers = "localhost=h:1"',
            "not among its peers",
        ),
        ('plugin_dir = "/x"', "not built yet"),
        ('mode = "test"', "development, production"),
        ('federation_domain = "Not A Domain"', "lower-case domain"),
        ('registration = "token"', "needs an auth_token"),
        ("blob_bytes_max = 0", "blob_bytes_max"),
        ("connections_per_address_max = 0", "at least 1"),
        ("retry_from_half_open = -1", "at least 0"),
        ("held_total_bytes_max = 1000", "at least 16777216"),
        ('mode = "production"', "tls_cert"),
        ('mode = "production"\ntls_cert = "a"\ntls_key = "b"', "db_key"),
        ('mode = "production"\ntls_cert = "a"\ntls_key = "b"\ndb_key = "k"', "auth_token"),
        ('mode = "production"\ntls_cert = "a"\ntls_key = "b"\ndb_key = "k"\nauth_token = "short"', "16 characters"),
        ("listen = ", "Invalid value"),
        ('bus_peers = "auth"', "SERVICE=host:port"),
        ('bus_peers = "nobody=a:1"', "SERVICE=host:port"),
        ('bus_peers = "auth=a"', "host:port"),
        ('bus_listen = "here"', "host:port"),
        ("bus_calls_max = 0", "at least 1"),
        ("workers = 0", "1 to 256"),
        ("workers = 2", "for `qpq-server gateway`"),
        ("worker = 1", "below workers"),
        ('db_key = "k"\ndb_key_file = "f"', "give one of them"),
        ('auth_token_file = "not there"', "auth_token_file"),
    ],
)
def test_what_cannot_work_is_said(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        read(tmp_path, text)


def test_in_production_a_service_is_asked_for_what_it_has(tmp_path):
    """A keystore has no edge and no registration, a gateway no database."""
    production = 'mode = "production"\nsecrets_dir = "s"'
    assert read(tmp_path, production, service="keystore")
    for service, said in (("auth", "auth_token"), ("gateway", "tls_cert"), (None, "tls_cert")):
        with pytest.raises(ConfigError, match=said):
            read(tmp_path, production, service=service)
    with pytest.raises(ConfigError, match="db_key"):
        read(tmp_path, 'mode = "production"', service="keystore")
    edge = 'tls_cert = "c"\ntls_key = "k"\nregistration = "open"'
    assert read(tmp_path, f'mode = "production"\n{edge}', service="gateway")


def test_peers_have_names_and_each_name_has_addresses(tmp_path):
    settings = read(tmp_path, 'bus_peers = "auth=a:1, delivery=b:2,auth=[::1]:3"')
    assert peers_of(settings) == {"auth": [("a", 1), ("::1", 3)], "delivery": [("b", 2)]}


def test_a_secret_may_stand_in_a_file(tmp_path):
    (tmp_path / "token").write_text("a token of some length\n")
    environment = {"QPQ_AUTH_TOKEN_FILE": str(tmp_path / "token")}
    assert read(tmp_path, "", environment).auth_token == "a token of some length"


def test_the_example_is_a_configuration(tmp_path):
    active = "\n".join(line.removeprefix("#") if " = " in line else line for line in example().splitlines())
    assert read(tmp_path, active).listen == "127.0.0.1:7000"
