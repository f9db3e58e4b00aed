"""The four forms of a server: on SQLCipher files or PostgreSQL, in one process or each service behind the TCP bus.

`make test-forms` plays all of tests/integration and tests/federation in each. `make test` plays each of its tests once (`--spread`), most in the
embedded form: a test costs three times as much behind the TCP bus, and six times as much on PostgreSQL. Which form a test
has its name says, so that it is the same on every machine, and a test that is added or renamed moves no other.
"""

from __future__ import annotations

import hashlib
from itertools import product
from typing import NamedTuple

STORES = ("sql", "postgres")
BUSES = ("local", "tcp")
SPREAD = ("tests/integration/", "tests/federation/")
"""Whose tests are spread."""


class Form(NamedTuple):
    """One of them."""

    store: str
    bus: str

    def __str__(self) -> str:
        return f"{self.store} {self.bus}"


FORMS = tuple(Form(*each) for each in product(STORES, BUSES))


SHARES = {Form("sql", "tcp"): 32, Form("postgres", "local"): 8, Form("postgres", "tcp"): 8}
"""Of 256 tests: what `make test` has time for. The rest are played on files and in one process."""


def form_of(test: str) -> Form:
    """Return the form in which a test is played where each is played in one."""
    place = hashlib.sha256(test.encode()).digest()[0]
    for form, share in SHARES.items():
        if place < share:
            return form
        place -= share
    return Form("sql", "local")
