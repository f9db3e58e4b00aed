//! What a lying member does to a commit, where only other members can see it. Only tests have one: they show that a
//! group survives it (docs/spec/groups.md "Commits in practice").
//!
//! The noise is sealed and the tag is spoiled while the commit is built, so that its signature, its transcript and its
//! membership tag come out right by themselves: the server, which has no secrets, has nothing to object to.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// EncryptWithLabel's label of a path secret (RFC 9420 §7.6), as it stands in HPKE's info.
const PATH_LABEL: &[u8] = b"MLS 1.0 UpdatePathNode";
/// A confirmation tag is the MAC of a transcript hash; a membership tag's input is far longer (RFC 9420 §8.2, §6.2).
const TRANSCRIPT_HASH_BYTES: usize = 32;

/// A lie about one commit.
#[derive(Debug, Clone, Default)]
pub struct Lie {
    /// Which of the path's ciphertexts, in their order, do not hold the path secret; `None`: all.
    pub path: Option<BTreeSet<usize>>,
    /// Instead of another secret of the same length, those ciphertexts hold a secret that is too short.
    pub short: bool,
    /// The confirmation tag is not the group's.
    pub tag: bool,
    sealed: Arc<AtomicUsize>,
}

impl Lie {
    /// A lie told by the ciphertexts of `path`, or of all, or by the tag.
    #[must_use]
    pub fn new(path: Option<BTreeSet<usize>>, short: bool, tag: bool) -> Self {
        Self { path, short, tag, sealed: Arc::default() }
    }

    /// What is sealed in place of `secret`.
    pub(super) fn sealed<'a>(&self, info: &[u8], secret: &'a [u8]) -> Cow<'a, [u8]> {
        if !info.windows(PATH_LABEL.len()).any(|window| window == PATH_LABEL) {
            return Cow::Borrowed(secret);
        }
        let place = self.sealed.fetch_add(1, Ordering::Relaxed);
        if self.path.as_ref().is_some_and(|path| !path.contains(&place)) {
            return Cow::Borrowed(secret);
        }
        let kept = if self.short { secret.len() / 2 } else { secret.len() };
        Cow::Owned(secret.iter().take(kept).map(|byte| !byte).collect())
    }

    /// What stands in place of a MAC of `data`.
    pub(super) fn mac(&self, data: &[u8], mut mac: Vec<u8>) -> Vec<u8> {
        if let Some(byte) = mac.first_mut().filter(|_| self.tag && data.len() == TRANSCRIPT_HASH_BYTES) {
            *byte = !*byte;
        }
        mac
    }
}
