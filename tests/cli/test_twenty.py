"""Twenty processes at one barrier, twenty different changes to one group: all in effect, twenty epochs on, one state."""

from __future__ import annotations

import json

import trio

import qpqclient
from tests.support.world import STORE_KEY
from tools.demo.processes import PersonProcess, ServerProcess, free_port, stage

MEMBERS = [f"member{n}" for n in range(20)]
LEAVING = [f"leaving{n}" for n in range(5)]
COMING = [f"coming{n}" for n in range(5)]
WAYS = [
    *({"way": "invite", "whom": name} for name in COMING),
    *({"way": "remove", "whom": name} for name in LEAVING),
    {"way": "admins", "whom": MEMBERS},
    *({"way": "update"} for _ in range(4)),  # each of another member's leaf
    *({"way": "rejoin"} for _ in range(4)),
    {"way": "second device"},
]
SECRET = "secret of {}"


async def register(server, root, names):
    """Register people who need not be there."""
    for name in names:
        async with qpqclient.open_client(root / name, server=server.address, store_key=STORE_KEY) as client:
            await client.register(name, SECRET.format(name))


async def play(root):
    server = ServerProcess(root / "server", free_port(), "native")
    async with stage() as nursery:
        await server.start()
        await register(server, root, [*LEAVING, *COMING])
        people = {
            n: PersonProcess(n, root, server.address, "native", lambda *_: None) for n in [*MEMBERS, "member19/2"]
        }
        for name in people:
            await nursery.start(people[name].run)
        for name in MEMBERS:
            await people[name].order("register", password=SECRET.format(name))
        group = (await people["member0"].order("group", name="twenty", members=[*MEMBERS[1:], *LEAVING]))[
            "conversation"
        ]
        async with trio.open_nursery() as waiting:
            for name in MEMBERS:
                waiting.start_soon(settle, people[name])
        before = await state(people["member0"], group)

        async def change(number):
            way = WAYS[number]
            if way["way"] == "second device":
                await people["member19/2"].order("login", password=SECRET.format("member19"))
            else:
                await people[MEMBERS[number]].order("alter", conversation=group, **way)

        async with trio.open_nursery() as barrier:
            for number in range(len(WAYS)):
                barrier.start_soon(change, number)
        states = []
        for _ in range(2):
            async with trio.open_nursery() as waiting:
                for person in people.values():
                    waiting.start_soon(settle, person)
        for person in people.values():
            states.append(await state(person, group))
        seen = [await person.order("who", conversation=group) for person in people.values()]
        for person in people.values():
            await person.stop()
        await server.stop()
    return before, states, seen


async def settle(person):
    await person.order("settle")


async def state(person, group):
    found = (await person.order("transcript"))["groups"][group]
    return found["epoch"], found["authenticator"]


def conflicts(root):
    log = (root / "server" / "server.log").read_text().splitlines()
    return sum(json.loads(line).get("code") == "EPOCH_CONFLICT" for line in log if line.startswith("{"))


def test_twenty_changes_at_once_are_all_in_effect(tmp_path):
    before, states, seen = trio.run(play, tmp_path)
    assert len(set(states)) == 1
    assert states[0][0] == before[0] + len(WAYS)
    for group in seen:
        assert group["members"] == {name: 2 if name == "member19" else 1 for name in sorted({*MEMBERS, *COMING})}
        assert group["admins"] == sorted(MEMBERS)
    assert conflicts(tmp_path) >= len(WAYS) - 1
