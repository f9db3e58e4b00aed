"""Notices and limits over Redis, 7.0 or later: what many processes tell each other, and nothing that is a record.

Redis may be away, slow, emptied or ended at any moment: no message is lost, no call waits for it longer than
`limits.ANSWER_SECONDS`, and what was lost is looked for again. `open_redis` is the entrance (docs/adr/0005).
"""
