//! SelfRemove has the number 0xF003 in mls-rs and 0x000A in OpenMLS, and neither can be told otherwise. Every
//! signature, hash and tag covers it, so it is exchanged in two places: where messages pass into and out of OpenMLS, and
//! where OpenMLS hands bytes to its primitives. Between them OpenMLS works with its own number, and judges by its own
//! code, while what is signed and hashed is what is on the wire.
//!
//! Only three places are touched, each known by what stands around it: the capabilities' list of proposals when it
//! holds SelfRemove alone, a SelfRemove proposal by itself, and one that stands first in a commit.

use crate::wire::{Reader, vec};

const WIRE: [u8; 2] = [0xF0, 0x03];
const OPENMLS: [u8; 2] = [0x00, 0x0A];

/// A list of one proposal type, then the list of credentials with basic alone.
fn capabilities(number: [u8; 2]) -> [u8; 6] {
    [2, number[0], number[1], 2, 0, 1]
}

/// Where a SelfRemove's number may stand in a frame that begins at `at`, just behind the group's id.
fn place(bytes: &[u8], at: usize) -> Option<usize> {
    let mut from = Reader(bytes.get(at..)?);
    from.number(8)?;
    if from.number(1)? == 1 {
        from.number(4)?;
    }
    from.vec()?;
    let kind = from.number(1)?;
    if kind == 3 {
        // The list of proposals: its length, then a proposal by value.
        let first = *from.0.first()?;
        from.number(1 << (first >> 6))?;
        (from.number(1)? == 1).then_some(())?;
    } else if kind != 2 {
        return None;
    }
    Some(bytes.len() - from.0.len())
}

fn exchange(bytes: &[u8], group_id: &[u8], old: [u8; 2], new: [u8; 2]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let (list_old, list_new) = (capabilities(old), capabilities(new));
    for at in 0..out.len().saturating_sub(list_old.len() - 1) {
        if out[at..].starts_with(&list_old) {
            out[at..at + list_new.len()].copy_from_slice(&list_new);
        }
    }
    let id = vec(group_id);
    for at in 0..out.len().saturating_sub(id.len()) {
        if !out[at..].starts_with(&id) {
            continue;
        }
        if let Some(place) = place(&out, at + id.len()).filter(|place| out[*place..].starts_with(&old)) {
            out[place..place + 2].copy_from_slice(&new);
        }
    }
    out
}

/// From the wire into OpenMLS.
pub fn to_openmls(bytes: &[u8], group_id: &[u8]) -> Vec<u8> {
    exchange(bytes, group_id, WIRE, OPENMLS)
}

/// From OpenMLS to the wire, and to what is signed, hashed and tagged.
pub fn to_wire(bytes: &[u8], group_id: &[u8]) -> Vec<u8> {
    exchange(bytes, group_id, OPENMLS, WIRE)
}
