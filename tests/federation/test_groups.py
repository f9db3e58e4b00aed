"""Groups over three domains."""

from __future__ import annotations

import pytest
import trio

from qpqclient.errors import GroupUnusable
from tests.support.domains import NAMES, open_friends, texts, until

PATIENCE_SECONDS = 120


async def test_a_group_of_three_domains_changes_and_agrees(open_domains):
    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            open_domains(NAMES) as domains,
            open_friends(domains) as friends,
            domains.person("dave@b.example") as dave,
        ):
            alice, bob, carol = friends.alice, friends.bob, friends.carol
            group, at_bob, at_carol = friends.at_alice, friends.at_bob, friends.at_carol
            names = ["alice@a.example", "bob", "carol@c.example"]
            await until(
                bob, lambda: sorted(m.name for m in at_bob.members()) == names
            )  # asked for once the group is there
            await group.invite("dave@b.example")
            await until(dave, lambda: any(c.name == "friends" or c.active for c in dave.conversations()))
            at_dave = dave.conversations()[0]
            everyone = {alice: group, bob: at_bob, carol: at_carol, dave: at_dave}
            for person, one in everyone.items():  # what is said in the epoch before he came Dave cannot read
                await until(person, lambda o=one: o.epoch == group.epoch)
            # Each says something, from every domain.
            for i, one in enumerate(everyone.values()):
                await one.send(f"hello {i}")
            for person, one in everyone.items():
                await until(person, lambda o=one: {f"hello {i}" for i in range(4)} <= set(texts(o)))
            orders = {tuple(t for t in texts(one) if t.startswith("hello")) for one in everyone.values()}
            assert len(orders) == 1
            # A member of another domain commits; everybody follows.
            await at_carol.update_key()
            for person, one in everyone.items():
                await until(person, lambda o=one: o.epoch == at_carol.epoch)
            assert len({one.authenticator for one in everyone.values()}) == 1
            # One leaves, of another domain; one is removed.
            await at_dave.leave()
            await until(dave, lambda: not at_dave.active)
            await group.remove("carol@c.example")
            await until(carol, lambda: not at_carol.active)
            await at_bob.send("only two of us")
            await until(alice, lambda: "only two of us" in texts(group))
            # Bob may have said it in the epoch before: the removal comes to him by itself.
            await until(bob, lambda: sorted(m.name for m in at_bob.members()) == ["alice@a.example", "bob"])
            with pytest.raises(GroupUnusable):
                await at_carol.send("I am gone")


async def test_a_file_and_a_deleted_account_go_over_domains(open_domains, tmp_path):
    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            open_domains() as domains,
            domains.person("alice@a.example") as alice,
            domains.person("bob@b.example") as bob,
            domains.person("carol@b.example") as carol,
        ):
            group = await alice.create_group("files", ["bob@b.example", "carol@b.example"])
            content = bytes(range(256)) * 3_000
            (tmp_path / "picture.bin").write_bytes(content)
            await group.send_file(tmp_path / "picture.bin")
            await until(bob, lambda: any(m.file for c in bob.conversations() for m in c.history()))
            at_bob = bob.conversations()[0]
            message = next(m for m in at_bob.history() if m.file)
            got = await at_bob.download(message, tmp_path / "got.bin")
            assert got.read_bytes() == content
            await until(carol, lambda: bool(carol.conversations()))
            before = group.epoch
            await carol.delete_account()
            await until(alice, lambda: group.epoch > before)
            assert sorted(m.name for m in group.members()) == ["alice", "bob@b.example"]
            await until(bob, lambda: at_bob.epoch == group.epoch)
            assert at_bob.authenticator == group.authenticator
