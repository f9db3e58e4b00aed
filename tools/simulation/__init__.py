"""`make simulate`: the whole server and its clients in one Trio process, under a clock, dice, network and disks of its own.

A run is a plan (`plan`), made from a seed, that is played (`play`) and judged by `tests.oracle`. Nothing in it takes time,
randomness, datagrams or durability from the machine, so a seed plays alike each time: its trace hash says so.
"""
