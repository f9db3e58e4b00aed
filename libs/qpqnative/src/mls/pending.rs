//! A commit of one's own that the log has not brought back yet: kept apart from the group, serialisable.

use super::error::{Error, Kind, Result, malformed};
use super::inspect::{decode, path_of};
use super::shortened::{lengthened, shortened};
use super::store::Value;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use sha2::{Digest, Sha256};

const FORM_BEFORE: u8 = 1;
const FORM: u8 = 2;
/// As [`FORM`], but with secrets that are not shortened.
const FORM_WHOLE: u8 = 3;

/// A Welcome for one added member.
#[derive(Debug, Clone, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
pub struct WelcomeFor {
    /// The KeyPackageRef it answers.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub key_package: Vec<u8>,
    /// MLSMessage(Welcome), without the tree.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub welcome: Vec<u8>,
}

/// A detached commit.
#[derive(Clone, PartialEq, Eq)]
pub struct PendingCommit {
    /// The group.
    pub group_id: Vec<u8>,
    /// The epoch that it ends: it can be applied in this one only.
    pub epoch: u64,
    /// SHA-256 of the GroupContext it was made in.
    pub parent: Vec<u8>,
    hash: Vec<u8>,
    /// Cached proposals that could not be taken up.
    pub unused_proposals: u32,
    secrets: Vec<u8>,
    /// Whether the secrets are not shortened.
    whole: bool,
    /// MLSMessage(PublicMessage). This and what follows is for others: empty in one that was read from bytes.
    pub commit: Vec<u8>,
    /// One Welcome per added member, in the order of the adds.
    pub welcomes: Vec<WelcomeFor>,
    /// MLSMessage(GroupInfo) of the new epoch, with external_pub, without the tree.
    pub group_info: Vec<u8>,
    /// The new epoch's tree.
    pub tree: Vec<u8>,
}

/// What it takes to apply a [`PendingCommit`]. It holds the next epoch's secrets: into the sealed database only.
#[derive(MlsSize, MlsEncode, MlsDecode)]
struct Stored {
    form: u8,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    group_id: Vec<u8>,
    epoch: u64,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    parent: Vec<u8>,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    hash: Vec<u8>,
    unused_proposals: u32,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    secrets: Vec<u8>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secrets);
    }
}

/// What was stored in the form before: a client may be upgraded while a commit is under way.
#[derive(MlsSize, MlsEncode, MlsDecode)]
pub(super) struct Before {
    form: u8,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    group_id: Vec<u8>,
    epoch: u64,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    parent: Vec<u8>,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    commit: Vec<u8>,
    welcomes: Vec<WelcomeFor>,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    group_info: Vec<u8>,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    tree: Vec<u8>,
    unused_proposals: u32,
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    secrets: Vec<u8>,
}

impl Before {
    /// What an older client would have stored.
    #[cfg(test)]
    pub(super) fn of(pending: &PendingCommit, tree_before: &[u8]) -> Result<Vec<u8>> {
        let before = Self {
            form: FORM_BEFORE,
            group_id: pending.group_id.clone(),
            epoch: pending.epoch,
            parent: pending.parent.clone(),
            commit: pending.commit.clone(),
            welcomes: pending.welcomes.clone(),
            group_info: pending.group_info.clone(),
            tree: pending.tree.clone(),
            unused_proposals: pending.unused_proposals,
            secrets: pending.secrets(tree_before)?.to_vec(),
        };
        before.mls_encode_to_vec().map_err(|_| Error::new(Kind::Internal, "pending commit too large"))
    }

    fn stored(mut self) -> Stored {
        Stored {
            form: FORM_WHOLE,
            group_id: std::mem::take(&mut self.group_id),
            epoch: self.epoch,
            parent: std::mem::take(&mut self.parent),
            hash: sha256(&self.commit),
            unused_proposals: self.unused_proposals,
            secrets: std::mem::take(&mut self.secrets),
        }
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secrets);
    }
}

/// Everything a [`PendingCommit`] is made of, by name.
pub(super) struct Parts<'a> {
    pub(super) group_id: Vec<u8>,
    pub(super) epoch: u64,
    pub(super) parent: Vec<u8>,
    pub(super) commit: Vec<u8>,
    pub(super) welcomes: Vec<WelcomeFor>,
    pub(super) group_info: Vec<u8>,
    pub(super) tree: Vec<u8>,
    pub(super) unused_proposals: u32,
    /// mls-rs's CommitSecrets.
    pub(super) secrets: &'a [u8],
    /// The tree of the epoch that the commit ends.
    pub(super) tree_before: &'a [u8],
}

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

impl PendingCommit {
    pub(super) fn new(parts: Parts<'_>) -> Result<Self> {
        let Parts { group_id, epoch, parent, commit, welcomes, group_info, tree, unused_proposals, .. } = parts;
        let short = shortened(parts.secrets, parts.tree_before)?;
        let whole = short.is_none();
        let secrets = short.map_or_else(|| parts.secrets.to_vec(), |short| short.to_vec());
        let hash = sha256(&commit);
        Ok(Self { group_id, epoch, parent, hash, unused_proposals, secrets, whole, commit, welcomes, group_info, tree })
    }

    /// mls-rs's CommitSecrets.
    ///
    /// # Errors
    /// [`Kind::Malformed`] unless `tree_before` is the tree of the epoch that the commit ends.
    pub(super) fn secrets(&self, tree_before: &[u8]) -> Result<Value> {
        if self.whole { Ok(Value::new(self.secrets.clone())) } else { lengthened(&self.secrets, tree_before) }
    }

    /// SHA-256 of the commit.
    #[must_use]
    pub fn commit_hash(&self) -> Vec<u8> {
        self.hash.clone()
    }

    /// Hash of the new epoch's tree, as the GroupInfo names it.
    ///
    /// # Errors
    /// [`Kind::Malformed`].
    pub fn tree_hash(&self) -> Result<Vec<u8>> {
        let message = decode(&self.group_info)?;
        let info = message.as_group_info().ok_or_else(|| malformed("not a GroupInfo"))?;
        Ok(info.group_context().tree_hash.clone())
    }

    /// Whether the commit renews this device's keys: it has a path (RFC 9420 §12.4).
    ///
    /// # Errors
    /// [`Kind::Malformed`] for a commit that is not in a PublicMessage, or that is not there.
    pub fn has_path(&self) -> Result<bool> {
        Ok(path_of(&self.commit)?.is_some())
    }

    /// Bytes for the sealed database: what it takes to apply the commit, not what is for others.
    ///
    /// # Errors
    /// [`Kind::Internal`] if a part is too long to encode.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let stored = Stored {
            form: if self.whole { FORM_WHOLE } else { FORM },
            group_id: self.group_id.clone(),
            epoch: self.epoch,
            parent: self.parent.clone(),
            hash: self.hash.clone(),
            unused_proposals: self.unused_proposals,
            secrets: self.secrets.clone(),
        };
        stored.mls_encode_to_vec().map_err(|_| Error::new(Kind::Internal, "pending commit too large"))
    }

    /// Reads [`PendingCommit::to_bytes`].
    ///
    /// # Errors
    /// [`Kind::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut rest = bytes;
        let mut stored = match bytes.first() {
            Some(&FORM_BEFORE) => Before::mls_decode(&mut rest)?.stored(),
            _ => Stored::mls_decode(&mut rest)?,
        };
        if !matches!(stored.form, FORM | FORM_WHOLE) || !rest.is_empty() {
            return Err(malformed("pending commit"));
        }
        Ok(Self {
            group_id: std::mem::take(&mut stored.group_id),
            epoch: stored.epoch,
            parent: std::mem::take(&mut stored.parent),
            hash: std::mem::take(&mut stored.hash),
            unused_proposals: stored.unused_proposals,
            secrets: std::mem::take(&mut stored.secrets),
            whole: stored.form == FORM_WHOLE,
            commit: vec![],
            welcomes: vec![],
            group_info: vec![],
            tree: vec![],
        })
    }
}

impl Drop for PendingCommit {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secrets);
    }
}
