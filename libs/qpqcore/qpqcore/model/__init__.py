"""Names for the things QPQ talks about: ids, errors, callers, methods. No I/O, no clock."""
