@0xf3c5b7a9d1e25a06;
using import "annotations.capnp".service;
using import "annotations.capnp".internal;
using import "annotations.capnp".caller;
using import "annotations.capnp".by;
using import "annotations.capnp".idempotent;
using import "annotations.capnp".keyed;

interface Keystore $service(2) {
  uploadKeyPackages @0 UploadKeyPackagesParams -> UploadKeyPackagesResult $caller("device") $idempotent;
  # With no packages: asks for the stock.
  fetchKeyPackage @1 FetchKeyPackageParams -> FetchKeyPackageResult $caller("device") $keyed;
  # For each account: its device list and one KeyPackage per active device, in one transaction.
  uploadHybridKey @2 UploadHybridKeyParams -> UploadHybridKeyResult $caller("device") $idempotent;
  fetchHybridKey @3 FetchHybridKeyParams -> FetchHybridKeyResult $caller("device") $idempotent;
  fetchHybridKeys @4 FetchHybridKeysParams -> FetchHybridKeysResult $caller("device") $idempotent;
  resolveUser @5 ResolveUserParams -> ResolveUserResult $caller("account") $idempotent;
  resolveIdentity @6 ResolveIdentityParams -> ResolveIdentityResult $caller("account") $idempotent;
  publishEndpoint @7 PublishEndpointParams -> PublishEndpointResult $caller("device") $idempotent;
  resolveEndpoint @8 ResolveEndpointParams -> ResolveEndpointResult $caller("device") $idempotent;
  publishDeviceList @9 PublishDeviceListParams -> PublishDeviceListResult $caller("owner") $idempotent;
  # Brings again the list that auth took last (after a restore); any other list is refused.
  resolveIdentities @10 ResolveIdentitiesParams -> ResolveIdentitiesResult $caller("account") $idempotent;
  # Who many accounts are, of this domain and no other; counts as so many look-ups.
}

interface KeystoreInternal $service(2) $internal {
  putAccount @0 PutAccountParams -> PutAccountResult $caller("service") $by("auth") $idempotent;
  putDeviceList @1 PublishDeviceListParams -> PublishDeviceListResult $caller("service") $by("auth") $idempotent;
  # Devices that the list lacks lose their KeyPackages, hybrid keys and endpoints.
  deviceLists @2 DeviceListsParams -> DeviceListsResult $caller("service") $by("delivery") $idempotent;
  purgeAccount @3 PurgeAccountParams -> PurgeAccountResult $caller("service") $by("auth") $idempotent;
  forPeer @4 KeysForPeerParams -> KeysForPeerResult $caller("service") $by("federation") $keyed;
  # A look-up by another domain, of accounts of this one.
}

struct UploadKeyPackagesParams { packages @0 :List(Data); lastResort @1 :List(Data); }
# MLSMessage(KeyPackage) each; at most 100 and 2 in a call. A last-resort package replaces its suite's.
struct UploadKeyPackagesResult { stock @0 :List(Stock); }
struct Stock { suite @0 :UInt16; oneTime @1 :UInt32; lastResort @2 :Bool; }

struct FetchKeyPackageParams { accounts @0 :List(Data); suites @1 :List(UInt16); }   # suites: preferred first
struct FetchKeyPackageResult { accounts @0 :List(AccountKeys); }
struct AccountKeys {
  account @0 :Data;
  deviceList @1 :Data;        # empty: no such account
  packages @2 :List(DeviceKeys);
}
struct DeviceKeys {
  device @0 :Data;
  suite @1 :UInt16;           # 0: this device has no package of the suites asked for
  keyPackage @2 :Data;
  lastResort @3 :Bool;
  hybridKey @4 :Data;         # SignedHybridKey, or empty
}

struct UploadHybridKeyParams { hybridKey @0 :Data; }          # SignedHybridKey (docs/spec/identity.md)
struct UploadHybridKeyResult {}
struct FetchHybridKeyParams { device @0 :Data; }
struct FetchHybridKeyResult { hybridKey @0 :Data; }
struct FetchHybridKeysParams { devices @0 :List(Data); }
struct FetchHybridKeysResult { hybridKeys @0 :List(Data); }   # in the order asked for; empty where there is none

struct ResolveUserParams { name @0 :Text; }                   # "name" or "name@domain"
struct ResolveUserResult { account @0 :Data; name @1 :Text; identityKey @2 :Data; deviceList @3 :Data; }
struct ResolveIdentityParams { identityKey @0 :Data; account @1 :Data; }   # one of the two
struct ResolveIdentityResult { account @0 :Data; name @1 :Text; identityKey @2 :Data; deviceList @3 :Data; }

struct ResolveIdentitiesParams { accounts @0 :List(Data); }   # 1 to 256
struct ResolveIdentitiesResult { identities @0 :List(ResolveIdentityResult); }   # in the order asked for; all empty: nobody

struct PublishEndpointParams { endpoint @0 :Data; ttlSeconds @1 :UInt32; signature @2 :Data; }
# signature: device key over "qpq endpoint v1", device, ttlSeconds, endpoint: signed as docs/spec/identity.md says
struct PublishEndpointResult { expiresMs @0 :UInt64; }
struct ResolveEndpointParams { device @0 :Data; }
struct ResolveEndpointResult { endpoint @0 :Data; expiresMs @1 :UInt64; signature @2 :Data; ttlSeconds @3 :UInt32; }

struct PublishDeviceListParams { deviceList @0 :Data; }
struct PublishDeviceListResult { version @0 :UInt64; }

struct PutAccountParams { account @0 :Data; name @1 :Text; identityKey @2 :Data; }
struct PutAccountResult {}
struct DeviceListsParams { accounts @0 :List(Data); }
struct DeviceListsResult { deviceLists @0 :List(Data); }      # in the order asked for; empty: no such account
struct PurgeAccountParams { account @0 :Data; }
struct PurgeAccountResult {}

struct KeysForPeerParams { domain @0 :Text; method @1 :UInt16; params @2 :Data; }    # method: the federation method's
struct KeysForPeerResult { result @0 :Data; }
