"""The store the keystore needs, said without naming a database. Each method is one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qpqcore.store.keyed import Keyed
    from qpqkeystore.rules import Package


@dataclass(frozen=True, slots=True)
class Entry:
    """One account in the directory."""

    account: bytes
    name: str
    identity_key: bytes
    device_list: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What one device gives to one who asks; suite 0: no package."""

    device: bytes
    suite: int
    data: bytes
    last_resort: bool
    left: int
    hybrid_key: bytes


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A published endpoint."""

    endpoint: bytes
    ttl_seconds: int
    signature: bytes
    expires_ms: int


class Store(Protocol):
    """The directory, device lists, KeyPackages, hybrid keys, endpoints."""

    async def put_account(self, account: bytes, name: str, identity_key: bytes) -> None:
        """Add or replace an account's name and key; its list stays."""

    async def put_list(self, account: bytes, version: int, device_list: bytes, devices: Sequence[bytes]) -> int:
        """Store a list unless a newer one is there; drop what belongs to devices it lacks. Return the stored version.

        Refusal(notFound) for an unknown account.
        """

    async def by_name(self, name: str) -> Entry | None:
        """Return the account of a normalised name."""

    async def by_identity(self, identity_key: bytes) -> Entry | None:
        """Return the account of an identity key."""

    async def entries(self, accounts: Sequence[bytes]) -> list[Entry | None]:
        """Return accounts in the order asked for."""

    async def add_packages(
        self, account: bytes, device: bytes, packages: Sequence[Package], per_suite_max: int
    ) -> None:
        """Add packages (one already there is left); a last-resort one replaces its suite's.

        Refusal(keyPackageLimit), and nothing is added, past `per_suite_max` one-time packages of a suite.
        """

    async def stock(self, account: bytes, device: bytes, now_ms: int) -> dict[int, tuple[int, bool]]:
        """Return for each suite how many one-time packages wait and whether there is a last-resort one."""

    async def take(
        self, accounts: Sequence[bytes], suites: Sequence[int], keyed: Keyed,
        reply: Callable[[list[tuple[Entry | None, list[Taken]]]], bytes],
    ) -> tuple[bytes, list[tuple[Entry | None, list[Taken]]]]:  # fmt: skip
        """Take one package of each listed device of each account; return the reply made of them.

        For a repeated key: the reply given before, and nothing is taken.
        """

    async def put_hybrid_key(self, account: bytes, device: bytes, hybrid_key: bytes, created_ms: int) -> None:
        """Store a device's hybrid key unless a newer one is there."""

    async def hybrid_keys(self, devices: Sequence[bytes]) -> list[bytes]:
        """Return hybrid keys in the order asked for; empty where there is none."""

    async def put_endpoint(self, account: bytes, device: bytes, endpoint: Endpoint) -> None:
        """Store a device's endpoint."""

    async def endpoint(self, device: bytes, now_ms: int) -> Endpoint | None:
        """Return a device's endpoint while it lives."""

    async def purge(self, account: bytes) -> None:
        """Drop every row of an account."""

    async def sweep(self, now_ms: int) -> None:
        """Drop what has expired; a bounded number of rows."""
