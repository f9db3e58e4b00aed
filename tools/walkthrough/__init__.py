"""The walk-through: docs/walkthrough.md played with the real programs in pseudo-terminals, and their screens written down beside it."""
