//! A bound on skipped message keys.
//!
//! mls-rs keeps a key for every generation that a sender jumps over, up to 1,024 a message, without a total. A ledger
//! per epoch counts for each sender what lies open, so that a sender who jumps again and again is refused and named.

use super::error::{Error, Kind, Result};
use std::collections::BTreeMap;

/// Open keys of one sender in one epoch. A device commits before its 900th message of an epoch, so that an honest
/// sender cannot have more even if every message before the last is lost.
pub const SKIPPED_KEYS_PER_SENDER_MAX: u32 = 1_024;
/// Open keys of all senders in one epoch: 34 bytes each, 278 KB.
pub const SKIPPED_KEYS_PER_EPOCH_MAX: u32 = 8_192;
const ENTRY_BYTES: usize = 12;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sender {
    next: u32,
    open: u32,
}

/// One epoch's count of skipped keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ledger(BTreeMap<u32, Sender>);

impl Ledger {
    /// Reads a ledger; an empty or unknown form is a fresh ledger.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let word = |entry: &[u8], at: usize| {
            entry.get(at..at + 4).and_then(|w| w.try_into().ok()).map_or(0, u32::from_be_bytes)
        };
        let entries = bytes.chunks_exact(ENTRY_BYTES);
        Self(entries.map(|e| (word(e, 0), Sender { next: word(e, 4), open: word(e, 8) })).collect())
    }

    /// The ledger's bytes: leaf, next generation and open keys, 4 bytes big-endian each.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|(leaf, s)| [leaf.to_be_bytes(), s.next.to_be_bytes(), s.open.to_be_bytes()])
            .flatten()
            .collect()
    }

    /// Notes a message of `leaf` with `generation`.
    ///
    /// # Errors
    /// [`Kind::SkippedKeys`], naming the leaf, when more keys would lie open than the bounds allow.
    pub fn received(&mut self, leaf: u32, generation: u32) -> Result<()> {
        let sender = self.0.entry(leaf).or_default();
        if generation >= sender.next {
            sender.open = sender.open.saturating_add(generation - sender.next);
            sender.next = generation.saturating_add(1);
        } else {
            sender.open = sender.open.saturating_sub(1);
        }
        let open = sender.open;
        let total = self.0.values().fold(0_u32, |sum, s| sum.saturating_add(s.open));
        if open > SKIPPED_KEYS_PER_SENDER_MAX || total > SKIPPED_KEYS_PER_EPOCH_MAX {
            let error = Error::new(Kind::SkippedKeys, "too many skipped message keys");
            return Err(Error { sender_index: Some(leaf), ..error });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_leaves_nothing_open() {
        let mut ledger = Ledger::default();
        for generation in 0..2_000 {
            assert_eq!(ledger.received(3, generation), Ok(()));
        }
        assert_eq!(Ledger::from_bytes(&ledger.to_bytes()), ledger);
        assert_eq!(ledger.0.get(&3), Some(&Sender { next: 2_000, open: 0 }));
    }

    #[test]
    fn late_messages_close_what_a_jump_opened() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.received(0, 1_000), Ok(()));
        for generation in 0..1_000 {
            assert_eq!(ledger.received(0, generation), Ok(()));
        }
        assert_eq!(ledger.received(0, 2_000), Ok(()));
    }

    #[test]
    fn a_second_great_jump_is_refused_and_named() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.received(7, 1_000), Ok(()));
        assert_eq!(ledger.received(7, 2_000).map_err(|e| (e.kind, e.sender_index)), Err((Kind::SkippedKeys, Some(7))));
    }

    #[test]
    fn many_senders_together_are_bounded() {
        let mut ledger = Ledger::default();
        for leaf in 0..8 {
            assert_eq!(ledger.received(leaf, 1_024), Ok(()));
        }
        assert!(ledger.received(8, 1).is_err());
    }
}
