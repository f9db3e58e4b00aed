"""A proof for each method that clients call: its effect is read back through another one after the server was restarted.

A proof is an async generator: it acts, yields while the server restarts, then reads back. Each proof must fail when its
method's handler is replaced by an empty success (tests/integration/test_every_method.py).
"""

from __future__ import annotations

from tests.support.proofs import accounts, blobs, channels, keys, sessions

PROOFS = {each.__name__: each for module in (accounts, blobs, channels, keys, sessions) for each in module.PROOFS}
