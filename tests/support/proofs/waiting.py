"""How long a proof waits for what comes by itself."""

WAIT_SECONDS = 10
