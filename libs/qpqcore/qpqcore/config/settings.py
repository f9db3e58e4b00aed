"""Every setting of `qpq-server`, with its default and its meaning; the annotated example is made from it."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qpqcore.api.methods import SERVICES
from qpqcore.model.ids import is_domain

if TYPE_CHECKING:
    from collections.abc import Mapping

ENV_PREFIX = "QPQ_"
TOKEN_CHARS_MIN = 16
"""A shorter auth_token is weak: it can be guessed at the rate the limits allow."""
WORKERS_MAX = 256
"""A connection's id has one byte for the worker's number."""
EDGE_LEAST = {
    "connections_max": 1,
    "connections_per_address_max": 1,
    "handshakes_per_address_max": 1,
    "retry_from_half_open": 0,
    "shed_delay_us": 0,
    "shed_stay_ms": 0,
    "held_total_bytes_max": 16 * 1024 * 1024,
}
"""The least of each of the edge's bounds that still serves somebody: the largest frame and its answer have to fit."""
IN_FILES = ("auth_token", "db_key")
"""Secrets that may stand in a file of their own, whose name is `..._file`."""
NOT_YET = {
    "plugin_dir": "plugins are not built yet: leave plugin_dir out",
}


class ConfigError(Exception):
    """The configuration cannot be used; the text says why and what to write instead."""


def _doc(default: Any, text: str) -> Any:
    return field(default=default, metadata={"doc": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a server is told."""

    mode: str = _doc("development", '"development" or "production"; the latter refuses unsafe settings')
    listen: str = _doc("127.0.0.1:7000", "UDP address of the QUIC endpoint")
    data_dir: str = _doc("data", "folder of the databases, keys and certificate")
    tls_cert: str = _doc("", "certificate chain, DER or PEM; empty: data_dir/server-cert.der, made at first start")
    tls_key: str = _doc("", "its private key, DER or PEM; empty: data_dir/server-key.der")
    auth_token: str = _doc("", "registration token: with one set, only who has it makes an account")
    registration: str = _doc("", '"open", "token" or "closed"; empty: "token" with an auth_token, else "open"')
    store_backend: str = _doc("sql", '"sql": SQLCipher files; "postgres": PostgreSQL, made ready by `qpqctl migrate`')
    database_url: str = _doc("", 'of PostgreSQL: "postgresql://user:password@host/database?sslmode=verify-full"')
    database_url_file: str = _doc("", "a file that has the database_url, for secrets")
    db_path: str = _doc("", "name of the databases; empty: data_dir/qpq.db. Each service appends its own name")
    db_key: str = _doc("", "key of the databases; empty: a key file in data_dir, refused in production")
    metrics_enabled: bool = _doc(True, "serve /livez, /readyz and /metrics")
    metrics_listen: str = _doc("127.0.0.1:9090", "TCP address of /livez, /readyz and /metrics")
    federation_enabled: bool = _doc(False, "talk to other domains' servers")
    federation_domain: str = _doc("localhost", "home domain of the accounts made here; it never changes")
    federation_listen: str = _doc("0.0.0.0:7001", "UDP address where other domains' servers come in")
    federation_peers: str = _doc("", "those known by address: b.example=host:7001,c.example=host:7001,...")
    federation_discovery: bool = _doc(False, "find other domains by DNS SRV, and let any come that has a certificate")
    federation_ca: str = _doc("", "PEM of the one CA that all domains' certificates are of; empty: the system's")
    federation_cert: str = _doc(
        "", "the certificate for the federation_domain that other domains are shown; empty: tls_cert"
    )
    federation_key: str = _doc("", "its private key; empty: tls_key")
    federation_private_addresses: bool = _doc(False, "connect to loopback and private addresses that the DNS names")
    mdns_announce: bool = _doc(False, "tell the local network, by multicast DNS, that this server is here")
    plugin_dir: str = _doc("", "not built yet")
    blob_bytes_max: int = _doc(50 * 1024 * 1024, "largest file, at most 1 GiB")
    quic_engine: str = _doc("native", '"native" or "aioquic"')
    connections_max: int = _doc(10_000, "connections in all; past it new peers are refused")
    connections_per_address_max: int = _doc(512, "of one IPv4 address or IPv6 /64; half of them without proof of it")
    handshakes_per_address_max: int = _doc(1_000, "of one such address in 10 s; past it new peers are refused")
    shed_delay_us: int = _doc(
        500, "so much work may stand before a ready call's turn, on average, until more calls are refused; 0: any"
    )
    shed_stay_ms: int = _doc(
        25, "none are refused for it while a call's stay, on average, is shorter; below it, far fewer are answered"
    )
    retry_from_half_open: int = _doc(200, "handshakes at once from which on addresses are proven; 0: always")
    held_total_bytes_max: int = _doc(512 * 1024 * 1024, "memory of frames and replies over all connections")
    workers: int = _doc(1, "gateway: so many processes behind its one address, each with a metrics port one higher")
    worker: int = _doc(-1, "gateway: the number of this one among them; given by who starts them")
    bus_listen: str = _doc("127.0.0.1:7400", "one service in a process of its own: TCP address of its bus")
    bus_peers: str = _doc("", "the others: auth=host:7400,delivery=host:7400,...; a name may have many addresses")
    bus_calls_max: int = _doc(20_000, "calls that such a service answers at once; past it: overloaded")
    secrets_dir: str = _doc("", "its secrets and certificate (qpqctl secrets init); empty: data_dir/secrets")
    bus_ca: str = _doc("", "PEM of the CA that all services' certificates are of; empty: secrets_dir/bus-ca.pem")
    bus_cert: str = _doc("", "PEM of its own certificate; empty: secrets_dir/bus.pem")
    bus_key: str = _doc("", "PEM of its private key; empty: secrets_dir/bus.key")
    auth_token_file: str = _doc("", "file that holds the auth_token, in its place")
    db_key_file: str = _doc("", "file that holds the db_key, in its place")
    redis_url: str = _doc(
        "", "redis:// or, with TLS, rediss://user:password@host:port; empty: notices and limits are each process's own"
    )
    redis_url_file: str = _doc("", "a file that has the redis_url, for a secret that is mounted")
    redis_ca: str = _doc("", "PEM file of who signs Redis's certificate; empty: those that the system trusts")
    trace_endpoint: str = _doc(
        "", "where traces go, by OTLP over HTTP: http://host:4318/v1/traces; empty: nothing is traced"
    )
    trace_ratio: float = _doc(0.0, "share of the clients' calls that is traced, 0 to 1; the gateway decides for all")
    allow_insecure_auth: bool = _doc(False, "development only: registration without the auth_token")


def example() -> str:
    """Return the annotated example configuration, without what nothing reads yet."""
    lines = ["# qpq-server.toml: every setting with its default."]
    for f in fields(Settings):
        if f.name in NOT_YET:
            continue
        value = str(f.default).lower() if isinstance(f.default, bool) else repr(f.default).replace("'", '"')
        lines += ["", f"# {f.metadata['doc']}", f"#{f.name} = {value}"]
    return "\n".join(lines) + "\n"


def load(
    path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any], service: str | None = None
) -> Settings:
    """Read the settings: file, then environment, then flags (None: not given). Raises ConfigError.

    `service`: the one that runs here; None: all of them.
    """
    values: dict[str, Any] = {}
    kinds = {f.name: type(f.default) for f in fields(Settings)}
    if path is not None:
        values |= _from_file(path, kinds)
    for name, kind in kinds.items():
        given = environment.get(ENV_PREFIX + name.upper())
        if given is not None:
            values[name] = _parse(name, kind, given)
    values |= {name: value for name, value in flags.items() if value is not None}
    settings = Settings(**(values | _from_secret_files(values)))
    check(settings, service)
    return settings


def _from_secret_files(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that stand in files of their own."""
    found = {}
    for name in IN_FILES:
        path = values.get(f"{name}_file")
        if path:
            if values.get(name):
                raise ConfigError(f"{name} and {name}_file: give one of them")
            try:
                found[name] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as exc:
                raise ConfigError(f"{name}_file: {exc}") from exc
    return found


def _from_file(path: Path, kinds: dict[str, type]) -> dict[str, Any]:
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: {exc}") from exc
    for name, value in read.items():
        if name not in kinds:
            near = difflib.get_close_matches(name, kinds, 1)
            raise ConfigError(f"{path}: unknown setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        if kinds[name] is float and type(value) is int:
            read[name] = float(value)
        elif type(value) is not kinds[name]:
            raise ConfigError(f"{path}: {name} is a {kinds[name].__name__}, not {value!r}")
    return read


def _parse(name: str, kind: type, text: str) -> Any:
    if kind is bool:
        if text.lower() not in {"true", "false", "1", "0"}:
            raise ConfigError(f"{ENV_PREFIX}{name.upper()} is true or false, not {text!r}")
        return text.lower() in {"true", "1"}
    if kind is float:
        try:
            return float(text)
        except ValueError:
            raise ConfigError(f"{ENV_PREFIX}{name.upper()} is a number, not {text!r}") from None
    if kind is int:
        if not text.isdigit():
            raise ConfigError(f"{ENV_PREFIX}{name.upper()} is a number, not {text!r}")
        return int(text)
    return text


def check(s: Settings, service: str | None = None) -> None:
    """Refuse settings that cannot work, are not built yet, or are unsafe in production. Raises ConfigError."""
    for name, sentence in NOT_YET.items():
        if getattr(s, name):
            raise ConfigError(sentence)
    for name, allowed in (
        ("mode", ("development", "production")),
        ("registration", ("", "open", "token", "closed")),
        ("quic_engine", ("native", "aioquic")),
    ):
        if getattr(s, name) not in allowed:
            raise ConfigError(f"{name} is one of {', '.join(a for a in allowed if a)}, not {getattr(s, name)!r}")
    if s.store_backend == "file":
        raise ConfigError('store_backend = "file" does not exist here: write "sql" (SQLCipher files)')
    _check_postgres(s)
    if not is_domain(s.federation_domain):
        raise ConfigError(f"federation_domain {s.federation_domain!r} is not a lower-case domain name")
    if registration_of(s) == "token" and not s.auth_token:
        raise ConfigError('registration = "token" needs an auth_token')
    if not 0 < s.blob_bytes_max <= 1 << 30:
        raise ConfigError("blob_bytes_max is 1 to 1073741824")
    for name, least in EDGE_LEAST.items():
        if getattr(s, name) < least:
            raise ConfigError(f"{name} is at least {least}")
    _check_federation(s, service)
    for name in ("listen", "metrics_listen", "bus_listen", "federation_listen"):
        address_of(getattr(s, name))
    peers_of(s)
    if not 0 <= s.trace_ratio <= 1:
        raise ConfigError("trace_ratio is 0 to 1")
    _check_workers(s, service)
    if s.bus_calls_max < 1:
        raise ConfigError("bus_calls_max is at least 1")
    if s.mode == "production":
        _check_production(s, service)


def _check_workers(s: Settings, service: str | None) -> None:
    if not 1 <= s.workers <= WORKERS_MAX:
        raise ConfigError(f"workers is 1 to {WORKERS_MAX}")
    if s.worker >= s.workers:
        raise ConfigError(f"worker is below workers, which is {s.workers}")
    if s.workers == 1:
        return
    if service != "gateway":
        raise ConfigError("workers is for `qpq-server gateway`: nothing else shares an address")
    if not address_of(s.listen)[1]:
        raise ConfigError("workers share an address: listen needs a port")


def _check_postgres(s: Settings) -> None:
    if s.store_backend not in {"sql", "postgres"}:
        raise ConfigError(f"store_backend is one of sql, postgres, not {s.store_backend!r}")
    if s.database_url and s.database_url_file:
        raise ConfigError("give database_url or database_url_file, not both")
    if s.store_backend == "postgres" and not (s.database_url or s.database_url_file):
        raise ConfigError('store_backend = "postgres" needs a database_url or a database_url_file')


def _check_federation(s: Settings, service: str | None) -> None:
    peers = federation_peers_of(s)
    if not s.federation_enabled:
        return
    alone = service in {None, "federation"}  # the others only know that there are other domains
    if alone and not ((s.federation_cert and s.federation_key) or (s.tls_cert and s.tls_key)):
        raise ConfigError("federation_enabled needs federation_cert and federation_key, or tls_cert and tls_key")
    if not (peers or s.federation_discovery):
        raise ConfigError("federation_enabled needs federation_peers, or federation_discovery = true")
    if s.federation_domain in peers:
        raise ConfigError("federation_peers: the domain itself is not among its peers")


def federation_peers_of(s: Settings) -> dict[str, tuple[str, int]]:
    """Return the address of each domain that federation_peers names. Raises ConfigError."""
    found: dict[str, tuple[str, int]] = {}
    for part in filter(None, s.federation_peers.replace(" ", "").split(",")):
        domain, equals, address = part.partition("=")
        if not equals or not is_domain(domain) or domain in found or domain.rpartition(".")[2].isdigit():
            raise ConfigError(f"federation_peers: {part!r} is not DOMAIN=host:port, each domain once, in lower case")
        found[domain] = address_of(address)
    return found


def database_url_of(s: Settings) -> str:
    """Return the address of PostgreSQL, which has a password in it. Raises ConfigError."""
    if not s.database_url_file:
        return s.database_url
    try:
        return Path(s.database_url_file).read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise ConfigError(f"{s.database_url_file}: {exc.strerror}") from exc


def _check_production(s: Settings, service: str | None) -> None:
    if service in {None, "gateway"} and not (s.tls_cert and s.tls_key):
        raise ConfigError("production: give tls_cert and tls_key; a self-made certificate is for development")
    if not (s.db_key or s.secrets_dir) and s.store_backend == "sql" and service != "gateway":
        raise ConfigError("production: give db_key (or QPQ_DB_KEY)")
    if s.allow_insecure_auth:
        raise ConfigError("production: allow_insecure_auth is for development")
    if service in {None, "gateway", "auth"} and not s.registration and not s.auth_token:
        raise ConfigError('production: give an auth_token, or write registration = "open" or "closed"')
    if s.auth_token and len(s.auth_token) < TOKEN_CHARS_MIN:
        raise ConfigError(f"production: auth_token has at least {TOKEN_CHARS_MIN} characters")


def redis_url_of(s: Settings) -> str:
    """Return where Redis is, from the setting or from its file; empty: there is none. ConfigError."""
    if not s.redis_url_file:
        return s.redis_url
    if s.redis_url:
        raise ConfigError("give redis_url or redis_url_file, not both")
    try:
        return Path(s.redis_url_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"redis_url_file: {s.redis_url_file}: {exc}") from exc


def registration_of(s: Settings) -> str:
    """Return who may make an account: open, token or closed."""
    if s.registration:
        return s.registration
    return "token" if s.auth_token and not s.allow_insecure_auth else "open"


def address_of(text: str) -> tuple[str, int]:
    """Split host:port; IPv6 in brackets. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f"{text!r} is not host:port")
    return host.strip("[]") or "::", int(port)


def peers_of(s: Settings) -> dict[str, list[tuple[str, int]]]:
    """Return the addresses of each service that bus_peers names. Raises ConfigError."""
    found: dict[str, list[tuple[str, int]]] = {}
    for part in filter(None, s.bus_peers.replace(" ", "").split(",")):
        service, equals, address = part.partition("=")
        if not equals or service not in SERVICES.values():
            raise ConfigError(f"bus_peers: {part!r} is not SERVICE=host:port")
        found.setdefault(service, []).append(address_of(address))
    return found
