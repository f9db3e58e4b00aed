"""Runs ruff over generated source, so that it passes the same checks as what people write."""

from __future__ import annotations

import subprocess
import sys


def formatted(source: str) -> str:
    """Return `source` with unused imports dropped, imports sorted and lines laid out."""
    for arguments in (
        ("check", "--select", "F401,I,UP,TC,RUF100", "--fix", "--unsafe-fixes", "--quiet"),
        ("format", "--quiet"),
    ):
        done = subprocess.run(  # noqa: S603 - our own tool, fixed arguments
            [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", "generated.py", "-"],
            input=source.encode(), stdout=subprocess.PIPE, check=False,
        )  # fmt: skip
        source = done.stdout.decode()
    return source
