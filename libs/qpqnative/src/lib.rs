//! MLS (RFC 9420), OPAQUE (RFC 9807) and Cap'n Proto messages for QPQ: state machines and formats only. No I/O, no files, no threads;
//! times come from the caller. `python` is the face; `cargo test` runs everything else without an interpreter.
#![forbid(unsafe_code)]

pub mod boundary;
pub mod mls;
pub mod opaque;
#[cfg(feature = "python")]
mod python;
pub mod wire;
