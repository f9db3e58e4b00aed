@0xd6a4f3b1c2e59701;
# Annotations by which the schema says everything once: dispatch, gateway policy, the
# authorisation tests' expected values and the documents are made from them.

annotation service @0xd1c0a5c3f0b84e01 (interface) :UInt8;
# The service's number. A method's number on the wire is service << 8 | ordinal; never reused.

annotation internal @0xd1c0a5c3f0b84e02 (interface) :Void;
# Service-to-service: never reachable from the edge. Internal ordinals have bit 7 set on the wire.

annotation caller @0xd1c0a5c3f0b84e03 (method) :Text;
# Who may call, one word; a method without it may be called by nobody (default deny).
#   anonymous  anybody, with or without a session
#   account    a session, whether bound to a device or not
#   device     a session bound to an active device
#   member     a device that is a leaf of the channel named in the parameters
#   memberAccount   a device of an account that has a leaf there
#   sender     a device that is a leaf there, or whoever signs with the epoch's write key
#   owner      a device of the account that owns the named object
#   peer       another domain, proved by its certificate
#   service    another service of this domain

annotation by @0xd1c0a5c3f0b84e0a (method) :Text;
# Which services may call a `service` method, separated by blanks; no others.

annotation streams @0xd1c0a5c3f0b84e04 (method) :Void;
# The method answers with any number of Reply frames, then FIN.

annotation idempotent @0xd1c0a5c3f0b84e05 (method) :Void;
# Calling it twice with the same parameters has the effect of calling it once.

annotation keyed @0xd1c0a5c3f0b84e06 (method) :Void;
# Not idempotent by nature, and repeatable under Call.idempotencyKey: the first reply is repeated for 7 days.

annotation frameBytes @0xd1c0a5c3f0b84e07 (method) :UInt32;
# The largest call frame of this method; 2 MiB without it, 64 KiB before log-in.

annotation retryable @0xd1c0a5c3f0b84e08 (enumerant) :Void;
# The same call may succeed later, unchanged.

annotation exit @0xd1c0a5c3f0b84e09 (enumerant) :UInt8;
# The exit code of the command line for this error.
