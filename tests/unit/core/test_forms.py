"""In which form a test is played, and what `make test-forms` calls off."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.forms import FORMS, SHARES, Form, form_of
from tools.forms import Played, counted, off

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="4.2" /></testsuites>
"""


def test_every_form_has_its_share_and_each_test_one():
    names = [f"tests/integration/test_x.py::test_{n}" for n in range(4_096)]
    counts = Counter(form_of(name) for name in names)
    assert counts.keys() == set(FORMS)
    for form, share in SHARES.items():
        assert counts[form] == pytest.approx(4_096 * share / 256, rel=0.25)
    assert counts[Form("sql", "local")] > 4_096 * 0.75
    assert [form_of(name) for name in names] == [form_of(name) for name in names]


def test_a_report_is_counted(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    assert counted("sql tcp", tmp_path / "report.xml", 4.0) == Played("sql tcp", 10, 3, 3, 4.0)


@pytest.mark.parametrize(("last", "said"), [
    (Played("d", 7, 0, 0, 1.0), []),
    (Played("d", 7, 1, 0, 1.0), ["d: 1 failed"]),
    (Played("d", 7, 0, 1, 1.0), ["d: 1 skipped"]),
    (Played("d", 6, 0, 0, 1.0), ["not as many tests in each form"]),
    (Played("d", 0, 0, 0, 1.0), ["not as many tests in each form", "a form without a test"]),
])  # fmt: skip
def test_what_is_not_the_same_in_every_form_is_said(last, said):
    assert off([Played("a", 7, 0, 0, 1.0), Played("b", 7, 0, 0, 1.0), last]) == said
