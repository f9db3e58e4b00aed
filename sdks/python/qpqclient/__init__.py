"""The Python SDK of QPQ."""
