"""Backups: one moment of a running server in a folder of sealed files, checked, and put back.

What a backup leaves out, and why, stands in `contents`; how its files are sealed in `sealing`; what becomes of a server that is
put back in `repair`.
"""
