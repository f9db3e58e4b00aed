//! MLS on mls-rs: devices, groups, and the server's public view of a group.
//!
//! Conditions under which mls-rs is used here (each has a test): state is handed over as changes and the tree apart,
//! every error drops the object, own commits are detached and applied only in the epoch and state they were made in,
//! skipped message keys are bounded, and strangers' doings are refused by [`rules::Rules`] or shown in the facts.

pub mod device;
pub mod error;
pub mod facts;
pub mod group;
pub mod inspect;
pub mod lie;
pub mod pending;
#[cfg(feature = "python")]
pub mod python;
#[cfg(feature = "python")]
mod python_testing;
#[cfg(feature = "python")]
pub mod python_values;
#[cfg(feature = "python")]
pub mod python_view;
pub mod rules;
mod shortened;
pub mod skipped;
pub mod store;
pub mod suite;
pub mod view;

#[cfg(test)]
mod tests;

use mls_rs::extension::ExtensionType;

/// The GroupContext extension that holds the channel's policy (docs/spec/groups.md); private use.
pub const EXT_POLICY: ExtensionType = ExtensionType::new(0xF100);
/// app_data_dictionary of draft-ietf-mls-extensions: listed in every leaf from the first release, not used yet.
pub const EXT_APP_DATA_DICTIONARY: ExtensionType = ExtensionType::new(0x0006);
/// Epochs before the current one whose messages can still be read.
pub const PAST_EPOCHS_DEFAULT: usize = 5;
