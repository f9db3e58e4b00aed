"""What can go wrong for the command line's users beside what the SDK reports (`qpqclient.QpqError`)."""

from __future__ import annotations

from qpqclient import QpqError


class OtherAccount(QpqError):
    """The profile's folder holds another account than the one asked for."""

    name = "otherAccount"
    exit_code = 32
