"""`python -m tools.client_drills`: what a person's client owes, played with real processes, kills and lies, and judged.

One module a drill, each with `play(root, size, told) -> Outcome`; `stage` has what several use. Small forms of them run in the suite
(tests/cli/test_client_drills.py); docs/operate/client-drills.md says what each shows and what was measured.
"""
