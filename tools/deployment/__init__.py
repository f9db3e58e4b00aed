"""What deploy/ is generated from and checked with: network policies, manifests, and a whole deployment under Docker."""
