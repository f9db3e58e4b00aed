@0xc5e7a9b1d3f5460a;
# What stands inside the ciphertext: never seen by a server. Unknown kinds degrade readably: `fallback` is shown.

struct Content {
  version @0 :UInt16;         # 1
  id @1 :Data;                # 16 random bytes; receivers drop a repeat for ever
  sentMs @2 :UInt64;          # the sender's clock, milliseconds since 1970
  fallback @3 :Text;          # what a client shows that does not know the kind; may be empty
  expiresAfterSeconds @4 :UInt32;   # disappearing: 0, or seconds after acceptance
  union {
    text @5 :Text;
    reply @6 :Reply;
    reaction @7 :Reaction;
    edit @8 :Edit;
    delete @9 :Data;          # id of one's own message
    receipt @10 :Receipt;
    file @11 :File;
    timer @12 :UInt32;        # the conversation's expiresAfterSeconds from now on
    rename @13 :Text;         # the conversation's name from now on
    profile @14 :Profile;
    cutShort @15 :Data;       # a device whose skipped keys pile up, named by a commit's author
    selfState @16 :Data;      # channel of kind `self`: read state, settings, history offers (versioned, sealed by the channel)
    pin @17 :Pin;
    moved @18 :Data;          # the channel in which a group goes on whose home had gone (docs/spec/federation.md#a-home-that-has-gone)
    settings @19 :Settings;   # what a conversation is called and how long messages stay, for who has just come; others ignore it
  }
  struct Reply { to @0 :Data; text @1 :Text; }
  struct Reaction { to @0 :Data; emoji @1 :Text; remove @2 :Bool; }
  struct Edit { to @0 :Data; text @1 :Text; }
  struct Receipt { ids @0 :List(Data); kind @1 :ReceiptKind; }
  enum ReceiptKind { delivered @0; read @1; }
  struct File {
    blob @0 :Data; secret @1 :Data; key @2 :Data;   # docs/spec/content.md#files
    totalBytes @3 :UInt64; name @4 :Text; mime @5 :Text; sha256 @6 :Data;   # of the plaintext
  }
  struct Profile { displayName @0 :Text; }
  struct Pin { to @0 :Data; remove @1 :Bool; }
  struct Settings { name @0 :Text; timerSeconds @1 :UInt32; certain @2 :Bool; }   # certain: the teller knows both for certain
}

struct Signal {
  # Sealed under the epoch's exporter key "qpq signal".
  union { typing @0 :Bool; unknown @1 :Void; }
}

struct GroupPolicy {
  # The GroupContext extension 0xF100: all that validity may depend on, and nothing private.
  version @0 :UInt16;         # 1
  kind @1 :ChannelKind;
  home @2 :Text;              # the domain that orders the channel
  generation @3 :UInt32;
  leastClient @4 :UInt32;     # a client below it pauses
  admins @5 :List(Data);      # account ids; none of them a member: everybody is one
  note @7 :Data;              # in a channel of kind `self`: where the account's backup lies, sealed under its root key (docs/spec/recovery.md)
  follows @8 :Data;           # the channel that this one goes on from, whose home had gone; empty: none
  moves @9 :UInt16;           # how often the group has moved so; 0: never
  everybodyMay @6 :UInt32;    # bits, where there are admins: 1 invite, 2 remove, 4 rename, 8 set the timer, 16 pin
}
enum ChannelKind { direct @0; group @1; self @2; }
