"""Past capacity: the rate that a server sustains is found by search, then twice that is offered.

The load is open: calls come when they come, whether those before them were answered or not, as from people who do not know of
each other. A call's time runs from the moment it was due, so a generator that is late makes nothing look better.
"""
