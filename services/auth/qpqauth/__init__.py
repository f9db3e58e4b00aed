"""auth: owns accounts, their OPAQUE records, devices and sessions, and says who a caller is.

It never sees a password, an identity key's secret or a message. Its one invariant: of an account's device
lists there is one line, each list following the one before, and what the newest lacks is cut off everywhere.
"""
