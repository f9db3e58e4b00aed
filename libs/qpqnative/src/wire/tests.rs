//! Layouts, and what is written read again; against another implementation they are tested from Python.
#![allow(clippy::unwrap_used)]

use super::read::Bounds;
use super::{Error, Field, Kind, Layout, Value};
use std::sync::Arc;

const BOUNDS: Bounds = Bounds { words: 1_000, nesting: 8 };

const fn field(kind: Kind, offset: usize) -> Field {
    Field { kind, offset, tag: None }
}

/// A number, a bit, bytes, texts' like, and lists of all kinds.
fn layout() -> Layout {
    let inner = Arc::new(Layout::new(1, 1, None, vec![field(Kind::Number(8), 0), field(Kind::Text, 0)]).unwrap());
    let fields = vec![
        field(Kind::Number(2), 1),
        field(Kind::Bool, 5),
        field(Kind::Data, 0),
        field(Kind::Struct(Arc::clone(&inner)), 1),
        field(Kind::DataList, 2),
        field(Kind::NumberList, 3),
        field(Kind::StructList(inner), 4),
    ];
    Layout::new(1, 5, None, fields).unwrap()
}

#[test]
fn what_is_written_is_read_again() {
    let inner = |number, text| Value::Many(vec![Value::Number(number), Value::Text(text)]);
    let values = vec![
        Value::Number(0xabcd),
        Value::Bool(true),
        Value::Data(b"nine bytes"),
        inner(u64::MAX, "a text"),
        Value::Many(vec![Value::Data(b"one"), Value::Data(b"")]),
        Value::Many(vec![Value::Number(1), Value::Number(0xffff)]),
        Value::Many(vec![inner(1, ""), inner(2, "two")]),
    ];
    let bytes = layout().encode(&values).unwrap();
    assert_eq!(bytes.len() % 8, 0);
    layout().decode(&bytes, BOUNDS, |found| assert_eq!(found, values)).unwrap();
}

#[test]
fn bounds_hold_and_cut_messages_are_none() {
    let values = [
        Value::Number(1),
        Value::Bool(false),
        Value::Data(&[7; 100]),
        Value::Absent,
        Value::Many(vec![]),
        Value::Many(vec![]),
        Value::Many(vec![]),
    ];
    let bytes = layout().encode(&values).unwrap();
    for (words, nesting) in [(3, 8), (1_000, 0)] {
        assert_eq!(layout().decode(&bytes, Bounds { words, nesting }, |_| ()), Err(Error::Malformed));
    }
    for length in 0..bytes.len() {
        assert_eq!(layout().decode(bytes.get(..length).unwrap(), BOUNDS, |_| ()), Err(Error::Malformed));
    }
}

#[test]
fn a_union_has_one_member() {
    let member = |kind, offset, tag| Field { kind, offset, tag: Some(tag) };
    let fields = vec![member(Kind::Number(4), 1, 0), member(Kind::Data, 0, 1)];
    let layout = Layout::new(1, 1, Some(0), fields).unwrap();
    let bytes = layout.encode(&[Value::Number(9), Value::Data(b"set"), Value::Number(1)]).unwrap();
    let expected = [Value::Absent, Value::Data(b"set"), Value::Number(1)];
    layout.decode(&bytes, BOUNDS, |found| assert_eq!(found, expected)).unwrap();
    let unknown = layout.encode(&[Value::Absent, Value::Absent, Value::Number(2)]).unwrap();
    let expected = [Value::Absent, Value::Absent, Value::Number(2)];
    layout.decode(&unknown, BOUNDS, |found| assert_eq!(found, expected)).unwrap();
}
