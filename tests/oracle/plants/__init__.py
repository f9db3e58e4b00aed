"""Faults, planted one at a time into the running system: in the server's stores, its logic, its bus, and in the client."""

from __future__ import annotations

from tests.oracle.plants import client, delivery, edge, fetch, store
from tests.oracle.plants.base import PLANTS, Plant

__all__ = ["PLANTS", "Plant", "client", "delivery", "edge", "fetch", "store"]
