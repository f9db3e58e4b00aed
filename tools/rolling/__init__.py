"""A rolling upgrade, played: every process of the scaled form goes from one version to the next under load.

The next version is a copy of two packages with another number and two more steps of delivery's schema, planted for the drill:
one that adds, which goes before the processes, and one that takes away, which goes behind them.
"""
