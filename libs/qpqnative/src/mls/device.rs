//! One device: its credential and signer, its KeyPackages and pre-shared keys, and the way into groups.

use super::EXT_POLICY;
use super::error::{Error, Kind, Result, malformed, rule};
use super::group::Group;
use super::inspect::decode;
use super::lie::Lie;
use super::rules::{Identity, LEAF_EXTENSIONS, Rules};
use super::store::{Changes, DeviceStore, GroupStore, Value};
use super::suite::{Provider, provider, suite};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use mls_rs::client_builder::{
    BaseConfig, ClientBuilder, WithCryptoProvider, WithGroupStateStorage, WithIdentityProvider, WithKeyPackageRepo,
    WithMlsRules, WithPskStore,
};
use mls_rs::extension::built_in::{ExternalSendersExt, RequiredCapabilitiesExt};
use mls_rs::extension::recommended::LastResortKeyPackageExt;
use mls_rs::group::ExportedTree;
use mls_rs::group::proposal::ProposalType;
use mls_rs::psk::ExternalPskId;
use mls_rs::{Client, Extension, ExtensionList};
use mls_rs_core::crypto::{CipherSuite, CipherSuiteProvider, SignatureSecretKey};
use mls_rs_core::identity::{BasicCredential, SigningIdentity};
use mls_rs_core::time::MlsTime;
use std::time::Duration;
use zeroize::Zeroizing;

/// mls-rs's configuration of every client here.
pub type Config = WithMlsRules<
    Rules,
    WithIdentityProvider<
        Identity,
        WithPskStore<
            DeviceStore,
            WithKeyPackageRepo<
                DeviceStore,
                WithGroupStateStorage<GroupStore, WithCryptoProvider<Provider, BaseConfig>>,
            >,
        >,
    >,
>;

/// Length of an Ed25519 private key: the seed (RFC 8032 §5.1.5).
pub const SIGNATURE_SEED_BYTES: usize = 32;

/// A new signature key: seed and public key.
///
/// # Errors
/// [`Kind::Internal`] when there is no randomness.
pub fn generate_signature_key() -> Result<(Value, Vec<u8>)> {
    let mut seed = Zeroizing::new(vec![0; SIGNATURE_SEED_BYTES]);
    let random = provider(super::suite::SUITE_1)?.random_bytes(&mut seed);
    random.map_err(|_| Error::new(Kind::Internal, "no randomness"))?;
    let public = public_key(&seed)?;
    Ok((seed, public))
}

/// Whether a signature is the key's over a message (RFC 8032 §5.1.7); false also for bytes that are neither.
#[must_use]
pub fn is_signed(public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

fn public_key(seed: &[u8]) -> Result<Vec<u8>> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| malformed("signature secret"))?;
    Ok(pair.public_key().as_ref().to_vec())
}

/// The signer in aws-lc's form, seed and public key, and who it signs as.
///
/// # Errors
/// [`Kind::Malformed`] for a secret that is not 32 bytes.
pub fn signer(credential: &[u8], seed: &[u8]) -> Result<(SignatureSecretKey, SigningIdentity)> {
    let public = public_key(seed)?;
    let secret = SignatureSecretKey::from([seed, &public].concat());
    Ok((secret, signing_identity(credential, public)))
}

/// A basic credential and its key.
#[must_use]
pub fn signing_identity(credential: &[u8], public: Vec<u8>) -> SigningIdentity {
    SigningIdentity::new(BasicCredential::new(credential.to_vec()).into_credential(), public.into())
}

/// A device. Clones share KeyPackages and pre-shared keys.
#[derive(Clone)]
pub struct Device {
    secret: SignatureSecretKey,
    identity: SigningIdentity,
    store: DeviceStore,
    past_epochs: usize,
    strict: bool,
    lie: Option<Lie>,
}

impl Device {
    /// A device with the `k/` and `p/` records that the caller kept.
    ///
    /// # Errors
    /// [`Kind::Malformed`] for a secret that is not 32 bytes.
    pub fn new(credential: &[u8], seed: &[u8], entries: Vec<(Vec<u8>, Value)>, past_epochs: usize) -> Result<Self> {
        let (secret, identity) = signer(credential, seed)?;
        Ok(Self { secret, identity, store: DeviceStore::new(entries), past_epochs, strict: true, lie: None })
    }

    /// Lifts QPQ's own rules, which the working group's vectors know nothing of.
    pub fn lift_rules(&mut self) {
        self.strict = false;
    }

    /// Lets the next commit of a group loaded from now on lie.
    pub fn lie(&mut self, lie: Lie) {
        self.lie = Some(lie);
    }

    pub(super) const fn is_strict(&self) -> bool {
        self.strict
    }

    /// The records of KeyPackages and pre-shared keys.
    #[must_use]
    pub const fn store(&self) -> &DeviceStore {
        &self.store
    }

    fn builder(&self, groups: GroupStore, rules: Rules) -> ClientBuilder<Config> {
        Client::builder()
            .crypto_provider(Provider { lie: self.lie.clone() })
            .group_state_storage(groups)
            .key_package_repo(self.store.clone())
            .psk_store(self.store.clone())
            .identity_provider(Identity)
            .mls_rules(rules)
            .extension_types(LEAF_EXTENSIONS)
            .custom_proposal_type(ProposalType::SELF_REMOVE)
    }

    fn client(&self, builder: ClientBuilder<Config>, suite: CipherSuite) -> Client<Config> {
        builder.signing_identity(self.identity.clone(), self.secret.clone(), suite).build()
    }

    fn start(&self, suite: CipherSuite, entries: Vec<(Vec<u8>, Value)>) -> (Client<Config>, GroupStore, Rules) {
        let groups = GroupStore::new(entries, self.past_epochs);
        let rules = Rules::new(self.strict);
        (self.client(self.builder(groups.clone(), rules.clone()), suite), groups, rules)
    }

    /// A new KeyPackage; its private half is among the changes.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for an unknown suite.
    pub fn key_package(&self, number: u16, last_resort: bool, not_before_s: u64, lifetime_s: u64) -> Result<Vec<u8>> {
        let groups = GroupStore::new([], self.past_epochs);
        let builder = self.builder(groups, Rules::new(self.strict));
        let client = self.client(builder.key_package_lifetime(Duration::from_secs(lifetime_s)), suite(number)?);
        let mut extensions = ExtensionList::new();
        if last_resort {
            extensions.set_from(LastResortKeyPackageExt)?;
        }
        let not_before = Some(MlsTime::from(not_before_s));
        Ok(client.generate_key_package_message(extensions, ExtensionList::new(), not_before)?.to_bytes()?)
    }

    /// A new group with this device as its only member.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] for an unknown suite.
    pub fn create_group(
        &self,
        number: u16,
        group_id: Vec<u8>,
        policy: Vec<u8>,
        external_senders: Vec<(Vec<u8>, Vec<u8>)>,
        now_s: u64,
    ) -> Result<Group> {
        let mut context = ExtensionList::new();
        context.set(Extension::new(EXT_POLICY, policy));
        context.set_from(RequiredCapabilitiesExt::new(vec![EXT_POLICY], vec![], vec![]))?;
        if !external_senders.is_empty() {
            let senders = external_senders.into_iter().map(|(credential, key)| signing_identity(&credential, key));
            context.set_from(ExternalSendersExt::new(senders.collect()))?;
        }
        let (client, groups, rules) = self.start(suite(number)?, vec![]);
        let now = Some(MlsTime::from(now_s));
        let group = client.create_group_with_id(group_id, context, ExtensionList::new(), now)?;
        Ok(Group::new(group, groups, rules, self.clone()))
    }

    /// Joins by a Welcome. With a time, every leaf of the tree must be within its lifetime then, which refuses groups
    /// where somebody has not committed since his KeyPackage expired: RFC 9420 §7.3 asks for it on sending only.
    ///
    /// # Errors
    /// [`Kind::MissingKeyPackage`], [`Kind::MissingPsk`], or as the Welcome or tree is bad.
    pub fn join(&self, welcome: &[u8], tree: Option<&[u8]>, now_s: Option<u64>) -> Result<Group> {
        let welcome = decode(welcome)?;
        let number = welcome.cipher_suite().ok_or_else(|| malformed("not a Welcome"))?;
        let tree = tree.map(ExportedTree::from_bytes).transpose()?;
        let (client, groups, rules) = self.start(number, vec![]);
        let (group, info) = client.join_group(tree, &welcome, now_s.map(MlsTime::from))?;
        if self.strict && !group.context().extensions().has_extension(EXT_POLICY) {
            return Err(rule("the group has no policy"));
        }
        Ok(Group::new(group, groups, rules, self.clone()).invited_by(info.sender))
    }

    /// Joins by external commit (RFC 9420 §12.4.3.2), taking the device's old leaf out. The group that comes back is
    /// in the new epoch already: keep it apart until the log brings the commit. The time is as for [`Device::join`].
    ///
    /// # Errors
    /// As the GroupInfo or tree is bad; [`Kind::MissingPsk`].
    pub fn external_join(
        &self,
        group_info: &[u8],
        tree: &[u8],
        remove_leaf: Option<u32>,
        psks: Vec<Vec<u8>>,
        now_s: Option<u64>,
    ) -> Result<(Group, Vec<u8>)> {
        let info = decode(group_info)?;
        let context = info.as_group_info().ok_or_else(|| malformed("not a GroupInfo"))?.group_context();
        if self.strict && !context.extensions().has_extension(EXT_POLICY) {
            return Err(rule("the group has no policy"));
        }
        let (client, groups, rules) = self.start(suite(context.cipher_suite().into())?, vec![]);
        let mut builder =
            client.external_commit_builder()?.with_tree_data(ExportedTree::from_bytes(tree)?.into_owned());
        if let Some(now) = now_s {
            builder = builder.commit_time(MlsTime::from(now));
        }
        if let Some(leaf) = remove_leaf {
            builder = builder.with_removal(leaf);
        }
        for psk in psks {
            builder = builder.with_external_psk(ExternalPskId::new(psk));
        }
        let (group, commit) = builder.build(info)?;
        Ok((Group::new(group, groups, rules, self.clone()), commit.to_bytes()?))
    }

    /// Takes up a group from its records and its tree.
    ///
    /// # Errors
    /// [`Kind::Malformed`] for records or a tree that cannot be read.
    pub fn load_group(&self, group_id: &[u8], entries: Vec<(Vec<u8>, Value)>, tree: &[u8]) -> Result<Group> {
        // The client's own suite matters for KeyPackages only; the group brings its own.
        let (client, groups, rules) = self.start(super::suite::SUITE_1, entries);
        let group = client.load_group_with_ratchet_tree(group_id, ExportedTree::from_bytes(tree)?)?;
        Ok(Group::loaded(group, groups, rules, self.clone()))
    }

    /// Stores a pre-shared key under its id.
    pub fn put_psk(&self, id: &[u8], secret: Vec<u8>) {
        self.store.put_psk(id, secret);
    }

    /// The changes to KeyPackages and pre-shared keys since the last call.
    #[must_use]
    pub fn take_changes(&self) -> Changes {
        self.store.take()
    }
}
