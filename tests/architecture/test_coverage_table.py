"""The table of modules that the suite does not run through (docs/operate/coverage.md) and the report that reads it."""

from __future__ import annotations

from tools.coverage.report import GENERATED, ROOT, package_of, reasons, totals, under

COUNTS = {
    "libs/qpqcore/qpqcore/bus/local.py": (10, 10, 4, 4),
    "libs/qpqcore/qpqcore/bus/stub.py": (100, 89, 0, 0),
    "libs/qpqcore/qpqcore/api/rpc.py": (1_000, 1, 100, 1),
    "services/auth/qpqauth/rules.py": (10, 10, 10, 7),
    "libs/qpqnative/src/mls/group.rs": (10, 9, 20, 18),
}


def test_every_module_with_a_reason_is_there():
    assert all((ROOT / name).is_file() for name in reasons())


def test_modules_below_the_bar_are_named_and_generated_ones_are_not():
    assert under(COUNTS) == {
        "libs/qpqcore/qpqcore/bus/stub.py": (89.0, 100.0),
        "services/auth/qpqauth/rules.py": (100.0, 70.0),
    }


def test_packages_are_summed_and_generated_code_apart():
    assert totals(COUNTS) == {
        GENERATED: (1_000, 1, 100, 1),
        "qpqauth": (10, 10, 10, 7),
        "qpqcore": (110, 99, 4, 4),
        "qpqnative (Rust)": (10, 9, 20, 18),
    }
    assert package_of("sdks/python/qpqclient/inbox.py") == "qpqclient"
