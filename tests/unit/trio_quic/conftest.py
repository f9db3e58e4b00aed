"""What trio_quic's tests share: certificates, each engine, and each pair of engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trio_quic.testing import Certificates

if TYPE_CHECKING:
    from trio_quic import EngineName


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture(params=["native", "aioquic"])
def engine(request: pytest.FixtureRequest) -> EngineName:
    """Each engine with itself."""
    name: EngineName = request.param
    return name


PAIRS: list[tuple[EngineName, EngineName]] = [
    ("native", "native"),
    ("aioquic", "aioquic"),
    ("native", "aioquic"),
    ("aioquic", "native"),
]


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0]}-serves-{pair[1]}")
def engines(request: pytest.FixtureRequest) -> tuple[EngineName, EngineName]:
    """(server, client): each engine with itself and with the other."""
    pair: tuple[EngineName, EngineName] = request.param
    return pair
