"""Write the dashboards' JSON; with --check say whether it is as written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tools.dashboards.boards import BOARDS

FOLDER = Path(__file__).parent.parent.parent / "deploy" / "grafana" / "dashboards"


def written() -> dict[Path, str]:
    """Return every file with what has to stand in it."""
    return {
        FOLDER / f"{board.uid.removeprefix('qpq-')}.json": json.dumps(board.json(), indent=1) + "\n" for board in BOARDS
    }


def main() -> int:
    """Write, or check."""
    files = written()
    if "--check" in sys.argv[1:]:
        stale = [path.name for path, text in files.items() if not path.exists() or path.read_text() != text]
        sys.stdout.write("".join(f"{name} is not what tools.dashboards writes\n" for name in stale))
        return 1 if stale else 0
    for path, text in files.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
