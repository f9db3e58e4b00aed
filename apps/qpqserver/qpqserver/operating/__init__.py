"""How an operator's acts reach a server, running or not, and how they are written down."""
