"""The table as a whole: which codes have a row, and the page that shows it (docs/spec/refusals.md)."""

from __future__ import annotations

from pathlib import Path

from qpqcore.model.errors import ErrorCode
from tests.integration import (
    test_bad_input_accounts,
    test_bad_input_blob,
    test_bad_input_delivery,
    test_bad_input_edge,
    test_bad_input_keys,
)

PAGE = Path(__file__).parent.parent.parent / "docs" / "spec" / "refusals.md"
MODULES = (
    test_bad_input_edge,
    test_bad_input_accounts,
    test_bad_input_keys,
    test_bad_input_delivery,
    test_bad_input_blob,
)
ROWS = [row for module in MODULES for row in module.table.rows]

ELSEWHERE = {
    ErrorCode.OK: "no refusal",
    ErrorCode.OVERLOADED: "tests/unit/core/test_store.py: a queue that is full",
    ErrorCode.NOT_IMPLEMENTED_YET: "for methods that a schema has before their service: there are none now",
    ErrorCode.NO_KEY_PACKAGE: "not answered by this server: an account without packages is an empty list",
    ErrorCode.PEER_MISMATCH: "tests/federation/test_spoofing.py",
}


def test_every_code_has_a_row_or_a_reason():
    assert {row.code for row in ROWS} | set(ELSEWHERE) == set(ErrorCode)
    assert not {row.code for row in ROWS} & set(ELSEWHERE)


def test_no_row_stands_twice():
    assert len({row.what for row in ROWS}) == len(ROWS)


def page() -> str:
    lines = [
        "# What is refused, and how",
        "",
        "One row, one test (tests/integration/test_bad_input_*.py), one code (schemas/errors.capnp). Each is logged once, without",
        "anything of the caller's, and changes no table, unless said.",
        "",
        "| bad input | answer |",
        "|---|---|",
    ]
    for row in ROWS:
        first, *rest = row.code.name.lower().split("_")
        note = f" ({row.lasting} notes it)" if row.lasting else ""
        lines.append(f"| {row.what} | `{first}{''.join(map(str.title, rest))}`{note} |")
    return "\n".join(lines) + "\n"


def test_the_page_is_the_table():
    assert PAGE.read_text() == page()
