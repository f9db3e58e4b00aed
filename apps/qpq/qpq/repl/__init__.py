"""The line REPL: a prompt that stays usable while messages come, or plain lines where there is no terminal.

prompt_toolkit belongs to asyncio. It runs in a worker thread, one prompt a call, and owns a loop of its own there that
nothing else sees; everything else is Trio's. What both sides need (names to complete, the status line) is a snapshot.
"""
