//! The server's public view of a group: never a secret. A view does not change; each check returns the next one.

use super::EXT_POLICY;
use super::device::signer;
use super::error::{Error, Kind, Result, malformed, rule};
use super::facts::{CommitFacts, Leaf, Proposal, credential};
use super::inspect::{ObserverConfig, decode, observer};
use super::rules::{check_by_reference, check_path, policy};
use mls_rs::MlsMessageDescription;
use mls_rs::extension::built_in::ExternalSendersExt;
use mls_rs::external_client::{ExternalGroup, ExternalReceivedMessage, ExternalSnapshot};
use mls_rs::group::proposal::Proposal as MlsProposal;
use mls_rs::group::{ContentType, ExportedTree, GroupInfo, Sender};
use mls_rs_core::extension::ExtensionType;
use mls_rs_core::time::MlsTime;

/// What a message does to a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// A proposal, cached in the next view.
    Proposal(Proposal),
    /// A commit; the next view is in its epoch.
    Commit(CommitFacts),
}

/// A view of a group.
#[derive(Clone)]
pub struct GroupView(ExternalGroup<ObserverConfig>);

impl GroupView {
    /// Begins to observe a group from a GroupInfo and its tree. With a time, every leaf must be within its lifetime.
    ///
    /// # Errors
    /// [`Kind::Malformed`], [`Kind::Invalid`]; [`Kind::Rule`] for a group without a policy.
    pub fn observe(group_info: &[u8], tree: &[u8], now_s: Option<u64>) -> Result<Self> {
        let message = decode(group_info)?;
        check_group_info_form(message.as_group_info())?;
        let tree = ExportedTree::from_bytes(tree)?;
        let group = observer().build().observe_group(message, Some(tree), now_s.map(MlsTime::from))?;
        if !group.group_context().extensions().has_extension(EXT_POLICY) {
            return Err(rule("the group has no policy"));
        }
        Ok(Self(group))
    }

    /// Takes up a view from its snapshot and its tree.
    ///
    /// # Errors
    /// [`Kind::Malformed`].
    pub fn load(snapshot: &[u8], tree: &[u8]) -> Result<Self> {
        let snapshot = ExternalSnapshot::from_bytes(snapshot)?;
        let tree = ExportedTree::from_bytes(tree)?;
        Ok(Self(observer().build().load_group_with_ratchet_tree(snapshot, tree)?))
    }

    /// The group's id.
    #[must_use]
    pub fn group_id(&self) -> Vec<u8> {
        self.0.group_context().group_id().to_vec()
    }

    /// The current epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.group_context().epoch()
    }

    /// The suite's number.
    #[must_use]
    pub fn suite(&self) -> u16 {
        self.0.group_context().cipher_suite().into()
    }

    /// The tree's hash.
    #[must_use]
    pub fn tree_hash(&self) -> Vec<u8> {
        self.0.tree_hash().to_vec()
    }

    /// The policy's bytes.
    #[must_use]
    pub fn policy(&self) -> Vec<u8> {
        policy(self.0.group_context().extensions())
    }

    /// Credential and key of each external sender.
    ///
    /// # Errors
    /// [`Kind::Malformed`].
    pub fn external_senders(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let extension = self.0.group_context().extensions().get_as::<ExternalSendersExt>()?;
        let senders = extension.map(|e| e.allowed_senders).unwrap_or_default();
        Ok(senders.iter().map(|id| (credential(id), id.signature_key.to_vec())).collect())
    }

    /// All members, by leaf.
    #[must_use]
    pub fn members(&self) -> Vec<Leaf> {
        self.0.roster().members_iter().map(Leaf::from).collect()
    }

    /// The tree, for storage by its hash.
    ///
    /// # Errors
    /// [`Kind::Malformed`] if it cannot be encoded.
    pub fn tree(&self) -> Result<Vec<u8>> {
        Ok(self.0.export_tree()?)
    }

    /// The view without the tree.
    ///
    /// # Errors
    /// [`Kind::Malformed`] if it cannot be encoded.
    pub fn snapshot(&self) -> Result<Vec<u8>> {
        Ok(self.0.clone().snapshot_without_ratchet_tree().to_bytes()?)
    }

    /// Cached proposals, with their references.
    #[must_use]
    pub fn cached_proposals(&self) -> Vec<Proposal> {
        let facts = |cached: &mls_rs::group::CachedProposal| {
            let sender = if let Sender::Member(index) = cached.sender() { Some(*index) } else { None };
            Proposal::new(cached.proposal(), sender, cached.proposal_ref().to_vec())
        };
        self.0.get_cached_proposals().iter().map(facts).collect()
    }

    /// Checks a commit or proposal: sender, epoch, signature, proposals, tree. What nobody without secrets can check
    /// are the membership and confirmation tags.
    ///
    /// # Errors
    /// By kind. This view stays as it is in any case.
    pub fn check(&self, bytes: &[u8], now_s: u64) -> Result<(Self, Checked)> {
        let message = decode(bytes)?;
        if !matches!(
            message.description(),
            MlsMessageDescription::PublicProtocolMessage {
                content_type: ContentType::Commit | ContentType::Proposal,
                ..
            }
        ) {
            return Err(malformed("not a public handshake message"));
        }
        let mut next = self.clone();
        let checked = match next.0.process_incoming_message_with_time(message, MlsTime::from(now_s))? {
            ExternalReceivedMessage::Proposal(proposal) => {
                let facts = Proposal::received(&proposal);
                check_by_reference(&proposal.proposal, facts.sender_index.is_some())?;
                self.check_new_target(&facts)?;
                Checked::Proposal(facts)
            }
            ExternalReceivedMessage::Commit(commit) => {
                check_path(bytes, self.0.group_context().cipher_suite())?;
                let policy_changed = next.policy() != self.policy();
                Checked::Commit(CommitFacts::new(&commit, &next.0.roster(), policy_changed)?)
            }
            _ => return Err(malformed("not a public handshake message")),
        };
        Ok((next, checked))
    }

    /// The proposal must take out a member, for whom no like proposal waits already: no commit could take up both.
    fn check_new_target(&self, proposal: &Proposal) -> Result<()> {
        let Some(target) = proposal.target_index else { return Ok(()) };
        if self.0.roster().member_with_index(target).is_err() {
            return Err(Error::new(Kind::NotAMember, "no such leaf"));
        }
        let like = |cached: &Proposal| cached.kind == proposal.kind && cached.target_index == Some(target);
        if self.cached_proposals().iter().any(like) {
            return Err(rule("proposed already"));
        }
        Ok(())
    }

    /// Checks that a GroupInfo is of this very state and signed by a member.
    ///
    /// # Errors
    /// [`Kind::Malformed`], [`Kind::Invalid`].
    pub fn check_group_info(&self, group_info: &[u8]) -> Result<()> {
        let message = decode(group_info)?;
        check_group_info_form(message.as_group_info())?;
        match self.0.clone().process_incoming_message(message)? {
            ExternalReceivedMessage::GroupInfo(_) => Ok(()),
            _ => Err(malformed("not a GroupInfo")),
        }
    }

    /// Proposes, as the external sender named in the group's context, to remove a leaf.
    ///
    /// # Errors
    /// [`Kind::NotAMember`]; [`Kind::Rule`] if it is proposed already; [`Kind::Invalid`] for another signer.
    pub fn propose_remove(&self, leaf: u32, sender: &[u8], seed: &[u8]) -> Result<(Self, Vec<u8>)> {
        let proposal = MlsProposal::Remove(mls_rs::group::proposal::RemoveProposal::removing(leaf)?);
        self.check_new_target(&Proposal::new(&proposal, None, vec![]))?;
        let (secret, identity) = signer(sender, seed)?;
        let signing = observer().signer(secret, identity).build();
        let mut group = signing.load_group(self.0.snapshot())?;
        let message = group.propose_remove(leaf, vec![])?.to_bytes()?;
        Ok((Self(observer().build().load_group(group.snapshot())?), message))
    }
}

/// A GroupInfo as it is stored here: with external_pub, so that devices can come back, and without the tree.
fn check_group_info_form(info: Option<&GroupInfo>) -> Result<()> {
    let extensions = info.ok_or_else(|| malformed("not a GroupInfo"))?.extensions();
    if extensions.has_extension(ExtensionType::RATCHET_TREE) || !extensions.has_extension(ExtensionType::EXTERNAL_PUB) {
        return Err(rule("a GroupInfo is stored with external_pub and without the tree"));
    }
    Ok(())
}
