"""Changes of groups: KeyPackages of many accounts."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from qpqauth.config import Config as AuthConfig
from qpqclient.commits import RENEWAL_LASTS_MS, Commits, needs_path
from qpqclient.errors import DiskFull, Refused, ServerBroke
from qpqclient.packages import ACCOUNTS_AT_ONCE
from qpqclient.people import NAMES_AT_ONCE
from qpqclient.transport import FRAME_BYTES_MAX
from qpqcore.api.keystore import AccountKeys, FetchKeyPackageResult, ResolveIdentitiesResult, ResolveIdentityResult
from qpqcore.api.rpc import Reply
from qpqcore.crypto.identity import DeviceEntry, DeviceList
from qpqcore.crypto.signatures import generate_key
from qpqcore.groups.policy import LARGE_ABOVE_MEMBERS
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import DOMAIN_CHARS_MAX, AccountId, DeviceId, is_id, make_id
from qpqdelivery.store import Bounds
from qpqgateway.config import Config as GatewayConfig
from qpqkeystore.config import Config

NOW_MS = 1_800_000_000_000
LARGE = LARGE_ABOVE_MEMBERS + 1


class Core:
    """A keystore where nobody has keys; notes who was asked for."""

    def __init__(self):
        self.asked, self.keys = [], set()
        self.store, self.groups = SimpleNamespace(transaction=nullcontext), None
        self.account = SimpleNamespace(device=b"mine")

    async def call(self, params, result, *, key):
        assert result is FetchKeyPackageResult
        self.asked.append(params.accounts)
        self.keys.add(key)
        return FetchKeyPackageResult(accounts=tuple(AccountKeys(account=a) for a in params.accounts))


async def test_packages_of_a_thousand_accounts_are_fetched_in_calls_that_the_keystore_takes():
    core, accounts = Core(), [number.to_bytes(16) for number in range(1_000)]
    assert await Commits(core).packages(accounts, 1) == []
    assert [a for some in core.asked for a in some] == accounts
    assert max(map(len, core.asked)) == ACCOUNTS_AT_ONCE == Config().accounts_per_fetch_max
    assert len(core.keys) == len(core.asked) == 4


@pytest.mark.parametrize("where", ["call", "disk"])
async def test_an_error_amid_many_packages_is_raised_as_it_is_and_ends_the_fetching(where):
    core, accounts = Core(), [number.to_bytes(16) for number in range(1_000)]
    call = core.call

    async def fails(params, result, *, key):
        if len(core.asked) == 1:
            raise Refused(Refusal(ErrorCode.RATE_LIMITED, "later"))
        return await call(params, result, key=key)

    @contextmanager
    def full():
        raise DiskFull("full")
        yield

    if where == "call":
        core.call = fails
    else:
        core.store.transaction = full
    with pytest.raises(Refused if where == "call" else DiskFull):
        await Commits(core).packages(accounts, 1)
    assert len(core.asked) <= 3


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda asked: (*asked, b"e" * 16), id="somebody else, too"),
        pytest.param(lambda asked: (*asked[1:], b"e" * 16), id="somebody else in their place"),
        pytest.param(lambda asked: (*asked, asked[0]), id="somebody twice"),
        pytest.param(lambda asked: (*asked[1:], bytes(16)), id="somebody who was asked for by another call"),
    ],
)
async def test_an_answer_about_others_is_refused_as_a_whole_and_ends_the_fetching(answer):
    core, accounts = Core(), [number.to_bytes(16) for number in range(1_000)]
    call, pinned = core.call, []
    core.people = SimpleNamespace(pin=lambda account, _: pinned.append(account) or False)

    async def lies(params, result, *, key):
        got = await call(params, result, key=key)
        told = params.accounts if len(core.asked) == 1 else answer(params.accounts)
        return replace(got, accounts=tuple(AccountKeys(account=a, device_list=b"list") for a in told))

    core.call = lies
    with pytest.raises(ServerBroke, match="nobody was added"):
        await Commits(core).packages(accounts, 1)
    assert set(pinned) <= set(accounts[:ACCOUNTS_AT_ONCE])
    assert len(core.asked) <= 4


async def test_who_is_named_twice_is_asked_for_once():
    core, accounts = Core(), [number.to_bytes(16) for number in range(300)]
    await Commits(core).packages([*accounts, *accounts], 1)
    assert [a for some in core.asked for a in some] == accounts


def test_so_many_names_are_asked_for_as_the_keystore_names_and_a_frame_holds():
    """Each of the accounts has as many devices as one may have, in a domain of the longest name."""
    domain = ".".join(["d" * 62] * 4) + ".d"
    assert len(domain) == DOMAIN_CHARS_MAX
    account = AccountId(make_id(b"a" * 16, domain))
    assert is_id(account)
    secret, key = generate_key()
    devices = [DeviceEntry(DeviceId(make_id(n.to_bytes(16), domain)), key) for n in range(AuthConfig().devices_max)]
    listed = DeviceList.make(secret, account, tuple(devices)).to_bytes()
    shown = ResolveIdentityResult(account=account, name="\U00010330" * 63, identity_key=key, device_list=listed)
    answer = Reply(result=ResolveIdentitiesResult(identities=(shown,) * NAMES_AT_ONCE).to_bytes()).to_bytes()
    assert len(answer) < GatewayConfig().frame_bytes_max < FRAME_BYTES_MAX
    assert NAMES_AT_ONCE <= Config().accounts_per_fetch_max


def test_a_group_of_a_thousand_can_be_looked_up_and_drawn_at_once():
    config = Config()
    assert min(config.resolve_per_account.burst, config.fetch_per_account.burst) > 1_000


@pytest.mark.parametrize(
    ("members", "renewed_ms", "now_ms", "wanted"),
    [
        pytest.param(LARGE, NOW_MS, NOW_MS, False, id="just renewed"),
        pytest.param(LARGE, NOW_MS - RENEWAL_LASTS_MS + 1, NOW_MS, False, id="nearly a day ago"),
        pytest.param(LARGE, NOW_MS - RENEWAL_LASTS_MS, NOW_MS, True, id="a day ago"),
        pytest.param(LARGE, NOW_MS + 1, NOW_MS, True, id="still to come: the clock was set back"),
        pytest.param(LARGE, 0, NOW_MS, True, id="never"),
        pytest.param(LARGE, 0, 5_000, True, id="never, and the clock begins at 1970"),
        pytest.param(LARGE_ABOVE_MEMBERS, NOW_MS, NOW_MS, True, id="a small group"),
        pytest.param(1, NOW_MS, NOW_MS, True, id="alone"),
    ],
)
def test_who_adds_renews_its_keys_in_small_groups_and_once_a_day_in_large_ones(members, renewed_ms, now_ms, wanted):
    assert needs_path(members, renewed_ms, now_ms) is wanted


def test_a_large_group_is_the_same_to_client_and_server():
    assert Bounds.__dataclass_fields__["told_at_once_max"].default == LARGE_ABOVE_MEMBERS
