"""The application error codes that trio_quic itself puts on streams and connections; applications use any from 0x100
on.
"""

from __future__ import annotations

from typing import Final

NO_ERROR: Final = 0x0
"""Nothing is wrong: the half of the stream is just not needed any more."""
HANDLER_FAULT: Final = 0x1
"""The handler of a call failed, or ended without an answer."""
CANCELLED: Final = 0x2
"""The caller does not want the answer any more."""
NO_ROOM: Final = 0x3
"""The peer reads its replies so slowly that this one would go beyond the connection's byte budget."""
DRAINING: Final = 0x4
"""The endpoint is being drained and takes no new calls: try another, or later."""
NO_HANDLER: Final = 0x5
"""This end takes no streams of this kind."""
FLOOD: Final = 0x6
"""The peer, or its address, did more of what costs the other side than `Limits` allow in a second."""
