@0xb4d6f8a0c2e43509;
using import "annotations.capnp".service;
using import "annotations.capnp".caller;
using import "annotations.capnp".idempotent;
using Delivery = import "delivery.capnp";
using Keystore = import "keystore.capnp";
using Blob = import "blob.capnp";

interface Federation $service(5) {
  relayEnqueue @0 RelayEnqueueParams -> Delivery.EnqueueResult $caller("peer") $idempotent;
  relayBatchEnqueue @1 RelayBatchEnqueueParams -> Delivery.BatchEnqueueResult $caller("peer") $idempotent;
  proxyFetchKeyPackage @2 Keystore.FetchKeyPackageParams -> Keystore.FetchKeyPackageResult $caller("peer");
  proxyFetchHybridKey @3 Keystore.FetchHybridKeysParams -> Keystore.FetchHybridKeysResult $caller("peer") $idempotent;
  proxyResolveUser @4 Keystore.ResolveUserParams -> Keystore.ResolveUserResult $caller("peer") $idempotent;
  federationHealth @5 FederationHealthParams -> FederationHealthResult $caller("peer") $idempotent;
  relayCommit @6 RelayCommitParams -> Delivery.SubmitCommitResult $caller("peer") $idempotent;
  relayProposal @7 RelayProposalParams -> Delivery.SubmitProposalResult $caller("peer") $idempotent;
  proxyFetchGroupInfo @8 ProxyGroupInfoParams -> Delivery.FetchGroupInfoResult $caller("peer") $idempotent;
  proxyFetchTree @9 ProxyTreeParams -> Delivery.FetchTreeResult $caller("peer") $idempotent;
  proxyFetchBlob @10 Blob.DownloadBlobParams -> Blob.DownloadBlobResult $caller("peer") $idempotent;
  purgeNotice @11 PurgeNoticeParams -> PurgeNoticeResult $caller("peer") $idempotent;
}

struct RelayEnqueueParams { sender @0 :Data; item @1 :Delivery.EnqueueParams; logNumber @2 :UInt64; targets @3 :List(Data); }
struct RelayBatchEnqueueParams { items @0 :List(RelayEnqueueParams); }
struct RelayCommitParams { sender @0 :Data; commit @1 :Delivery.SubmitCommitParams; logNumber @2 :UInt64; }
struct RelayProposalParams { sender @0 :Data; proposal @1 :Delivery.SubmitProposalParams; logNumber @2 :UInt64; }
struct ProxyGroupInfoParams { device @0 :Data; params @1 :Delivery.FetchGroupInfoParams; }
struct ProxyTreeParams { device @0 :Data; params @1 :Delivery.FetchTreeParams; }
struct PurgeNoticeParams { account @0 :Data; devices @1 :List(Data); }
struct PurgeNoticeResult {}
struct FederationHealthParams {}
struct FederationHealthResult { domain @0 :Text; version @1 :Text; }
