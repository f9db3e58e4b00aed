"""`qpqctl` as a program: what a part of it has to say besides its answer."""

from __future__ import annotations

import json
import subprocess
import sys

FAILING = """
import structlog
from qpqserver.ctl import main, run

@main.command("fail")
def fail():
    db_key = "not for anybody's eyes"
    try:
        raise OSError("disk I/O error")
    except OSError as exc:
        structlog.get_logger().critical("store_broken", exc_info=exc)

run()
"""


def test_what_a_store_says_goes_to_stderr_and_shows_no_secret_that_is_at_hand():
    """structlog's own way is to print tracebacks to stdout, with all variables."""
    done = subprocess.run([sys.executable, "-c", FAILING, "fail"], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    said = json.loads(done.stderr)
    assert said["event"] == "store_broken"
    assert "disk I/O error" in said["exception"]
    assert "anybody's eyes" not in done.stderr
