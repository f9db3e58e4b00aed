"""What a conversation is called and how long messages stay, for a device that came to it: who is believed, and what is undone."""

from __future__ import annotations

import pytest

from qpqclient.content import apply_content, new_content
from qpqclient.store import Store
from qpqclient.told import KnownFrom
from qpqcore.api.content import ContentSettings
from qpqcore.api.delivery import Entry
from qpqcore.groups.policy import Right
from tests.support.world import STORE_KEY

CHANNEL, HOST, ADMIN, OWN, OTHER = b"channel", b"host", b"admin", b"own", b"other"
EVERY, NONE = ~Right(0), Right(0)


class Place:
    """A conversation in a device's store, and what is said in it."""

    def __init__(self, folder, name, timer_seconds, known_from):
        self.store = Store(folder, STORE_KEY)
        self.store.put({"account": OWN})
        self.store.db.execute(
            "INSERT INTO channels (channel, generation, epoch, kind, name, timer_seconds, active, authenticator, brought_by, "
            "name_from, timer_from) VALUES (?, 1, 1, 1, ?, ?, 1, x'', ?, ?, ?)",
            (CHANNEL, name, timer_seconds, b"key of host", int(known_from), int(known_from)),
        )
        self.store.db.execute(
            "INSERT INTO leaves (channel, leaf, account, device, identity_key) VALUES (?, 0, ?, ?, ?)",
            (CHANNEL, HOST, b"device", b"key of host"),
        )

    def hears(self, sender, which, *, channel=CHANNEL, after_seconds=0, **parts):
        content = new_content(0, which, expires_after_seconds=after_seconds, **parts)
        may = EVERY if sender == ADMIN else NONE
        with self.store.transaction():
            return apply_content(
                self.store, CHANNEL, sender, content, Entry(channel=channel), may=lambda right: bool(right & may)
            )

    @property
    def known(self):
        return self.store.rows("SELECT name, timer_seconds, name_from, timer_from FROM channels")[0]


@pytest.fixture
def place(tmp_path):
    made = []

    def make(name="", timer_seconds=0, known_from=KnownFrom.INVITED):
        made.append(Place(tmp_path / str(len(made)), name, timer_seconds, known_from))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


def settings(name, timer_seconds, *, certain=True):
    return {"settings": ContentSettings(name=name, timer_seconds=timer_seconds, certain=certain)}


TOLD, INVITED, ALONE = KnownFrom.TOLD, KnownFrom.INVITED, KnownFrom.ALONE


@pytest.mark.parametrize(
    ("known_from", "sender", "known"),
    [
        (INVITED, HOST, ("new", 60, TOLD, TOLD)),
        (INVITED, OTHER, ("old", 5, INVITED, INVITED)),
        (INVITED, ADMIN, ("new", 60, TOLD, TOLD)),
        (ALONE, HOST, ("old", 5, ALONE, ALONE)),
        (ALONE, OWN, ("new", 60, TOLD, TOLD)),
        (ALONE, ADMIN, ("new", 60, TOLD, TOLD)),
        (TOLD, HOST, ("old", 5, TOLD, TOLD)),
        (TOLD, ADMIN, ("old", 5, TOLD, TOLD)),
    ],
)
def test_who_is_believed(place, known_from, sender, known):
    there = place("old", 5, known_from)
    changed = there.hears(sender, "settings", **settings("new", 60))
    assert there.known == known
    assert bool(changed) == (known[0] == "new")


def test_what_was_changed_before_one_is_told_stays_and_the_rest_is_learnt(place):
    there = place()
    there.hears(ADMIN, "timer", timer=60)
    there.hears(HOST, "settings", **settings("club", 0))
    assert there.known == ("club", 60, TOLD, TOLD)
    there = place()
    there.hears(ADMIN, "rename", rename="newer")
    there.hears(HOST, "settings", **settings("older", 60))
    assert there.known == ("newer", 60, TOLD, TOLD)


def test_what_a_teller_is_not_certain_of_fills_gaps_and_a_hosts_word_counts_once(place):
    there = place("old", 3_600, ALONE)
    there.hears(ADMIN, "settings", **settings("older", 0, certain=False))
    assert there.known == ("old", 3_600, ALONE, ALONE)
    there.hears(ADMIN, "settings", **settings("older", 60, certain=False))
    assert there.known == ("old", 3_600, ALONE, ALONE)
    there = place()
    there.hears(HOST, "settings", **settings("club", 60, certain=False))
    assert there.known == ("club", 60, ALONE, ALONE)
    there.hears(HOST, "settings", **settings("mine", 1))
    assert there.known == ("club", 60, ALONE, ALONE)


@pytest.mark.parametrize(
    ("known_from", "sender", "channel", "timer_seconds"),
    [
        (ALONE, ADMIN, CHANNEL, 60), (ALONE, OWN, CHANNEL, 60), (INVITED, ADMIN, CHANNEL, 60), (TOLD, ADMIN, CHANNEL, 5),
        (ALONE, OTHER, CHANNEL, 5), (INVITED, HOST, CHANNEL, 5), (ALONE, ADMIN, b"earlier", 5),
    ],
)  # fmt: skip
def test_whose_messages_tell_the_timer(place, known_from, sender, channel, timer_seconds):
    there = place("old", 5, known_from)
    there.hears(sender, "text", channel=channel, after_seconds=60, text="hello")
    there.hears(sender, "text", channel=channel, text="one without")
    assert there.known == ("old", timer_seconds, known_from, known_from)
