"""blob: owns encrypted files, found by the SHA-256 of their ciphertext, in chunks that can be resumed.

It never has a file's key. Its one invariant: a blob that is complete has the hash that is its name.
"""
