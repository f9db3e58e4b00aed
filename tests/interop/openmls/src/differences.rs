//! The differences that were found, each decided; docs/spec/second-opinion.md says why. What is in no row fails the
//! test, and so does a row that does not occur.

use crate::court::Class::{self, Passes, Refused, Secrets};
use crate::court::Verdicts;

/// Kinds on which the four differ, from each other or from the RFC, in one way and for one reason.
pub struct Difference {
    /// The row's name in docs/spec/second-opinion.md.
    pub row: &'static str,
    /// A member under QPQ's rules, one without, OpenMLS, delivery's view.
    pub classes: [Class; 4],
    pub kinds: &'static [&'static str],
}

/// Ours refuses, as the RFC asks; OpenMLS lets pass.
const OURS_RIGHT: [Class; 4] = [Refused, Refused, Passes, Refused];
/// QPQ refuses what MLS allows.
const QPQ_STRICTER: [Class; 4] = [Refused, Passes, Passes, Refused];
/// The same of a commit whose path secrets the forger did not seal anew.
const QPQ_STRICTER_UNSEALED: [Class; 4] = [Refused, Secrets, Secrets, Refused];
/// mls-rs alone would let pass what the RFC forbids; QPQ's rules refuse it.
const REPAIRED: [Class; 4] = [Refused, Secrets, Refused, Refused];

pub const DIFFERENCES: &[Difference] = &[
    Difference {
        row: "twice the same",
        classes: OURS_RIGHT,
        kinds: &[
            "Remove twice",
            "reference twice",
            "SelfRemove twice",
            "GroupContextExtensions twice",
            "one KeyPackage twice",
            "external commit with two ExternalInits",
        ],
    },
    Difference {
        row: "SelfRemove beside others",
        classes: OURS_RIGHT,
        kinds: &[
            "committer leaves by SelfRemove",
            "SelfRemove by value",
            "SelfRemove and Remove of one leaf",
            "SelfRemove and Update of one leaf",
        ],
    },
    Difference {
        row: "one client twice",
        classes: OURS_RIGHT,
        kinds: &["two Adds of one client", "Add of a client that is a member"],
    },
    Difference { row: "ReInit", classes: OURS_RIGHT, kinds: &["ReInit", "ReInit with another"] },
    Difference {
        row: "required capabilities",
        classes: [Refused, Refused, Secrets, Refused],
        kinds: &["required proposal that nobody has"],
    },
    Difference {
        row: "a signature key twice",
        classes: [Refused, Refused, Secrets, Refused],
        kinds: &["path's leaf has another's signature key"],
    },
    Difference {
        row: "version and suite",
        classes: REPAIRED,
        kinds: &[
            "KeyPackage lacks the group's suite",
            "KeyPackage lacks the group's version",
            "path's leaf lacks the group's suite",
            "path's leaf lacks the group's version",
        ],
    },
    Difference {
        row: "a KeyPackage's extensions",
        classes: REPAIRED,
        kinds: &["KeyPackage extension that its capabilities lack"],
    },
    Difference {
        row: "keys that are none",
        classes: QPQ_STRICTER,
        kinds: &["init key that is no key", "init key zero", "encryption key that is no key", "encryption key zero"],
    },
    Difference {
        row: "keys that are none",
        classes: QPQ_STRICTER_UNSEALED,
        kinds: &["path's leaf's key is no key", "path's leaf's key zero"],
    },
    Difference { row: "everybody can leave", classes: QPQ_STRICTER, kinds: &["KeyPackage lacks SelfRemove"] },
    Difference { row: "everybody can leave", classes: QPQ_STRICTER_UNSEALED, kinds: &["path's leaf lacks SelfRemove"] },
    Difference {
        row: "the context's extensions",
        classes: QPQ_STRICTER_UNSEALED,
        kinds: &["the policy dropped", "the external senders dropped"],
    },
    Difference {
        row: "external senders' credentials",
        classes: [Refused, Refused, Secrets, Refused],
        kinds: &["external sender with an x509 credential"],
    },
    Difference {
        row: "extensions that nobody requires",
        classes: [Refused, Secrets, Refused, Refused],
        kinds: &["context extension that all support and none requires"],
    },
    Difference {
        row: "extensions out of place",
        classes: REPAIRED,
        kinds: &["context extension that belongs elsewhere", "context extension that cannot be read"],
    },
    Difference { row: "by reference", classes: QPQ_STRICTER, kinds: &["Remove by reference from a member"] },
    Difference {
        row: "two init keys",
        classes: [Secrets, Secrets, Refused, Passes],
        kinds: &["two Adds with one init key"],
    },
    Difference {
        row: "path secrets' number",
        classes: [Passes, Passes, Passes, Passes],
        kinds: &["path secrets too few", "path secrets too many"],
    },
    Difference {
        row: "an empty KEM output",
        classes: [Secrets, Secrets, Refused, Passes],
        kinds: &["external commit's KEM output empty"],
    },
];

/// What OpenMLS and ours say, without QPQ's rules, of a randomly changed commit that falls under a row.
const WORDS: &[(&str, &str, &str)] = &[
    ("extensions that nobody requires", "ExtensionNotInRequiredCapabilities", "CryptoProviderError"),
    ("external senders' credentials", "UnableToDecrypt", "IdentityProviderError"),
    ("extensions out of place", "ExtensionTypeNotValidInGroupContextError", "CryptoProviderError"),
    ("extensions out of place", "Malformed", "CryptoProviderError"),
];

/// Whether the difference on a randomly changed commit is one of the table's: all that these say QPQ's rules refuse.
pub fn decided(verdicts: &Verdicts) -> bool {
    let (openmls, mls) = (&verdicts.openmls.cause, &verdicts.mls.cause);
    let refused = [verdicts.qpq.class, verdicts.view.class] == [Refused, Refused];
    refused && WORDS.iter().any(|(_, theirs, ours)| openmls.ends_with(theirs) && mls.ends_with(ours))
}
