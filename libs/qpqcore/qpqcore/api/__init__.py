"""The contracts services offer each other and the edge, one module per service."""
