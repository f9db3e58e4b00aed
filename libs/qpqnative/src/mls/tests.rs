//! The subject without an interpreter: the conditions under which mls-rs is used. The Python tests go further.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::EXT_POLICY;
use super::device::{Device, generate_signature_key, signer};
use super::error::Kind;
use super::facts::Received;
use super::group::{CommitRequest, Group};
use super::lie::Lie;
use super::pending::{Before, PendingCommit};
use super::rules::{Identity, LEAF_EXTENSIONS};
use super::store::{Changes, Value};
use super::suite::{Provider, SUITE_1, SUITE_XWING};
use super::view::{Checked, GroupView};
use mls_rs::error::MlsError;
use mls_rs::group::CommitBuilder;
use mls_rs::group::proposal::ProposalType;
use mls_rs::{Client, Extension, ExtensionList, MlsMessage};
use std::collections::BTreeMap;

const NOW_S: u64 = 1_800_000_000;
const GROUP_ID: &[u8] = b"channel/0";

struct Person {
    device: Device,
    records: BTreeMap<Vec<u8>, Value>,
}

impl Person {
    fn new(name: &str) -> Self {
        let (seed, _) = generate_signature_key().unwrap();
        Self { device: Device::new(name.as_bytes(), &seed, vec![], 5).unwrap(), records: BTreeMap::new() }
    }

    fn write(&mut self, changes: Changes) {
        for (key, value) in changes {
            match value {
                Some(value) => self.records.insert(key, value),
                None => self.records.remove(&key),
            };
        }
    }

    /// Stores what changed, drops the object, loads it again.
    fn reload(&mut self, mut group: Group) -> Group {
        self.write(group.take_changes().unwrap());
        drop(group);
        self.load()
    }

    fn load(&self) -> Group {
        let tree = self.records.get(&[b"t/", GROUP_ID].concat()).unwrap();
        let records = self.records.iter().filter(|(key, _)| key.starts_with(b"s/") || key.starts_with(b"e/"));
        let records = records.map(|(key, value)| (key.clone(), value.clone())).collect();
        self.device.load_group(GROUP_ID, records, tree).unwrap()
    }
}

/// A person whose client keeps none of QPQ's rules.
fn lawless(person: &Person) -> Group {
    let mut other = Person { device: person.device.clone(), records: person.records.clone() };
    other.device.lift_rules();
    other.load()
}

fn request(add: Vec<Vec<u8>>) -> CommitRequest {
    CommitRequest { add, path: true, now_s: NOW_S, ..CommitRequest::default() }
}

/// Two people in one group, both loaded from their records.
fn pair(suite: u16) -> (Person, Group, Person, Group) {
    let (mut ada, mut bob) = (Person::new("ada"), Person::new("bob"));
    let group = ada.device.create_group(suite, GROUP_ID.to_vec(), b"policy".to_vec(), vec![], NOW_S).unwrap();
    let mut group = ada.reload(group);
    let package = bob.device.key_package(suite, false, NOW_S - 1, 1_000).unwrap();
    let pending = group.commit(request(vec![package])).unwrap();
    let stored = PendingCommit::from_bytes(&pending.to_bytes().unwrap()).unwrap();
    assert_eq!((&stored.commit, stored.commit_hash()), (&vec![], pending.commit_hash()));
    let mut group = ada.reload(group);
    group.apply(&stored, Some(&pending.commit)).unwrap();
    let group = ada.reload(group);
    let welcome = pending.welcomes.first().unwrap();
    let joined = bob.device.join(&welcome.welcome, Some(&pending.tree), None).unwrap();
    let joined = bob.reload(joined);
    (ada, group, bob, joined)
}

#[test]
fn a_commit_that_an_older_client_stored_is_applied() {
    let (mut ada, mut group, _, bob) = pair(SUITE_1.into());
    let pending = group.commit(request(vec![])).unwrap();
    let before = Before::of(&pending, &group.tree().unwrap()).unwrap();
    let stored = PendingCommit::from_bytes(&before).unwrap();
    let again = PendingCommit::from_bytes(&stored.to_bytes().unwrap()).unwrap();
    assert_eq!(again.commit_hash(), pending.commit_hash());
    let mut group = ada.reload(group);
    group.apply(&again, Some(&pending.commit)).unwrap();
    assert_eq!(group.epoch(), bob.epoch() + 1);
    assert_eq!(PendingCommit::from_bytes(&before[..before.len() - 1]).err().unwrap().kind, Kind::Malformed);
}

#[test]
fn both_suites_carry_messages_across_reloads() {
    for suite in [SUITE_1, SUITE_XWING].map(u16::from) {
        let (_, mut ada, mut bobs, bob) = pair(suite);
        assert_eq!((ada.suite(), ada.epoch()), (suite, 1));
        assert_eq!(ada.epoch_authenticator().unwrap(), bob.epoch_authenticator().unwrap());
        let sealed = ada.encrypt(b"hello", vec![]).unwrap();
        let mut bob = bobs.reload(bob);
        let Received::Application(read) = bob.process(&sealed, None).unwrap() else { unreachable!() };
        assert_eq!((read.data.as_slice(), read.sender.index, read.epoch), (b"hello".as_slice(), 0, 1));
    }
}

#[test]
fn a_tampered_message_leaves_the_records_good() {
    let (_, mut ada, bobs, mut bob) = pair(SUITE_1.into());
    let sealed = ada.encrypt(b"hello", vec![]).unwrap();
    let mut bad = sealed.clone();
    *bad.last_mut().unwrap() ^= 1;
    assert_eq!(bob.process(&bad, None).unwrap_err().kind, Kind::Invalid);
    assert!(bobs.load().process(&sealed, None).is_ok());
}

#[test]
fn a_stale_detached_commit_is_not_applied() {
    let (_, mut ada, _, mut bob) = pair(SUITE_1.into());
    let stale = ada.commit(request(vec![])).unwrap();
    let won = bob.commit(request(vec![])).unwrap();
    ada.process(&won.commit, None).unwrap();
    assert_eq!(ada.apply(&stale, None).unwrap_err().kind, Kind::WrongEpoch);
}

#[test]
fn a_view_checks_on_a_clone() {
    let (_, mut ada, _, _) = pair(SUITE_XWING.into());
    let view = GroupView::observe(&ada.group_info().unwrap(), &ada.tree().unwrap(), None).unwrap();
    let pending = ada.commit(request(vec![])).unwrap();
    let (next, checked) = view.check(&pending.commit, NOW_S).unwrap();
    assert!(matches!(checked, Checked::Commit(_)));
    assert_eq!((view.epoch(), next.epoch(), next.tree_hash()), (1, 2, pending.tree_hash().unwrap()));
    next.check_group_info(&pending.group_info).unwrap();
    assert_eq!(next.check(&pending.commit, NOW_S).err().map(|e| e.kind), Some(Kind::WrongEpoch));
}

#[test]
fn five_past_epochs_are_kept() {
    let (mut adas, mut ada, _, _) = pair(SUITE_1.into());
    for _ in 0..8 {
        let pending = ada.commit(request(vec![])).unwrap();
        ada.apply(&pending, None).unwrap();
        ada = adas.reload(ada);
    }
    assert_eq!(adas.records.keys().filter(|key| key.starts_with(b"e/")).count(), 5);
}

/// The server cannot see these lies, the member that they are told to can.
#[test]
fn a_lie_passes_the_server_and_no_member() {
    let none = Some(std::collections::BTreeSet::new());
    for (lie, suite) in [
        (Lie::new(None, false, false), SUITE_1),
        (Lie::new(None, true, false), SUITE_1),
        (Lie::new(none.clone(), false, true), SUITE_1),
        (Lie::new(None, false, false), SUITE_XWING),
    ] {
        let (mut adas, ada, _, mut bob) = pair(suite.into());
        let view = GroupView::observe(&ada.group_info().unwrap(), &ada.tree().unwrap(), None).unwrap();
        adas.device.lie(lie);
        let pending = adas.load().commit(request(vec![])).unwrap();
        let (next, _) = view.check(&pending.commit, NOW_S).unwrap();
        next.check_group_info(&pending.group_info).unwrap();
        assert_eq!(bob.process(&pending.commit, None).unwrap_err().kind, Kind::Invalid);
    }
    let (mut adas, _, _, mut bob) = pair(SUITE_1.into());
    adas.device.lie(Lie::new(none, false, false));
    bob.process(&adas.load().commit(request(vec![])).unwrap().commit, None).unwrap();
}

type Builder<'a> = CommitBuilder<'a, super::device::Config>;

/// The commit that a lawless member builds, judged by a lawful member and by the server.
fn judged(build: impl Fn(Builder<'_>) -> Result<Builder<'_>, MlsError>) -> (Option<Kind>, Option<Kind>) {
    let (adas, ada, _, mut bob) = pair(SUITE_1.into());
    let view = GroupView::observe(&ada.group_info().unwrap(), &ada.tree().unwrap(), None).unwrap();
    let mut eve = lawless(&adas);
    let builder = build(eve.library().commit_builder()).unwrap();
    let commit = builder.build().unwrap().commit_message.to_bytes().unwrap();
    let by_member = bob.process(&commit, None).err().map(|e| e.kind);
    (by_member, view.check(&commit, NOW_S).err().map(|e| e.kind))
}

const REFUSED: (Option<Kind>, Option<Kind>) = (Some(Kind::Rule), Some(Kind::Rule));

fn context(policy: bool, more: bool) -> ExtensionList {
    let (_, mut ada, _, _) = pair(SUITE_1.into());
    let mut list = ada.library().context().extensions().clone();
    if !policy {
        list.remove(EXT_POLICY);
    }
    if more {
        list.set(Extension::new(super::EXT_APP_DATA_DICTIONARY, vec![0]));
    }
    list
}

#[test]
fn a_lawful_commit_passes() {
    assert_eq!(judged(|b| b.remove_member(1)), (None, None));
    assert_eq!(judged(|b| b.set_group_context_ext(context(true, false))), (None, None));
}

#[test]
fn the_context_keeps_its_policy_and_everything_else() {
    assert_eq!(judged(|b| b.set_group_context_ext(context(false, false))), REFUSED);
    assert_eq!(judged(|b| b.set_group_context_ext(context(true, true))), REFUSED);
}

#[test]
fn groups_are_reset_and_never_reinitialised() {
    let version = mls_rs_core::protocol_version::ProtocolVersion::MLS_10;
    assert_eq!(judged(|b| b.reinit(None, version, SUITE_1, context(true, false))), REFUSED);
}

/// A KeyPackage of a client that leaves something out of its leaf, or puts something beside it.
fn stranger(lists_self_remove: bool, extensions: ExtensionList) -> MlsMessage {
    let (seed, _) = generate_signature_key().unwrap();
    let (secret, identity) = signer(b"cal", &seed).unwrap();
    let builder = Client::builder()
        .crypto_provider(Provider::default())
        .identity_provider(Identity)
        .extension_types(LEAF_EXTENSIONS);
    let proposals = lists_self_remove.then_some(ProposalType::SELF_REMOVE);
    let client = builder.custom_proposal_types(proposals).signing_identity(identity, secret, SUITE_1).build();
    client.generate_key_package_message(extensions, ExtensionList::new(), None).unwrap()
}

#[test]
fn a_leaf_that_nobody_could_live_with_is_not_taken_in() {
    let beside = |number: u16| {
        let mut list = ExtensionList::new();
        list.set(Extension::new(number.into(), vec![]));
        list
    };
    assert_eq!(judged(|b| b.add_member(stranger(true, ExtensionList::new()))), (None, None));
    assert_eq!(judged(|b| b.add_member(stranger(true, beside(0x000A)))), (None, None));
    assert_eq!(judged(|b| b.add_member(stranger(false, ExtensionList::new()))), REFUSED);
    assert_eq!(judged(|b| b.add_member(stranger(true, beside(0xF777)))), REFUSED);
}

/// A proposal message of a lawless member, judged by a lawful member and by the server.
fn judged_alone(
    propose: impl Fn(&mut mls_rs::Group<super::device::Config>) -> MlsMessage,
) -> (Option<Kind>, Option<Kind>) {
    let (adas, ada, _, mut bob) = pair(SUITE_1.into());
    let view = GroupView::observe(&ada.group_info().unwrap(), &ada.tree().unwrap(), None).unwrap();
    let message = propose(lawless(&adas).library()).to_bytes().unwrap();
    let by_member = bob.process(&message, None).err().map(|e| e.kind);
    (by_member, view.check(&message, NOW_S).err().map(|e| e.kind))
}

#[test]
fn by_reference_members_may_only_leave() {
    assert_eq!(judged_alone(|g| g.propose_self_remove(vec![]).unwrap()), (None, None));
    assert_eq!(judged_alone(|g| g.propose_remove(1, vec![]).unwrap()), REFUSED);
    assert_eq!(judged_alone(|g| g.propose_update(vec![]).unwrap()), REFUSED);
    let extensions = context(true, false);
    assert_eq!(judged_alone(|g| g.propose_group_context_extensions(extensions.clone(), vec![]).unwrap()), REFUSED);
}

#[test]
fn a_group_without_a_policy_is_not_entered() {
    let mut eve = Person::new("eve");
    eve.device.lift_rules();
    let bob = Person::new("bob");
    let mut group = eve.device.create_group(1, GROUP_ID.to_vec(), vec![], vec![], NOW_S).unwrap();
    let package = bob.device.key_package(1, false, NOW_S - 1, 1_000).unwrap();
    let builder = group
        .library()
        .commit_builder()
        .commit_time(NOW_S.into())
        .add_member(MlsMessage::from_bytes(&package).unwrap())
        .unwrap();
    let output = builder.set_group_context_ext(ExtensionList::new()).unwrap().build().unwrap();
    let welcome = output.welcome_messages.first().unwrap().to_bytes().unwrap();
    let tree = output.ratchet_tree.unwrap().to_bytes().unwrap();
    assert_eq!(bob.device.join(&welcome, Some(&tree), None).err().map(|e| e.kind), Some(Kind::Rule));
    let info = output.external_commit_group_info.unwrap().to_bytes().unwrap();
    let by_server = GroupView::observe(&info, &tree, None).err().map(|e| e.kind);
    let by_returner = bob.device.external_join(&info, &tree, None, vec![], None).err().map(|e| e.kind);
    assert_eq!((by_server, by_returner), REFUSED);
}
