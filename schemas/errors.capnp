@0xb7c2d0e4a1f35802;
# Every reason for which a call can be answered with no. Numbers are wire format: append, never reuse.

using import "annotations.capnp".retryable;
using import "annotations.capnp".exit;

enum ErrorCode {
  ok @0 $exit(0);
  malformed @1 $exit(2);                      # bytes that are no valid call, parameters or message
  unknownMethod @2 $exit(2);
  unauthenticated @3 $exit(3);                # no session, or one that is over
  forbidden @4 $exit(4);                      # a session, but not of one who may do this
  notFound @5 $exit(5);
  tooLarge @6 $exit(6);
  rateLimited @7 $retryable $exit(7);         # see retryAfterMs
  overloaded @8 $retryable $exit(7);
  unavailable @9 $retryable $exit(8);         # a part of the server is away
  deadlineExceeded @10 $retryable $exit(9);
  internal @11 $retryable $exit(10);          # a fault; its text stays inside
  notImplementedYet @12 $exit(11);
  versionTooOld @13 $exit(12);                # client below the oldest served
  idempotencyMismatch @14 $exit(2);           # same key, another request
  storageFull @15 $retryable $exit(13);

  nameTaken @16 $exit(20);                    # in use, or freed less than 90 days ago
  nameInvalid @17 $exit(20);                  # PRECIS refuses it
  registrationClosed @18 $exit(21);
  registrationTokenInvalid @19 $exit(21);
  loginFailed @20 $exit(22);                  # wrong password or unknown user: the same
  loginExpired @21 $exit(22);                 # log-in state used or too old
  accountSuspended @22 $exit(22);
  versionConflict @23 $exit(23);              # compare-and-set lost: read again

  deviceListStale @24 $exit(24);              # version not above the stored one, or wrong previous hash
  deviceListInvalid @25 $exit(24);            # signature, owner or form
  deviceUnknown @26 $exit(24);
  deviceLimit @27 $exit(24);
  signatureInvalid @28 $exit(24);             # the identity key's or device key's signature

  keyPackageInvalid @29 $exit(25);            # signature, suite, lifetime or form
  keyPackageOwner @30 $exit(25);              # credential is not the caller's device
  keyPackageLimit @31 $exit(25);
  noKeyPackage @32 $exit(25);                 # nobody to add: the account has no active device with a package
  hybridKeyInvalid @33 $exit(25);

  channelExists @34 $exit(26);
  notMember @35 $exit(26);
  epochConflict @36 $exit(27);                # another commit won this epoch: fetch, then try again
  staleEpoch @37 $exit(27);                   # message of an epoch no longer taken: encrypt anew
  generationConflict @38 $exit(27);
  commitInvalid @39 $exit(28);
  proposalMissing @40 $exit(28);              # a stored proposal is left out
  proposalInvalid @41 $exit(28);
  groupInfoInvalid @42 $exit(28);
  credentialInvalid @43 $exit(28);            # a leaf whose identity does not verify
  channelLimit @44 $exit(26);
  treeUnknown @45 $exit(26);
  writeKeyInvalid @46 $exit(26);

  blobHashMismatch @47 $exit(29);
  blobOffset @48 $exit(29);                   # not at the next missing byte
  blobSecret @49 $exit(29);
  blobTooLarge @50 $exit(29);
  blobQuota @51 $exit(29);

  peerMismatch @52 $exit(30);                 # a peer spoke for another domain
  ratchetUsed @53 $exit(27);                  # this device has sent as far in this epoch: its state is an older copy
}
