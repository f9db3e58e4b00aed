"""`python -m tools.soak`: real processes, killed in named windows, and a judgement by their histories alone.

`fuse` kills a process from within, `at_server` and `at_client` say where, `server` and `person` are the processes,
`conductor` plays, `verdict` judges by `tests.oracle`. Nothing of the product knows of it.
"""
