"""One conformance suite for QUIC engines: every pair of a server and a client plays every case.

`cases.py` says what must hold, `listed.py` what cannot and why, `matrix.py` plays. The engines of trio_quic meet on a
link in memory under a mock clock; a foreign implementation (`tests/interop/s2nquic`) meets them on real sockets, through
a relay that treats datagrams as the link does.
"""
