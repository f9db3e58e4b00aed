"""`qpq-server`, the server in its embedded form, and `qpqctl`, the operator's tool."""
