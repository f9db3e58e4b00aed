"""What does not hold, and why: data that the suite reads. An entry that is not needed fails."""

from __future__ import annotations

ANY = "any"

NO_RESET = "aioquic has neither a key for stateless resets nor an eye for them: its connections to a server that came back end by time."
NO_SEARCH = (
    "aioquic sends datagrams of one size, and keeps to it when they are lost: `Limits.datagram_bytes` must be what every "
    "path carries."
)

# (server, client, case): the reason.
LISTED: dict[tuple[str, str, str], str] = {
    ("native", "aioquic", "stateless reset"): NO_RESET,
    ("aioquic", ANY, "stateless reset"): NO_RESET,
    (ANY, "aioquic", "MTU: path that narrows"): NO_SEARCH,
    ("aioquic", ANY, "MTU: path that narrows"): NO_SEARCH,
}


def reason(pair: tuple[str, str], case: str) -> str | None:
    """Why this pair cannot play this case; None: it must hold."""
    server, client = pair
    for key in ((server, client, case), (ANY, client, case), (server, ANY, case)):
        if key in LISTED:
            return LISTED[key]
    return None
