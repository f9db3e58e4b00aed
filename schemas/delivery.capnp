@0x9d2e4f6a8b0c1d07;
using import "annotations.capnp".service;
using import "annotations.capnp".internal;
using import "annotations.capnp".caller;
using import "annotations.capnp".by;
using import "annotations.capnp".idempotent;
using import "annotations.capnp".frameBytes;

interface Delivery $service(3) {
  createChannel @0 CreateChannelParams -> CreateChannelResult $caller("device") $idempotent $frameBytes(8388608);
  enqueue @1 EnqueueParams -> EnqueueResult $caller("sender") $idempotent;
  batchEnqueue @2 BatchEnqueueParams -> BatchEnqueueResult $caller("sender") $idempotent;
  fetch @3 FetchParams -> FetchResult $caller("device") $idempotent;
  fetchWait @4 FetchWaitParams -> FetchResult $caller("device") $idempotent;
  peek @5 PeekParams -> PeekResult $caller("device") $idempotent;
  ack @6 AckParams -> AckResult $caller("device") $idempotent;
  submitCommit @7 SubmitCommitParams -> SubmitCommitResult $caller("memberAccount") $idempotent $frameBytes(8388608);
  # For an external commit the caller need not be a leaf.
  submitProposal @8 SubmitProposalParams -> SubmitProposalResult $caller("member") $idempotent;
  fetchGroupInfo @9 FetchGroupInfoParams -> FetchGroupInfoResult $caller("memberAccount") $idempotent;
  fetchTree @10 FetchTreeParams -> FetchTreeResult $caller("memberAccount") $idempotent;
  # The reply may be as large as the tree (8 MiB).
  resetChannel @11 ResetChannelParams -> ResetChannelResult $caller("member") $idempotent $frameBytes(8388608);
  listChannels @12 ListChannelsParams -> ListChannelsResult $caller("account") $idempotent;
  signal @13 SignalParams -> SignalResult $caller("member");
  describeHome @14 DescribeHomeParams -> ExternalSenderResult $caller("account") $idempotent;
  # The external sender of groups whose home a domain is: what hello says of one's own.
}

interface DeliveryInternal $service(3) $internal {
  removeDevices @0 RemoveDevicesParams -> RemoveDevicesResult $caller("service") $by("auth") $idempotent;
  # Their mailboxes go; a Remove of each is proposed in every channel it is a leaf of.
  purgeAccount @1 PurgeDeliveryParams -> PurgeDeliveryResult $caller("service") $by("auth") $idempotent;
  openMailbox @2 OpenMailboxParams -> OpenMailboxResult $caller("service") $by("auth") $idempotent;
  externalSender @3 ExternalSenderParams -> ExternalSenderResult $caller("service") $by("gateway federation") $idempotent;
  asGuest @4 AsGuestParams -> AsGuestResult $caller("service") $by("federation") $idempotent $frameBytes(8388608);
  # A method of Delivery for a device of another domain, in a channel of this one.
  takeEntries @5 TakeEntriesParams -> TakeEntriesResult $caller("service") $by("federation") $idempotent $frameBytes(8388608);
  # What another domain's channels have for devices of this one.
  fetchBox @6 FetchBoxParams -> FetchBoxResult $caller("service") $by("federation") $idempotent;
  # What waits to be brought to another domain, in order.
  ackBox @7 AckBoxParams -> AckBoxResult $caller("service") $by("federation") $idempotent;
  listBoxes @8 ListBoxesParams -> ListBoxesResult $caller("service") $by("federation") $idempotent;
  purgeGuests @9 PurgeGuestsParams -> PurgeGuestsResult $caller("service") $by("federation") $idempotent;
  # Devices of another domain are no more.
  leaseBox @10 LeaseBoxParams -> LeaseBoxResult $caller("service") $by("federation") $idempotent;
  # Of several federation processes one brings what waits for a domain.
  takeSignal @11 TakeSignalParams -> SignalResult $caller("service") $by("federation");
  # A signal of another domain's channel, for devices of this one.
}

enum EntryKind { message @0; commit @1; proposal @2; welcome @3; gap @4; expired @5; reset @6; purge @7; }
# purge: in boxes for other domains alone; payload: a purgeNotice's parameters

struct Entry {
  number @0 :UInt64;          # in the mailbox: gapless, from 1
  kind @1 :EntryKind;
  channel @2 :Data;
  generation @3 :UInt32;
  epoch @4 :UInt64;           # message, proposal: its own; commit: the one it ends; welcome, reset: the one it begins
  logNumber @5 :UInt64;       # in the channel: the order in which everybody sees things
  acceptedMs @6 :UInt64;      # when the server took it, milliseconds since 1970
  payload @7 :Data;           # MLSMessage; welcome: see WelcomeItem; empty for gap, expired, reset
  treeHash @8 :Data;          # welcome: of the tree to fetch
  expiresMs @9 :UInt64;       # message: 0, or when the server forgets it
}

struct WelcomeItem { device @0 :Data; welcome @1 :Data; hybrid @2 :Bool; }
# welcome: MLSMessage(Welcome), or when hybrid the HPKE X-Wing encapsulation and ciphertext of it (docs/spec/groups.md)

struct Handshake {
  # A commit and what must be stored with it, atomically.
  commit @0 :Data;
  welcomes @1 :List(WelcomeItem);
  groupInfo @2 :Data;         # of the epoch that the commit begins, with external_pub, without the tree
  writeKey @3 :Data;          # Ed25519 public key of the new epoch's sealed senders (docs/spec/delivery.md)
}

struct CreateChannelParams {
  channel @0 :Data;
  groupInfo @1 :Data;         # of epoch 0, whose tree has one leaf: the caller's device
  tree @2 :Data;
  writeKey @3 :Data;          # of epoch 0
  first @4 :Handshake;        # the first commit, or empty: a group is born with its members or not at all
}
struct CreateChannelResult { generation @0 :UInt32; epoch @1 :UInt64; logNumber @2 :UInt64; }

struct EnqueueParams {
  channel @0 :Data;
  generation @1 :UInt32;
  epoch @2 :UInt64;
  payload @3 :Data;           # MLSMessage(PrivateMessage, application)
  ttlSeconds @4 :UInt32;      # 0: the server's default
  writeSignature @5 :Data;    # sealed sender; empty with a session
  ratchet @6 :UInt32;         # 1 + the sender's generation in the epoch's application ratchet; 0: not told
}
struct EnqueueResult { logNumber @0 :UInt64; acceptedMs @1 :UInt64; duplicate @2 :Bool; }
struct BatchEnqueueParams { items @0 :List(EnqueueParams); }      # at most 100
struct BatchEnqueueResult { items @0 :List(BatchItem); }
struct BatchItem { code @0 :UInt16; detail @1 :Text; result @2 :EnqueueResult; }

struct FetchParams { after @0 :UInt64; maxEntries @1 :UInt16; }   # after 0: from the acknowledged position
struct FetchResult { entries @0 :List(Entry); last @1 :UInt64; acked @2 :UInt64; }
struct FetchWaitParams { after @0 :UInt64; maxEntries @1 :UInt16; waitMs @2 :UInt32; }   # at most 60 s
struct PeekParams { maxEntries @0 :UInt16; }
struct PeekResult { entries @0 :List(Entry); last @1 :UInt64; acked @2 :UInt64; pendingBytes @3 :UInt64; oldestMs @4 :UInt64; }   # entries without payload
struct AckParams { upTo @0 :UInt64; }
struct AckResult { acked @0 :UInt64; }

struct SubmitCommitParams { channel @0 :Data; generation @1 :UInt32; epoch @2 :UInt64; handshake @3 :Handshake; }
struct SubmitCommitResult { epoch @0 :UInt64; logNumber @1 :UInt64; duplicate @2 :Bool; }   # epoch: the new one
struct SubmitProposalParams { channel @0 :Data; generation @1 :UInt32; epoch @2 :UInt64; proposal @3 :Data; }
struct SubmitProposalResult { logNumber @0 :UInt64; duplicate @1 :Bool; }

struct FetchGroupInfoParams { channel @0 :Data; }
struct FetchGroupInfoResult {
  generation @0 :UInt32; epoch @1 :UInt64; groupInfo @2 :Data; treeHash @3 :Data;
  proposals @4 :List(Data);   # stored and not yet committed
  logNumber @5 :UInt64;       # the channel's last
}
struct FetchTreeParams { channel @0 :Data; treeHash @1 :Data; }
struct FetchTreeResult { tree @0 :Data; }

struct ResetChannelParams {
  channel @0 :Data; generation @1 :UInt32;    # the one to leave behind
  groupInfo @2 :Data; tree @3 :Data; writeKey @4 :Data; first @5 :Handshake;   # as in createChannel
}
struct ResetChannelResult { generation @0 :UInt32; epoch @1 :UInt64; logNumber @2 :UInt64; }

struct ListChannelsParams {}
struct ListChannelsResult { channels @0 :List(ChannelInfo); }
struct ChannelInfo { channel @0 :Data; generation @1 :UInt32; epoch @2 :UInt64; member @3 :Bool; leaves @4 :UInt32; policy @5 :Data; }
# every channel in which some device of the account is a leaf; member: the calling device is one

struct SignalParams { channel @0 :Data; generation @1 :UInt32; epoch @2 :UInt64; payload @3 :Data; }   # at most 1 KiB
struct SignalResult {}

struct RemoveDevicesParams { account @0 :Data; devices @1 :List(Data); }
struct RemoveDevicesResult { proposals @0 :UInt32; }
struct PurgeDeliveryParams { account @0 :Data; }
struct PurgeDeliveryResult { proposals @0 :UInt32; }
struct OpenMailboxParams { account @0 :Data; device @1 :Data; }
struct OpenMailboxResult {}
struct ExternalSenderParams {}
struct ExternalSenderResult { credential @0 :Data; key @1 :Data; }

struct DescribeHomeParams { domain @0 :Text; }

# --- across domains (docs/spec/federation.md)

struct Guest { account @0 :Data; device @1 :Data; }    # of another domain
struct RelayedEntry { entry @0 :Entry; targets @1 :List(Data); }
# entry.number: in the box of the sending domain for the receiving one, gapless; targets: devices of the receiving domain
struct Standing {
  # A channel as it is now, and who of the receiving domain is in it.
  channel @0 :Data; generation @1 :UInt32; epoch @2 :UInt64; leaves @3 :UInt32; policy @4 :Data; members @5 :List(Guest);
}
struct AsGuestParams { domain @0 :Text; guest @1 :Guest; method @2 :UInt16; params @3 :Data; }
struct AsGuestResult { result @0 :Data; }
struct TakeEntriesParams { home @0 :Text; entries @1 :List(RelayedEntry); standings @2 :List(Standing); }
struct TakeEntriesResult { position @0 :UInt64; }
struct FetchBoxParams { domain @0 :Text; maxEntries @1 :UInt16; }
struct FetchBoxResult { entries @0 :List(RelayedEntry); standings @1 :List(Standing); last @2 :UInt64; }
struct AckBoxParams { domain @0 :Text; upTo @1 :UInt64; }
struct AckBoxResult { acked @0 :UInt64; }
struct LeaseBoxParams { domain @0 :Text; holder @1 :Data; leaseMs @2 :UInt32; }     # holder: a process, 16 bytes; leaseMs 0: given back
struct LeaseBoxResult { othersMs @0 :UInt32; }      # 0: it is the caller's; else so long it is another's
struct TakeSignalParams { home @0 :Text; targets @1 :List(Data); signal @2 :SignalParams; }
struct ListBoxesParams {}
struct ListBoxesResult { boxes @0 :List(Box); }
struct Box { domain @0 :Text; last @1 :UInt64; acked @2 :UInt64; entries @3 :UInt64; heldBytes @4 :UInt64; oldestMs @5 :UInt64; }
struct PurgeGuestsParams { domain @0 :Text; account @1 :Data; devices @2 :List(Data); }
struct PurgeGuestsResult { proposals @0 :UInt32; }
