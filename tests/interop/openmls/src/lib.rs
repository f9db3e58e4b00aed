//! A second opinion on MLS (docs/spec/second-opinion.md): members of OpenMLS, which is audited, play in the same
//! groups as members of qpqnative, whose mls-rs is not. Everything here is a test.
#![cfg(test)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking; nothing of this is shipped"
)]

mod court;
mod dice;
mod differences;
mod history;
mod kinds;
mod member;
mod mutations;
mod number;
mod ours;
mod play;
mod provider;
mod tests;
mod theirs;
mod wire;
