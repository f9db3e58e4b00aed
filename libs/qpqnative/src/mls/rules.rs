//! QPQ's own rules, as far as they are pure functions of the group's state and the commit's proposals, and the
//! identity provider. What needs a credential's content or the policy's is decided in Python from the facts.

use super::EXT_POLICY;
use super::error::{Error, Result, rule};
use super::inspect::{leaf_of, path_of};
use super::store::DamagedRecord;
use super::suite::provider;
use mls_rs::client_builder::PaddingMode;
use mls_rs::group::proposal::{Proposal, ProposalType};
use mls_rs::group::{GroupContext, LeafNode, Roster, Sender};
use mls_rs::mls_rules::{
    CommitDirection, CommitOptions, CommitSource, EncryptionOptions, ProposalBundle, ProposalSource,
};
use mls_rs::{ExtensionList, KeyPackage, MlsRules};
use mls_rs_core::crypto::{CipherSuite, CipherSuiteProvider, HpkePublicKey};
use mls_rs_core::error::IntoAnyError;
use mls_rs_core::extension::ExtensionType;
use mls_rs_core::identity::{CredentialType, IdentityProvider, MemberValidationContext, SigningIdentity};
use mls_rs_core::protocol_version::ProtocolVersion;
use mls_rs_core::time::MlsTime;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a commit was refused; fixed text.
#[derive(Debug)]
pub struct Refused(&'static str);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        rule(refused.0)
    }
}

impl IntoAnyError for Refused {
    fn into_dyn_error(self) -> std::result::Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(Box::new(self))
    }
}

/// The rules of one client. `strict` is off only for the MLS working group's vectors, whose groups know nothing of
/// policies.
#[derive(Debug, Clone)]
pub struct Rules {
    strict: bool,
    path: Arc<AtomicBool>,
}

impl Rules {
    /// The rules of one group's client; clones share the wish for a path.
    #[must_use]
    pub fn new(strict: bool) -> Self {
        Self { strict, path: Arc::new(AtomicBool::new(false)) }
    }

    /// Whether the next commit built carries a path even where MLS would let it out.
    pub fn require_path(&self, path: bool) {
        self.path.store(path, Ordering::Relaxed);
    }
}

/// Whether a proposal may stand by itself in a message, to be committed by reference (docs/spec/groups.md rule 6).
///
/// # Errors
/// [`super::error::Kind::Rule`].
pub fn check_by_reference(proposal: &Proposal, from_member: bool) -> Result<()> {
    match proposal {
        Proposal::SelfRemove(_) if from_member => Ok(()),
        Proposal::Remove(_) if !from_member => Ok(()),
        _ => Err(rule("by reference only SelfRemove, and Remove by the external sender")),
    }
}

/// Whether a KeyPackage can be added: its leaf can be lived with, its init key sealed to, and its leaf lists the
/// extensions that it has (RFC 9420 §10), which mls-rs does not look at.
///
/// # Errors
/// What is wrong with it.
pub fn check_package(package: &KeyPackage, suite: CipherSuite) -> std::result::Result<(), Refused> {
    let leaf = leaf_of(package).map_err(|_| Refused("a KeyPackage without a leaf"))?;
    let listed = |extension: &mls_rs::Extension| leaf.capabilities.extensions.contains(&extension.extension_type);
    if !package.extensions.iter().all(listed) {
        return Err(Refused("a KeyPackage has an extension that its leaf does not list"));
    }
    check_sealable(std::slice::from_ref(&package.hpke_init_key), suite)?;
    check_leaf(&leaf, suite)
}

/// Whether a leaf that comes into the tree can be lived with: it lists the group's version and suite (RFC 9420 §11.1)
/// and SelfRemove, without which nobody could leave any more (§12.2), and its key can be sealed to (§10), without which
/// nobody could commit a path any more.
fn check_leaf(leaf: &LeafNode, suite: CipherSuite) -> std::result::Result<(), Refused> {
    let listed = &leaf.capabilities;
    if !listed.protocol_versions.contains(&ProtocolVersion::MLS_10) || !listed.cipher_suites.contains(&suite) {
        return Err(Refused("a leaf does not list the group's version and suite"));
    }
    if !listed.proposals.contains(&ProposalType::SELF_REMOVE) {
        return Err(Refused("a leaf does not list SelfRemove"));
    }
    check_sealable(std::slice::from_ref(&leaf.public_key), suite)
}

/// Some strings are no key, and some keys make every shared secret zero (RFC 9180 §7.1.4): an encapsulation shows both.
fn check_sealable(keys: &[HpkePublicKey], suite: CipherSuite) -> std::result::Result<(), Refused> {
    let provider = provider(suite).map_err(|_| Refused("cipher suite"))?;
    let sealable = |key| provider.hpke_setup_s(key, &[]).is_ok();
    if keys.iter().all(sealable) { Ok(()) } else { Err(Refused("nothing can be sealed to a key")) }
}

/// Whether what a commit's path brings into the tree can be lived with: the leaf, and the keys above it. mls-rs shows
/// its rules the proposals alone.
///
/// # Errors
/// [`super::error::Kind::Rule`]; [`super::error::Kind::Malformed`] for anything but a commit in a PublicMessage.
pub fn check_path(commit: &[u8], suite: CipherSuite) -> Result<()> {
    let Some(path) = path_of(commit)? else { return Ok(()) };
    check_leaf(&path.leaf, suite)?;
    Ok(check_sealable(&path.nodes, suite)?)
}

/// Everything but the policy must be as it was, and the policy must be there.
fn check_context(current: &ExtensionList, new: &ExtensionList) -> std::result::Result<(), Refused> {
    let others = |list: &ExtensionList| {
        let mut list: Vec<_> = list.iter().filter(|e| e.extension_type != EXT_POLICY).cloned().collect();
        list.sort_by_key(|e| e.extension_type.raw_value());
        list
    };
    if !new.has_extension(EXT_POLICY) {
        return Err(Refused("the commit drops the policy"));
    }
    if others(current) != others(new) {
        return Err(Refused("the commit changes a context extension other than the policy"));
    }
    Ok(())
}

fn check_bundle(context: &GroupContext, bundle: &ProposalBundle) -> std::result::Result<(), Refused> {
    if !bundle.reinit_proposals().is_empty() {
        return Err(Refused("ReInit is not used: groups are reset"));
    }
    if !bundle.custom_proposals().is_empty() {
        return Err(Refused("custom proposals are not used"));
    }
    for info in bundle.iter_proposals() {
        let by_reference = matches!(info.source, ProposalSource::ByReference(_));
        let allowed = match (info.proposal.proposal_type().raw_value(), info.sender) {
            (REMOVE, Sender::External(_)) | (SELF_REMOVE, Sender::Member(_)) => true,
            (_, Sender::Member(_) | Sender::NewMemberCommit) => !by_reference,
            _ => false,
        };
        if !allowed {
            return Err(Refused("by reference only SelfRemove, and Remove by the external sender"));
        }
    }
    for info in bundle.add_proposals() {
        check_package(info.proposal.key_package(), context.cipher_suite)?;
    }
    for info in bundle.group_context_ext_proposals() {
        check_context(&context.extensions, &info.proposal)?;
    }
    Ok(())
}

const REMOVE: u16 = 3;
const SELF_REMOVE: u16 = 0xF003;

impl MlsRules for Rules {
    type Error = Refused;

    fn filter_proposals(
        &self,
        _: CommitDirection,
        _: CommitSource,
        _: &Roster<'_>,
        context: &GroupContext,
        proposals: ProposalBundle,
    ) -> std::result::Result<ProposalBundle, Refused> {
        if self.strict {
            check_bundle(context, &proposals)?;
        }
        Ok(proposals)
    }

    fn commit_options(
        &self,
        _: &Roster<'_>,
        _: &GroupContext,
        _: &ProposalBundle,
    ) -> std::result::Result<CommitOptions, Refused> {
        Ok(CommitOptions::new()
            .with_path_required(self.path.load(Ordering::Relaxed))
            .with_ratchet_tree_extension(false)
            .with_single_welcome_message(false)
            .with_allow_external_commit(true))
    }

    fn encryption_options(&self, _: &Roster<'_>, _: &GroupContext) -> std::result::Result<EncryptionOptions, Refused> {
        Ok(EncryptionOptions::new(false, PaddingMode::Padme))
    }
}

/// Basic credentials, opaque here. A leaf may change its credential: it names its device's key, so that a new key
/// brings a new one; whether the successor is the same device is decided in Python from the facts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Identity;

fn basic(identity: &SigningIdentity) -> std::result::Result<&[u8], DamagedRecord> {
    identity.credential.as_basic().map(|basic| basic.identifier()).ok_or(DamagedRecord)
}

impl IdentityProvider for Identity {
    type Error = DamagedRecord;

    fn validate_member(
        &self,
        signing_identity: &SigningIdentity,
        _: Option<MlsTime>,
        _: MemberValidationContext<'_>,
    ) -> std::result::Result<(), DamagedRecord> {
        basic(signing_identity).map(|_| ())
    }

    fn validate_external_sender(
        &self,
        signing_identity: &SigningIdentity,
        _: Option<MlsTime>,
        _: Option<&ExtensionList>,
    ) -> std::result::Result<(), DamagedRecord> {
        basic(signing_identity).map(|_| ())
    }

    fn identity(
        &self,
        signing_identity: &SigningIdentity,
        _: &ExtensionList,
    ) -> std::result::Result<Vec<u8>, DamagedRecord> {
        basic(signing_identity).map(<[u8]>::to_vec)
    }

    fn valid_successor(
        &self,
        predecessor: &SigningIdentity,
        successor: &SigningIdentity,
        _: &ExtensionList,
    ) -> std::result::Result<bool, DamagedRecord> {
        basic(predecessor).and(basic(successor)).map(|_| true)
    }

    fn supported_types(&self) -> Vec<CredentialType> {
        vec![CredentialType::BASIC]
    }
}

/// The policy's bytes in a context, empty where there is none.
#[must_use]
pub fn policy(extensions: &ExtensionList) -> Vec<u8> {
    extensions.get(EXT_POLICY).map(|e| e.extension_data).unwrap_or_default()
}

/// Extension types that every leaf lists; mls-rs adds the defaults itself.
pub const LEAF_EXTENSIONS: [ExtensionType; 3] =
    [EXT_POLICY, ExtensionType::LAST_RESORT_KEY_PACKAGE, super::EXT_APP_DATA_DICTIONARY];
