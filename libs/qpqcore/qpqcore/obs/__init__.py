"""What an operator sees: JSON logs and Prometheus metrics, without names, addresses or ids."""
