"""keystore: owns KeyPackages, hybrid keys, device lists and the directory of names; gives each package out once.

It never sees a private key and never inspects a message. Its one invariant: taking a one-time KeyPackage is
destructive, so two callers can never receive the same one.
"""
