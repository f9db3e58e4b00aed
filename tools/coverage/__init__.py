"""`make coverage`: what the test suite runs through, in every process, by package; and what it does not, with the reason."""
