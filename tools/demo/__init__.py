"""`make demo`: three people, three processes, one server that dies under them, and what came of it."""
