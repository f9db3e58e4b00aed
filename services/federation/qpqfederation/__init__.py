"""federation: owns what goes between domains: connections to other domains' servers, proved by certificates, and theirs here.

It keeps nothing: what waits for another domain lies in delivery's box for it. It never sees plaintext, and no password or
session. Its one invariant: what a domain says counts for its own accounts and its own channels alone, and nothing that
came from one domain is passed on to another.
"""
