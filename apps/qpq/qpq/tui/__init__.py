"""The full-screen face: conversations, timeline, composer and members, made with Textual.

Two loops that never touch each other. Textual belongs to asyncio and wants the main thread (the terminal's signals); the
client belongs to Trio and has a thread of its own (docs/adr/0009-the-screen-and-the-client-have-a-thread-each.md).
`bridge` alone knows both: what the person wants crosses one way as an *intent*, what there is to show the other way as an
*update*; all of them are frozen (`scene`), and both queues are bounded.

Its one invariant: what was typed is stored before anything else happens to it, and is in the composer, in the timeline,
or in both, whatever dies.
"""
