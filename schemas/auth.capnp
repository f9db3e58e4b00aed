@0xa1b4c6d8e0f25905;
using import "annotations.capnp".service;
using import "annotations.capnp".internal;
using import "annotations.capnp".caller;
using import "annotations.capnp".by;
using import "annotations.capnp".idempotent;
using import "annotations.capnp".keyed;

interface Auth $service(1) {
  registerStart @0 RegisterStartParams -> RegisterStartResult $caller("anonymous") $idempotent;
  registerFinish @1 RegisterFinishParams -> RegisterFinishResult $caller("anonymous") $keyed;
  # Anonymous: a new account. With a session of the account: a new password, record and wraps in one step;
  # every other session of the account ends.
  loginStart @2 LoginStartParams -> LoginStartResult $caller("anonymous") $idempotent;
  loginFinish @3 LoginFinishParams -> LoginFinishResult $caller("anonymous");
  resume @4 ResumeParams -> ResumeResult $caller("anonymous") $idempotent;
  logout @5 LogoutParams -> LogoutResult $caller("account") $idempotent;
  registerDevice @6 RegisterDeviceParams -> RegisterDeviceResult $caller("account") $idempotent;
  # Takes the next signed device list, which holds one device more; binds this session to it.
  listDevices @7 ListDevicesParams -> ListDevicesResult $caller("account") $idempotent;
  revokeDevice @8 RevokeDeviceParams -> RevokeDeviceResult $caller("account") $idempotent;
  # Takes the next signed device list, which lacks one or more devices: they are cut off at once, everywhere.
  deleteAccount @9 DeleteAccountParams -> DeleteAccountResult $caller("account") $idempotent;
}

interface AuthInternal $service(1) $internal {
  renewAssertion @0 RenewAssertionParams -> RenewAssertionResult $caller("service") $by("gateway") $idempotent;
  currentDeviceList @1 CurrentDeviceListParams -> CurrentDeviceListResult $caller("service") $by("keystore") $idempotent;
}

struct RegisterStartParams { name @0 :Text; request @1 :Data; token @2 :Text; }
struct RegisterStartResult { response @0 :Data; }

struct RegisterFinishParams {
  name @0 :Text;
  upload @1 :Data;            # OPAQUE RegistrationRecord
  account @2 :Data;           # account id: 16 random bytes chosen by the client, then the domain; with a session: the session's
  identityKey @3 :Data;       # Ed25519 public key; with a session: unchanged
  wraps @4 :Data;             # the account root key's wraps, sealed by the client (docs/spec/recovery.md)
  wrapVersion @5 :UInt64;     # 1 for a new account, else the stored one + 1: compare-and-set
  token @6 :Text;             # registration token where the server asks for one
  signature @7 :Data;         # identity key over "qpq register v1" and the fields above (docs/spec/identity.md)
}
struct RegisterFinishResult { account @0 :Data; wrapVersion @1 :UInt64; sessionsEnded @2 :UInt32; }

struct LoginStartParams { name @0 :Text; request @1 :Data; }
struct LoginStartResult { response @0 :Data; state @1 :Data; }   # state: sealed by the server, single-use, 60 s

struct LoginFinishParams {
  state @0 :Data;
  finalization @1 :Data;
  device @2 :Data;            # empty: the session is not bound to a device yet
  deviceSignature @3 :Data;   # device key over "qpq login v1", challenge, SHA-256(state), device
}
struct LoginFinishResult {
  account @0 :Data;
  session @1 :Data;           # 32-byte token; the server keeps its hash
  expiresMs @2 :UInt64;       # sliding: 30 days from the last use
  identityKey @3 :Data;
  wraps @4 :Data;
  wrapVersion @5 :UInt64;
  deviceList @6 :Data;        # the account's current signed list; empty: none yet
}

struct ResumeParams { session @0 :Data; device @1 :Data; signature @2 :Data; }
# signature: device key over "qpq resume v1", challenge, SHA-256(session), device
struct ResumeResult { account @0 :Data; expiresMs @1 :UInt64; deviceListVersion @2 :UInt64; }

struct LogoutParams { everywhere @0 :Bool; }
struct LogoutResult { sessionsEnded @0 :UInt32; }

struct RegisterDeviceParams {
  deviceList @0 :Data; device @1 :Data; label @2 :Data;
  sessionHash @3 :Data;       # not empty: a linked device (docs/spec/recovery.md#linking-a-device); SHA-256 of the token of a session that is to be
  # that device's. The session that brings it stays as it is.
}
# label: a name for the owner's eyes, sealed under the account root key, at most 256 bytes
struct RegisterDeviceResult { version @0 :UInt64; }

struct ListDevicesParams {}
struct ListDevicesResult { devices @0 :List(DeviceInfo); deviceList @1 :Data; }
struct DeviceInfo { device @0 :Data; label @1 :Data; registeredMs @2 :UInt64; lastSeenMs @3 :UInt64; current @4 :Bool; }

struct RevokeDeviceParams { deviceList @0 :Data; }
struct RevokeDeviceResult { version @0 :UInt64; revoked @1 :List(Data); }

struct DeleteAccountParams { account @0 :Data; signature @1 :Data; }
# signature: identity key over "qpq delete account v1", account, challenge
struct DeleteAccountResult {}

struct RenewAssertionParams { assertion @0 :Data; }
struct RenewAssertionResult {}
struct CurrentDeviceListParams { account @0 :Data; }
struct CurrentDeviceListResult { deviceList @0 :Data; }
