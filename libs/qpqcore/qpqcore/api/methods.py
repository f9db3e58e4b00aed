"""The method table of all services.

Generated from schemas/*.capnp by `make regenerate`: do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpqcore.api import auth, blob, delivery, federation, gateway, keystore

if TYPE_CHECKING:
    from qpqcore.model.method import Method

METHODS: dict[int, Method] = {
    m.number: m
    for table in (gateway.METHODS, auth.METHODS, keystore.METHODS, delivery.METHODS, blob.METHODS, federation.METHODS)
    for m in table
}
"""Every method by its number."""

SERVICES: dict[int, str] = {
    0: "gateway",
    1: "auth",
    2: "keystore",
    3: "delivery",
    4: "blob",
    5: "federation",
}
"""Every service by its number."""
