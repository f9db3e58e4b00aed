"""Hostile peers at a real server, with its bounds lifted and as shipped: `make hostile` (docs/operate/hostile-peers.md)."""
