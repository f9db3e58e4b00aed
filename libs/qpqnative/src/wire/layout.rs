//! What a struct of the schema looks like in a message.

use super::Error;
use std::sync::Arc;

/// The type of a field.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Takes no room.
    Void,
    /// One bit.
    Bool,
    /// An unsigned integer or an enum's number, of so many bytes: 1, 2, 4 or 8.
    Number(usize),
    /// Bytes.
    Data,
    /// UTF-8.
    Text,
    /// A struct behind a pointer.
    Struct(Arc<Layout>),
    /// A list of bytes.
    DataList,
    /// A list of 16-bit integers.
    NumberList,
    /// A list of structs.
    StructList(Arc<Layout>),
}

impl Kind {
    /// Whether the field is behind a pointer.
    #[must_use]
    pub const fn is_pointer(&self) -> bool {
        !matches!(self, Self::Void | Self::Bool | Self::Number(_))
    }
}

/// One field of a struct.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its type.
    pub kind: Kind,
    /// Where: in units of its own size, in bits for `Kind::Bool`; for pointers the number of the pointer.
    pub offset: usize,
    /// Its number in the struct's union, if it is a member.
    pub tag: Option<u16>,
}

/// A struct: the sizes of its two sections, and its fields.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(super) data_words: u16,
    pub(super) pointers: u16,
    /// Where the union's number stands, in units of 2 bytes.
    pub(super) union_at: Option<usize>,
    pub(super) fields: Vec<Field>,
}

impl Layout {
    /// Checks that every field lies within its section: what writes and reads relies on it.
    ///
    /// # Errors
    /// `Error::Layout`.
    pub fn new(data_words: u16, pointers: u16, union_at: Option<usize>, fields: Vec<Field>) -> Result<Self, Error> {
        let bytes = usize::from(data_words) * 8;
        let fits = |field: &Field| match field.kind {
            Kind::Void => true,
            Kind::Bool => field.offset < bytes * 8,
            Kind::Number(size) => {
                matches!(size, 1 | 2 | 4 | 8) && field.offset.checked_add(1).is_some_and(|n| n <= bytes / size)
            }
            _ => field.offset < usize::from(pointers),
        };
        let union_fits = union_at.is_none_or(|at| at < bytes / 2);
        let tagged = union_at.is_some() || fields.iter().all(|field| field.tag.is_none());
        if union_fits && tagged && fields.iter().all(fits) {
            Ok(Self { data_words, pointers, union_at, fields })
        } else {
            Err(Error::Layout)
        }
    }
}
