"""Programs for developers: the demo, the bench, the audit."""
