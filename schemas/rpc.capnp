@0xc9e1f7a2b3d45603;
# The frame of a call: one Call on a stream of its own, then one Reply (a streaming method: several).

struct Call {
  method @0 :UInt16;          # service << 8 | ordinal
  deadlineMs @1 :UInt32;      # time left; 0: the server's default
  idempotencyKey @2 :Data;    # empty or 16 bytes
  traceparent @3 :Text;       # W3C trace context, or empty
  params @4 :Data;            # a message of its own: the method's parameter struct
}

struct Reply {
  code @0 :UInt16;            # ErrorCode
  detail @1 :Text;            # a sentence that is safe to show
  retryAfterMs @2 :UInt32;
  result @3 :Data;            # a message of its own: the method's result struct
}
