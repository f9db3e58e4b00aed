# ruff: noqa: PYI021 -- the native module has no Python source: this is where its documentation stands.
"""The native module: MLS devices, groups and views, and OPAQUE. Times are seconds since 1970 and come from the caller.

Every function gives the GIL back while it works. Errors: :class:`qpqnative.MlsError`, :class:`qpqnative.OpaqueError`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, final

SUITE_1: int
"""MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519 (RFC 9420 §17.1)."""
SUITE_XWING: int
"""0xF04F, private: suite 1 with X-Wing as KEM (docs/spec/groups.md)."""
EXT_POLICY: int
"""0xF100: the GroupContext extension that holds the channel's policy."""

@final
class Layout:
    """How a struct of a Cap'n Proto schema stands in a message.

    ``fields``: (kind, offset, number in the union or None, layout or None), offsets in units of the field's own size, in
    bits for ``bool``. Kinds: void, bool, uint8, uint16, uint32, uint64, enum, data, text, struct, list data, list uint16,
    list struct; the last and struct name a layout. ValueError for one that contradicts itself.
    """

    def __new__(
        cls,
        data_words: int,
        pointers: int,
        union_at: int | None,
        fields: Sequence[tuple[str, int, int | None, Layout | None]],
    ) -> Layout: ...
    def decode(self, data: bytes) -> tuple[Any, ...]:
        """Read a message: a value for each field, last the number of the union's set member. ValueError.

        A struct that is not there, and the members that are not set, are None. 16 pointers deep at most, and nothing is
        looked at more than about twice.
        """
    def encode(self, values: tuple[Any, ...]) -> bytes:
        """Write a message of the same values, in one segment. ValueError or TypeError for values that do not fit."""

@final
class Member:
    """A member: leaf index, identity bytes of its basic credential, Ed25519 public key."""

    @property
    def index(self) -> int: ...
    @property
    def credential(self) -> bytes: ...
    @property
    def signature_key(self) -> bytes: ...
    def __hash__(self) -> int: ...

@final
class KeyPackageInfo:
    """A KeyPackage whose signatures, lifetime and capabilities hold. ``suites``: what its owner takes part in."""

    @property
    def reference(self) -> bytes: ...
    @property
    def suite(self) -> int: ...
    @property
    def credential(self) -> bytes: ...
    @property
    def signature_key(self) -> bytes: ...
    @property
    def not_before_s(self) -> int: ...
    @property
    def not_after_s(self) -> int: ...
    @property
    def last_resort(self) -> bool: ...
    @property
    def suites(self) -> list[int]: ...

@final
class MessageInfo:
    """What a message says of itself; nothing is verified. ``sender_index``: of a member's PublicMessage, or of who signed a GroupInfo."""

    @property
    def wire(self) -> Literal["public", "private", "welcome", "group_info", "key_package"]: ...
    @property
    def group_id(self) -> bytes | None: ...
    @property
    def epoch(self) -> int | None: ...
    @property
    def content(self) -> Literal["application", "proposal", "commit"] | None: ...
    @property
    def sender_index(self) -> int | None: ...

@final
class Application:
    """A decrypted application message; ``sender`` as in the current tree, ``epoch`` the one it was sent in."""

    @property
    def data(self) -> bytes: ...
    @property
    def authenticated_data(self) -> bytes: ...
    @property
    def sender(self) -> Member: ...
    @property
    def epoch(self) -> int: ...

@final
class Proposal:
    """A proposal by itself. ``sender_index`` is None for the external sender; ``reference``: its ProposalRef."""

    @property
    def kind(
        self,
    ) -> Literal["add", "remove", "self_remove", "update", "psk", "group_context_extensions", "other"]: ...
    @property
    def sender_index(self) -> int | None: ...
    @property
    def target_index(self) -> int | None: ...
    @property
    def reference(self) -> bytes: ...

@final
class CommitFacts:
    """What a commit does, for the caller to judge before he stores anything.

    ``epoch``: the one it begins. ``committer``: as before the commit; of an external commit the new leaf, which is in
    ``added`` too. ``removed`` (by Remove) and ``self_removed_members``: as before the commit. ``updated``: leaves with
    another credential or key, as after it. ``self_removed``: this device is out. ``unused_proposals``: cached proposals
    that it leaves out so that they have no effect (a Remove beside the same leaf's SelfRemove does not count).
    """

    @property
    def epoch(self) -> int: ...
    @property
    def committer(self) -> Member | None: ...
    @property
    def external(self) -> bool: ...
    @property
    def self_removed(self) -> bool: ...
    @property
    def added(self) -> list[Member]: ...
    @property
    def removed(self) -> list[Member]: ...
    @property
    def updated(self) -> list[Member]: ...
    @property
    def self_removed_members(self) -> list[Member]: ...
    @property
    def policy_changed(self) -> bool: ...
    @property
    def psks(self) -> int: ...
    @property
    def unused_proposals(self) -> int: ...
    @property
    def proposal_refs(self) -> list[bytes]: ...

@final
class Device:
    """One device: signer, credential, KeyPackages, pre-shared keys. A refused call leaves it as it was."""

    def __new__(
        cls,
        *,
        credential: bytes,
        signature_secret: bytes,
        entries: Iterable[tuple[bytes, bytes]] | None = None,
        past_epochs: int = 5,
    ) -> Device:
        """``entries``: the stored ``k/`` and ``p/`` records; ``signature_secret``: the 32-byte Ed25519 seed."""

    def key_package(self, suite: int, *, last_resort: bool = False, not_before_s: int, lifetime_s: int) -> bytes:
        """A new KeyPackage (MLSMessage); its private half is among the changes."""

    def create_group(
        self,
        suite: int,
        *,
        group_id: bytes,
        policy: bytes,
        external_senders: Sequence[tuple[bytes, bytes]] = (),
        now_s: int,
    ) -> Group:
        """A group with this device alone. ``external_senders``: (credential, Ed25519 public key) each."""

    def join(self, welcome: bytes, tree: bytes | None, now_s: int | None = None) -> Group:
        """Joins by a Welcome; the tree comes out of band.

        Leave ``now_s`` out: with it every leaf of the tree must be within its KeyPackage's lifetime, which shuts the
        door of a group where one member has not committed for 90 days (RFC 9420 §7.3 asks for it on sending only).
        """

    def external_join(
        self,
        group_info: bytes,
        tree: bytes,
        *,
        remove_leaf: int | None = None,
        psks: Sequence[bytes] = (),
        now_s: int | None = None,
    ) -> tuple[Group, bytes]:
        """Joins by external commit: the group, in the new epoch already, and the commit. ``now_s`` as for ``join``."""

    def load_group(self, group_id: bytes, entries: Iterable[tuple[bytes, bytes]], tree: bytes) -> Group:
        """A group from its ``s/`` and ``e/`` records and its tree."""

    def put_psk(self, psk_id: bytes, secret: bytes) -> None:
        """Stores an external pre-shared key."""

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Changes since the last call, for one transaction: ``k/<reference>``, ``p/<id>``; None deletes."""

@final
class Group:
    """One group. Nothing is permanent until ``take_changes`` is stored; after any exception the object is poisoned."""

    @property
    def group_id(self) -> bytes: ...
    @property
    def epoch(self) -> int: ...
    @property
    def suite(self) -> int: ...
    @property
    def own_index(self) -> int: ...
    @property
    def inviter_index(self) -> int | None:
        """The leaf that signed the Welcome's GroupInfo, while this object is the one that joined by it."""

    @property
    def tree_hash(self) -> bytes: ...
    @property
    def policy(self) -> bytes: ...
    @property
    def next_generation(self) -> int:
        """How many application messages this device has sealed in this epoch; a commit is due before the 900th."""

    def members(self) -> list[Member]: ...
    def commit(
        self,
        *,
        add: Sequence[bytes] = (),
        remove: Sequence[int] = (),
        policy: bytes | None = None,
        psks: Sequence[bytes] = (),
        path: bool = True,
        new_signer: tuple[bytes, bytes] | None = None,
        now_s: int,
    ) -> PendingCommit:
        """Builds a commit of these and all cached proposals; the group stays in its epoch.

        ``new_signer``: (credential, Ed25519 seed). ``now_s``: added KeyPackages must be within their lifetime then.
        """

    def apply(self, pending: PendingCommit, commit: bytes | None = None) -> CommitFacts:
        """Applies one's own commit once the log has brought it back; ``commit``: what the log brought.

        ``wrong_epoch`` if it was made in another epoch or another state of it, ``rule`` if ``commit`` is another one.
        """

    def process(self, message: bytes, now_s: int | None = None) -> Application | Proposal | CommitFacts:
        """Takes a message from the log. Own commits and own application messages: ``rule``.

        Members leave ``now_s`` out: whether a commit is valid must not depend on when it is read.
        """

    def encrypt(self, plaintext: bytes, authenticated_data: bytes = b"") -> bytes:
        """A PrivateMessage, padded to a Padmé size. ``commit_required`` while proposals are cached."""

    def propose_self_remove(self) -> bytes:
        """A PublicMessage proposal to leave; another member has to commit it."""

    def export(self, label: bytes, context: bytes, length: int) -> bytes:
        """MLS-Exporter (RFC 9420 §8.5)."""

    def export_after(self, pending: PendingCommit, label: bytes, context: bytes, length: int) -> bytes:
        """The same of the epoch that an own commit would begin; the group stays as it is."""

    def epoch_authenticator(self) -> bytes: ...
    def group_info(self) -> bytes:
        """MLSMessage(GroupInfo) with external_pub, without the tree."""

    def tree(self) -> bytes:
        """The tree, as stored under ``t/``."""

    def pending_proposals(self) -> int:
        """How many proposals are cached."""

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Changes since the last call, the device's among them, for one transaction; None deletes.

        ``s/<group>`` the state without the tree, ``e/<group><epoch, 8 bytes big-endian>`` a past epoch and, with
        ``/skipped`` behind it, any epoch's ledger of skipped keys; ``t/<group>`` the tree, once per epoch. A group that
        was joined starts from nothing: delete old records of the same id in the same transaction. If the transaction
        fails, drop the device and all its groups and load them again: they believe it was stored.
        """

@final
class PendingCommit:
    """A commit that the log has not brought back yet. Its bytes hold secrets: into the sealed database only.

    They are what ``Group.apply`` needs. What is for others is not among them: ``commit``, ``welcomes``, ``group_info`` and
    ``tree`` are empty in one that was read from bytes.
    """

    @property
    def group_id(self) -> bytes: ...
    @property
    def epoch(self) -> int:
        """The epoch that it ends."""

    @property
    def commit(self) -> bytes: ...
    @property
    def commit_hash(self) -> bytes:
        """SHA-256 of ``commit``."""

    @property
    def has_path(self) -> bool:
        """Whether it renews its author's keys (RFC 9420 §12.4); ``malformed`` for one that was read from bytes."""

    @property
    def welcomes(self) -> list[tuple[bytes, bytes]]:
        """(KeyPackageRef, Welcome), one per added member, in the order of the adds."""

    @property
    def group_info(self) -> bytes:
        """Of the new epoch, with external_pub, without the tree."""

    @property
    def tree(self) -> bytes:
        """Of the new epoch."""

    @property
    def tree_hash(self) -> bytes:
        """Of the new epoch."""

    @property
    def unused_proposals(self) -> int:
        """Cached proposals that could not be taken up."""

    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> PendingCommit: ...

@final
class GroupView:
    """The server's public view of a group, without secrets. It does not change: each check returns the next view."""

    @staticmethod
    def observe(group_info: bytes, tree: bytes, now_s: int | None = None) -> GroupView:
        """Begins from a GroupInfo with external_pub and its tree. ``now_s``: every leaf must be within its lifetime."""

    @staticmethod
    def load(snapshot: bytes, tree: bytes) -> GroupView: ...
    @property
    def group_id(self) -> bytes: ...
    @property
    def epoch(self) -> int: ...
    @property
    def suite(self) -> int: ...
    @property
    def tree_hash(self) -> bytes: ...
    @property
    def policy(self) -> bytes: ...
    @property
    def external_senders(self) -> list[tuple[bytes, bytes]]:
        """(credential, Ed25519 public key) of each."""

    def members(self) -> list[Member]: ...
    def tree(self) -> bytes: ...
    def snapshot(self) -> bytes:
        """The view without the tree; cached proposals included."""

    def check(self, message: bytes, now_s: int) -> tuple[GroupView, Proposal | CommitFacts]:
        """Checks a public commit or proposal: all that can be checked without secrets. This view stays as it is."""

    def check_group_info(self, group_info: bytes) -> None:
        """Of this very state, signed by a member, with external_pub, without the tree."""

    def propose_remove(self, index: int, sender_credential: bytes, sender_secret: bytes) -> tuple[GroupView, bytes]:
        """Proposes to remove a leaf, as the external sender; ``rule`` if that is proposed already."""

    def cached_proposals(self) -> list[tuple[bytes, Proposal]]:
        """(ProposalRef, proposal) of each."""

def generate_signature_key() -> tuple[bytes, bytes]:
    """A new Ed25519 key for both suites: 32-byte seed, 32-byte public key."""

def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tells whether an Ed25519 signature is the key's over the message; False also for bytes that are no key or signature."""

def inspect_key_package(message: bytes, now_s: int | None) -> KeyPackageInfo:
    """Checks a KeyPackage: signatures, suite, lifetime (unless None), the capabilities that every group asks for."""

def inspect_message(message: bytes) -> MessageInfo:
    """Reads a message's head."""

@final
class OpaqueServerSetup:
    """The server's long-term OPAQUE secrets: 128 bytes, to be kept outside the database."""

    @staticmethod
    def new() -> OpaqueServerSetup: ...
    @staticmethod
    def from_bytes(data: bytes) -> OpaqueServerSetup: ...
    def to_bytes(self) -> bytes: ...
    @property
    def public_key(self) -> bytes: ...

def opaque_registration_response(setup: OpaqueServerSetup, request: bytes, credential_id: bytes) -> bytes:
    """Answers a registration request (RFC 9807 §5)."""

def opaque_registration_record(upload: bytes) -> bytes:
    """Checks an upload; the canonical record to store (192 bytes)."""

def opaque_login_response(
    setup: OpaqueServerSetup,
    record: bytes | None,
    request: bytes,
    credential_id: bytes,
    *,
    context: bytes = b"",
    client: bytes | None = None,
    server: bytes | None = None,
    randomness: bytes | None = None,
) -> tuple[bytes, bytes]:
    """Answers a log-in request: (response, state). ``record`` None: a dummy's answer, by the same work.

    ``client``, ``server`` (identities) and ``randomness`` are for the RFC's vectors: see ``qpqnative.testing``.
    """

def opaque_login_finish(state: bytes, finalization: bytes) -> bytes:
    """The session key (64 bytes), equal to the client's; ``invalid_login`` otherwise."""

@final
class OpaqueRegistration:
    """A registration, client's side: ``start``, then ``finish``, once each. The keyword arguments are for vectors."""

    def __new__(cls) -> OpaqueRegistration: ...
    def start(self, password: bytes, *, randomness: bytes | None = None) -> bytes:
        """The request."""

    def finish(
        self,
        password: bytes,
        response: bytes,
        *,
        client: bytes | None = None,
        server: bytes | None = None,
        identity_stretch: bool = False,
        randomness: bytes | None = None,
    ) -> tuple[bytes, bytes, bytes]:
        """(upload, export key of 64 bytes, server's public key). Argon2id runs here."""

@final
class OpaqueLogin:
    """A log-in, client's side: ``start``, then ``finish``, once each. The keyword arguments are for vectors."""

    def __new__(cls) -> OpaqueLogin: ...
    def start(self, password: bytes, *, randomness: bytes | None = None) -> bytes:
        """The request (KE1)."""

    def finish(
        self,
        password: bytes,
        response: bytes,
        *,
        context: bytes = b"",
        client: bytes | None = None,
        server: bytes | None = None,
        identity_stretch: bool = False,
    ) -> tuple[bytes, bytes, bytes, bytes]:
        """(finalization, session key of 64 bytes, export key, server's public key); ``invalid_login`` otherwise."""

def argon2id(password: bytes, salt: bytes, memory_kib: int, passes: int, lanes: int, length: int) -> bytes:
    """Argon2id, version 1.3 (RFC 9106)."""

def _lift_rules(device: Device) -> None:
    """Lifts QPQ's own rules from a device."""

def _lie(device: Device, *, path: Sequence[int] | None = None, short: bool = False, tag: bool = False) -> None:
    """Lets the next commit of a group that the device loads from now on lie where the server cannot look.

    ``path``: the places of the ciphertexts without their path secret (None: all); ``short``: they hold half a secret
    instead of another one; ``tag``: the confirmation tag is not the group's.
    """

def _key_package_record(message: bytes, init_private: bytes, leaf_private: bytes) -> tuple[bytes, bytes]:
    """The ``k/`` record of a KeyPackage made elsewhere."""

def _xwing_derive(ikm: bytes) -> tuple[bytes, bytes]:
    """DeriveKeyPair of draft-ietf-hpke-pq: 32-byte seed, 1,216-byte public key."""

def _xwing_encap(public: bytes, randomness: bytes) -> tuple[bytes, bytes]:
    """(shared secret, encapsulated key) from 64 bytes of randomness."""

def _xwing_decap(enc: bytes, secret: bytes, public: bytes) -> bytes:
    """The shared secret."""

def _xwing_public_key_ok(public: bytes) -> bool:
    """Whether the KEM takes the key."""

def _xwing_hpke(
    keys: tuple[bytes, bytes, bytes],
    info: bytes,
    sealed: Sequence[tuple[bytes, bytes]],
    exports: Sequence[tuple[bytes, int]],
) -> tuple[list[bytes], list[bytes]]:
    """HPKE base mode with HKDF-SHA256 and ChaCha20Poly1305: (secret, public, enc), [(aad, ct)], [(context, length)]."""

def _xwing_hpke_seal(
    public: bytes, randomness: bytes, info: bytes, texts: Sequence[tuple[bytes, bytes]]
) -> tuple[bytes, list[bytes]]:
    """The sender's side of ``_xwing_hpke``: (enc, ciphertexts) of [(aad, plaintext)], with scripted randomness."""

def _xwing_hpke_one_stage(
    shared_secret: bytes,
    info: bytes,
    texts: Sequence[tuple[bytes, bytes, bytes]],
    exports: Sequence[tuple[bytes, int]],
) -> tuple[tuple[bytes, bytes, bytes], list[bytes], list[bytes], list[bytes]]:
    """HPKE base mode with X-Wing, SHAKE256 (KDF 0x0011) and ChaCha20Poly1305, of [(aad, plaintext, ciphertext)].

    ((key, base nonce, exporter secret), sealed, opened, exported).
    """

def _suite_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Ed25519."""

def _suite_open(key: bytes, nonce: bytes, aad: bytes, ciphertext: bytes) -> bytes:
    """AES-128-GCM; ``invalid`` where the tag does not fit."""

def _suite_hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256."""
