//! Bytes told shorter to somebody who has others already.
//!
//! mls-rs's secrets of a detached commit hold the group's tree twice, as before the commit and as after it. Of a thousand
//! members they have 0.85 MB, of which 70 KB are news to who has the group. Zstandard (RFC 8878) finds that, with the tree
//! before the bytes as their prefix.

use super::error::{Error, Kind, Result, malformed};
use super::store::Value;
use mls_rs_codec::{MlsDecode, MlsEncode};
use zeroize::Zeroizing;
use zstd_safe::{CCtx, CParameter, DCtx, DParameter, compress_bound};

/// Keys and signatures do not get shorter: what is the same is all there is to be found.
const LEVEL: i32 = 1;
/// What stands up to 16 MiB before is found: both trees of a group of 20,000.
const WINDOW_BITS: u32 = 24;
/// So many times longer than what is known and what is told together nothing becomes: what says so is damaged.
const GROWTH_MAX: usize = 16;

fn failed(_: usize) -> Error {
    Error::new(Kind::Internal, "zstd")
}

/// Tells `data` to who has `known`; `None` if it would become longer than [`GROWTH_MAX`] allows, as nothing real does.
///
/// # Errors
/// [`Kind::Internal`] if it is too long.
pub(super) fn shortened(data: &[u8], known: &[u8]) -> Result<Option<Value>> {
    let length = u32::try_from(data.len()).map_err(|_| Error::new(Kind::Internal, "secrets too long"))?;
    let mut context = CCtx::create();
    for parameter in [
        CParameter::CompressionLevel(LEVEL),
        CParameter::WindowLog(WINDOW_BITS),
        CParameter::EnableLongDistanceMatching(true),
    ] {
        context.set_parameter(parameter).map_err(failed)?;
    }
    context.ref_prefix(known).map_err(failed)?;
    let mut short = Zeroizing::new(Vec::with_capacity(compress_bound(data.len())));
    context.compress2(&mut *short, data).map_err(failed)?;
    let told = Zeroizing::new([&length.mls_encode_to_vec()?, &short[..]].concat());
    Ok((data.len() <= length_max(&told, known)).then_some(told))
}

fn length_max(told: &[u8], known: &[u8]) -> usize {
    told.len().saturating_add(known.len()).saturating_mul(GROWTH_MAX)
}

/// Reads what [`shortened`] told.
///
/// # Errors
/// [`Kind::Malformed`] for anything else, or if `known` is not what it was.
pub(super) fn lengthened(told: &[u8], known: &[u8]) -> Result<Value> {
    let damaged = || malformed("shortened bytes");
    let mut short = told;
    let length = usize::try_from(u32::mls_decode(&mut short)?).map_err(|_| damaged())?;
    if length > length_max(told, known) {
        return Err(damaged());
    }
    let mut context = DCtx::create();
    context.set_parameter(DParameter::WindowLogMax(WINDOW_BITS)).map_err(failed)?;
    context.ref_prefix(known).map_err(failed)?;
    let mut data = Zeroizing::new(Vec::with_capacity(length));
    context.decompress(&mut *data, short).map_err(|_| damaged())?;
    if data.len() == length { Ok(data) } else { Err(damaged()) }
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
        let short = shortened(data, known).unwrap().unwrap();
        assert_eq!(*lengthened(&short, known).unwrap(), data);
        short.len()
    }

    #[test]
    fn what_is_known_is_told_by_its_place() {
        for length in [100_000, 4_000_000] {
            let tree = noise(1, length);
            let changed: Vec<u8> =
                tree.iter().enumerate().map(|(at, byte)| if at % 99_733 == 7 { byte ^ 1 } else { *byte }).collect();
            let both = [noise(2, 77), tree.clone(), noise(3, 1_000), changed].concat();
            assert!(told(&both, &tree) < 2_000 + length / 100);
        }
    }

    #[test]
    fn anything_is_read_as_it_was() {
        for length in [0, 1, 15, 16, 17, 31, 32, 33, 48, 1_000] {
            for known in [0, 1, 16, 40, 1_000] {
                told(&noise(5, length), &noise(6, known));
                told(&noise(5, length), &noise(5, known));
            }
        }
    }

    #[test]
    fn what_would_grow_too_much_is_not_shortened() {
        assert!(shortened(&vec![7; 100_000], &noise(1, 100)).unwrap().is_none());
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let (tree, data) = (noise(1, 1_000), [noise(1, 1_000), noise(2, 100)].concat());
        let short = shortened(&data, &tree).unwrap().unwrap();
        for length in 0..short.len() {
            assert!(lengthened(&short[..length], &tree).is_err());
        }
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
