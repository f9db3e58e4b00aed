//! Cap'n Proto messages by layouts that are known at run time: the schema stays with the caller, bytes and values
//! cross in one step. Reading is the capnp crate's, bounds and all; writing lays out one segment in the schema's order.

pub mod layout;
#[cfg(feature = "python")]
pub mod python;
pub mod read;
#[cfg(test)]
mod tests;
mod write;

pub use layout::{Field, Kind, Layout};

/// A value on its way: borrowed from the message, or from the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A struct that is not there, or a union's member that is not the set one.
    Absent,
    /// Of `Kind::Bool`.
    Bool(bool),
    /// Of an unsigned integer's kind, and the last value of a union's struct: the number of the set member.
    Number(u64),
    /// Of `Kind::Data`.
    Data(&'a [u8]),
    /// Of `Kind::Text`.
    Text(&'a str),
    /// Of `Kind::Struct`: its fields. Of a list's kind: its elements.
    Many(Vec<Value<'a>>),
}

/// Why bytes are no message, or values are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The layout contradicts itself.
    Layout,
    /// The bytes are not a well-formed message of this layout, or go beyond a limit.
    Malformed,
    /// The values do not fit the layout.
    Values,
    /// A library panicked.
    Internal,
}

impl crate::boundary::Boundary for Error {
    fn internal() -> Self {
        Self::Internal
    }

    fn poisoned() -> Self {
        Self::Internal
    }
}
