"""Changes of groups: KeyPackages of many accounts."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest

from qpqauth.config import Config as AuthConfig
from qpqclient.commits import Commits
from qpqclient.errors import DiskFull, Refused
from qpqclient.packages import ACCOUNTS_AT_ONCE
from qpqclient.people import NAMES_AT_ONCE
from qpqclient.transport import FRAME_BYTES_MAX
from qpqcore.api.keystore import AccountKeys, FetchKeyPackageResult, ResolveIdentitiesResult, ResolveIdentityResult
from qpqcore.api.rpc import Reply
from qpqcore.crypto.identity import DeviceEntry, DeviceList
from qpqcore.crypto.signatures import generate_key
from qpqcore.model.errors import ErrorCode, Refusal
from qpqcore.model.ids import DOMAIN_CHARS_MAX, AccountId, DeviceId, is_id, make_id
from qpqgateway.config import Config as GatewayConfig
from qpqkeystore.config import Config


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
