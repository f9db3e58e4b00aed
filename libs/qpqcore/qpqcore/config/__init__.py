"""The server's configuration: one documented model; TOML below environment below flags; unknown keys are errors."""
