"""The scaled form with three replicas of everything, played through deaths of all of its parts while two hundred people talk.

The oracle's rules (tests/oracle) judge what every device saw.
"""
