//! A commit of one's own that the log has not brought back yet: kept apart from the group, serialisable.

use super::error::{Error, Kind, Result, malformed};
use super::inspect::{decode, path_of};
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use sha2::{Digest, Sha256};

const FORM: u8 = 1;

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

/// A detached commit. Its bytes hold the next epoch's secrets: they belong into the sealed database only.
#[derive(Clone, PartialEq, Eq, MlsSize, MlsEncode, MlsDecode)]
pub struct PendingCommit {
    form: u8,
    /// The group.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub group_id: Vec<u8>,
    /// The epoch that it ends: it can be applied in this one only.
    pub epoch: u64,
    /// SHA-256 of the GroupContext it was made in.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub parent: Vec<u8>,
    /// MLSMessage(PublicMessage).
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub commit: Vec<u8>,
    /// One Welcome per added member, in the order of the adds.
    pub welcomes: Vec<WelcomeFor>,
    /// MLSMessage(GroupInfo) of the new epoch, with external_pub, without the tree.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub group_info: Vec<u8>,
    /// The new epoch's tree.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub tree: Vec<u8>,
    /// Cached proposals that could not be taken up.
    pub unused_proposals: u32,
    /// mls-rs's CommitSecrets.
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    pub(super) secrets: Vec<u8>,
}

/// Everything a [`PendingCommit`] is made of, by name.
pub(super) struct Parts {
    pub(super) group_id: Vec<u8>,
    pub(super) epoch: u64,
    pub(super) parent: Vec<u8>,
    pub(super) commit: Vec<u8>,
    pub(super) welcomes: Vec<WelcomeFor>,
    pub(super) group_info: Vec<u8>,
    pub(super) tree: Vec<u8>,
    pub(super) unused_proposals: u32,
    pub(super) secrets: Vec<u8>,
}

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

impl PendingCommit {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { group_id, epoch, parent, commit, welcomes, group_info, tree, unused_proposals, secrets } = parts;
        Self { form: FORM, group_id, epoch, parent, commit, welcomes, group_info, tree, unused_proposals, secrets }
    }

    /// SHA-256 of the commit.
    #[must_use]
    pub fn commit_hash(&self) -> Vec<u8> {
        sha256(&self.commit)
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
    /// [`Kind::Malformed`] for a commit that is not in a PublicMessage.
    pub fn has_path(&self) -> Result<bool> {
        Ok(path_of(&self.commit)?.is_some())
    }

    /// Bytes for the sealed database.
    ///
    /// # Errors
    /// [`Kind::Internal`] if a part is too long to encode.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.mls_encode_to_vec().map_err(|_| Error::new(Kind::Internal, "pending commit too large"))
    }

    /// Reads [`PendingCommit::to_bytes`].
    ///
    /// # Errors
    /// [`Kind::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut rest = bytes;
        let pending = Self::mls_decode(&mut rest)?;
        if pending.form != FORM || !rest.is_empty() {
            return Err(malformed("pending commit"));
        }
        Ok(pending)
    }
}

impl Drop for PendingCommit {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secrets);
    }
}
