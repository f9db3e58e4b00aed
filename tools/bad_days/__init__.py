"""Every bad day, played at real processes: what callers are told, how long it takes to recover, what is lost, what shows it.

`make bad-days` writes the table of docs/operate/bad-days.md.
"""
