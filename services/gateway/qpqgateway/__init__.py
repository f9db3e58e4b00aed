"""gateway: owns the edge: connections, frames, who may call what, and the way of each call to its service.

It has no store, reads no body, and cannot speak for anybody: it carries the assertions that auth has made. Its
one invariant: a peer that misbehaves costs its own connection and nothing else.
"""
