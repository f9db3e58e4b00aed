//! From bytes to values, through the capnp crate's reader: every pointer it follows is checked there.

use super::layout::{Field, Kind, Layout};
use super::{Error, Value};
use crate::boundary::caught;
use capnp::introspect::{Introspect, Type, TypeVariant};
use capnp::message::ReaderOptions;
use capnp::private::layout::{PointerBuilder, PointerReader, StructBuilder, StructReader, StructSize};
use capnp::traits::{FromPointerReader, HasStructSize, OwnedStruct, SetterInput};
use capnp::{data_list, primitive_list, serialize, struct_list};

/// Structs in one list: the channels of one account. A struct may have no size, so bytes do not bound their number.
const LIST_STRUCTS_MAX: u32 = 10_000;

/// What a reader may cost (capnp's `ReaderOptions`).
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Words that may be looked at, repetitions included.
    pub words: usize,
    /// Pointers deep.
    pub nesting: i32,
}

impl Layout {
    /// Reads one message, wholly, and hands its values to `then`: a value for each field, and last, for a struct with
    /// a union, the number of the set member. A later version of the schema may have set one that is not known here:
    /// then all members are absent, and the rest is read as ever.
    ///
    /// # Errors
    /// `Error::Malformed`, `Error::Internal`.
    pub fn decode<R>(
        &self,
        mut bytes: &[u8],
        bounds: Bounds,
        then: impl FnOnce(Vec<Value<'_>>) -> R,
    ) -> Result<R, Error> {
        let mut options = ReaderOptions::new();
        options.traversal_limit_in_words(Some(bounds.words)).nesting_limit(bounds.nesting);
        caught(|| {
            let message =
                serialize::read_message_from_flat_slice_no_alloc(&mut bytes, options).map_err(|_| Error::Malformed)?;
            let root: Raw<'_> = message.get_root().map_err(|_| Error::Malformed)?;
            Ok(then(self.values(&root.0).map_err(|_| Error::Malformed)?))
        })
    }

    fn values<'a>(&self, source: &StructReader<'a>) -> capnp::Result<Vec<Value<'a>>> {
        let set = self.union_at.map(|at| source.get_data_field::<u16>(at));
        let mut found = Vec::with_capacity(self.fields.len() + 1);
        for field in &self.fields {
            let is_there = field.tag.is_none() || field.tag == set;
            found.push(if is_there { value(field, source)? } else { Value::Absent });
        }
        found.extend(set.map(|set| Value::Number(set.into())));
        Ok(found)
    }
}

fn value<'a>(field: &Field, source: &StructReader<'a>) -> capnp::Result<Value<'a>> {
    let at = field.offset;
    if field.kind.is_pointer() {
        return behind(field, &source.get_pointer_field(at));
    }
    Ok(match field.kind {
        Kind::Bool => Value::Bool(source.get_bool_field(at)),
        Kind::Number(1) => Value::Number(source.get_data_field::<u8>(at).into()),
        Kind::Number(2) => Value::Number(source.get_data_field::<u16>(at).into()),
        Kind::Number(4) => Value::Number(source.get_data_field::<u32>(at).into()),
        Kind::Number(_) => Value::Number(source.get_data_field::<u64>(at)),
        _ => Value::Absent,
    })
}

fn behind<'a>(field: &Field, pointer: &PointerReader<'a>) -> capnp::Result<Value<'a>> {
    Ok(match &field.kind {
        Kind::Data => Value::Data(pointer.get_data(None)?),
        Kind::Text => Value::Text(pointer.get_text(None)?.to_str()?),
        // The set member of a union is there even if all of it is default.
        Kind::Struct(_) if pointer.is_null() && field.tag.is_none() => Value::Absent,
        Kind::Struct(layout) => Value::Many(layout.values(&pointer.get_struct(None)?)?),
        Kind::DataList => {
            let list = data_list::Reader::get_from_pointer(pointer, None)?;
            Value::Many(list.iter().map(|item| item.map(Value::Data)).collect::<capnp::Result<_>>()?)
        }
        Kind::NumberList => {
            let list = primitive_list::Reader::<u16>::get_from_pointer(pointer, None)?;
            Value::Many(list.iter().map(|item| Value::Number(item.into())).collect())
        }
        Kind::StructList(layout) => {
            let list = struct_list::Reader::<Any>::get_from_pointer(pointer, None)?;
            if list.len() > LIST_STRUCTS_MAX {
                return Err(capnp::Error::failed("too many structs in a list".into()));
            }
            let values = list.iter().map(|item| layout.values(&item.0).map(Value::Many));
            Value::Many(values.collect::<capnp::Result<_>>()?)
        }
        Kind::Void | Kind::Bool | Kind::Number(_) => Value::Absent,
    })
}

/// Any struct, as generated code would name one: the layout says what is in it.
struct Any;
struct Raw<'a>(StructReader<'a>);
/// Never made: messages are written elsewhere.
struct RawBuilder;

impl<'a> From<StructReader<'a>> for Raw<'a> {
    fn from(reader: StructReader<'a>) -> Self {
        Self(reader)
    }
}

impl<'a> FromPointerReader<'a> for Raw<'a> {
    fn get_from_pointer(reader: &PointerReader<'a>, default: Option<&'a [capnp::Word]>) -> capnp::Result<Self> {
        reader.get_struct(default).map(Self)
    }
}

impl<'a> capnp::traits::IntoInternalStructReader<'a> for Raw<'a> {
    fn into_internal_struct_reader(self) -> StructReader<'a> {
        self.0
    }
}

impl SetterInput<Any> for Raw<'_> {
    fn set_pointer_builder(mut builder: PointerBuilder<'_>, input: Self, canonicalize: bool) -> capnp::Result<()> {
        builder.set_struct(&input.0, canonicalize)
    }
}

impl From<StructBuilder<'_>> for RawBuilder {
    fn from(_: StructBuilder<'_>) -> Self {
        Self
    }
}

impl HasStructSize for RawBuilder {
    const STRUCT_SIZE: StructSize = StructSize { data: 0, pointers: 0 };
}

impl Introspect for Any {
    fn introspect() -> Type {
        TypeVariant::AnyPointer.into()
    }
}

impl OwnedStruct for Any {
    type Reader<'a> = Raw<'a>;
    type Builder<'a> = RawBuilder;
}
