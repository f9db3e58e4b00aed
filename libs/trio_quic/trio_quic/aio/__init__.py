"""The second engine: aioquic 1.7.2, pure Python, behind the same `Engine` protocol, with the bounds it lacks added.

It leaves out ML-KEM and seeded randomness, and does no system calls of its own. Never run it with `python -O`:
aioquic's asserts are part of its checks.
"""

import logging

# aioquic logs each rule that a peer breaks; nobody but the application says where such lines go.
logging.getLogger("quic").addHandler(logging.NullHandler())
