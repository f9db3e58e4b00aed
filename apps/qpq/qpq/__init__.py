"""`qpq`: the command line of QPQ. It uses the Python SDK's public interface only."""
