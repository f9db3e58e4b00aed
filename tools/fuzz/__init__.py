"""Coverage-guided fuzzing of everything that reads a stranger's bytes (docs/operate/fuzzing.md).

A target is a function over bytes. The same function runs under `make fuzz` (atheris, which is libFuzzer, with the
coverage of the Python code and of the two Rust modules) and, over the inputs kept in `tests/fuzz`, in the test suite.
"""
