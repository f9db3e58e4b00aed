//! What a message did or would do, in plain values: the caller decides from them before anything becomes permanent.

use super::error::{Error, Kind, Result};
use mls_rs::group::proposal::Proposal as MlsProposal;
use mls_rs::group::{
    CommitEffect, CommitMessageDescription, NewEpoch, ProposalMessageDescription, ProposalSender, Roster, Sender,
};
use mls_rs::mls_rules::ProposalInfo;
use mls_rs_core::group::Member;
use mls_rs_core::identity::SigningIdentity;
use std::collections::{HashMap, HashSet};

/// A member: its leaf, the identity bytes of its basic credential, its signature key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Leaf index.
    pub index: u32,
    /// Identity of the basic credential.
    pub credential: Vec<u8>,
    /// Ed25519 public key.
    pub signature_key: Vec<u8>,
}

impl Leaf {
    /// A leaf from what mls-rs calls a signing identity.
    #[must_use]
    pub fn new(index: u32, identity: &SigningIdentity) -> Self {
        Self { index, credential: credential(identity), signature_key: identity.signature_key.to_vec() }
    }
}

impl From<Member> for Leaf {
    fn from(member: Member) -> Self {
        Self::new(member.index, &member.signing_identity)
    }
}

/// The identity bytes of a basic credential, empty for any other.
#[must_use]
pub fn credential(identity: &SigningIdentity) -> Vec<u8> {
    identity.credential.as_basic().map(|basic| basic.identifier().to_vec()).unwrap_or_default()
}

/// A proposal that stands by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// `add`, `remove`, `self_remove`, `update`, `psk`, `group_context_extensions` or `other`.
    pub kind: &'static str,
    /// The proposing leaf; none for the external sender and for new members.
    pub sender_index: Option<u32>,
    /// The leaf that a Remove or SelfRemove takes out.
    pub target_index: Option<u32>,
    /// Its ProposalRef (RFC 9420 §5.2).
    pub reference: Vec<u8>,
}

impl Proposal {
    /// The facts of a proposal from a leaf, or from outside.
    #[must_use]
    pub fn new(proposal: &MlsProposal, sender_index: Option<u32>, reference: Vec<u8>) -> Self {
        let (kind, target_index) = match proposal {
            MlsProposal::Add(_) => ("add", None),
            MlsProposal::Remove(remove) => ("remove", Some(remove.to_remove())),
            MlsProposal::SelfRemove(_) => ("self_remove", sender_index),
            MlsProposal::Update(_) => ("update", sender_index),
            MlsProposal::Psk(_) => ("psk", None),
            MlsProposal::GroupContextExtensions(_) => ("group_context_extensions", None),
            _ => ("other", None),
        };
        Self { kind, sender_index, target_index, reference }
    }

    /// The facts of a proposal that was received.
    #[must_use]
    pub fn received(description: &ProposalMessageDescription) -> Self {
        let sender = match description.sender {
            ProposalSender::Member(index) => Some(index),
            ProposalSender::External(_) | ProposalSender::NewMember => None,
        };
        Self::new(&description.proposal, sender, description.proposal_ref())
    }
}

/// A decrypted application message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The plaintext, without padding.
    pub data: Vec<u8>,
    /// Authenticated, not encrypted.
    pub authenticated_data: Vec<u8>,
    /// Who sent it.
    pub sender: Leaf,
    /// The epoch it was sent in.
    pub epoch: u64,
}

/// What a commit does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommitFacts {
    /// The epoch that it begins.
    pub epoch: u64,
    /// Its author, as before the commit; after an external commit, the new leaf.
    pub committer: Option<Leaf>,
    /// It is an external commit (RFC 9420 §12.4.3.2).
    pub external: bool,
    /// This device is no member any more.
    pub self_removed: bool,
    /// Leaves added by Add proposals, and an external commit's author; not told to a device that it removes.
    pub added: Vec<Leaf>,
    /// Leaves removed by Remove proposals, as before the commit.
    pub removed: Vec<Leaf>,
    /// Leaves with another credential or signature key, as after the commit.
    pub updated: Vec<Leaf>,
    /// Leaves that left by SelfRemove, as before the commit.
    pub self_removed_members: Vec<Leaf>,
    /// The policy's bytes are others than before.
    pub policy_changed: bool,
    /// Pre-shared keys that it mixes in.
    pub psks: u32,
    /// Cached proposals that it leaves out, so that they have no effect.
    pub unused_proposals: u32,
    /// The ProposalRefs that it commits.
    pub proposal_refs: Vec<Vec<u8>>,
}

/// What came out of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// An application message.
    Application(Application),
    /// A proposal, cached now.
    Proposal(Proposal),
    /// A commit; the group is in its epoch now.
    Commit(CommitFacts),
}

impl CommitFacts {
    /// Reads a commit's effect. `roster` and `policy_changed` are of the state after it.
    ///
    /// # Errors
    /// [`Kind::Rule`] for a ReInit.
    pub fn new(description: &CommitMessageDescription, roster: &Roster<'_>, policy_changed: bool) -> Result<Self> {
        let (new, self_removed) = match &description.effect {
            CommitEffect::NewEpoch(new) => (new, false),
            CommitEffect::Removed { new_epoch, .. } => (new_epoch, true),
            CommitEffect::ReInit(_) => return Err(Error::new(Kind::Rule, "ReInit is not used: groups are reset")),
        };
        let mut facts = Self {
            epoch: new.epoch,
            external: description.is_external,
            self_removed,
            policy_changed,
            ..Self::default()
        };
        facts.read_proposals(new, roster);
        facts.count_unused(new);
        facts.read_committer(description, new, roster);
        Ok(facts)
    }

    fn read_proposals(&mut self, new: &NewEpoch, roster: &Roster<'_>) {
        let before = |index: u32| new.prior_state.member_at_index(index).map(Leaf::from);
        let mut added: Vec<&SigningIdentity> = Vec::new();
        for info in &new.applied_proposals {
            if let Some(reference) = info.proposal_ref() {
                self.proposal_refs.push(reference.to_vec());
            }
            match (&info.proposal, info.sender) {
                (MlsProposal::Add(add), _) => added.push(add.signing_identity()),
                (MlsProposal::Remove(remove), _) => self.removed.extend(before(remove.to_remove())),
                (MlsProposal::SelfRemove(_), Sender::Member(index)) => self.self_removed_members.extend(before(index)),
                (MlsProposal::Update(_), Sender::Member(index)) => {
                    self.updated.extend(roster.member_with_index(index).ok().map(Leaf::from));
                }
                (MlsProposal::Psk(_), _) => self.psks = self.psks.saturating_add(1),
                _ => {}
            }
        }
        if !added.is_empty() && !self.self_removed {
            // Signature keys are unique in a tree (RFC 9420 §7.3).
            let by_key: HashMap<_, _> =
                roster.members_iter().map(|m| (m.signing_identity.signature_key.to_vec(), m.index)).collect();
            let find = |id: &&SigningIdentity| by_key.get(id.signature_key.as_ref()).map(|i| Leaf::new(*i, id));
            self.added = added.iter().filter_map(find).collect();
        }
    }

    /// A Remove beside the SelfRemove of the same leaf is left out by MLS's rules: its target is gone all the same.
    fn count_unused(&mut self, new: &NewEpoch) {
        let gone: HashSet<u32> = self.removed.iter().chain(&self.self_removed_members).map(|leaf| leaf.index).collect();
        let has_effect = |info: &&ProposalInfo<MlsProposal>| match (&info.proposal, info.sender) {
            (MlsProposal::Remove(remove), _) => gone.contains(&remove.to_remove()),
            (MlsProposal::SelfRemove(_), Sender::Member(index)) => gone.contains(&index),
            _ => false,
        };
        let unused = new.unused_proposals.iter().filter(|info| !has_effect(info)).count();
        self.unused_proposals = u32::try_from(unused).unwrap_or(u32::MAX);
    }

    fn read_committer(&mut self, description: &CommitMessageDescription, new: &NewEpoch, roster: &Roster<'_>) {
        let after = || roster.member_with_index(description.committer).ok().map(Leaf::from);
        if description.is_external {
            self.committer = after();
            self.added.extend(self.committer.clone());
            return;
        }
        self.committer = new.prior_state.member_at_index(description.committer).map(Leaf::from);
        if !self.self_removed {
            let changed = after().filter(|leaf| Some(leaf) != self.committer.as_ref());
            self.updated.extend(changed);
        }
    }
}
