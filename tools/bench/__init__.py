"""`make bench`, first form: calls, latency and groups, measured; docs/benchmarks.md says how to read the figures."""
