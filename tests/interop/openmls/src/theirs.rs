//! A member through OpenMLS, set up to look like QPQ's: the same capabilities, handshakes in the open, five past epochs.

use crate::member::{Built, Member, Said, Seen, State, Want};
use crate::number::{to_openmls, to_wire};
use crate::ours::{LIFETIME_S, PAST_EPOCHS, now_s};
use crate::provider::{Key, Notebook, Provider, SUITE};
use openmls::prelude::tls_codec::{DeserializeBytes, Serialize};
use openmls::prelude::{
    BasicCredential, Capabilities, CredentialWithKey, Extension, ExtensionType, Extensions, ExternalSender,
    ExternalSendersExtension, GroupContext, GroupId, KeyPackage, KeyPackageIn, LeafNodeIndex, LeafNodeParameters,
    Lifetime, MlsGroup, MlsGroupJoinConfig, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, OpenMlsProvider,
    PURE_PLAINTEXT_WIRE_FORMAT_POLICY, PreSharedKeyProposal, ProcessedMessageContent, Proposal, ProtocolMessage,
    ProtocolVersion, RatchetTreeIn, RequiredCapabilitiesExtension, SenderRatchetConfiguration, SignaturePublicKey,
    StagedCommit, StagedWelcome, UnknownExtension,
};
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
use qpqnative::mls::device::generate_signature_key;
use std::fmt::Debug;

/// The number of QPQ's policy (docs/spec/groups.md).
pub const POLICY: u16 = 0xF100;
/// Generations that may be skipped, as in docs/spec/groups.md.
const SKIPPED_MAX: u32 = 1_024;

pub struct Theirs {
    name: String,
    key: Key,
    credential: CredentialWithKey,
    capabilities: Capabilities,
    provider: Provider,
    group_id: Vec<u8>,
    group: Option<MlsGroup>,
}

/// The innermost names of an error's value, which say what was wrong, without what it holds.
pub fn said(error: impl Debug) -> String {
    let text = format!("{error:?}");
    let names = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.starts_with(char::is_uppercase));
    let names: Vec<_> = names.take(4).collect();
    names.join(".")
}

impl Theirs {
    /// `capabilities` as a member of qpqnative lists them, which see.
    pub fn new(name: &str, group_id: &[u8], capabilities: &[u8]) -> Self {
        let (seed, public) = generate_signature_key().unwrap();
        let capabilities = to_openmls(capabilities, group_id);
        let capabilities = Capabilities::tls_deserialize_exact_bytes(&capabilities).unwrap();
        let credential = CredentialWithKey {
            credential: BasicCredential::new(name.as_bytes().to_vec()).into(),
            signature_key: public.into(),
        };
        let (provider, group_id) = (Provider::new(group_id), group_id.to_vec());
        let key = Key { seed: seed.to_vec(), group_id: group_id.clone() };
        Self { name: name.to_owned(), key, credential, capabilities, provider, group_id, group: None }
    }

    pub fn group(&self) -> &MlsGroup {
        self.group.as_ref().unwrap()
    }

    pub fn notebook(&self) -> std::sync::MutexGuard<'_, Notebook> {
        self.provider.crypto().notebook()
    }

    fn config() -> MlsGroupJoinConfig {
        MlsGroupJoinConfig::builder()
            .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(false)
            .max_past_epochs(PAST_EPOCHS)
            .sender_ratchet_configuration(SenderRatchetConfiguration::new(SKIPPED_MAX, SKIPPED_MAX))
            .build()
    }

    fn read(&self, message: &[u8]) -> Said<MlsMessageBodyIn> {
        let message = MlsMessageIn::tls_deserialize_exact_bytes(&to_openmls(message, &self.group_id));
        Ok(message.map_err(|_| "Malformed".to_owned())?.extract())
    }

    fn write(&self, message: &MlsMessageOut) -> Vec<u8> {
        to_wire(&message.to_bytes().unwrap(), &self.group_id)
    }

    fn tree(&self, tree: &[u8]) -> RatchetTreeIn {
        RatchetTreeIn::tls_deserialize_exact_bytes(&to_openmls(tree, &self.group_id)).unwrap()
    }

    fn package(&self, message: &[u8]) -> Said<KeyPackage> {
        let MlsMessageBodyIn::KeyPackage(package) = self.read(message)? else { return Err("NoKeyPackage".to_owned()) };
        KeyPackageIn::validate(package, self.provider.crypto(), ProtocolVersion::Mls10).map_err(said)
    }

    fn protocol(&self, message: &[u8]) -> Said<ProtocolMessage> {
        match self.read(message)? {
            MlsMessageBodyIn::PublicMessage(message) => Ok(message.into()),
            MlsMessageBodyIn::PrivateMessage(message) => Ok(message.into()),
            _ => Err("NoProtocolMessage".to_owned()),
        }
    }

    /// What the member would make of a commit, which it does not merge: the next epoch's authenticator.
    pub fn judge(&mut self, message: &[u8]) -> Said<Vec<u8>> {
        let message = self.protocol(message)?;
        let group = self.group.as_mut().unwrap();
        match group.process_message(&self.provider, message).map_err(said)?.into_content() {
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                Ok(staged.epoch_authenticator().map(|a| a.as_slice().to_vec()).unwrap_or_default())
            }
            ProcessedMessageContent::ProposalMessage(_) | ProcessedMessageContent::ExternalJoinProposalMessage(_) => {
                Ok(vec![])
            }
            _ => Err("NoHandshake".to_owned()),
        }
    }

    /// Forgets the proposals that were taken in for a judgement.
    pub fn forget_proposals(&mut self) {
        let group = self.group.as_mut().unwrap();
        group.clear_pending_proposals(self.provider.storage()).unwrap();
    }

    /// An Update, Add or PreSharedKey by reference: QPQ's rules have no place for them, MLS has.
    pub fn propose_update(&mut self) -> Said<Vec<u8>> {
        let (group, parameters) = (self.group.as_mut().unwrap(), LeafNodeParameters::default());
        let (message, _) = group.propose_self_update(&self.provider, &self.key, parameters).map_err(said)?;
        Ok(self.write(&message))
    }

    pub fn propose_add(&mut self, package: &[u8]) -> Said<Vec<u8>> {
        let package = self.package(package)?;
        let group = self.group.as_mut().unwrap();
        let (message, _) = group.propose_add_member(&self.provider, &self.key, &package).map_err(said)?;
        Ok(self.write(&message))
    }

    pub fn propose_psk(&mut self, id: &[u8]) -> Said<Vec<u8>> {
        let psk = self.psk(id);
        let group = self.group.as_mut().unwrap();
        let (message, _) = group.propose_pre_shared_key(&self.provider, &self.key, psk).map_err(said)?;
        Ok(self.write(&message))
    }

    pub fn propose_remove(&mut self, leaf: u32) -> Said<Vec<u8>> {
        let group = self.group.as_mut().unwrap();
        let leaf = LeafNodeIndex::new(leaf);
        let (message, _) = group.propose_remove_member(&self.provider, &self.key, leaf).map_err(said)?;
        Ok(self.write(&message))
    }

    fn psk(&self, id: &[u8]) -> PreSharedKeyId {
        let psk = Psk::External(ExternalPsk::new(id.to_vec()));
        PreSharedKeyId::new(SUITE, self.provider.crypto(), psk).unwrap()
    }

    /// The GroupContext as it is signed.
    pub fn context(&self) -> Vec<u8> {
        self.group().public_group().group_context().tls_serialize_detached().unwrap()
    }

    fn merge(&mut self, staged: StagedCommit) -> Said<Seen> {
        let removed = staged.self_removed();
        let group = self.group.as_mut().unwrap();
        group.merge_staged_commit(&self.provider, staged).map_err(said)?;
        Ok(Seen::Commit(removed))
    }
}

impl Member for Theirs {
    fn name(&self) -> &str {
        &self.name
    }

    fn seed(&self) -> &[u8] {
        &self.key.seed
    }

    fn key_package(&mut self) -> Vec<u8> {
        let bundle = KeyPackage::builder()
            .leaf_node_capabilities(self.capabilities.clone())
            .key_package_lifetime(Lifetime::init(now_s() - 60, now_s() + LIFETIME_S))
            .build(SUITE, &self.provider, &self.key, self.credential.clone())
            .unwrap();
        self.write(&MlsMessageOut::from(bundle.key_package().clone()))
    }

    fn put_psk(&mut self, id: &[u8], secret: &[u8]) {
        self.psk(id).store(&self.provider, secret).unwrap();
    }

    fn create(&mut self, policy: &[u8], (credential, key): (&[u8], &[u8])) {
        let required = RequiredCapabilitiesExtension::new(&[ExtensionType::Unknown(POLICY)], &[], &[]);
        let credential = BasicCredential::new(credential.to_vec()).into();
        let sender = ExternalSender::new(SignaturePublicKey::from(key.to_vec()), credential);
        let extensions: Extensions<GroupContext> = Extensions::from_vec(vec![
            Extension::Unknown(POLICY, UnknownExtension(policy.to_vec())),
            Extension::RequiredCapabilities(required),
            Extension::ExternalSenders(ExternalSendersExtension::from(vec![sender])),
        ])
        .unwrap();
        let group = MlsGroup::builder()
            .with_group_id(GroupId::from_slice(&self.group_id))
            .with_wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(false)
            .max_past_epochs(PAST_EPOCHS)
            .sender_ratchet_configuration(SenderRatchetConfiguration::new(SKIPPED_MAX, SKIPPED_MAX))
            .ciphersuite(SUITE)
            .with_capabilities(self.capabilities.clone())
            .lifetime(Lifetime::init(now_s() - 60, now_s() + LIFETIME_S))
            .with_group_context_extensions(extensions)
            .build(&self.provider, &self.key, self.credential.clone());
        self.group = Some(group.unwrap());
    }

    fn join(&mut self, welcome: &[u8], tree: &[u8]) -> Said<()> {
        let MlsMessageBodyIn::Welcome(welcome) = self.read(welcome)? else { return Err("NoWelcome".to_owned()) };
        let tree = self.tree(tree);
        if let Some(mut old) = self.group.take() {
            old.delete(self.provider.storage()).unwrap();
        }
        let staged = StagedWelcome::new_from_welcome(&self.provider, &Self::config(), welcome, Some(tree));
        self.group = Some(staged.map_err(said)?.into_group(&self.provider).map_err(said)?);
        Ok(())
    }

    fn rejoin(&mut self, group_info: &[u8], tree: &[u8], old_leaf: Option<u32>) -> Said<Vec<u8>> {
        let MlsMessageBodyIn::GroupInfo(info) = self.read(group_info)? else { return Err("NoGroupInfo".to_owned()) };
        if let Some(mut old) = self.group.take() {
            old.delete(self.provider.storage()).unwrap();
        }
        let builder =
            MlsGroup::external_commit_builder().with_ratchet_tree(self.tree(tree)).with_config(Self::config());
        let parameters = LeafNodeParameters::builder().with_capabilities(self.capabilities.clone()).build();
        let (group, bundle) = builder
            .build_group(&self.provider, info, self.credential.clone())
            .map_err(said)?
            .leaf_node_parameters(parameters)
            .load_psks(self.provider.storage())
            .map_err(said)?
            .build(self.provider.crypto(), self.provider.crypto(), &self.key, |_| true)
            .map_err(said)?
            .finalize(&self.provider)
            .map_err(said)?;
        assert!(old_leaf.is_none_or(|leaf| group.own_leaf_index().u32() <= leaf), "OpenMLS took the old leaf out");
        self.group = Some(group);
        Ok(self.write(bundle.commit()))
    }

    fn commit(&mut self, want: &Want) -> Said<Built> {
        let added = want.add.iter().map(|package| self.package(package)).collect::<Said<Vec<_>>>()?;
        let psks = want
            .psks
            .iter()
            .map(|id| Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(self.psk(id)))))
            .collect::<Vec<_>>();
        let group = self.group.as_mut().unwrap();
        let mut extensions = group.extensions().clone();
        let mut builder = group
            .commit_builder()
            .force_self_update(want.path)
            .propose_adds(added)
            .propose_removals(want.remove.iter().map(|leaf| LeafNodeIndex::new(*leaf)))
            .add_proposals(psks);
        if let Some(policy) = &want.policy {
            extensions.add_or_replace(Extension::Unknown(POLICY, UnknownExtension(policy.clone()))).unwrap();
            builder = builder.propose_group_context_extensions(extensions).map_err(said)?;
        }
        let bundle = builder
            .load_psks(self.provider.storage())
            .map_err(said)?
            .build(self.provider.crypto(), self.provider.crypto(), &self.key, |_| true)
            .map_err(said)?
            .stage_commit(&self.provider)
            .map_err(said)?;
        let welcomes = bundle.to_welcome_msg().map(|welcome| self.write(&welcome)).into_iter().collect();
        Ok(Built { commit: self.write(bundle.commit()), welcomes })
    }

    fn apply(&mut self, _: &[u8]) -> Said<()> {
        self.group.as_mut().unwrap().merge_pending_commit(&self.provider).map_err(said)
    }

    fn process(&mut self, message: &[u8]) -> Said<Seen> {
        let message = self.protocol(message)?;
        let group = self.group.as_mut().unwrap();
        let processed = group.process_message(&self.provider, message).map_err(said)?;
        let sender = BasicCredential::try_from(processed.credential().clone()).map(|c| c.identity().to_vec());
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(text) => {
                Ok(Seen::Application(text.into_bytes(), sender.unwrap()))
            }
            ProcessedMessageContent::ProposalMessage(proposal) => {
                group.store_pending_proposal(self.provider.storage(), *proposal).map_err(said)?;
                Ok(Seen::Proposal)
            }
            ProcessedMessageContent::StagedCommitMessage(staged) => self.merge(*staged),
            _ => Err("Unexpected".to_owned()),
        }
    }

    fn leave(&mut self) -> Said<Vec<u8>> {
        let group = self.group.as_mut().unwrap();
        let message = group.leave_group_via_self_remove(&self.provider, &self.key).map_err(said)?;
        Ok(self.write(&message))
    }

    fn encrypt(&mut self, text: &[u8]) -> Said<Vec<u8>> {
        let group = self.group.as_mut().unwrap();
        let message = group.create_message(&self.provider, &self.key, text).map_err(said)?;
        Ok(message.to_bytes().unwrap())
    }

    fn state(&self) -> State {
        let group = self.group();
        let identity = |credential| BasicCredential::try_from(credential).unwrap().identity().to_vec();
        State {
            epoch: group.epoch().as_u64(),
            tree_hash: group.public_group().group_context().tree_hash().to_vec(),
            authenticator: group.epoch_authenticator().as_slice().to_vec(),
            tree: to_wire(&group.export_ratchet_tree().tls_serialize_detached().unwrap(), &self.group_id),
            members: group.members().map(|member| (member.index.u32(), identity(member.credential))).collect(),
        }
    }

    fn own_index(&self) -> u32 {
        self.group().own_leaf_index().u32()
    }

    fn export(&self, label: &str, context: &[u8], length: usize) -> Vec<u8> {
        self.group().export_secret(self.provider.crypto(), label, context, length).unwrap()
    }

    fn group_info(&self) -> Vec<u8> {
        self.write(&self.group().export_group_info(self.provider.crypto(), &self.key, false).unwrap())
    }
}
