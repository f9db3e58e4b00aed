"""PostgreSQL under Trio: the one bridge to asyncpg, its connections, group commit, schemas, idempotency keys.

Nothing outside this package knows of asyncio. What a store gives to it (`Body`) runs on the bridge's own thread, with one
connection, and awaits nothing but that connection.
"""
