"""Certificates: the server's own, made at first start or read, and what a client pins of them."""
