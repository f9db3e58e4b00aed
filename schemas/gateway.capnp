@0xe2a5c7d9f1b36804;
using import "annotations.capnp".service;
using import "annotations.capnp".caller;
using import "annotations.capnp".streams;
using import "annotations.capnp".idempotent;
using import "delivery.capnp".Entry;

interface Gateway $service(0) {
  health @0 HealthParams -> HealthResult $caller("anonymous") $idempotent;
  # Is the server there, and are the services behind it.
  hello @1 HelloParams -> HelloResult $caller("anonymous") $idempotent;
  # Versions, limits and this connection's challenge; the first call of every client.
  subscribe @2 SubscribeParams -> SubscribeEvent $caller("device") $streams $idempotent;
  # The device's mailbox as it fills, signals, low stock of KeyPackages, and the server's going away.
}

struct HealthParams {}
struct HealthResult {
  status @0 :Text;            # "ok", or the names of the services that are away
  version @1 :Text;
  uptimeMs @2 :UInt64;
}

struct HelloParams {
  clientVersion @0 :Text;
  protocol @1 :UInt16;        # 1
}
struct HelloResult {
  protocol @0 :UInt16;
  serverVersion @1 :Text;
  oldestClient @2 :Text;
  domain @3 :Text;
  challenge @4 :Data;         # 32 random bytes, for the life of this connection: resume and loginFinish sign it
  nowMs @5 :UInt64;           # the server's clock, milliseconds since 1970
  frameBytesMax @6 :UInt32;
  handshakeBytesMax @7 :UInt32;
  blobBytesMax @8 :UInt64;
  blobChunkBytes @9 :UInt32;
  externalSenderCredential @10 :Data;   # delivery's, for the external_senders extension of new groups
  externalSenderKey @11 :Data;
  registration @12 :Text;     # "open", "token" or "closed"
}

struct SubscribeParams {
  after @0 :UInt64;           # mailbox number; entries above it are sent
  maxEntries @1 :UInt16;      # in one event; 0: the server's choice
}
struct SubscribeEvent {
  union {
    entries @0 :List(Entry);
    signal @1 :Signal;
    lowStock @2 :LowStock;
    goingAway @3 :UInt32;     # reconnect within so many milliseconds
    ready @4 :UInt64;         # sent once, when all that lay in the mailbox has been sent: its last number
  }
  struct Signal { channel @0 :Data; generation @1 :UInt32; epoch @2 :UInt64; payload @3 :Data; }
  struct LowStock { suite @0 :UInt16; left @1 :UInt32; }
}
