"""The plain subcommands, one module a subject; each is a few lines over the SDK."""
