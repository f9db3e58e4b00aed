//! The Python face: conversions and the interpreter lock, nothing else. `_native.pyi` is its contract.

mod engine;
mod events;

use pyo3::prelude::*;

/// `trio_quic._native`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::engine::NativeEngine;
}
