"""A peer speaks for its own domain's people and channels, and for nothing else: the table of what is refused, and how."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
import trio
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from qpqcore.api import blob, federation, keystore
from qpqcore.api.auth import METHODS as AUTH
from qpqcore.api.delivery import METHODS as DELIVERY
from qpqcore.api.delivery import (
    CreateChannelParams,
    EnqueueParams,
    Entry,
    EntryKind,
    FetchGroupInfoParams,
    FetchTreeParams,
    Guest,
    RelayedEntry,
    ResetChannelParams,
    SignalParams,
    Standing,
    SubmitCommitParams,
    SubmitProposalParams,
    WelcomeItem,
)
from qpqcore.model.errors import ErrorCode
from qpqcore.net import authority
from tests.federation.peer import NUMBERS, raw
from tests.support.buses import now
from tests.support.domains import NAMES
from trio_quic import QuicError

PATIENCE_SECONDS = 120
REFUSED, SHUT, BAD = ErrorCode.PEER_MISMATCH, ErrorCode.FORBIDDEN, ErrorCode.MALFORMED

CLAIMS = [
    # certificate's names, what the peer says it is, protocol, answer
    (["c.example"], "a.example", 1, REFUSED),
    (["a.example"], "b.example", 1, REFUSED),
    (["b.example"], "b.example", 1, REFUSED),
    (["*.example"], "a.example", 1, REFUSED),
    (["*.example"], "*.example", 1, REFUSED),
    (["a.example"], "A.example", 1, REFUSED),
    (["A.EXAMPLE"], "a.example", 1, REFUSED),
    (["A.EXAMPLE"], "A.EXAMPLE", 1, REFUSED),
    (["a.example"], "a.example.", 1, REFUSED),
    (["a.example."], "a.example", 1, REFUSED),
    (["a.example."], "a.example.", 1, REFUSED),
    (["xn--bcher-kva.example"], "bücher.example", 1, REFUSED),
    (["xn--bcher-kva.example"], "xn--bcher-kva.example", 1, SHUT),
    (["x.a.example"], "a.example", 1, REFUSED),
    (["a.example"], "x.a.example", 1, REFUSED),
    (["a.example"], "example", 1, REFUSED),
    (["127.0.0.1"], "127.0.0.1", 1, REFUSED),
    ([x509.IPAddress(ip_address("127.0.0.1"))], "127.0.0.1", 1, REFUSED),
    ([x509.RFC822Name("root@a.example")], "a.example", 1, REFUSED),
    ([x509.UniformResourceIdentifier("https://a.example")], "a.example", 1, REFUSED),
    ([], "a.example", 1, REFUSED),  # its common name says so: that counts for nothing
    (["d.example"], "d.example", 1, SHUT),
    (["a.example"], "", 1, REFUSED),
    (["a.example"], "a.example\0", 1, REFUSED),
    (["a.example"], " a.example", 1, REFUSED),
    (["a.example"], "a.example ", 1, REFUSED),
    (["a.example"], ".a.example", 1, REFUSED),
    (["a.example"], "a..example", 1, REFUSED),
    (["a.example"], "a.example:7001", 1, REFUSED),
    (["a.example", "c.example"], "a.example,c.example", 1, REFUSED),
    (["a.example"], "\u0430.example", 1, REFUSED),  # a Cyrillic letter
    (["xn--80a.example"], "a.example", 1, REFUSED),
    (["a.example"], "a.example", 0, ErrorCode.VERSION_TOO_OLD),
    (["a.example"], "a.example", 2, ErrorCode.VERSION_TOO_OLD),
]


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Return another CA's folder."""
    folder = tmp_path_factory.mktemp("stranger")
    authority.make_ca(folder, now())
    return folder


async def test_a_connection_speaks_for_whom_its_certificate_names(open_domains, stranger):
    with trio.fail_after(PATIENCE_SECONDS):
        async with open_domains(("b.example",), **{"b.example": {"federation_peers": PEERS}}) as domains:
            port = domains.ports["b.example"]
            for names, said, protocol, answer in CLAIMS:
                async with raw(port, names) as peer:
                    assert await peer.claim(said, protocol) is answer, (names, said)
                    # And it is nobody: nothing else is answered.
                    health = federation.PurgeNoticeParams(account=ident("x", "a.example"))
                    assert await peer.call("purgeNotice", health) is SHUT
            async with raw(port, ["a.example", "c.example"]) as peer:
                assert await peer.claim("a.example") is ErrorCode.OK
                assert await peer.claim("c.example") is REFUSED
                assert await peer.claim("a.example") is ErrorCode.OK
            for more in (
                {"names": None}, {"root": stranger}, {"days": -1 / 48}, {"usage": (ExtendedKeyUsageOID.SERVER_AUTH,)},
            ):  # fmt: skip
                with pytest.raises(QuicError):
                    async with raw(port, **{"names": ["a.example"]} | more) as peer:
                        await peer.claim("a.example")
            with pytest.raises(QuicError):  # the caller looks as closely
                async with raw(port, ["a.example"], to="c.example"):
                    raise AssertionError


PEERS = "a.example=127.0.0.1:1,c.example=127.0.0.1:1"


def ident(name, domain):
    return name.encode().ljust(16, b".") + domain.encode()


def guest(domain, *, account=None, device=None):
    return Guest(
        account=ident("account", account or domain) if account != "" else b"",
        device=ident("device", device or domain) if device != "" else b"",
    )


A, B, C = NAMES
OURS, THEIRS, THIRD = (ident("channel", d) for d in (B, A, C))
FINE = guest(A)
NOBODY = Guest()
BOX = bytes(16) + A.encode()


def message(channel=OURS, **more):
    return EnqueueParams(channel=channel, generation=1, epoch=1, payload=b"x", **more)


def up(sender, item=None):
    return "relayEnqueue", federation.RelayEnqueueParams(sender=sender, item=item or message())


def odd(account, device):
    return Guest(account=account, device=device)


def entry(number=1, kind=EntryKind.MESSAGE, *, channel=THEIRS, targets=(ident("bob", B),), payload=b"x", **more):
    return RelayedEntry(
        entry=Entry(number=number, kind=kind, channel=channel, generation=1, epoch=more.pop("epoch", 1),
                    log_number=more.pop("log_number", 1), payload=payload, **more),
        targets=tuple(targets),
    )  # fmt: skip


def down(*entries, standings=()):
    return "deliverEntries", federation.DeliverEntriesParams(entries=entries, standings=tuple(standings))


def standing(channel=THEIRS, member=None, **more):
    members = (Guest(account=ident("bob", member), device=ident("bob", member)),) if member else ()
    return Standing(channel=channel, generation=1, epoch=more.pop("epoch", 1), members=members, **more)


def welcome(named, targets):
    return entry(kind=EntryKind.WELCOME, targets=targets, payload=WelcomeItem(device=named, welcome=b"w").to_bytes())


def signal(channel, payload=b"x"):
    return SignalParams(channel=channel, generation=1, epoch=1, payload=payload)


def signal_up(sender, channel=OURS):
    return "relaySignal", federation.RelaySignalParams(sender=sender, signal=signal(channel))


def signal_down(channel, domain=B, device=b"bob".ljust(16, b"."), payload=b"x"):
    return "deliverSignal", federation.DeliverSignalParams(
        targets=(device + domain.encode(),), signal=signal(channel, payload)
    )


TABLE = [
    # up: whose device
    ("a sender of a third domain", *up(guest(C)), REFUSED),
    ("a sender of the called domain", *up(guest(B)), REFUSED),
    ("an own account with a third domain's device", *up(guest(A, device=C)), REFUSED),
    ("an own device with a third domain's account", *up(guest(A, account=C)), REFUSED),
    ("an own device with the called domain's account", *up(guest(A, account=B)), REFUSED),
    ("a device without an account", *up(guest(A, account="")), REFUSED),
    ("an account without a device", *up(guest(A, device="")), REFUSED),
    ("nobody, unsigned", *up(NOBODY), REFUSED),
    ("the box of a domain as a device", *up(odd(FINE.account, BOX)), REFUSED),
    ("a domain in capitals", *up(guest("A.EXAMPLE")), REFUSED),
    ("a domain with a dot at its end", *up(guest("a.example.")), REFUSED),
    ("a wildcard as a domain", *up(guest("*.example")), REFUSED),
    ("a domain below the peer's", *up(guest("x.a.example")), REFUSED),
    ("a domain above the peer's", *up(guest("example")), REFUSED),
    ("an address as a domain", *up(guest("127.0.0.1")), REFUSED),
    ("a name with a hidden end", *up(odd(ident("account", A) + b"\0", FINE.device)), REFUSED),
    ("no domain at all", *up(odd(b"a" * 16, b"d" * 16)), REFUSED),
    ("an id cut short", *up(odd(b"a", b"d")), REFUSED),
    # up: whose channel
    ("a channel of the peer itself", *up(FINE, message(THEIRS)), REFUSED),
    ("a channel of a third domain: nothing is passed on", *up(FINE, message(THIRD)), REFUSED),
    ("a channel of no form", *up(FINE, message(b"x")), REFUSED),
    ("no channel", *up(FINE, EnqueueParams()), REFUSED),
    ("a sealed message for a third domain", *up(NOBODY, message(THIRD, write_signature=b"s" * 64)), REFUSED),
    ("a batch with one for a third domain", "relayBatchEnqueue",
     federation.RelayBatchEnqueueParams(sender=FINE, items=(message(), message(THIRD))), REFUSED),
    ("a batch of a third domain's sender", "relayBatchEnqueue",
     federation.RelayBatchEnqueueParams(sender=guest(C), items=(message(),)), REFUSED),
    ("a batch of nobody with one unsigned", "relayBatchEnqueue",
     federation.RelayBatchEnqueueParams(items=(message(write_signature=b"s" * 64), message())), REFUSED),
    ("a commit by a third domain's device", "relayCommit",
     federation.RelayCommitParams(sender=guest(C), commit=SubmitCommitParams(channel=OURS)), REFUSED),
    ("a commit in a third domain's channel", "relayCommit",
     federation.RelayCommitParams(sender=FINE, commit=SubmitCommitParams(channel=THIRD)), REFUSED),
    ("a commit of nobody", "relayCommit", federation.RelayCommitParams(commit=SubmitCommitParams(channel=OURS)), REFUSED),
    ("a proposal by a third domain's device", "relayProposal",
     federation.RelayProposalParams(sender=guest(C), proposal=SubmitProposalParams(channel=OURS)), REFUSED),
    ("a proposal in a third domain's channel", "relayProposal",
     federation.RelayProposalParams(sender=FINE, proposal=SubmitProposalParams(channel=THIRD)), REFUSED),
    ("a channel made at another home", "relayCreate",
     federation.RelayCreateParams(sender=FINE, create=CreateChannelParams(channel=THIRD)), REFUSED),
    ("a channel made for somebody else's device", "relayCreate",
     federation.RelayCreateParams(sender=guest(C), create=CreateChannelParams(channel=OURS)), REFUSED),
    ("a reset of a third domain's channel", "relayReset",
     federation.RelayResetParams(sender=FINE, reset=ResetChannelParams(channel=THIRD)), REFUSED),
    ("a reset by a third domain's device", "relayReset",
     federation.RelayResetParams(sender=guest(C), reset=ResetChannelParams(channel=OURS)), REFUSED),
    ("GroupInfo for a third domain's device", "proxyFetchGroupInfo",
     federation.ProxyGroupInfoParams(device=guest(C), params=FetchGroupInfoParams(channel=OURS)), REFUSED),
    ("GroupInfo of a third domain's channel", "proxyFetchGroupInfo",
     federation.ProxyGroupInfoParams(device=FINE, params=FetchGroupInfoParams(channel=THIRD)), REFUSED),
    ("a tree for a third domain's device", "proxyFetchTree",
     federation.ProxyTreeParams(device=guest(C), params=FetchTreeParams(channel=OURS)), REFUSED),
    ("a tree of a third domain's channel", "proxyFetchTree",
     federation.ProxyTreeParams(device=FINE, params=FetchTreeParams(channel=THIRD)), REFUSED),
    # up: of the right form, and not a member
    ("GroupInfo for one who is no member", "proxyFetchGroupInfo",
     federation.ProxyGroupInfoParams(device=FINE, params=FetchGroupInfoParams(channel=OURS)), ErrorCode.NOT_MEMBER),
    ("a tree for one who is no member", "proxyFetchTree",
     federation.ProxyTreeParams(device=FINE, params=FetchTreeParams(channel=OURS)), ErrorCode.NOT_MEMBER),
    ("a message that is none", *up(FINE), BAD),
    # down: whose channel, for whom
    ("an entry of a third domain's channel", *down(entry(channel=THIRD)), REFUSED),
    ("an entry of the receiver's own channel", *down(entry(channel=OURS)), REFUSED),
    ("an entry for a third domain's device", *down(entry(targets=[ident("bob", C)])), REFUSED),
    ("an entry for the sender's own device", *down(entry(targets=[ident("bob", A)])), REFUSED),
    ("an entry for one of ours and one of a third domain",
     *down(entry(targets=[ident("bob", B), ident("bob", C)])), REFUSED),
    ("an entry for the box of a domain", *down(entry(targets=[bytes(16) + B.encode()])), REFUSED),
    ("an entry for nobody", *down(entry(targets=[])), BAD),
    ("an entry for somebody twice", *down(entry(targets=[ident("bob", B)] * 2)), BAD),
    ("a Welcome for another device than it names", *down(welcome(ident("eve", B), [ident("bob", B)])), BAD),
    ("a Welcome for two", *down(welcome(ident("bob", B), [ident("bob", B), ident("eve", B)])), BAD),
    ("a hole between two entries", *down(entry(1), entry(3)), BAD),
    ("one number twice", *down(entry(1), entry(1)), BAD),
    ("a number of nothing", *down(entry(0)), BAD),
    ("a number past all numbers", *down(entry((1 << 64) - 1)), BAD),
    ("an epoch that cannot be", *down(entry(epoch=(1 << 64) - 1)), BAD),
    ("a place in the log that cannot be", *down(entry(log_number=(1 << 63))), BAD),
    ("a message without its text", *down(entry(payload=b"")), ErrorCode.TOO_LARGE),
    ("a message too large", *down(entry(payload=b"x" * (256 * 1024 + 1))), ErrorCode.TOO_LARGE),
    ("more entries than a call has", *down(*(entry(n) for n in range(1, 258))), ErrorCode.TOO_LARGE),
    ("a purge with a text of its own", *down(entry(kind=EntryKind.PURGE, targets=[], channel=b"")), BAD),
    ("a gap with a channel", *down(entry(kind=EntryKind.GAP, targets=[], payload=b"")), BAD),
    ("how a third domain's channel stands", *down(standings=[standing(THIRD)]), REFUSED),
    ("how the receiver's own channel stands", *down(standings=[standing(OURS)]), REFUSED),
    ("a member of a third domain", *down(standings=[standing(member=C)]), REFUSED),
    ("a channel at an epoch that cannot be", *down(standings=[standing(epoch=(1 << 64) - 1)]), BAD),
    # signals
    ("a signal by a third domain's device", *signal_up(guest(C)), REFUSED),
    ("a signal in a third domain's channel", *signal_up(FINE, THIRD), REFUSED),
    ("a signal of nobody", *signal_up(NOBODY), REFUSED),
    ("a signal by one who is no member", *signal_up(FINE), ErrorCode.NOT_MEMBER),
    ("a signal in the receiver's own channel", *signal_down(OURS), REFUSED),
    ("a signal in a third domain's channel, brought down", *signal_down(THIRD), REFUSED),
    ("a signal for a third domain's device", *signal_down(THEIRS, C), REFUSED),
    ("a signal for the box of a domain", *signal_down(THEIRS, B, bytes(16)), REFUSED),
    ("a signal without anything", *signal_down(THEIRS, payload=b""), ErrorCode.TOO_LARGE),
    ("a signal too large", *signal_down(THEIRS, payload=b"x" * 1025), ErrorCode.TOO_LARGE),
    # look-ups
    ("a name of a third domain", "proxyResolveUser", keystore.ResolveUserParams(name="bob@c.example"), REFUSED),
    ("a name without a domain", "proxyResolveUser", keystore.ResolveUserParams(name="bob"), ErrorCode.NAME_INVALID),
    ("a name that is not there", "proxyResolveUser", keystore.ResolveUserParams(name="no@b.example"), ErrorCode.NOT_FOUND),
    ("KeyPackages of a third domain", "proxyFetchKeyPackage",
     keystore.FetchKeyPackageParams(accounts=(ident("x", C),), suites=(1,)), REFUSED),
    ("KeyPackages of one of ours and one of a third domain", "proxyFetchKeyPackage",
     keystore.FetchKeyPackageParams(accounts=(ident("x", B), ident("x", C)), suites=(1,)), REFUSED),
    ("hybrid keys of a third domain", "proxyFetchHybridKey", keystore.FetchHybridKeysParams(devices=(ident("x", C),)), REFUSED),
    ("device lists of a third domain", "proxyDeviceLists", keystore.DeviceListsParams(accounts=(ident("x", C),)), REFUSED),
    ("an identity of a third domain", "proxyResolveIdentity", keystore.ResolveIdentityParams(account=ident("x", C)), REFUSED),
    ("whose an identity key is", "proxyResolveIdentity", keystore.ResolveIdentityParams(identity_key=b"k" * 32), BAD),
    ("an endpoint of a third domain", "proxyResolveEndpoint", keystore.ResolveEndpointParams(device=ident("x", C)), REFUSED),
    ("a file of a third domain", "proxyFetchBlob",
     blob.DownloadBlobParams(blob=b"h" * 32 + C.encode(), secret=b"s" * 16), ErrorCode.NOT_FOUND),
    ("a file of the peer itself: it is not fetched back", "proxyFetchBlob",
     blob.DownloadBlobParams(blob=b"h" * 32 + A.encode(), secret=b"s" * 16), ErrorCode.NOT_FOUND),
    # the end of accounts
    ("the end of a third domain's account", "purgeNotice", federation.PurgeNoticeParams(account=ident("x", C)), REFUSED),
    ("the end of the called domain's account", "purgeNotice", federation.PurgeNoticeParams(account=ident("x", B)), REFUSED),
    ("the end of a third domain's device", "purgeNotice",
     federation.PurgeNoticeParams(account=ident("x", A), devices=(ident("d", C),)), REFUSED),
    ("the end of nobody", "purgeNotice", federation.PurgeNoticeParams(), REFUSED),
]  # fmt: skip


async def test_what_a_peer_says_counts_for_its_own_domain_alone(open_domains):
    with trio.fail_after(PATIENCE_SECONDS):
        async with open_domains(("b.example",), **{"b.example": {"federation_peers": PEERS}}) as domains:
            async with raw(domains.ports["b.example"]) as peer:
                assert await peer.claim("a.example") is ErrorCode.OK
                for what, name, params, answer in TABLE:
                    assert await peer.call(name, params) is answer, what
                for number in (
                    NUMBERS["callPeer"], NUMBERS["describePeer"], 0, 1, 0x0580, 0x05FF, 0xFFFF,
                    *(m.number for m in (*DELIVERY, *AUTH)),
                ):  # fmt: skip
                    assert (await peer.number(number, b"")).code == ErrorCode.UNKNOWN_METHOD
                assert (await peer.number(NUMBERS["purgeNotice"], b"rubbish")).code == BAD
                reply = await peer.number(NUMBERS["purgeNotice"], b"", idempotency_key=b"short")
                assert reply.code == BAD
            store = domains.servers["b.example"].services["delivery"]._store
            assert await store.boxes(10) == []
            assert await store.home_position("a.example") == 0


async def test_a_renewed_certificate_is_used_and_a_damaged_one_is_not(open_domains, tmp_path):
    with trio.fail_after(PATIENCE_SECONDS):
        authority.make_ca(tmp_path / "own", now())
        authority.issue_domain(tmp_path / "own", "b.example", now())
        folder = tmp_path / "own" / "b.example"
        given = {f"federation_{n}": str(folder / f"federation.{e}") for n, e in (("cert", "pem"), ("key", "key"))}
        given |= {"federation_ca": str(folder / "federation-ca.pem"), "federation_peers": PEERS}
        async with open_domains(("b.example",), **{"b.example": given}) as domains:
            federation_service, port = domains.servers["b.example"].services["federation"], domains.ports["b.example"]

            async def shown():
                async with raw(port, root=tmp_path / "own", trust=True) as peer:
                    assert await peer.claim("a.example") is ErrorCode.OK
                    return peer.connection.peer_certificates[0]

            first = await shown()
            federation_service.reload()
            assert await shown() == first
            authority.issue_domain(tmp_path / "own", "b.example", now())
            federation_service.reload()
            second = await shown()
            assert second != first
            (folder / "federation.pem").write_bytes(b"damaged")
            federation_service.reload()
            assert await shown() == second


def test_the_table_is_as_long_as_it_is_said_to_be():
    assert len({row[0] for row in TABLE}) == len(TABLE) >= 60
    assert len(CLAIMS) >= 30
