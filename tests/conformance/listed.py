"""What does not hold, and why: data that the suite reads. An entry that is not needed fails."""

from __future__ import annotations

ANY = "any"

NO_RESET = "aioquic has neither a key for stateless resets nor an eye for them: its connections to a server that came back end by time."
NO_SEARCH = (
    "aioquic sends datagrams of one size, and keeps to it when they are lost: `Limits.datagram_bytes` must be what every "
    "path carries."
)

NO_SECOND_HELLO = (
    "aioquic as a server knows no HelloRetryRequest: a client must begin with a share of X25519 or SECP256R1."
)
SILENT = "s2n-quic says nothing when it refuses a hello that fits one datagram: the client's handshake deadline ends the attempt."
NO_NEGOTIATION = (
    "s2n-quic as a client ignores version negotiation, against RFC 9000 section 6.2: it would go on by time."
)
NO_STEP = "s2n-quic begins a key update when a key is worn out and offers no way to begin one; it follows its peer's."
ALL_GROUPS = "s2n-tls's policies take every group that the client may begin with: there is nothing to ask again for."

# (server, client, case): the reason.
LISTED: dict[tuple[str, str, str], str] = {
    ("native", "aioquic", "stateless reset"): NO_RESET,
    ("s2n-quic", "aioquic", "stateless reset"): NO_RESET,
    ("aioquic", ANY, "stateless reset"): NO_RESET,
    (ANY, "aioquic", "MTU: path that narrows"): NO_SEARCH,
    ("aioquic", ANY, "MTU: path that narrows"): NO_SEARCH,
    ("aioquic", "native", "second hello"): NO_SECOND_HELLO,
    ("aioquic", "s2n-quic", "second hello"): NO_SECOND_HELLO,
    ("s2n-quic", "native", "second hello"): ALL_GROUPS,
    ("s2n-quic", "aioquic", "wrong ALPN"): SILENT,
    (ANY, "s2n-quic", "version negotiation: client"): NO_NEGOTIATION,
    (ANY, "s2n-quic", "key update: by the client"): NO_STEP,
    ("s2n-quic", ANY, "key update: by the server"): NO_STEP,
}


def reason(pair: tuple[str, str], case: str) -> str | None:
    """Why this pair cannot play this case; None: it must hold."""
    server, client = pair
    for key in ((server, client, case), (ANY, client, case), (server, ANY, case)):
        if key in LISTED:
            return LISTED[key]
    return None
