"""Bytes on the wire: Cap'n Proto messages, the frame of a call, the bus envelope. No I/O."""
