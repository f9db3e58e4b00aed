"""How the scaled form grows: processes held to a share of a core, and what idle clients and other people's traffic cost.

`python -m tools.scale` (docs/operate/scaling.md).
"""
