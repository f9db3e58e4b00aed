"""A server under mixed load at half of what it can, for an hour: its memory stays flat, and nothing is left behind.

`stream` is the bulk: messages between bare devices; `crowd` is everything else that people and networks do; `watch`
takes samples of the server's process and compares the beginning with the end.
"""
