"""Writes `qpqcore.api` and `qpqcore.model.codes` from the schema files (`make regenerate`)."""
