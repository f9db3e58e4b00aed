@0xb4d6f8a0c2e43509;
using import "annotations.capnp".service;
using import "annotations.capnp".internal;
using import "annotations.capnp".caller;
using import "annotations.capnp".by;
using import "annotations.capnp".idempotent;
using import "annotations.capnp".keyed;
using import "annotations.capnp".frameBytes;
using Delivery = import "delivery.capnp";
using Keystore = import "keystore.capnp";
using Blob = import "blob.capnp";

interface Federation $service(5) {
  # Calls of one domain's server at another's (docs/spec/federation.md). What goes up speaks for a device of the caller's own
  # domain in a channel of the called one; what goes down is of the caller's channels and for devices of the called one.
  relayEnqueue @0 RelayEnqueueParams -> Delivery.EnqueueResult $caller("peer") $idempotent;
  relayBatchEnqueue @1 RelayBatchEnqueueParams -> Delivery.BatchEnqueueResult $caller("peer") $idempotent;
  proxyFetchKeyPackage @2 Keystore.FetchKeyPackageParams -> Keystore.FetchKeyPackageResult $caller("peer") $keyed;
  proxyFetchHybridKey @3 Keystore.FetchHybridKeysParams -> Keystore.FetchHybridKeysResult $caller("peer") $idempotent;
  proxyResolveUser @4 Keystore.ResolveUserParams -> Keystore.ResolveUserResult $caller("peer") $idempotent;
  federationHealth @5 FederationHealthParams -> FederationHealthResult $caller("peer") $idempotent;
  # The first call of every connection: it says which domain calls; the certificate has to name it.
  relayCommit @6 RelayCommitParams -> Delivery.SubmitCommitResult $caller("peer") $idempotent $frameBytes(8388608);
  relayProposal @7 RelayProposalParams -> Delivery.SubmitProposalResult $caller("peer") $idempotent;
  proxyFetchGroupInfo @8 ProxyGroupInfoParams -> Delivery.FetchGroupInfoResult $caller("peer") $idempotent;
  proxyFetchTree @9 ProxyTreeParams -> Delivery.FetchTreeResult $caller("peer") $idempotent;
  proxyFetchBlob @10 Blob.DownloadBlobParams -> Blob.DownloadBlobResult $caller("peer") $idempotent;
  purgeNotice @11 PurgeNoticeParams -> PurgeNoticeResult $caller("peer") $idempotent;
  # Devices, or a whole account, of the calling domain are no more: their leaves are proposed for removal.
  relayCreate @12 RelayCreateParams -> Delivery.CreateChannelResult $caller("peer") $idempotent $frameBytes(8388608);
  relayReset @13 RelayResetParams -> Delivery.ResetChannelResult $caller("peer") $idempotent $frameBytes(8388608);
  deliverEntries @14 DeliverEntriesParams -> DeliverEntriesResult $caller("peer") $idempotent $frameBytes(8388608);
  # Down: what the caller's channels have for devices of the called domain, in the order of the caller's box for it.
  proxyResolveIdentity @15 Keystore.ResolveIdentityParams -> Keystore.ResolveIdentityResult $caller("peer") $idempotent;
  proxyDeviceLists @16 Keystore.DeviceListsParams -> Keystore.DeviceListsResult $caller("peer") $idempotent;
  proxyResolveEndpoint @17 Keystore.ResolveEndpointParams -> Keystore.ResolveEndpointResult $caller("peer") $idempotent;
  relaySignal @18 RelaySignalParams -> Delivery.SignalResult $caller("peer");
  # Up, as relayEnqueue; stored nowhere, and tried once.
  deliverSignal @19 DeliverSignalParams -> Delivery.SignalResult $caller("peer");
  # Down, as deliverEntries, beside the box.
}

interface FederationInternal $service(5) $internal {
  callPeer @0 CallPeerParams -> CallPeerResult $caller("service") $by("delivery keystore blob") $idempotent $frameBytes(8388608);
  # One of the methods above at another domain; its refusal is this call's.
  describePeer @1 DescribePeerParams -> FederationHealthResult $caller("service") $by("delivery") $idempotent;
}

struct RelayEnqueueParams { sender @0 :Delivery.Guest; item @1 :Delivery.EnqueueParams; }
# sender: empty for a sealed sender
struct RelayBatchEnqueueParams { sender @0 :Delivery.Guest; items @1 :List(Delivery.EnqueueParams); }
struct RelayCommitParams { sender @0 :Delivery.Guest; commit @1 :Delivery.SubmitCommitParams; }
struct RelayProposalParams { sender @0 :Delivery.Guest; proposal @1 :Delivery.SubmitProposalParams; }
struct RelayCreateParams { sender @0 :Delivery.Guest; create @1 :Delivery.CreateChannelParams; }
struct RelayResetParams { sender @0 :Delivery.Guest; reset @1 :Delivery.ResetChannelParams; }
struct ProxyGroupInfoParams { device @0 :Delivery.Guest; params @1 :Delivery.FetchGroupInfoParams; }
struct ProxyTreeParams { device @0 :Delivery.Guest; params @1 :Delivery.FetchTreeParams; }
struct DeliverEntriesParams { entries @0 :List(Delivery.RelayedEntry); standings @1 :List(Delivery.Standing); }
# entries: at most 256, numbered without a hole; standings: of the channels whose handshakes are among them
struct DeliverEntriesResult { position @0 :UInt64; }    # all up to this number is stored
struct PurgeNoticeParams { account @0 :Data; devices @1 :List(Data); }     # devices empty: the whole account
struct PurgeNoticeResult {}
struct RelaySignalParams { sender @0 :Delivery.Guest; signal @1 :Delivery.SignalParams; }
struct DeliverSignalParams { targets @0 :List(Data); signal @1 :Delivery.SignalParams; }
struct FederationHealthParams { domain @0 :Text; version @1 :Text; protocol @2 :UInt16; }    # domain: the caller's; protocol: 1
struct FederationHealthResult {
  domain @0 :Text;
  version @1 :Text;
  protocol @2 :UInt16;
  externalSenderCredential @3 :Data;    # delivery's, for the external_senders extension of groups whose home this is
  externalSenderKey @4 :Data;
}

struct CallPeerParams { domain @0 :Text; method @1 :UInt16; params @2 :Data; }
struct CallPeerResult { result @0 :Data; }
struct DescribePeerParams { domain @0 :Text; }
