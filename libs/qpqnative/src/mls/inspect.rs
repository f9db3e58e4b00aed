//! Reading messages without a group: what a message is, and whether a KeyPackage is good.

use super::EXT_POLICY;
use super::error::{Error, Kind, Result, malformed};
use super::facts::credential;
use super::rules::{Identity, Rules, check_package};
use super::suite::{Provider, provider};
use mls_rs::external_client::ExternalClient;
use mls_rs::external_client::builder::{
    ExternalBaseConfig, ExternalClientBuilder, WithCryptoProvider, WithIdentityProvider, WithMlsRules,
};
use mls_rs::group::proposal::ProposalType;
use mls_rs::group::{ContentType, GroupInfo, LeafNode, LeafNodeSource, Sender};
use mls_rs::{KeyPackage, MlsMessage, MlsMessageDescription};
use mls_rs_codec::{MlsDecode, MlsEncode};
use mls_rs_core::crypto::HpkePublicKey;
use mls_rs_core::extension::ExtensionType;
use mls_rs_core::time::MlsTime;

/// mls-rs's configuration of the observing side.
pub type ObserverConfig =
    WithMlsRules<Rules, WithIdentityProvider<Identity, WithCryptoProvider<Provider, ExternalBaseConfig>>>;

/// A builder of observing clients.
pub(super) fn observer() -> ExternalClientBuilder<ObserverConfig> {
    ExternalClient::builder()
        .crypto_provider(Provider::default())
        .identity_provider(Identity)
        .mls_rules(Rules::new(true))
        .extension_types(super::rules::LEAF_EXTENSIONS)
        .custom_proposal_types([ProposalType::SELF_REMOVE])
}

/// Decodes one MLSMessage that fills the bytes.
///
/// # Errors
/// [`Kind::Malformed`].
pub fn decode(bytes: &[u8]) -> Result<MlsMessage> {
    let mut rest = bytes;
    let message = MlsMessage::mls_decode(&mut rest)?;
    if rest.is_empty() { Ok(message) } else { Err(malformed("bytes after the message")) }
}

/// What a message says of itself; nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageInfo {
    /// `public`, `private`, `welcome`, `group_info` or `key_package`.
    pub wire: &'static str,
    /// The group, where the message names one.
    pub group_id: Option<Vec<u8>>,
    /// The epoch, where the message names one.
    pub epoch: Option<u64>,
    /// `application`, `proposal` or `commit`.
    pub content: Option<&'static str>,
    /// The sending leaf of a PublicMessage from a member, or the leaf that says it has signed a GroupInfo.
    pub sender_index: Option<u32>,
}

const fn content_name(content: ContentType) -> &'static str {
    match content {
        ContentType::Application => "application",
        ContentType::Proposal => "proposal",
        ContentType::Commit => "commit",
    }
}

/// Reads a message's head.
///
/// # Errors
/// [`Kind::Malformed`].
pub fn inspect_message(bytes: &[u8]) -> Result<MessageInfo> {
    let message = decode(bytes)?;
    let (wire, content, sender_index) = match message.description() {
        MlsMessageDescription::PublicProtocolMessage { content_type, sender, .. } => {
            let leaf = if let Sender::Member(index) = sender { Some(index) } else { None };
            ("public", Some(content_name(content_type)), leaf)
        }
        MlsMessageDescription::PrivateProtocolMessage { content_type, .. } => {
            ("private", Some(content_name(content_type)), None)
        }
        MlsMessageDescription::Welcome { .. } => ("welcome", None, None),
        MlsMessageDescription::GroupInfo => ("group_info", None, message.as_group_info().map(GroupInfo::sender)),
        MlsMessageDescription::KeyPackage => ("key_package", None, None),
    };
    let group_id = message.group_id().map(<[u8]>::to_vec);
    Ok(MessageInfo { wire, group_id, epoch: message.epoch(), content, sender_index })
}

/// A KeyPackage that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPackageInfo {
    /// KeyPackageRef (RFC 9420 §5.2).
    pub reference: Vec<u8>,
    /// The suite's number.
    pub suite: u16,
    /// Identity of the basic credential.
    pub credential: Vec<u8>,
    /// Ed25519 public key.
    pub signature_key: Vec<u8>,
    /// Seconds since 1970.
    pub not_before_s: u64,
    /// Seconds since 1970.
    pub not_after_s: u64,
    /// May be used more than once.
    pub last_resort: bool,
    /// Suites that its owner takes part in.
    pub suites: Vec<u16>,
}

/// What a commit's path brings into the tree.
pub(super) struct Path {
    /// The committer's new leaf.
    pub(super) leaf: LeafNode,
    /// The public keys of the nodes above it.
    pub(super) nodes: Vec<HpkePublicKey>,
}

fn bytes(from: &mut &[u8]) -> Result<Vec<u8>> {
    Ok(mls_rs_codec::byte_vec::mls_decode(from)?)
}

/// The path of a commit in a PublicMessage (RFC 9420 §6, §12.4, §7.6), which mls-rs does not show.
///
/// # Errors
/// [`Kind::Malformed`] for anything but such a commit.
pub(super) fn path_of(message: &[u8]) -> Result<Option<Path>> {
    let mut rest = message;
    u16::mls_decode(&mut rest)?; // version
    u16::mls_decode(&mut rest)?; // wire format
    bytes(&mut rest)?; // group id
    u64::mls_decode(&mut rest)?; // epoch
    Sender::mls_decode(&mut rest)?;
    bytes(&mut rest)?; // authenticated data
    u8::mls_decode(&mut rest)?; // content type
    bytes(&mut rest)?; // proposals
    if u8::mls_decode(&mut rest)? == 0 {
        return Ok(None);
    }
    let leaf = LeafNode::mls_decode(&mut rest)?;
    let (encoded, mut nodes) = (bytes(&mut rest)?, Vec::new());
    let mut rest = encoded.as_slice();
    while !rest.is_empty() {
        nodes.push(HpkePublicKey::mls_decode(&mut rest)?);
        bytes(&mut rest)?; // path secrets
    }
    Ok(Some(Path { leaf, nodes }))
}

/// The leaf of a KeyPackage, which mls-rs does not show.
pub(super) fn leaf_of(package: &KeyPackage) -> Result<LeafNode> {
    let bytes = package.mls_encode_to_vec()?;
    let mut rest = bytes.as_slice();
    u16::mls_decode(&mut rest)?; // version
    u16::mls_decode(&mut rest)?; // suite
    HpkePublicKey::mls_decode(&mut rest)?;
    Ok(LeafNode::mls_decode(&mut rest)?)
}

/// Checks a KeyPackage: signatures, suite, lifetime (unless no time is given), and the capabilities that every
/// QPQ group asks for.
///
/// # Errors
/// [`Kind::Malformed`], [`Kind::Invalid`], [`Kind::Unsupported`].
pub fn inspect_key_package(bytes: &[u8], now_s: Option<u64>) -> Result<KeyPackageInfo> {
    let message = decode(bytes)?;
    let leaf = leaf_of(message.as_key_package().ok_or_else(|| malformed("not a KeyPackage"))?)?;
    let LeafNodeSource::KeyPackage(lifetime) = &leaf.leaf_node_source else {
        return Err(malformed("not a KeyPackage's leaf"));
    };
    // Without a time mls-rs would take the system's: the lifetime's own beginning skips the check instead.
    let time = now_s.map_or(lifetime.not_before, MlsTime::from);
    let package = observer().build().validate_key_package(message, Some(time))?;
    let capabilities = &leaf.capabilities;
    if !capabilities.extensions.contains(&EXT_POLICY) || !capabilities.proposals.contains(&ProposalType::SELF_REMOVE) {
        return Err(Error::new(Kind::Unsupported, "the leaf lacks a required capability"));
    }
    check_package(&package, package.cipher_suite)?;
    Ok(KeyPackageInfo {
        reference: package.to_reference(&provider(package.cipher_suite)?)?.to_vec(),
        suite: package.cipher_suite.into(),
        credential: credential(&leaf.signing_identity),
        signature_key: leaf.signing_identity.signature_key.to_vec(),
        not_before_s: lifetime.not_before.seconds_since_epoch(),
        not_after_s: lifetime.not_after.seconds_since_epoch(),
        last_resort: package.extensions.has_extension(ExtensionType::LAST_RESORT_KEY_PACKAGE),
        suites: capabilities.cipher_suites.iter().map(|suite| u16::from(*suite)).collect(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::device::{Device, generate_signature_key};
    use super::*;
    use mls_rs_core::identity::CredentialType;

    /// docs/spec/groups.md#form: what every leaf lists from the first release.
    #[test]
    fn every_leaf_lists_its_capabilities() {
        let (seed, _) = generate_signature_key().unwrap();
        let device = Device::new(b"ada", &seed, vec![], 5).unwrap();
        for suite in [1, 0xF04F] {
            let package = decode(&device.key_package(suite, true, 1_000, 10).unwrap()).unwrap();
            let leaf = leaf_of(package.as_key_package().unwrap()).unwrap();
            let numbers = |types: &[ExtensionType]| types.iter().map(|t| t.raw_value()).collect::<Vec<_>>();
            assert_eq!(numbers(&leaf.capabilities.extensions), [0xF100, 0x000A, 0x0006]);
            assert_eq!(leaf.capabilities.proposals, [ProposalType::SELF_REMOVE]);
            assert_eq!(ProposalType::SELF_REMOVE.raw_value(), 0xF003);
            assert_eq!(leaf.capabilities.credentials, [CredentialType::BASIC]);
            assert_eq!(leaf.capabilities.cipher_suites.iter().map(|s| u16::from(*s)).collect::<Vec<_>>(), [1, 0xF04F]);
        }
    }
}
