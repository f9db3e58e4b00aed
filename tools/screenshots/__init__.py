"""`python -m tools.screenshots`: the pictures of docs/how-to/tui.md, from the real program.

A server as a process, people with folders of their own, and the full-screen view without a terminal; keys are pressed as a
person would press them, and Textual writes down what the screen shows.
"""
