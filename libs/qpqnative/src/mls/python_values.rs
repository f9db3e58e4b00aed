//! The values that Python sees: frozen, compared by content.

use super::facts;
use super::inspect;
use pyo3::prelude::*;

/// A member of a group.
#[pyclass(frozen, eq, hash, get_all, module = "qpqnative", from_py_object)]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Member {
    index: u32,
    credential: Vec<u8>,
    signature_key: Vec<u8>,
}

impl From<facts::Leaf> for Member {
    fn from(leaf: facts::Leaf) -> Self {
        Self { index: leaf.index, credential: leaf.credential, signature_key: leaf.signature_key }
    }
}

/// Leaves as members.
pub(super) fn members(leaves: Vec<facts::Leaf>) -> Vec<Member> {
    leaves.into_iter().map(Member::from).collect()
}

#[pymethods]
impl Member {
    fn __repr__(&self) -> String {
        format!("Member(index={}, credential={} bytes)", self.index, self.credential.len())
    }
}

/// A KeyPackage that holds.
#[pyclass(frozen, eq, get_all, module = "qpqnative")]
#[derive(PartialEq, Eq)]
pub struct KeyPackageInfo {
    reference: Vec<u8>,
    suite: u16,
    credential: Vec<u8>,
    signature_key: Vec<u8>,
    not_before_s: u64,
    not_after_s: u64,
    last_resort: bool,
    suites: Vec<u16>,
}

impl From<inspect::KeyPackageInfo> for KeyPackageInfo {
    fn from(info: inspect::KeyPackageInfo) -> Self {
        Self {
            reference: info.reference,
            suite: info.suite,
            credential: info.credential,
            signature_key: info.signature_key,
            not_before_s: info.not_before_s,
            not_after_s: info.not_after_s,
            last_resort: info.last_resort,
            suites: info.suites,
        }
    }
}

/// What a message says of itself.
#[pyclass(frozen, eq, get_all, module = "qpqnative")]
#[derive(PartialEq, Eq)]
pub struct MessageInfo {
    wire: &'static str,
    group_id: Option<Vec<u8>>,
    epoch: Option<u64>,
    content: Option<&'static str>,
    sender_index: Option<u32>,
}

impl From<inspect::MessageInfo> for MessageInfo {
    fn from(info: inspect::MessageInfo) -> Self {
        Self {
            wire: info.wire,
            group_id: info.group_id,
            epoch: info.epoch,
            content: info.content,
            sender_index: info.sender_index,
        }
    }
}

/// A decrypted application message.
#[pyclass(frozen, eq, get_all, module = "qpqnative")]
#[derive(PartialEq, Eq)]
pub struct Application {
    data: Vec<u8>,
    authenticated_data: Vec<u8>,
    sender: Member,
    epoch: u64,
}

/// A proposal that stands by itself.
#[pyclass(frozen, eq, get_all, module = "qpqnative")]
#[derive(PartialEq, Eq)]
pub struct Proposal {
    kind: &'static str,
    sender_index: Option<u32>,
    target_index: Option<u32>,
    reference: Vec<u8>,
}

impl From<facts::Proposal> for Proposal {
    fn from(proposal: facts::Proposal) -> Self {
        Self {
            kind: proposal.kind,
            sender_index: proposal.sender_index,
            target_index: proposal.target_index,
            reference: proposal.reference,
        }
    }
}

/// What a commit does.
#[pyclass(frozen, eq, get_all, module = "qpqnative")]
#[derive(PartialEq, Eq)]
pub struct CommitFacts {
    epoch: u64,
    committer: Option<Member>,
    external: bool,
    self_removed: bool,
    added: Vec<Member>,
    removed: Vec<Member>,
    updated: Vec<Member>,
    self_removed_members: Vec<Member>,
    policy_changed: bool,
    psks: u32,
    unused_proposals: u32,
    proposal_refs: Vec<Vec<u8>>,
}

impl From<facts::CommitFacts> for CommitFacts {
    fn from(facts: facts::CommitFacts) -> Self {
        Self {
            epoch: facts.epoch,
            committer: facts.committer.map(Member::from),
            external: facts.external,
            self_removed: facts.self_removed,
            added: members(facts.added),
            removed: members(facts.removed),
            updated: members(facts.updated),
            self_removed_members: members(facts.self_removed_members),
            policy_changed: facts.policy_changed,
            psks: facts.psks,
            unused_proposals: facts.unused_proposals,
            proposal_refs: facts.proposal_refs,
        }
    }
}

/// What came out of a message, as one of three classes.
#[derive(IntoPyObject)]
pub enum Received {
    /// An application message.
    Application(Application),
    /// A proposal.
    Proposal(Proposal),
    /// A commit.
    Commit(CommitFacts),
}

impl From<facts::Received> for Received {
    fn from(received: facts::Received) -> Self {
        match received {
            facts::Received::Application(message) => Self::Application(Application {
                data: message.data,
                authenticated_data: message.authenticated_data,
                sender: message.sender.into(),
                epoch: message.epoch,
            }),
            facts::Received::Proposal(proposal) => Self::Proposal(proposal.into()),
            facts::Received::Commit(commit) => Self::Commit(commit.into()),
        }
    }
}
