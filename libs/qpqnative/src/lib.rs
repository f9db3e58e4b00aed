//! MLS (RFC 9420) and OPAQUE (RFC 9807) for QPQ: state machines only. No I/O, no files, no threads;
//! times come from the caller. `python` is the face; `cargo test` runs everything else without an interpreter.
#![forbid(unsafe_code)]

pub mod boundary;
pub mod mls;
pub mod opaque;
#[cfg(feature = "python")]
mod python;
