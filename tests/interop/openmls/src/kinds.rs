//! The kinds of commit that are put before the court: some valid, to show that the forger's tools are good; the others
//! each break one rule of RFC 9420 (the section stands beside it), in a message that is otherwise well made and signed.

use crate::court::{BLANK, Case, Court, EVE, LAST, OTHER};
use crate::member::Want;
use crate::ours::now_s;
use crate::wire::{Commit, Leaf, Package, Public, Reader, Sender, Source, vec};

/// What the RFC says of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Valid,
    Broken,
    /// Valid, but that the forger has not sealed the path's secrets anew: members must fail on them, and on nothing else.
    Unsealed,
}

/// A kind: its name, where the RFC (or the draft of SelfRemove) speaks of it, what it says, and its maker.
pub struct Kind {
    pub name: &'static str,
    pub section: &'static str,
    pub sort: Sort,
    pub make: fn(&mut Court) -> Case,
}

const fn valid(name: &'static str, section: &'static str, make: fn(&mut Court) -> Case) -> Kind {
    Kind { name, section, sort: Sort::Valid, make }
}

const fn unsealed(name: &'static str, section: &'static str, make: fn(&mut Court) -> Case) -> Kind {
    Kind { name, section, sort: Sort::Unsealed, make }
}

const fn broken(name: &'static str, section: &'static str, make: fn(&mut Court) -> Case) -> Kind {
    Kind { name, section, sort: Sort::Broken, make }
}

fn by_value(proposal: &[u8]) -> Vec<u8> {
    [&[1], proposal].concat()
}

fn by_reference(reference: &[u8]) -> Vec<u8> {
    [vec![2], vec(reference)].concat()
}

fn typed(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), body].concat()
}

fn add(package: &Package) -> Vec<u8> {
    typed(1, &package.encode())
}

fn update(leaf: &Leaf) -> Vec<u8> {
    typed(2, &leaf.encode())
}

fn remove(leaf: u32) -> Vec<u8> {
    typed(3, &leaf.to_be_bytes())
}

fn external_psk(id: &[u8], nonce: &[u8]) -> Vec<u8> {
    typed(4, &[vec![1], vec(id), vec(nonce)].concat())
}

fn resumption_psk(usage: u8, epoch: u64, nonce: &[u8]) -> Vec<u8> {
    typed(4, &[vec![2, usage], vec(crate::play::GROUP_ID), epoch.to_be_bytes().to_vec(), vec(nonce)].concat())
}

fn reinit() -> Vec<u8> {
    typed(5, &[vec(b"another"), vec![0, 1, 0, 1], vec(b"")].concat())
}

fn external_init(kem_output: &[u8]) -> Vec<u8> {
    typed(6, &vec(kem_output))
}

fn extensions(list: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let list: Vec<u8> = list.iter().flat_map(|(kind, data)| typed(*kind, &vec(data))).collect();
    typed(7, &vec(&list))
}

const SELF_REMOVE: [u8; 2] = [0xF0, 0x03];
const POLICY: u16 = 0xF100;
const REQUIRED_CAPABILITIES: u16 = 3;
const EXTERNAL_SENDERS: u16 = 5;
/// It has no place in a GroupContext, but every leaf lists it.
const LAST_RESORT: u16 = 10;

/// The extensions of the GroupContext.
fn context_extensions(court: &Court) -> Vec<(u16, Vec<u8>)> {
    let mut from = Reader(&court.context);
    from.take(4).unwrap();
    from.vec().unwrap();
    from.take(8).unwrap();
    from.vec().unwrap();
    from.vec().unwrap();
    let mut from = Reader(from.vec().unwrap());
    let mut list = vec![];
    while !from.0.is_empty() {
        list.push((from.number(2).unwrap() as u16, from.vec().unwrap().to_vec()));
    }
    list
}

fn case(earlier: Vec<Vec<u8>>, public: &Public) -> Case {
    Case { earlier, message: public.encode(), complete: true }
}

fn as_is(message: Vec<u8>) -> Case {
    Case { earlier: vec![], message, complete: false }
}

/// A commit of Eve's without a path.
fn plain(court: &Court, proposals: &[Vec<u8>]) -> Case {
    case(vec![], &court.forge(&Commit { proposals: proposals.concat(), path: None }))
}

fn path() -> Want {
    Want { path: true, ..Want::default() }
}

fn removing(leaf: u32) -> Want {
    Want { remove: vec![leaf], ..Want::default() }
}

/// A valid commit of Eve's, changed and signed again.
fn edited(court: &Court, want: &Want, edit: impl FnOnce(&mut Commit)) -> Case {
    let mut public = court.commit(want);
    let mut commit = Commit::decode(&public.content.body).unwrap();
    edit(&mut commit);
    public.content.body = commit.encode();
    case(vec![], &court.seal(public))
}

/// A commit with a path, and these proposals.
fn with_path(court: &Court, proposals: &[Vec<u8>]) -> Case {
    edited(court, &path(), |commit| commit.proposals = proposals.concat())
}

/// A commit that is only a path, with another leaf in it.
fn with_leaf(court: &Court, edit: impl FnOnce(&mut Leaf)) -> Case {
    let seed = court.seed_of(EVE as u32);
    edited(court, &path(), |commit| {
        let (leaf, _) = commit.path.as_mut().unwrap();
        edit(leaf);
        *leaf = leaf.clone().seal(&seed, crate::play::GROUP_ID, EVE as u32);
    })
}

type Node = (Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

fn read_nodes(bytes: &[u8]) -> Vec<Node> {
    let (mut from, mut nodes) = (Reader(bytes), vec![]);
    while !from.0.is_empty() {
        let key = from.vec().unwrap().to_vec();
        let (mut secrets, mut sealed) = (Reader(from.vec().unwrap()), vec![]);
        while !secrets.0.is_empty() {
            sealed.push((secrets.vec().unwrap().to_vec(), secrets.vec().unwrap().to_vec()));
        }
        nodes.push((key, sealed));
    }
    nodes
}

fn write_nodes(nodes: &[Node]) -> Vec<u8> {
    let secrets = |sealed: &[(Vec<u8>, Vec<u8>)]| -> Vec<u8> {
        sealed.iter().flat_map(|(enc, text)| [vec(enc), vec(text)].concat()).collect()
    };
    nodes.iter().flat_map(|(key, sealed)| [vec(key), vec(&secrets(sealed))].concat()).collect()
}

/// A commit that is only a path, with other nodes in it.
fn with_nodes(court: &Court, edit: impl FnOnce(&mut Vec<Node>)) -> Case {
    edited(court, &path(), |commit| {
        let (_, bytes) = commit.path.as_mut().unwrap();
        let mut nodes = read_nodes(bytes);
        edit(&mut nodes);
        *bytes = write_nodes(&nodes);
    })
}

/// An Add, without a path, of somebody new whose KeyPackage was changed and signed again.
fn with_package(court: &Court, edit: impl FnOnce(&mut Package)) -> Case {
    let (mut package, seed) = court.outsider(false);
    edit(&mut package);
    plain(court, &[by_value(&add(&package.seal(&seed)))])
}

/// A commit without signing it again.
fn unsigned(court: &Court, edit: impl FnOnce(&mut Public)) -> Case {
    let mut public = court.commit(&path());
    edit(&mut public);
    as_is(public.encode())
}

/// A commit signed and tagged again.
fn signed(court: &Court, edit: impl FnOnce(&mut Public)) -> Case {
    let mut public = court.commit(&path());
    edit(&mut public);
    Case { complete: false, ..case(vec![], &court.seal(public)) }
}

/// Eve's external commit, its proposals changed.
fn external(court: &Court, edit: impl FnOnce(&mut Commit)) -> Case {
    let mut public = court.external(None);
    let mut commit = Commit::decode(&public.content.body).unwrap();
    edit(&mut commit);
    public.content.body = commit.encode();
    case(vec![], &court.seal(public))
}

/// An external commit's ExternalInit, and its Removes.
fn split_init(proposals: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut from, mut init, mut rest) = (Reader(proposals), vec![], vec![]);
    while !from.0.is_empty() {
        let start = from.0;
        let list = if from.take(3).unwrap() == [1, 0, 6] {
            from.vec().unwrap();
            &mut init
        } else {
            from.take(4).unwrap();
            &mut rest
        };
        list.extend(&start[..start.len() - from.0.len()]);
    }
    (init, rest)
}

fn external_adding(court: &Court, proposal: &[u8]) -> Case {
    external(court, |commit| commit.proposals.extend(by_value(proposal)))
}

/// A leaf of an OpenMLS member with a new key, as an Update brings it.
fn updated(court: &Court, index: u32, signer: u32) -> Leaf {
    let mut leaf = court.leaf(index);
    leaf.source = Source::Update;
    leaf.encryption_key = court.random(32);
    leaf.seal(&court.seed_of(signer), crate::play::GROUP_ID, index)
}

/// A proposal by reference, from a leaf, and a commit with a path that takes it up with more.
fn referring(court: &Court, earlier: Vec<(Vec<u8>, Vec<u8>)>, more: &[Vec<u8>]) -> Case {
    let references = earlier.iter().map(|(_, reference)| by_reference(reference));
    let proposals: Vec<_> = references.chain(more.iter().cloned()).collect();
    Case { earlier: earlier.into_iter().map(|(message, _)| message).collect(), ..with_path(court, &proposals) }
}

fn self_remove(court: &Court, leaf: u32) -> (Vec<u8>, Vec<u8>) {
    court.proposal(leaf, SELF_REMOVE.to_vec())
}

/// Framing: §6.
fn framing() -> Vec<Kind> {
    vec![
        broken("epoch ahead", "§12.4.2", |c| signed(c, |p| p.content.epoch += 1)),
        broken("epoch behind", "§12.4.2", |c| signed(c, |p| p.content.epoch -= 1)),
        broken("another group's id", "§6", |c| signed(c, |p| p.content.group_id.push(b'x'))),
        broken("sender is a blank leaf", "§6.1", |c| signed(c, |p| p.content.sender = Sender::Member(BLANK))),
        broken("sender is beyond the tree", "§6.1", |c| {
            signed(c, |p| p.content.sender = Sender::Member(4_000_000_000))
        }),
        broken("sender is another member", "§6.1", |c| signed(c, |p| p.content.sender = Sender::Member(OTHER))),
        broken("sender is the external sender", "§12.4.2", |c| {
            let mut public = c.commit(&path());
            public.content.sender = Sender::External(0);
            let seed = c.play.delivery.0.to_vec();
            case(vec![], &c.seal_as(&seed, public))
        }),
        broken("sender proposes to join", "§12.4.2", |c| {
            let mut public = c.commit(&path());
            public.content.sender = Sender::NewMemberProposal;
            case(vec![], &c.seal(public))
        }),
        broken("signature flipped", "§6.1", |c| {
            let mut public = c.commit(&path());
            public.signature[5] ^= 1;
            as_is(c.tag(public).encode())
        }),
        broken("signature of another member", "§6.1", |c| {
            let (public, seed) = (c.commit(&path()), c.seed_of(OTHER));
            as_is(c.seal_as(&seed, public).encode())
        }),
        broken("membership tag flipped", "§6.2", |c| unsigned(c, |p| p.membership.as_mut().unwrap()[0] ^= 1)),
        broken("membership tag empty", "§6.2", |c| unsigned(c, |p| p.membership = Some(vec![]))),
        broken("confirmation tag flipped", "§12.4.2", |c| {
            let mut public = c.commit(&path());
            public.confirmation.as_mut().unwrap()[0] ^= 1;
            as_is(c.tag(public).encode())
        }),
        broken("confirmation tag short", "§12.4.2", |c| {
            let mut public = c.commit(&path());
            public.confirmation.as_mut().unwrap().truncate(16);
            as_is(c.tag(public).encode())
        }),
        broken("authenticated data changed", "§6.1", |c| {
            let mut public = c.commit(&path());
            public.content.aad.push(1);
            as_is(c.tag(public).encode())
        }),
        valid("authenticated data", "§6.1", |c| {
            let mut public = c.commit(&path());
            public.content.aad = b"hello".to_vec();
            case(vec![], &c.seal(public))
        }),
        broken("bytes after the message", "§6", |c| {
            let mut message = c.commit(&path()).encode();
            message.push(0);
            as_is(message)
        }),
        broken("another version", "§6", |c| {
            let mut message = c.commit(&path()).encode();
            message[1] = 2;
            as_is(message)
        }),
        broken("application message in the open", "§6", |c| {
            let mut public = c.commit(&path());
            (public.content.kind, public.content.body, public.confirmation) = (1, vec(b"hello"), None);
            as_is(c.seal(public).encode())
        }),
        broken("own commit of the reader", "§12.4.2", |c| {
            let mut public = c.commit(&path());
            public.content.sender = Sender::Member(2);
            let seed = c.seed_of(2);
            as_is(c.seal_as(&seed, public).encode())
        }),
    ]
}

/// Lists of proposals: §12.2, §12.1.
fn lists() -> Vec<Kind> {
    vec![
        valid("path alone", "§12.4", |c| case(vec![], &c.commit(&path()))),
        valid("Add alone", "§12.4", |c| {
            let (package, _) = c.outsider(true);
            plain(c, &[by_value(&add(&package))])
        }),
        valid("two Adds", "§12.4", |c| {
            let (one, other) = (c.outsider(true).0, c.outsider(false).0);
            plain(c, &[by_value(&add(&one)), by_value(&add(&other))])
        }),
        valid("Remove", "§12.4", |c| case(vec![], &c.commit(&removing(OTHER)))),
        valid("policy", "§12.1.7", |c| {
            case(vec![], &c.commit(&Want { policy: Some(b"other".to_vec()), ..Want::default() }))
        }),
        valid("SelfRemove by reference", "draft-ietf-mls-extensions", |c| {
            let (message, reference) = self_remove(c, LAST);
            let case = edited(c, &removing(LAST), |commit| commit.proposals = by_reference(&reference));
            Case { earlier: vec![message], ..case }
        }),
        valid("external sender's Remove by reference", "§12.1.8.1", |c| {
            let (message, reference) = c.external_remove(LAST);
            let case = edited(c, &removing(LAST), |commit| commit.proposals = by_reference(&reference));
            Case { earlier: vec![message], ..case }
        }),
        broken("committer removes itself", "§12.2", |c| with_path(c, &[by_value(&remove(EVE as u32))])),
        broken("committer leaves by SelfRemove", "draft-ietf-mls-extensions", |c| {
            let proposal = self_remove(c, EVE as u32);
            referring(c, vec![proposal], &[])
        }),
        broken("Update by value", "§12.2", |c| {
            let leaf = updated(c, EVE as u32, EVE as u32);
            with_path(c, &[by_value(&update(&leaf))])
        }),
        broken("committer's own Update by reference", "§12.2", |c| {
            let leaf = updated(c, EVE as u32, EVE as u32);
            let proposal = c.proposal(EVE as u32, update(&leaf));
            referring(c, vec![proposal], &[])
        }),
        broken("Update and Remove of one leaf", "§12.2", |c| {
            let leaf = updated(c, OTHER, OTHER);
            let proposal = c.proposal(OTHER, update(&leaf));
            referring(c, vec![proposal], &[by_value(&remove(OTHER))])
        }),
        broken("two Updates of one leaf", "§12.2", |c| {
            let (one, other) = (updated(c, OTHER, OTHER), updated(c, OTHER, OTHER));
            let proposals = vec![c.proposal(OTHER, update(&one)), c.proposal(OTHER, update(&other))];
            referring(c, proposals, &[])
        }),
        broken("Update that another member signed", "§7.3", |c| {
            let leaf = updated(c, OTHER, EVE as u32);
            let proposal = c.proposal(OTHER, update(&leaf));
            referring(c, vec![proposal], &[])
        }),
        broken("Update from a KeyPackage's leaf", "§7.3", |c| {
            let mut leaf = updated(c, OTHER, OTHER);
            leaf.source = Source::KeyPackage(now_s() - 1, now_s() + 1000);
            let leaf = leaf.seal(&c.seed_of(OTHER), b"", 0);
            let proposal = c.proposal(OTHER, update(&leaf));
            referring(c, vec![proposal], &[])
        }),
        broken("Update that keeps the encryption key", "§12.1.2", |c| {
            let mut leaf = updated(c, OTHER, OTHER);
            leaf.encryption_key = c.leaf(OTHER).encryption_key;
            let leaf = leaf.seal(&c.seed_of(OTHER), crate::play::GROUP_ID, OTHER);
            let proposal = c.proposal(OTHER, update(&leaf));
            referring(c, vec![proposal], &[])
        }),
        broken("Update without a path", "§12.4", |c| {
            let leaf = updated(c, OTHER, OTHER);
            let (message, reference) = c.proposal(OTHER, update(&leaf));
            Case { earlier: vec![message], ..plain(c, &[by_reference(&reference)]) }
        }),
        broken("Remove twice", "§12.2", |c| {
            edited(c, &removing(OTHER), |commit| commit.proposals.extend(by_value(&remove(OTHER))))
        }),
        broken("Remove of a blank leaf", "§12.1.3", |c| with_path(c, &[by_value(&remove(BLANK))])),
        broken("Remove beyond the tree", "§12.1.3", |c| with_path(c, &[by_value(&remove(1_000))])),
        broken("Remove at the end of numbers", "§12.1.3", |c| with_path(c, &[by_value(&remove(u32::MAX))])),
        broken("SelfRemove by value", "draft-ietf-mls-extensions", |c| with_path(c, &[by_value(&SELF_REMOVE)])),
        broken("SelfRemove and Remove of one leaf", "draft-ietf-mls-extensions", |c| {
            let (message, reference) = self_remove(c, LAST);
            let case = edited(c, &removing(LAST), |commit| commit.proposals.extend(by_reference(&reference)));
            Case { earlier: vec![message], ..case }
        }),
        broken("SelfRemove twice", "draft-ietf-mls-extensions", |c| {
            let (one, other) = (self_remove(c, LAST), c.proposal(LAST, SELF_REMOVE.to_vec()));
            let both = [by_reference(&one.1), by_reference(&other.1)].concat();
            let case = edited(c, &removing(LAST), |commit| commit.proposals = both);
            Case { earlier: vec![one.0, other.0], ..case }
        }),
        broken("SelfRemove and Update of one leaf", "draft-ietf-mls-extensions", |c| {
            let leaf = updated(c, LAST, LAST);
            let (one, other) = (self_remove(c, LAST), c.proposal(LAST, update(&leaf)));
            let both = [by_reference(&one.1), by_reference(&other.1)].concat();
            let case = edited(c, &removing(LAST), |commit| commit.proposals = both);
            Case { earlier: vec![one.0, other.0], ..case }
        }),
        broken("SelfRemove without a path", "draft-ietf-mls-extensions", |c| {
            let (message, reference) = self_remove(c, LAST);
            Case { earlier: vec![message], ..plain(c, &[by_reference(&reference)]) }
        }),
        broken("unknown reference", "§12.4.2", |c| {
            let (_, reference) = self_remove(c, LAST);
            edited(c, &removing(LAST), |commit| commit.proposals = by_reference(&reference))
        }),
        broken("reference twice", "§12.2", |c| {
            let (message, reference) = self_remove(c, LAST);
            let both = [by_reference(&reference), by_reference(&reference)].concat();
            Case { earlier: vec![message], ..edited(c, &removing(LAST), |commit| commit.proposals = both) }
        }),
        broken("reference that is no hash", "§12.4.2", |c| with_path(c, &[by_reference(b"short")])),
        broken("nothing and no path", "§12.4", |c| plain(c, &[])),
        broken("Remove without a path", "§12.4", |c| plain(c, &[by_value(&remove(OTHER))])),
        broken("policy without a path", "§12.4", |c| {
            let list = extensions(&context_extensions(c));
            plain(c, &[by_value(&list)])
        }),
        broken("GroupContextExtensions twice", "§12.2", |c| {
            let list = by_value(&extensions(&context_extensions(c)));
            with_path(c, &[list.clone(), list])
        }),
        broken("two GroupContextExtensions", "§12.2", |c| {
            let mut list = context_extensions(c);
            let one = by_value(&extensions(&list));
            list.iter_mut().filter(|(kind, _)| *kind == POLICY).for_each(|(_, old)| old.push(1));
            with_path(c, &[one, by_value(&extensions(&list))])
        }),
        broken("context extension that nobody supports", "§12.1.7", |c| {
            let mut list = context_extensions(c);
            list.push((0xF777, vec![1]));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        unsealed("context extension that all support and none requires", "§12.1.7", |c| {
            let mut list = context_extensions(c);
            list.push((LAST_RESORT, vec![]));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        broken("context extension twice", "§13.4", |c| {
            let mut list = context_extensions(c);
            list.push((POLICY, b"again".to_vec()));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        broken("required capabilities that nobody has", "§12.1.7", |c| {
            let mut list = context_extensions(c);
            let data = [vec(&[0xF1, 0x00, 0xF7, 0x77]), vec(b""), vec(b"")].concat();
            list.iter_mut()
                .filter(|(kind, _)| *kind == REQUIRED_CAPABILITIES)
                .for_each(|(_, old)| old.clone_from(&data));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        broken("required proposal that nobody has", "§12.1.7", |c| {
            let mut list = context_extensions(c);
            let data = [vec(&[0xF1, 0x00]), vec(&[0xF7, 0x77]), vec(b"")].concat();
            list.iter_mut()
                .filter(|(kind, _)| *kind == REQUIRED_CAPABILITIES)
                .for_each(|(_, old)| old.clone_from(&data));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        broken("required capabilities that are no list", "§11.1", |c| {
            let mut list = context_extensions(c);
            list.iter_mut().filter(|(kind, _)| *kind == REQUIRED_CAPABILITIES).for_each(|(_, old)| *old = vec![9]);
            with_path(c, &[by_value(&extensions(&list))])
        }),
        unsealed("the policy dropped", "§12.1.7", |c| {
            let list: Vec<_> = context_extensions(c).into_iter().filter(|(kind, _)| *kind != POLICY).collect();
            with_path(c, &[by_value(&extensions(&list))])
        }),
        unsealed("the external senders dropped", "§12.1.7", |c| {
            let list: Vec<_> =
                context_extensions(c).into_iter().filter(|(kind, _)| *kind != EXTERNAL_SENDERS).collect();
            with_path(c, &[by_value(&extensions(&list))])
        }),
        unsealed("external sender with an x509 credential", "§5.3.1", |c| {
            let mut list = context_extensions(c);
            let sender = [vec(&c.random(32)), vec![0, 2], vec(&vec(b"no certificate"))].concat();
            list.iter_mut().filter(|(kind, _)| *kind == EXTERNAL_SENDERS).for_each(|(_, old)| *old = vec(&sender));
            with_path(c, &[by_value(&extensions(&list))])
        }),
        valid("pre-shared key", "§12.1.4", |c| plain(c, &[by_value(&external_psk(b"psk a", &c.random(32)))])),
        valid("one pre-shared key under two nonces", "§12.2", |c| {
            let (one, other) = (external_psk(b"psk a", &c.random(32)), external_psk(b"psk a", &c.random(32)));
            plain(c, &[by_value(&one), by_value(&other)])
        }),
        broken("unknown pre-shared key", "§12.4.2", |c| plain(c, &[by_value(&external_psk(b"psk x", &c.random(32)))])),
        broken("pre-shared key twice", "§12.2", |c| {
            let psk = by_value(&external_psk(b"psk a", &c.random(32)));
            plain(c, &[psk.clone(), psk])
        }),
        broken("nonce too short", "§12.1.4", |c| plain(c, &[by_value(&external_psk(b"psk a", &c.random(31)))])),
        broken("nonce too long", "§12.1.4", |c| plain(c, &[by_value(&external_psk(b"psk a", &c.random(33)))])),
        broken("resumption for a re-initialisation", "§12.1.4", |c| {
            plain(c, &[by_value(&resumption_psk(2, c.epoch, &c.random(32)))])
        }),
        broken("resumption for a branch", "§12.1.4", |c| {
            plain(c, &[by_value(&resumption_psk(3, c.epoch, &c.random(32)))])
        }),
        broken("resumption of an epoch to come", "§12.4.2", |c| {
            plain(c, &[by_value(&resumption_psk(1, c.epoch + 9, &c.random(32)))])
        }),
        valid("ReInit", "§12.1.5", |c| plain(c, &[by_value(&reinit())])),
        broken("ReInit with another", "§12.2", |c| {
            let (package, _) = c.outsider(false);
            plain(c, &[by_value(&reinit()), by_value(&add(&package))])
        }),
        broken("ExternalInit from a member", "§12.2", |c| with_path(c, &[by_value(&external_init(&c.random(32)))])),
        broken("proposal type that nobody supports", "§12.2", |c| {
            plain(c, &[by_value(&typed(0xF0F0, &vec(b"hello")))])
        }),
        broken("proposal type zero", "§12.1", |c| plain(c, &[by_value(&typed(0, &vec(b"")))])),
        broken("list that ends early", "§12.4", |c| plain(c, &[by_value(&[0, 3, 0])])),
        valid("Remove by reference from a member", "§12.4", |c| {
            let (message, reference) = c.proposal(OTHER, remove(LAST));
            let case = edited(c, &removing(LAST), |commit| commit.proposals = by_reference(&reference));
            Case { earlier: vec![message], ..case }
        }),
    ]
}

/// KeyPackages in Adds: §10.1, §7.3.
fn packages() -> Vec<Kind> {
    vec![
        valid("KeyPackage signed again", "§10.1", |c| with_package(c, |_| ())),
        broken("one KeyPackage twice", "§12.2", |c| {
            let package = by_value(&add(&c.outsider(false).0));
            plain(c, &[package.clone(), package])
        }),
        broken("a member's signature key", "§7.3", |c| {
            let (mut package, _) = c.outsider(false);
            package.leaf.signature_key = c.leaf(OTHER).signature_key;
            plain(c, &[by_value(&add(&package.seal(&c.seed_of(OTHER))))])
        }),
        broken("a member's encryption key", "§7.3", |c| {
            let key = c.leaf(OTHER).encryption_key;
            with_package(c, |package| package.leaf.encryption_key = key)
        }),
        broken("two Adds with one signature key", "§7.3", |c| {
            let ((mut one, seed), (other, _)) = (c.outsider(false), c.outsider(false));
            one.leaf.encryption_key = other.leaf.encryption_key.clone();
            one.leaf.identity = b"somebody else".to_vec();
            let same_key =
                Package { leaf: Leaf { signature_key: one.leaf.signature_key.clone(), ..other.leaf }, ..other };
            one.leaf.encryption_key = c.random(32);
            plain(c, &[by_value(&add(&one.seal(&seed))), by_value(&add(&same_key.seal(&seed)))])
        }),
        broken("two Adds with one encryption key", "§7.3", |c| {
            let ((one, _), (mut other, seed)) = (c.outsider(false), c.outsider(true));
            other.leaf.encryption_key = one.leaf.encryption_key.clone();
            plain(c, &[by_value(&add(&one)), by_value(&add(&other.seal(&seed)))])
        }),
        valid("two Adds with one init key", "§10", |c| {
            let ((one, _), (mut other, seed)) = (c.outsider(false), c.outsider(true));
            other.init_key = one.init_key.clone();
            plain(c, &[by_value(&add(&one)), by_value(&add(&other.seal(&seed)))])
        }),
        broken("init key is the encryption key", "§10.1", |c| {
            with_package(c, |package| package.init_key = package.leaf.encryption_key.clone())
        }),
        broken("KeyPackage that expired", "§7.3", |c| {
            with_package(c, |package| package.leaf.source = Source::KeyPackage(1, now_s() - 1_000))
        }),
        broken("KeyPackage from the future", "§7.3", |c| {
            with_package(c, |package| package.leaf.source = Source::KeyPackage(now_s() + 5_000, now_s() + 9_000))
        }),
        broken("KeyPackage of another suite", "§10.1", |c| with_package(c, |package| package.suite = 3)),
        broken("KeyPackage of an unknown suite", "§10.1", |c| with_package(c, |package| package.suite = 0xF04F)),
        broken("KeyPackage of another version", "§10.1", |c| with_package(c, |package| package.version = 2)),
        broken("KeyPackage's signature", "§10.1", |c| {
            let (mut package, _) = c.outsider(false);
            package.signature[3] ^= 1;
            plain(c, &[by_value(&add(&package))])
        }),
        broken("KeyPackage's leaf's signature", "§7.3", |c| {
            let (mut package, _) = c.outsider(false);
            package.leaf.signature[3] ^= 1;
            plain(c, &[by_value(&add(&package))])
        }),
        broken("KeyPackage with an Update's leaf", "§7.3", |c| {
            with_package(c, |package| package.leaf.source = Source::Update)
        }),
        broken("KeyPackage with a Commit's leaf", "§7.3", |c| {
            with_package(c, |package| package.leaf.source = Source::Commit(vec![7; 32]))
        }),
        broken("KeyPackage lacks the required extension", "§7.3", |c| {
            with_package(c, |package| package.leaf.capabilities[2].clear())
        }),
        valid("KeyPackage lacks SelfRemove", "§11.1", |c| {
            with_package(c, |package| package.leaf.capabilities[3].clear())
        }),
        broken("KeyPackage lacks its credential's type", "§7.2", |c| {
            with_package(c, |package| package.leaf.capabilities[4] = vec![0, 2])
        }),
        broken("KeyPackage lacks the group's suite", "§11.1", |c| {
            with_package(c, |package| package.leaf.capabilities[1] = vec![0, 3])
        }),
        broken("KeyPackage lacks the group's version", "§11.1", |c| {
            with_package(c, |package| package.leaf.capabilities[0] = vec![0, 9])
        }),
        broken("leaf extension that its capabilities lack", "§7.2", |c| {
            with_package(c, |package| package.leaf.extensions = typed(0xF777, &vec(b"x")))
        }),
        broken("leaf extension twice", "§13.4", |c| {
            with_package(c, |package| {
                package.leaf.capabilities[2].extend([0xF7, 0x77]);
                package.leaf.extensions = [typed(0xF777, &vec(b"x")), typed(0xF777, &vec(b"y"))].concat();
            })
        }),
        broken("KeyPackage extension that its capabilities lack", "§10", |c| {
            with_package(c, |package| package.extensions = typed(0xF777, &vec(b"x")))
        }),
        broken("x509 credential", "§7.3", |c| {
            with_package(c, |package| {
                package.leaf.credential_type = 2;
                package.leaf.capabilities[4].extend([0, 2]);
            })
        }),
        valid("capabilities with a value that nobody knows", "§13.5", |c| {
            with_package(c, |package| package.leaf.capabilities[2].extend([0x0A, 0x0A]))
        }),
        broken("init key zero", "§10", |c| with_package(c, |package| package.init_key = vec![0; 32])),
        broken("init key that is no key", "§10", |c| with_package(c, |package| package.init_key = vec![1, 2, 3])),
        broken("encryption key that is no key", "§10", |c| {
            with_package(c, |package| package.leaf.encryption_key = vec![1, 2, 3])
        }),
        broken("encryption key zero", "§10", |c| with_package(c, |package| package.leaf.encryption_key = vec![0; 32])),
        valid("Remove and Add of one client", "§12.2", |c| {
            let (mut package, _) = c.outsider(false);
            package.leaf.signature_key = c.leaf(OTHER).signature_key;
            package.leaf.identity = c.leaf(OTHER).identity;
            let package = [vec![0, 1, 0, 5], package.seal(&c.seed_of(OTHER)).encode()].concat();
            case(vec![], &c.commit(&Want { add: vec![package], ..removing(OTHER) }))
        }),
        broken("two Adds of one client", "§12.2", |c| {
            let (one, other) = (c.outsider(false).0, c.outsider(false).0);
            plain(c, &[by_value(&add(&one)), by_value(&add(&other))])
        }),
        broken("Add of a client that is a member", "§12.2", |c| {
            let identity = c.leaf(OTHER).identity;
            with_package(c, |package| package.leaf.identity = identity)
        }),
    ]
}

/// Paths: §7.3, §7.6, §7.9, §12.4.2.
fn paths() -> Vec<Kind> {
    vec![
        broken("path's leaf from a KeyPackage", "§7.3", |c| {
            with_leaf(c, |leaf| leaf.source = Source::KeyPackage(now_s() - 1, now_s() + 1_000))
        }),
        broken("path's leaf from an Update", "§7.3", |c| with_leaf(c, |leaf| leaf.source = Source::Update)),
        broken("path's leaf's signature", "§7.3", |c| {
            edited(c, &path(), |commit| commit.path.as_mut().unwrap().0.signature[1] ^= 1)
        }),
        broken("path's leaf signed for another place", "§7.2", |c| {
            let seed = c.seed_of(EVE as u32);
            edited(c, &path(), |commit| {
                let (leaf, _) = commit.path.as_mut().unwrap();
                *leaf = leaf.clone().seal(&seed, crate::play::GROUP_ID, OTHER);
            })
        }),
        broken("path's leaf keeps its encryption key", "§12.4.2", |c| {
            let key = c.leaf(EVE as u32).encryption_key;
            with_leaf(c, |leaf| leaf.encryption_key = key)
        }),
        broken("path's leaf has another's encryption key", "§7.3", |c| {
            let key = c.leaf(OTHER).encryption_key;
            with_leaf(c, |leaf| leaf.encryption_key = key)
        }),
        broken("path's leaf has another's signature key", "§7.3", |c| {
            let (key, seed) = (c.leaf(OTHER).signature_key, c.seed_of(OTHER));
            edited(c, &path(), |commit| {
                let (leaf, _) = commit.path.as_mut().unwrap();
                leaf.signature_key = key;
                *leaf = leaf.clone().seal(&seed, crate::play::GROUP_ID, EVE as u32);
            })
        }),
        broken("parent hash of the leaf", "§7.9.2", |c| {
            with_leaf(c, |leaf| {
                if let Source::Commit(hash) = &mut leaf.source {
                    hash[0] ^= 1;
                }
            })
        }),
        broken("parent hash of the leaf empty", "§7.9.2", |c| {
            with_leaf(c, |leaf| leaf.source = Source::Commit(vec![]))
        }),
        broken("path's leaf lacks the required extension", "§7.3", |c| {
            with_leaf(c, |leaf| leaf.capabilities[2].clear())
        }),
        unsealed("path's leaf lacks SelfRemove", "§11.1", |c| with_leaf(c, |leaf| leaf.capabilities[3].clear())),
        broken("path's leaf lacks its credential's type", "§7.2", |c| {
            with_leaf(c, |leaf| leaf.capabilities[4] = vec![0, 2])
        }),
        broken("path's leaf lacks the group's suite", "§11.1", |c| {
            with_leaf(c, |leaf| leaf.capabilities[1] = vec![0, 3])
        }),
        broken("path's leaf lacks the group's version", "§11.1", |c| {
            with_leaf(c, |leaf| leaf.capabilities[0] = vec![0, 9])
        }),
        broken("path's leaf extension that its capabilities lack", "§7.2", |c| {
            with_leaf(c, |leaf| leaf.extensions = typed(0xF777, &vec(b"x")))
        }),
        broken("path's leaf with an x509 credential", "§7.3", |c| {
            with_leaf(c, |leaf| {
                leaf.credential_type = 2;
                leaf.capabilities[4].extend([0, 2]);
            })
        }),
        unsealed("path's leaf with another credential", "§7.3", |c| {
            with_leaf(c, |leaf| leaf.identity = b"eve".to_vec())
        }),
        broken("path one node short", "§7.6", |c| with_nodes(c, |nodes| drop(nodes.pop()))),
        broken("path one node long", "§7.6", |c| with_nodes(c, |nodes| nodes.push(nodes[0].clone()))),
        broken("path empty", "§7.6", |c| with_nodes(c, Vec::clear)),
        broken("path's node has a leaf's key", "§12.4.2", |c| {
            let key = c.leaf(OTHER).encryption_key;
            with_nodes(c, |nodes| nodes[0].0 = key)
        }),
        broken("path's nodes share a key", "§12.4.2", |c| with_nodes(c, |nodes| nodes[1].0 = nodes[0].0.clone())),
        broken("path's node has another key", "§7.9.2", |c| {
            let key = c.random(32);
            with_nodes(c, |nodes| nodes[0].0 = key)
        }),
        broken("path's node's key is no key", "§7.9.2", |c| with_nodes(c, |nodes| nodes[0].0 = vec![1, 2])),
        broken("path's leaf's key is no key", "§10", |c| with_leaf(c, |leaf| leaf.encryption_key = vec![1, 2])),
        broken("path's leaf's key zero", "§10", |c| with_leaf(c, |leaf| leaf.encryption_key = vec![0; 32])),
        broken("path secrets too few", "§7.6", |c| with_nodes(c, |nodes| drop(nodes.last_mut().unwrap().1.pop()))),
        broken("path secrets too many", "§7.6", |c| {
            with_nodes(c, |nodes| {
                let last = nodes.last_mut().unwrap();
                last.1.push(last.1[0].clone());
            })
        }),
        broken("path secrets garbage", "§7.6", |c| {
            with_nodes(c, |nodes| nodes.iter_mut().flat_map(|node| &mut node.1).for_each(|(_, text)| text[0] ^= 1))
        }),
        broken("path secrets' KEM output garbage", "§7.6", |c| {
            with_nodes(c, |nodes| nodes.iter_mut().flat_map(|node| &mut node.1).for_each(|(enc, _)| *enc = vec![0; 32]))
        }),
        broken("path secrets empty", "§7.6", |c| {
            with_nodes(c, |nodes| nodes.iter_mut().flat_map(|node| &mut node.1).for_each(|(_, text)| text.clear()))
        }),
        broken("path that forgets who is gone", "§7.6", |c| {
            let body = c.commit(&path()).content.body;
            let old = Commit::decode(&body).unwrap();
            edited(c, &removing(OTHER), |commit| commit.path = old.path)
        }),
    ]
}

/// External commits: §12.2, §12.4.3.2.
fn externals() -> Vec<Kind> {
    vec![
        valid("external commit, coming back", "§12.4.3.2", |c| case(vec![], &c.external(None))),
        valid("external commit, signed again", "§12.4.3.2", |c| external(c, |_| ())),
        valid("external commit of somebody new", "§12.4.3.2", |c| {
            let new = crate::ours::Ours::new("new", crate::play::GROUP_ID, true, false);
            case(vec![], &c.external(Some(&new)))
        }),
        broken("external commit without ExternalInit", "§12.2", |c| {
            external(c, |commit| commit.proposals = split_init(&commit.proposals).1)
        }),
        broken("external commit with two ExternalInits", "§12.2", |c| {
            external(c, |commit| {
                commit.proposals = [split_init(&commit.proposals).0, commit.proposals.clone()].concat()
            })
        }),
        broken("external commit with another ExternalInit", "§12.2", |c| {
            let kem_output = c.random(32);
            external_adding(c, &external_init(&kem_output))
        }),
        broken("external commit with nothing", "§12.2", |c| external(c, |commit| commit.proposals.clear())),
        broken("external commit without a path", "§12.4", |c| external(c, |commit| commit.path = None)),
        broken("external commit with Add", "§12.2", |c| {
            let (package, _) = c.outsider(false);
            external_adding(c, &add(&package))
        }),
        broken("external commit with Update", "§12.2", |c| {
            let leaf = updated(c, OTHER, OTHER);
            external_adding(c, &update(&leaf))
        }),
        broken("external commit with two Removes", "§12.2", |c| external_adding(c, &remove(OTHER))),
        broken("external commit with one Remove twice", "§12.2", |c| external_adding(c, &remove(EVE as u32))),
        broken("external commit with a policy", "§12.2", |c| {
            let list = extensions(&context_extensions(c));
            external_adding(c, &list)
        }),
        broken("external commit with ReInit", "§12.2", |c| external_adding(c, &reinit())),
        broken("external commit with an unknown proposal", "§12.2", |c| external_adding(c, &typed(0xF0F0, &vec(b"")))),
        broken("external commit with SelfRemove by value", "§12.2", |c| external_adding(c, &SELF_REMOVE)),
        broken("external commit with a reference", "§12.2", |c| {
            let (message, reference) = c.external_remove(OTHER);
            let case = external(c, |commit| commit.proposals.extend(by_reference(&reference)));
            Case { earlier: vec![message], ..case }
        }),
        broken("external commit with an unknown reference", "§12.2", |c| {
            external(c, |commit| commit.proposals.extend(by_reference(&[7; 32])))
        }),
        broken("external commit with an unknown pre-shared key", "§12.4.2", |c| {
            let psk = external_psk(b"psk x", &c.random(32));
            external_adding(c, &psk)
        }),
        broken("external commit's Remove of a blank leaf", "§12.1.3", |c| {
            external(c, |commit| {
                commit.proposals = [split_init(&commit.proposals).0, by_value(&remove(BLANK))].concat();
            })
        }),
        broken("external commit leaves the old leaf", "§7.3", |c| {
            external(c, |commit| commit.proposals = split_init(&commit.proposals).0)
        }),
        broken("external commit signed by another key", "§12.4.3.2", |c| {
            let (public, seed) = (c.external(None), c.seed_of(OTHER));
            case(vec![], &c.seal_as(&seed, public))
        }),
        valid("external commit's KEM output garbage", "§8.3", |c| {
            external(c, |commit| {
                let rest = split_init(&commit.proposals).1;
                commit.proposals = [by_value(&external_init(&[9; 32])), rest].concat();
            })
        }),
        broken("external commit's KEM output empty", "§8.3", |c| {
            external(c, |commit| {
                let rest = split_init(&commit.proposals).1;
                commit.proposals = [by_value(&external_init(&[])), rest].concat();
            })
        }),
        broken("external commit's leaf lacks the required extension", "§7.3", |c| {
            let seed = c.seed_of(EVE as u32);
            external(c, |commit| {
                let (leaf, _) = commit.path.as_mut().unwrap();
                leaf.capabilities[2].clear();
                *leaf = leaf.clone().seal(&seed, crate::play::GROUP_ID, EVE as u32);
            })
        }),
        broken("external commit's leaf's signature", "§7.3", |c| {
            external(c, |commit| commit.path.as_mut().unwrap().0.signature[0] ^= 1)
        }),
        broken("external commit's path one node short", "§7.6", |c| {
            external(c, |commit| {
                let (_, bytes) = commit.path.as_mut().unwrap();
                let mut nodes = read_nodes(bytes);
                nodes.pop();
                *bytes = write_nodes(&nodes);
            })
        }),
        broken("external commit's confirmation tag", "§12.4.2", |c| {
            let mut public = c.external(None);
            public.confirmation.as_mut().unwrap()[0] ^= 1;
            as_is(public.encode())
        }),
    ]
}

/// All of them.
pub fn kinds() -> Vec<Kind> {
    [framing(), lists(), packages(), paths(), externals()].into_iter().flatten().collect()
}
