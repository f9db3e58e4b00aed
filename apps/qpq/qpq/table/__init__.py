"""The command table: what people and programs can ask of `qpq`, said once.

REPL, full-screen view, daemon, subcommands, help, shell completion and the manual are made from it: a command that is
not here does not exist, and one that is here exists in all of them (see `Face` for the few that make no sense in one).
"""
