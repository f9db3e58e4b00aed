"""The oracle: reads what devices and callers noted, and decides whether a promise was broken.

`history` says what is noted, `recorder` notes it at a device, `rules` judges. Nothing here asks the server or looks into
its tables, so that nothing the server believes of itself can hide a fault.
"""
