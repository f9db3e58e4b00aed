//! The Python module: puts the subjects' faces together. Errors become Python exceptions here and nowhere else.

use crate::{mls, opaque, wire};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use zeroize::Zeroizing;

static MLS_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static OPAQUE_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();

fn raise(cell: &'static PyOnceLock<Py<PyType>>, name: &str, kind: &str, cause: String, leaf: Option<u32>) -> PyErr {
    Python::attach(|py| {
        let class = match cell.import(py, "qpqnative._errors", name) {
            Ok(class) => class,
            Err(error) => return error,
        };
        match class.call1((kind, cause, leaf)) {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        }
    })
}

impl From<mls::error::Error> for PyErr {
    fn from(error: mls::error::Error) -> Self {
        raise(&MLS_ERROR, "MlsError", error.kind.name(), error.cause, error.sender_index)
    }
}

impl From<opaque::Error> for PyErr {
    fn from(error: opaque::Error) -> Self {
        raise(&OPAQUE_ERROR, "OpaqueError", error.name(), String::new(), None)
    }
}

/// Records as Python hands them over.
pub(crate) type Entries = Vec<(Vec<u8>, Zeroizing<Vec<u8>>)>;

/// Reads an iterable of (key, value) pairs.
pub(crate) fn entries(source: &Bound<'_, PyAny>) -> PyResult<Entries> {
    let mut found = Entries::new();
    for item in source.try_iter()? {
        let (key, value): (PyBackedBytes, PyBackedBytes) = item?.extract()?;
        found.push((key.to_vec(), Zeroizing::new(value.to_vec())));
    }
    Ok(found)
}

/// Copies byte strings out of Python.
pub(crate) fn owned(items: &[PyBackedBytes]) -> Vec<Vec<u8>> {
    items.iter().map(|item| item.to_vec()).collect()
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // A caught panic is an error like any other: its message may quote outside data, so only its place is shown.
    std::panic::set_hook(Box::new(|info| {
        if let Some(place) = info.location() {
            eprintln!("qpqnative: caught a panic at {place}");
        }
    }));
    mls::python::register(module)?;
    opaque::python::register(module)?;
    wire::python::register(module)
}
