"""The four forms of a server: on SQLCipher files or PostgreSQL, in one process or each service behind the TCP bus.

`make test-forms` plays all of tests/integration in each. `make test` plays each of its tests in one (`--spread`): which
one, the test's name says, so that it is the same on every machine, and a test that is added or renamed moves no other.
"""

from __future__ import annotations

import hashlib
from itertools import product
from typing import NamedTuple

STORES = ("sql", "postgres")
BUSES = ("local", "tcp")
SPREAD = "tests/integration/"
"""Whose tests are spread."""


class Form(NamedTuple):
    """One of them."""

    store: str
    bus: str

    def __str__(self) -> str:
        return f"{self.store} {self.bus}"


FORMS = tuple(Form(*each) for each in product(STORES, BUSES))


def form_of(test: str) -> Form:
    """Return the form in which a test is played where each is played in one."""
    return FORMS[hashlib.sha256(test.encode()).digest()[0] % len(FORMS)]
