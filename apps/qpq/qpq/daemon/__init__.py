"""`qpq daemon`: one profile for programs of any language, by JSON-RPC 2.0 over a Unix socket or standard input and output.

Its methods are the command table's; its notifications are the SDK's events. docs/how-to/daemon.md is its law.
"""
