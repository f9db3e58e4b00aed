//! The kinds of commit that are put before the court: some valid, to show that the forger's tools are good; the others
//! each break one rule of RFC 9420 (the section stands beside it), in a message that is otherwise well made and signed.

mod externals;
mod framing;
mod lists;
mod packages;
mod paths;

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
/// It belongs into a GroupInfo.
const EXTERNAL_PUB: u16 = 4;
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

/// All of them.
pub fn kinds() -> Vec<Kind> {
    [framing::framing(), lists::lists(), packages::packages(), paths::paths(), externals::externals()]
        .into_iter()
        .flatten()
        .collect()
}
