"""Does what an operator sees hold? A real Prometheus over real processes under load, and every bad day planted in turn.

`make observability-test`: promtool checks and tests the rules; then each dashboard's and each alert's expression is asked of
a Prometheus that scrapes six processes, PostgreSQL and Redis beneath them; each planted condition has to move its panels and
to fire its alerts, and its end to clear them.
"""
