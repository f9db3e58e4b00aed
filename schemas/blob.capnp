@0x8c1d3e5f7a9b0c08;
using import "annotations.capnp".service;
using import "annotations.capnp".internal;
using import "annotations.capnp".caller;
using import "annotations.capnp".by;
using import "annotations.capnp".idempotent;

interface Blob $service(4) {
  uploadBlob @0 UploadBlobParams -> UploadBlobResult $caller("device") $idempotent;
  # The chunk at the next missing byte, or one of the next 4 MiB: it waits its turn, and with none stored for 2 s it is refused.
  # Resumable; a repeat of a chunk already there is taken.
  downloadBlob @1 DownloadBlobParams -> DownloadBlobResult $caller("anonymous") $idempotent;
  # Whoever has the read secret.
  statBlob @2 StatBlobParams -> StatBlobResult $caller("anonymous") $idempotent;
  # The read secret, or a session of the uploader's account.
  deleteBlob @3 DeleteBlobParams -> DeleteBlobResult $caller("owner") $idempotent;
}

interface BlobInternal $service(4) $internal {
  purgeAccount @0 PurgeBlobsParams -> PurgeBlobsResult $caller("service") $by("auth") $idempotent;
  forPeer @1 BlobForPeerParams -> DownloadBlobResult $caller("service") $by("federation") $idempotent;
  # A download by another domain, of a blob of this one.
}

struct UploadBlobParams {
  blob @0 :Data;              # SHA-256 of the ciphertext (32 bytes), then the domain
  totalBytes @1 :UInt64;      # of the whole ciphertext
  secretHash @2 :Data;        # SHA-256 of the 16-byte read secret
  offset @3 :UInt64;
  chunk @4 :Data;             # at most blobChunkBytes (256 KiB); empty: asks where to go on
  ttlSeconds @5 :UInt32;      # 0: the server's default (30 days); extends a blob of one's own
}
struct UploadBlobResult { received @0 :UInt64; complete @1 :Bool; expiresMs @2 :UInt64; }
struct DownloadBlobParams { blob @0 :Data; secret @1 :Data; offset @2 :UInt64; maxBytes @3 :UInt32; }
struct DownloadBlobResult { chunk @0 :Data; totalBytes @1 :UInt64; }
struct StatBlobParams { blob @0 :Data; secret @1 :Data; }
struct StatBlobResult { totalBytes @0 :UInt64; received @1 :UInt64; complete @2 :Bool; expiresMs @3 :UInt64; }
struct DeleteBlobParams { blob @0 :Data; }
struct DeleteBlobResult {}
struct PurgeBlobsParams { account @0 :Data; }
struct PurgeBlobsResult { blobs @0 :UInt32; }
struct BlobForPeerParams { domain @0 :Text; params @1 :DownloadBlobParams; }
