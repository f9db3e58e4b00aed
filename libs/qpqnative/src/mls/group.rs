//! One group as this device sees it. Nothing is permanent until the caller has stored [`Group::take_changes`].

use super::EXT_POLICY;
use super::device::{Config, Device, signer};
use super::error::{Error, Kind, Result, malformed, rule};
use super::facts::{Application, CommitFacts, Leaf, Proposal, Received};
use super::inspect::decode;
use super::pending::{Parts, PendingCommit, WelcomeFor, sha256};
use super::rules::{Rules, check_by_reference, check_path, policy};
use super::skipped::Ledger;
use super::store::{Changes, GroupStore, Value};
use mls_rs::group::{
    ApplicationMessageDescription, CommitMessageDescription, CommitOutput, CommitSecrets, ContentType, ReceivedMessage,
};
use mls_rs::psk::ExternalPskId;
use mls_rs::{Extension, MlsMessage, MlsMessageDescription};
use mls_rs_codec::MlsEncode;
use mls_rs_core::time::MlsTime;

/// What a commit shall do; cached proposals are taken up besides.
#[derive(Debug, Clone, Default)]
pub struct CommitRequest {
    /// KeyPackages (MLSMessage) of new members.
    pub add: Vec<Vec<u8>>,
    /// Leaves to remove.
    pub remove: Vec<u32>,
    /// The policy from now on.
    pub policy: Option<Vec<u8>>,
    /// Ids of external pre-shared keys to mix in.
    pub psks: Vec<Vec<u8>>,
    /// Renew this device's path even where MLS does not ask for it.
    pub path: bool,
    /// Credential and signature seed of this device from now on.
    pub new_signer: Option<(Vec<u8>, Value)>,
    /// Added KeyPackages must be within their lifetime at this time, seconds since 1970.
    pub now_s: u64,
}

/// A group.
pub struct Group {
    group: mls_rs::Group<Config>,
    store: GroupStore,
    rules: Rules,
    device: Device,
    unwritten: bool,
    tree_hash_written: Option<Vec<u8>>,
    inviter: Option<u32>,
}

impl Group {
    pub(super) fn new(group: mls_rs::Group<Config>, store: GroupStore, rules: Rules, device: Device) -> Self {
        Self { group, store, rules, device, unwritten: true, tree_hash_written: None, inviter: None }
    }

    pub(super) fn loaded(group: mls_rs::Group<Config>, store: GroupStore, rules: Rules, device: Device) -> Self {
        let tree_hash_written = Some(group.context().tree_hash.to_vec());
        Self { group, store, rules, device, unwritten: false, tree_hash_written, inviter: None }
    }

    pub(super) fn invited_by(mut self, leaf: u32) -> Self {
        self.inviter = Some(leaf);
        self
    }

    /// The leaf that signed the Welcome's GroupInfo (RFC 9420 §12.4.3), while this object is the one that joined by it.
    #[must_use]
    pub fn inviter(&self) -> Option<u32> {
        self.inviter
    }

    /// mls-rs's own group, to play a client that keeps no rules.
    #[cfg(test)]
    pub(super) fn library(&mut self) -> &mut mls_rs::Group<Config> {
        &mut self.group
    }

    /// The group's id.
    #[must_use]
    pub fn group_id(&self) -> Vec<u8> {
        self.group.group_id().to_vec()
    }

    /// The current epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.group.current_epoch()
    }

    /// The suite's number.
    #[must_use]
    pub fn suite(&self) -> u16 {
        self.group.cipher_suite().into()
    }

    /// This device's leaf.
    #[must_use]
    pub fn own_index(&self) -> u32 {
        self.group.current_member_index()
    }

    /// The tree's hash (RFC 9420 §7.8).
    #[must_use]
    pub fn tree_hash(&self) -> Vec<u8> {
        self.group.context().tree_hash.to_vec()
    }

    /// The policy's bytes.
    #[must_use]
    pub fn policy(&self) -> Vec<u8> {
        policy(self.group.context().extensions())
    }

    /// All members, by leaf.
    #[must_use]
    pub fn members(&self) -> Vec<Leaf> {
        self.group.roster().members_iter().map(Leaf::from).collect()
    }

    /// The tree, for storage by its hash.
    ///
    /// # Errors
    /// [`Kind::Malformed`] if it cannot be encoded.
    pub fn tree(&self) -> Result<Vec<u8>> {
        Ok(self.group.export_tree().to_bytes()?)
    }

    /// Proposals waiting to be committed.
    #[must_use]
    pub fn pending_proposals(&self) -> usize {
        self.group.get_cached_proposals().len()
    }

    /// The generation of the next application message that this device seals in this epoch.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if there are none left.
    pub fn next_generation(&mut self) -> Result<u32> {
        Ok(self.group.peek_next_key_generation()?)
    }

    /// MLSMessage(GroupInfo) of the current epoch with external_pub, without the tree.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if it cannot be signed.
    pub fn group_info(&self) -> Result<Vec<u8>> {
        Ok(self.group.group_info_message_allowing_ext_commit(false)?.to_bytes()?)
    }

    /// MLS-Exporter (RFC 9420 §8.5).
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a length that HKDF cannot give.
    pub fn export(&self, label: &[u8], context: &[u8], length: usize) -> Result<Vec<u8>> {
        Ok(self.group.export_secret(label, context, length)?.to_vec())
    }

    /// epoch_authenticator (RFC 9420 §8.7).
    ///
    /// # Errors
    /// None in practice.
    pub fn epoch_authenticator(&self) -> Result<Vec<u8>> {
        Ok(self.group.epoch_authenticator()?.to_vec())
    }

    /// What identifies this very state of the group: SHA-256 of the GroupContext.
    fn parent(&self) -> Result<Vec<u8>> {
        Ok(sha256(&self.group.context().mls_encode_to_vec()?))
    }

    /// Builds a commit and leaves the group in its epoch.
    ///
    /// # Errors
    /// As a KeyPackage, a leaf or a proposal is bad; [`Kind::MissingPsk`].
    pub fn commit(&mut self, request: CommitRequest) -> Result<PendingCommit> {
        self.rules.require_path(request.path || request.new_signer.is_some());
        let (group_id, epoch, parent) = (self.group_id(), self.epoch(), self.parent()?);
        let tree_before = self.tree()?;
        let (output, secrets) = self.build(request)?;
        let tree = output.ratchet_tree.as_ref().ok_or_else(|| Error::new(Kind::Internal, "commit without a tree"))?;
        let info = output.external_commit_group_info.as_ref();
        let info = info.ok_or_else(|| Error::new(Kind::Internal, "commit without a GroupInfo"))?;
        PendingCommit::new(Parts {
            group_id,
            epoch,
            parent,
            commit: output.commit_message.to_bytes()?,
            welcomes: output.welcome_messages.iter().map(welcome_for).collect::<Result<_>>()?,
            group_info: info.to_bytes()?,
            tree: tree.to_bytes()?,
            unused_proposals: u32::try_from(output.unused_proposals.len()).unwrap_or(u32::MAX),
            secrets: &Value::new(secrets.to_bytes()?),
            tree_before: &tree_before,
        })
    }

    fn build(&mut self, request: CommitRequest) -> Result<(CommitOutput, CommitSecrets)> {
        let mut extensions = self.group.context().extensions().clone();
        let mut builder = self.group.commit_builder().commit_time(MlsTime::from(request.now_s));
        for package in &request.add {
            builder = builder.add_member(decode(package)?)?;
        }
        for leaf in request.remove {
            builder = builder.remove_member(leaf)?;
        }
        for psk in request.psks {
            builder = builder.add_external_psk(ExternalPskId::new(psk))?;
        }
        if let Some(policy) = request.policy {
            extensions.set(Extension::new(EXT_POLICY, policy));
            builder = builder.set_group_context_ext(extensions)?;
        }
        if let Some((credential, seed)) = request.new_signer {
            let (secret, identity) = signer(&credential, &seed)?;
            builder = builder.set_new_signing_identity(secret, identity);
        }
        Ok(builder.build_detached()?)
    }

    /// Applies a commit of one's own that the log has brought back as `commit`. mls-rs itself would apply a stale one
    /// without a word, so epoch, state and commit are compared first.
    ///
    /// # Errors
    /// [`Kind::WrongGroup`], [`Kind::WrongEpoch`]; [`Kind::Rule`] if `commit` is another commit.
    pub fn apply(&mut self, pending: &PendingCommit, commit: Option<&[u8]>) -> Result<CommitFacts> {
        let secrets = self.secrets_of(pending)?;
        if commit.is_some_and(|commit| sha256(commit) != pending.commit_hash()) {
            return Err(rule("the log brought another commit"));
        }
        let policy_before = self.policy();
        let description = self.group.apply_detached_commit(secrets)?;
        self.unwritten = true;
        self.facts(&description, &policy_before)
    }

    /// The secrets of a commit of one's own, if it was made in this very state of this group.
    fn secrets_of(&self, pending: &PendingCommit) -> Result<CommitSecrets> {
        if pending.group_id != self.group.group_id() {
            return Err(Error::new(Kind::WrongGroup, "pending commit of another group"));
        }
        if pending.epoch != self.epoch() || pending.parent != self.parent()? {
            return Err(Error::new(Kind::WrongEpoch, "pending commit of another epoch"));
        }
        Ok(CommitSecrets::from_bytes(&pending.secrets(&self.tree()?)?)?)
    }

    /// MLS-Exporter of the epoch that a commit of one's own would begin; the group stays in its epoch.
    ///
    /// # Errors
    /// As [`Group::apply`]; [`Kind::Invalid`] for a length that HKDF cannot give.
    pub fn export_after(
        &self,
        pending: &PendingCommit,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<Vec<u8>> {
        let mut after = self.group.clone(); // writes nothing: what it would is its own until it is written down
        after.apply_detached_commit(self.secrets_of(pending)?)?;
        Ok(after.export_secret(label, context, length)?.to_vec())
    }

    fn facts(&self, description: &CommitMessageDescription, policy_before: &[u8]) -> Result<CommitFacts> {
        CommitFacts::new(description, &self.group.roster(), self.policy() != policy_before)
    }

    /// Takes a message from the log. With a time, leaves that the message brings must be within their lifetime then.
    ///
    /// # Errors
    /// By kind; the group must be loaded again after any.
    pub fn process(&mut self, bytes: &[u8], now_s: Option<u64>) -> Result<Received> {
        let message = decode(bytes)?;
        self.check_wire(&message)?;
        if self.device.is_strict() && is_open_commit(&message) {
            check_path(bytes, self.group.cipher_suite())?;
        }
        let epoch = message.epoch().unwrap_or_default();
        let policy_before = self.policy();
        let received = match now_s {
            Some(now) => self.group.process_incoming_message_with_time(message, MlsTime::from(now)),
            None => self.group.process_incoming_message(message),
        }?;
        self.unwritten = true;
        match received {
            ReceivedMessage::ApplicationMessage(application) => {
                self.received(application, epoch).map(Received::Application)
            }
            ReceivedMessage::Proposal(proposal) => {
                let facts = Proposal::received(&proposal);
                if self.device.is_strict() {
                    check_by_reference(&proposal.proposal, facts.sender_index.is_some())?;
                }
                Ok(Received::Proposal(facts))
            }
            ReceivedMessage::Commit(commit) => Ok(Received::Commit(self.facts(&commit, &policy_before)?)),
            _ => Err(malformed("not a message to a group")),
        }
    }

    /// Handshakes are PublicMessages, application messages PrivateMessages (docs/spec/groups.md).
    fn check_wire(&self, message: &MlsMessage) -> Result<()> {
        match message.description() {
            MlsMessageDescription::PublicProtocolMessage { .. } => Ok(()),
            MlsMessageDescription::PrivateProtocolMessage { content_type: ContentType::Application, .. } => Ok(()),
            MlsMessageDescription::PrivateProtocolMessage { .. } if self.device.is_strict() => {
                Err(rule("handshake messages are PublicMessages"))
            }
            MlsMessageDescription::PrivateProtocolMessage { .. } => Ok(()),
            _ => Err(malformed("not a message to a group")),
        }
    }

    fn received(&self, message: ApplicationMessageDescription, epoch: u64) -> Result<Application> {
        let sender = self.group.roster().member_with_index(message.sender_index)?;
        if let Some(generation) = message.unauthenticated_key_generation {
            // The message opened under this generation's key, so that the keys before it were derived and kept. Only a
            // member can have sealed it; that it was this one the signature does not say (ePrint 2025/554).
            let group_id = self.group.group_id();
            let mut ledger = Ledger::from_bytes(&self.store.skipped(group_id, epoch).unwrap_or_default());
            ledger.received(message.sender_index, generation)?;
            self.store.put_skipped(group_id, epoch, ledger.to_bytes());
        }
        let data = message.data().to_vec();
        Ok(Application { data, authenticated_data: message.authenticated_data, sender: sender.into(), epoch })
    }

    /// Encrypts an application message, padded to a Padmé size.
    ///
    /// # Errors
    /// [`Kind::CommitRequired`] while proposals are cached.
    pub fn encrypt(&mut self, plaintext: &[u8], authenticated_data: Vec<u8>) -> Result<Vec<u8>> {
        self.unwritten = true;
        Ok(self.group.encrypt_application_message(plaintext, authenticated_data)?.to_bytes()?)
    }

    /// Proposes to leave; another member has to commit it.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if it cannot be signed.
    pub fn propose_self_remove(&mut self) -> Result<Vec<u8>> {
        self.unwritten = true;
        Ok(self.group.propose_self_remove(vec![])?.to_bytes()?)
    }

    /// The changes since the last call, this group's and its device's, for one transaction.
    ///
    /// # Errors
    /// [`Kind::Internal`] if the state cannot be encoded.
    pub fn take_changes(&mut self) -> Result<Changes> {
        if self.unwritten {
            self.group.write_to_storage_without_ratchet_tree()?;
            let tree_hash = self.tree_hash();
            if self.tree_hash_written.as_ref() != Some(&tree_hash) {
                self.store.put_tree(self.group.group_id(), self.tree()?);
                self.tree_hash_written = Some(tree_hash);
            }
            self.unwritten = false;
        }
        let mut changes = self.store.take();
        changes.append(&mut self.device.take_changes());
        Ok(changes)
    }
}

fn is_open_commit(message: &MlsMessage) -> bool {
    let description = message.description();
    matches!(description, MlsMessageDescription::PublicProtocolMessage { content_type: ContentType::Commit, .. })
}

fn welcome_for(message: &MlsMessage) -> Result<WelcomeFor> {
    let references = message.welcome_key_package_references();
    let reference = references.first().ok_or_else(|| Error::new(Kind::Internal, "Welcome for nobody"))?;
    Ok(WelcomeFor { key_package: reference.to_vec(), welcome: message.to_bytes()? })
}
