"""delivery: owns channels, their logs and the devices' mailboxes, and orders what happens in them.

It sees ciphertext and the public tree, never a secret. Its one invariant: what it has accepted stands in the
channel's log once, in one order, with one commit per epoch, and reaches every mailbox it is for.
"""
