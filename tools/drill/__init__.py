"""The backup drill: a server under load is backed up, wiped and put back; everybody logs in, and groups talk."""
