"""Identities, names and assertions as docs/spec fixes them. Pure functions over bytes: no I/O, no clock."""
