"""SQLCipher files: one writer with group commit, two readers, migrations, idempotency keys."""
