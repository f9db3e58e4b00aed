//! Bytes told shorter to somebody who has others already: what is the same is named by its place.
//!
//! mls-rs's secrets of a detached commit hold the group's tree twice, as before the commit and as after it. Of a thousand
//! members they have 0.85 MB, of which 70 KB are news to who has the group.

use super::error::{Error, Kind, Result, malformed};
use super::store::Value;
use mls_rs_codec::{MlsDecode, MlsEncode, MlsSize};
use zeroize::{Zeroize, Zeroizing};

/// What is found to be the same is found by blocks of so many bytes.
const BLOCK: usize = 16;
/// A place costs 8 bytes and more: what is shorter is not worth it.
const SAME_MIN: usize = 32;
/// Blocks are remembered by so many bits of their hash; a later one takes an earlier one's room.
const HASH_BITS: u32 = 17;
/// So many times longer than what is known and what is told together nothing becomes: what says so is damaged.
const GROWTH_MAX: usize = 16;

/// What is new, then what is the same as something before it.
#[derive(MlsSize, MlsEncode, MlsDecode)]
struct Piece {
    #[mls_codec(with = "mls_rs_codec::byte_vec")]
    fresh: Vec<u8>,
    from: u32,
    length: u32,
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.fresh.zeroize();
    }
}

/// Tells `data` to who has `known`.
///
/// # Errors
/// [`Kind::Internal`] if it is too long.
pub(super) fn shortened(data: &[u8], known: &[u8]) -> Result<Value> {
    let all = Zeroizing::new([known, data].concat());
    let mut blocks = Blocks::new(&all);
    let mut told = begun(data)?;
    let (mut at, mut fresh) = (known.len(), known.len());
    while at < all.len() {
        blocks.note_before(at);
        if let Some(same) = blocks.same(fresh, at) {
            tell(&mut told, all.get(fresh..same.at).unwrap_or_default(), same.from, same.length)?;
            at = same.at + same.length;
            fresh = at;
        } else {
            at += 1;
        }
    }
    tell(&mut told, all.get(fresh..).unwrap_or_default(), 0, 0)?;
    if data.len() > length_max(&told, known) {
        told = begun(data)?;
        tell(&mut told, data, 0, 0)?;
    }
    Ok(told)
}

fn length_max(told: &[u8], known: &[u8]) -> usize {
    told.len().saturating_add(known.len()).saturating_mul(GROWTH_MAX)
}

fn number(size: usize) -> Result<u32> {
    u32::try_from(size).map_err(|_| Error::new(Kind::Internal, "secrets too long"))
}

/// How long it is, which comes first.
fn begun(data: &[u8]) -> Result<Value> {
    Ok(Zeroizing::new(number(data.len())?.mls_encode_to_vec()?))
}

fn tell(told: &mut Value, fresh: &[u8], from: usize, length: usize) -> Result<()> {
    let piece = Piece { fresh: fresh.to_vec(), from: number(from)?, length: number(length)? };
    Ok(piece.mls_encode(told)?)
}

/// Reads what [`shortened`] told.
///
/// # Errors
/// [`Kind::Malformed`] for anything else, or if `known` is not what it was.
pub(super) fn lengthened(told: &[u8], known: &[u8]) -> Result<Value> {
    let damaged = || malformed("shortened bytes");
    let mut rest = told;
    let length = usize::try_from(u32::mls_decode(&mut rest)?).map_err(|_| damaged())?;
    if length > length_max(told, known) {
        return Err(damaged());
    }
    let mut all = Zeroizing::new(Vec::with_capacity(known.len() + length));
    all.extend_from_slice(known);
    while !rest.is_empty() {
        let piece = Piece::mls_decode(&mut rest)?;
        all.extend_from_slice(&piece.fresh);
        let from = usize::try_from(piece.from).map_err(|_| damaged())?;
        let to = usize::try_from(piece.length).ok().and_then(|length| from.checked_add(length)).ok_or_else(damaged)?;
        if to > all.len() || all.len() + (to - from) > known.len() + length {
            return Err(damaged());
        }
        all.extend_from_within(from..to);
    }
    let data = Zeroizing::new(all.get(known.len()..).unwrap_or_default().to_vec());
    if data.len() == length { Ok(data) } else { Err(damaged()) }
}

/// Something that stands at two places.
struct Same {
    from: usize,
    at: usize,
    length: usize,
}

/// Where blocks stand in some bytes.
struct Blocks<'a> {
    all: &'a [u8],
    /// By the block's hash, its place; the first block's place is that of no block too, and is looked at like any other.
    places: Vec<usize>,
    noted: usize,
}

impl<'a> Blocks<'a> {
    fn new(all: &'a [u8]) -> Self {
        Self { all, places: vec![0; 1 << HASH_BITS], noted: 0 }
    }

    fn slot(&self, at: usize) -> Option<usize> {
        let block: [u8; BLOCK] = self.all.get(at..at.checked_add(BLOCK)?)?.try_into().ok()?;
        let block = u128::from_le_bytes(block);
        let mixed = (block ^ (block >> 64)) & u128::from(u64::MAX);
        let hash = u64::try_from(mixed).ok()?.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - HASH_BITS);
        usize::try_from(hash).ok()
    }

    /// Notes all blocks that end before a place.
    fn note_before(&mut self, at: usize) {
        while self.noted + BLOCK <= at {
            if let Some(place) = self.slot(self.noted).and_then(|slot| self.places.get_mut(slot)) {
                *place = self.noted;
            }
            self.noted += BLOCK;
        }
    }

    /// Finds what stands at a place, or begins a little before it (not before `fresh`), at an earlier one too.
    fn same(&self, fresh: usize, at: usize) -> Option<Same> {
        let from = *self.places.get(self.slot(at)?)?;
        let (here, there) = (self.all.get(fresh..at)?, self.all.get(..from)?);
        let before = here.iter().rev().zip(there.iter().rev()).take_while(|(one, other)| one == other).count();
        let (begin, from) = (at - before, from - before);
        let (here, there) = (self.all.get(begin..)?, self.all.get(from..begin)?);
        let length = here.iter().zip(there).take_while(|(one, other)| one == other).count();
        (length >= SAME_MIN).then_some(Same { from, at: begin, length })
    }
}

#[cfg(test)]
mod tests {
    use super::{GROWTH_MAX, lengthened, shortened};
    use mls_rs_codec::MlsEncode;

    /// Bytes that look random, the same for the same seed.
    fn noise(mut seed: u64, length: usize) -> Vec<u8> {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u8::try_from(seed >> 56).unwrap()
        };
        (0..length).map(|_| next()).collect()
    }

    fn told(data: &[u8], known: &[u8]) -> usize {
        let short = shortened(data, known).unwrap();
        assert_eq!(*lengthened(&short, known).unwrap(), data);
        short.len()
    }

    #[test]
    fn what_is_known_is_told_by_its_place() {
        let tree = noise(1, 100_000);
        assert!(told(&tree, &tree) < 40);
        let mut twice = [noise(2, 77), tree.clone(), noise(3, 1_000), tree.clone()].concat();
        assert!(told(&twice, &tree) < 1_200);
        for at in (0..twice.len()).step_by(9_973) {
            twice[at] ^= 1;
        }
        assert!(told(&twice, &tree) < 2_000);
    }

    #[test]
    fn what_was_told_before_is_known_too() {
        let hashes = noise(4, 64_000);
        assert!(told(&[hashes.clone(), vec![7; 100], hashes.clone()].concat(), &[]) < hashes.len() + 400);
    }

    #[test]
    fn anything_is_read_as_it_was() {
        for length in [0, 1, 15, 16, 17, 31, 32, 33, 48, 1_000] {
            for known in [0, 1, 16, 40, 1_000] {
                told(&noise(5, length), &noise(6, known));
                told(&noise(5, length), &noise(5, known));
                told(&vec![0; length], &vec![0; known]);
                told(&b"abc".repeat(length), &noise(5, known));
            }
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let (tree, data) = (noise(1, 1_000), [noise(1, 1_000), noise(2, 100)].concat());
        let short = shortened(&data, &tree).unwrap();
        for length in 0..short.len() {
            assert!(lengthened(&short[..length], &tree).is_err());
        }
        assert!(lengthened(&short, &tree[..500]).is_err());
        assert!(lengthened(&[&short[..], b"\0"].concat(), &tree).is_err());
        let many = u32::try_from((4 + tree.len()) * GROWTH_MAX + 1).unwrap().mls_encode_to_vec().unwrap();
        assert!(lengthened(&many, &tree).is_err());
        for at in 0..short.len() {
            let mut bad = short.to_vec();
            bad[at] ^= 0x81;
            let _ = lengthened(&bad, &tree);
        }
    }
}
