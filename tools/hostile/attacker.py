"""`python -m tools.hostile.attacker NUMBER PORT SECONDS`: plays one attack; one line of JSON says what it met."""

from __future__ import annotations

import json
import logging
import sys

from tools.hostile.attacks import ATTACKS
from tools.hostile.stage import Stage

if __name__ == "__main__":
    logging.disable()
    stage = Stage(("127.0.0.1", int(sys.argv[2])), float(sys.argv[3]))
    ATTACKS[int(sys.argv[1])].play(stage)
    sys.stdout.write(json.dumps({"connections": stage.connections, "refused": stage.refused}) + "\n")
