//! From values to bytes: one segment, each object behind the ones before it, in the order of the schema's fields
//! (Cap'n Proto's encoding specification, "Structs", "Lists" and "Serialization over a stream").

use super::layout::{Field, Kind, Layout};
use super::{Error, Value};

const WORD_BYTES: usize = 8;
/// The stream's head: one segment, and its size in words.
const HEAD_BYTES: usize = 8;
/// Lists of bytes, of 16-bit integers, of pointers, and of structs.
const BYTE_ELEMENTS: u64 = 2;
const NUMBER_ELEMENTS: u64 = 3;
const POINTER_ELEMENTS: u64 = 6;
const STRUCT_ELEMENTS: u64 = 7;
/// A list's count has 29 bits.
const COUNT_MAX: usize = (1 << 29) - 1;

impl Layout {
    /// Writes one message from a value for each field, and last, for a struct with a union, the set member's number.
    ///
    /// # Errors
    /// `Error::Values`.
    pub fn encode(&self, values: &[Value<'_>]) -> Result<Vec<u8>, Error> {
        let mut out = Message { bytes: vec![0; HEAD_BYTES] };
        let root = out.allocate(WORD_BYTES);
        out.structure(self, root, values)?;
        let words = u32::try_from((out.bytes.len() - HEAD_BYTES) / WORD_BYTES).map_err(|_| Error::Values)?;
        out.put(4, &words.to_le_bytes());
        Ok(out.bytes)
    }

    fn body_bytes(&self) -> usize {
        (usize::from(self.data_words) + usize::from(self.pointers)) * WORD_BYTES
    }

    /// The upper half of a struct pointer.
    fn sizes(&self) -> u64 {
        u64::from(self.data_words) | u64::from(self.pointers) << 16
    }
}

struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// Makes room for so many bytes, whole words of zeros; returns where.
    fn allocate(&mut self, bytes: usize) -> usize {
        let at = self.bytes.len();
        self.bytes.resize(at + bytes.next_multiple_of(WORD_BYTES), 0);
        at
    }

    fn put(&mut self, at: usize, data: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + data.len()) {
            place.copy_from_slice(data);
        }
    }

    /// Writes a pointer at `from` to `to`: its kind in the lowest bits, the distance, and the upper half.
    fn point(&mut self, from: usize, to: usize, kind: u64, upper: u64) -> Result<(), Error> {
        let words = u64::try_from((to - from) / WORD_BYTES - 1).map_err(|_| Error::Values)?;
        if words >= 1 << 29 {
            return Err(Error::Values);
        }
        self.put(from, &(kind | words << 2 | upper << 32).to_le_bytes());
        Ok(())
    }

    fn structure(&mut self, layout: &Layout, pointer: usize, values: &[Value<'_>]) -> Result<(), Error> {
        let at = self.allocate(layout.body_bytes());
        if layout.body_bytes() == 0 {
            // A struct of no size stands at its own pointer, a distance of -1: with 0 it would not be there.
            self.put(pointer, &0xffff_fffc_u64.to_le_bytes());
            return self.fields(layout, at, values);
        }
        self.point(pointer, at, 0, layout.sizes())?;
        self.fields(layout, at, values)
    }

    fn fields(&mut self, layout: &Layout, at: usize, values: &[Value<'_>]) -> Result<(), Error> {
        let (values, set) = match (layout.union_at, values) {
            (None, values) => (values, None),
            (Some(place), [values @ .., Value::Number(set)]) => {
                let set = u16::try_from(*set).map_err(|_| Error::Values)?;
                self.put(at + place * 2, &set.to_le_bytes());
                (values, Some(set))
            }
            (Some(_), _) => return Err(Error::Values),
        };
        if values.len() != layout.fields.len() {
            return Err(Error::Values);
        }
        let pointers = at + usize::from(layout.data_words) * WORD_BYTES;
        for (field, value) in layout.fields.iter().zip(values) {
            if field.tag.is_some() && field.tag != set {
                continue;
            }
            if field.kind.is_pointer() {
                self.behind(&field.kind, pointers + field.offset * WORD_BYTES, value)?;
            } else {
                self.plain(field, at, value)?;
            }
        }
        Ok(())
    }

    fn plain(&mut self, field: &Field, at: usize, value: &Value<'_>) -> Result<(), Error> {
        match (&field.kind, value) {
            (Kind::Void, _) | (_, Value::Absent) => {}
            (Kind::Bool, Value::Bool(set)) => {
                if let Some(byte) = self.bytes.get_mut(at + field.offset / 8) {
                    *byte |= u8::from(*set) << (field.offset % 8);
                }
            }
            (Kind::Number(size), Value::Number(number)) => {
                let bytes = number.to_le_bytes();
                let (used, rest) = bytes.split_at(*size);
                if rest.iter().any(|byte| *byte != 0) {
                    return Err(Error::Values);
                }
                self.put(at + field.offset * size, used);
            }
            _ => return Err(Error::Values),
        }
        Ok(())
    }

    fn behind(&mut self, kind: &Kind, pointer: usize, value: &Value<'_>) -> Result<(), Error> {
        match (kind, value) {
            (_, Value::Absent) => Ok(()),
            (Kind::Data, Value::Data(data)) => self.data(pointer, data, 0),
            // Text ends with a zero byte, which counts.
            (Kind::Text, Value::Text(text)) => self.data(pointer, text.as_bytes(), 1),
            (Kind::Struct(layout), Value::Many(values)) => self.structure(layout, pointer, values),
            (Kind::DataList | Kind::NumberList | Kind::StructList(_), Value::Many(values)) if values.is_empty() => {
                Ok(())
            }
            (Kind::DataList, Value::Many(values)) => {
                let at = self.list(pointer, values.len(), POINTER_ELEMENTS, values.len() * WORD_BYTES)?;
                for (number, item) in values.iter().enumerate() {
                    self.behind(&Kind::Data, at + number * WORD_BYTES, item)?;
                }
                Ok(())
            }
            (Kind::NumberList, Value::Many(values)) => {
                let at = self.list(pointer, values.len(), NUMBER_ELEMENTS, values.len() * 2)?;
                for (number, item) in values.iter().enumerate() {
                    let Value::Number(item) = item else { return Err(Error::Values) };
                    let item = u16::try_from(*item).map_err(|_| Error::Values)?;
                    self.put(at + number * 2, &item.to_le_bytes());
                }
                Ok(())
            }
            (Kind::StructList(layout), Value::Many(values)) => self.structures(layout, pointer, values),
            _ => Err(Error::Values),
        }
    }

    fn data(&mut self, pointer: usize, data: &[u8], zeros: usize) -> Result<(), Error> {
        if data.is_empty() {
            return Ok(());
        }
        let count = data.len() + zeros;
        let at = self.list(pointer, count, BYTE_ELEMENTS, count)?;
        self.put(at, data);
        Ok(())
    }

    /// Makes room for a list and points at it.
    fn list(&mut self, pointer: usize, count: usize, elements: u64, bytes: usize) -> Result<usize, Error> {
        let count = u64::try_from(count.min(COUNT_MAX + 1)).map_err(|_| Error::Values)?;
        if count > 0x1fff_ffff {
            return Err(Error::Values);
        }
        let at = self.allocate(bytes);
        self.point(pointer, at, 1, elements | count << 3)?;
        Ok(at)
    }

    /// Structs stand side by side behind a word that says how many and how large.
    fn structures(&mut self, layout: &Layout, pointer: usize, values: &[Value<'_>]) -> Result<(), Error> {
        let size = layout.body_bytes();
        let bytes = values.len() * size;
        let words = bytes / WORD_BYTES;
        let at = self.list(pointer, words, STRUCT_ELEMENTS, bytes + WORD_BYTES)?;
        let count = u64::try_from(values.len()).map_err(|_| Error::Values)?;
        self.put(at, &(count << 2 | layout.sizes() << 32).to_le_bytes());
        for (number, item) in values.iter().enumerate() {
            let Value::Many(fields) = item else { return Err(Error::Values) };
            self.fields(layout, at + WORD_BYTES + number * size, fields)?;
        }
        Ok(())
    }
}
