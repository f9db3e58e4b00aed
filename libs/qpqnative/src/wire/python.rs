//! The face of layouts in Python.

use super::read::Bounds;
use super::{Error, Field, Kind, Layout, Value};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyInt, PyString, PyTuple};
use std::sync::Arc;

const NESTING_MAX: i32 = 16;
/// A message is looked at once, and once more for what is looked at twice.
const TRAVERSAL_FACTOR: usize = 2;
/// For small messages. A struct of a list counts a word even if it has none: more of them than the bytes pay for.
const TRAVERSAL_WORDS_MIN: usize = 64;

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        PyValueError::new_err(match error {
            Error::Layout => "a layout that contradicts itself",
            Error::Malformed => "not a well-formed message",
            Error::Values => "values that do not fit the message",
            Error::Internal => "the message could not be read",
        })
    }
}

/// A field as Python describes it: kind, offset, tag, and the layout of a struct or of a list's structs.
type Described<'py> = (String, usize, Option<u16>, Option<PyRef<'py, PyLayout>>);

#[pyclass(frozen, name = "Layout", module = "qpqnative")]
struct PyLayout(Arc<Layout>);

fn kind(name: &str, of: Option<&PyLayout>) -> Result<Kind, Error> {
    Ok(match (name, of) {
        ("void", None) => Kind::Void,
        ("bool", None) => Kind::Bool,
        ("uint8", None) => Kind::Number(1),
        ("uint16" | "enum", None) => Kind::Number(2),
        ("uint32", None) => Kind::Number(4),
        ("uint64", None) => Kind::Number(8),
        ("data", None) => Kind::Data,
        ("text", None) => Kind::Text,
        ("list data", None) => Kind::DataList,
        ("list uint16", None) => Kind::NumberList,
        ("struct", Some(layout)) => Kind::Struct(Arc::clone(&layout.0)),
        ("list struct", Some(layout)) => Kind::StructList(Arc::clone(&layout.0)),
        _ => return Err(Error::Layout),
    })
}

#[pymethods]
impl PyLayout {
    #[new]
    fn new(data_words: u16, pointers: u16, union_at: Option<usize>, fields: Vec<Described<'_>>) -> PyResult<Self> {
        let fields = fields
            .iter()
            .map(|(name, offset, tag, of)| Ok(Field { kind: kind(name, of.as_deref())?, offset: *offset, tag: *tag }))
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Self(Arc::new(Layout::new(data_words, pointers, union_at, fields)?)))
    }

    fn decode<'py>(&self, py: Python<'py>, data: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyTuple>> {
        let bytes = data.as_bytes();
        let words = bytes.len() / 8 * TRAVERSAL_FACTOR + TRAVERSAL_WORDS_MIN;
        self.0.decode(bytes, Bounds { words, nesting: NESTING_MAX }, |values| many(py, &values))?
    }

    fn encode<'py>(&self, py: Python<'py>, values: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyBytes>> {
        let held: Vec<_> = values.iter().map(Held::new).collect();
        let values = held.iter().map(Held::value).collect::<PyResult<Vec<_>>>()?;
        Ok(PyBytes::new(py, &self.0.encode(&values)?))
    }
}

fn many<'py>(py: Python<'py>, values: &[Value<'_>]) -> PyResult<Bound<'py, PyTuple>> {
    let found = values.iter().map(|value| shown(py, value)).collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, found)
}

fn shown<'py>(py: Python<'py>, value: &Value<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Absent => py.None().into_bound(py),
        Value::Bool(set) => PyBool::new(py, *set).to_owned().into_any(),
        Value::Number(number) => number.into_pyobject(py)?.into_any(),
        Value::Data(data) => PyBytes::new(py, data).into_any(),
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::Many(values) => many(py, values)?.into_any(),
    })
}

/// A Python value that is kept while its bytes are borrowed: a tuple with its items.
enum Held<'py> {
    One(Bound<'py, PyAny>),
    Many(Vec<Held<'py>>),
}

impl<'py> Held<'py> {
    fn new(value: Bound<'py, PyAny>) -> Self {
        match value.cast_into::<PyTuple>() {
            Ok(items) => Self::Many(items.iter().map(Self::new).collect()),
            Err(other) => Self::One(other.into_inner()),
        }
    }

    fn value(&self) -> PyResult<Value<'_>> {
        let one = match self {
            Self::Many(items) => return Ok(Value::Many(items.iter().map(Self::value).collect::<PyResult<_>>()?)),
            Self::One(one) => one,
        };
        if let Ok(data) = one.cast::<PyBytes>() {
            Ok(Value::Data(data.as_bytes()))
        } else if let Ok(text) = one.cast::<PyString>() {
            Ok(Value::Text(text.to_str()?))
        } else if let Ok(set) = one.cast::<PyBool>() {
            Ok(Value::Bool(set.is_true()))
        } else if one.is_none() {
            Ok(Value::Absent)
        } else if one.is_instance_of::<PyInt>() {
            Ok(Value::Number(one.extract().map_err(|_| Error::Values)?))
        } else {
            Err(PyTypeError::new_err("a value is of no type that a message has"))
        }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyLayout>()
}
