"""`python -m qpqcore.codegen [--check]`: write the generated modules, or tell whether they agree."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from qpqcore.codegen.emit import generated_files

PACKAGE = Path(__file__).parent.parent


def main() -> int:
    """Write or check every generated file; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on a difference")
    check = parser.parse_args().check
    stale = []
    for name, text in generated_files().items():
        path = PACKAGE / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    for name in stale:
        sys.stdout.write(f"{'differs' if check else 'written'}: {name}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
