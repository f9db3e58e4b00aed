//! Events as Python tuples; the first element is the kind, numbered as in `trio_quic/events.py`.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::address;
use crate::engine::{CloseKind, Event, Violation};

fn violation_number(violation: Violation) -> u8 {
    match violation {
        Violation::Oversized => 1,
        Violation::Truncated => 2,
        Violation::Late => 3,
    }
}

fn close_number(kind: CloseKind) -> u8 {
    match kind {
        CloseKind::Version => 1,
        CloseKind::Transport => 2,
        CloseKind::PeerTransport => 3,
        CloseKind::PeerApplication => 4,
        CloseKind::Reset => 5,
        CloseKind::Idle => 6,
        CloseKind::Local => 7,
        CloseKind::Fault => 8,
        CloseKind::HandshakeLate => 9,
    }
}

fn event_tuple(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyTuple>> {
    let packed = |at| PyBytes::new(py, &address::pack(at));
    match event {
        Event::Connected {
            connection,
            address,
            server,
        } => (1u8, connection, packed(&address), server).into_pyobject(py),
        Event::Frame {
            connection,
            stream,
            data,
            fin,
        } => (2u8, connection, stream, PyBytes::new(py, &data), fin).into_pyobject(py),
        Event::Readable { connection, stream } => (3u8, connection, stream).into_pyobject(py),
        Event::Writable { connection, stream } => (4u8, connection, stream).into_pyobject(py),
        Event::Closed {
            connection,
            kind,
            code,
            reason,
        } => (5u8, connection, close_number(kind), code, reason).into_pyobject(py),
        Event::Reset {
            connection,
            stream,
            code,
        } => (6u8, connection, stream, code).into_pyobject(py),
        Event::Stopped {
            connection,
            stream,
            code,
        } => (7u8, connection, stream, code).into_pyobject(py),
        Event::Opened { connection, stream } => (8u8, connection, stream).into_pyobject(py),
        Event::Available { connection } => (9u8, connection).into_pyobject(py),
        Event::Path {
            connection,
            address,
        } => (10u8, connection, packed(&address)).into_pyobject(py),
        Event::Fin { connection, stream } => (11u8, connection, stream).into_pyobject(py),
        Event::Idle { connection } => (14u8, connection).into_pyobject(py),
        Event::Foreign {
            worker,
            address,
            data,
        } => (12u8, worker, packed(&address), PyBytes::new(py, &data)).into_pyobject(py),
        Event::Violation {
            connection,
            stream,
            violation,
        } => (13u8, connection, stream, violation_number(violation)).into_pyobject(py),
    }
}

/// All events, in order.
pub(super) fn event_list(py: Python<'_>, events: Vec<Event>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for event in events {
        list.append(event_tuple(py, event)?)?;
    }
    Ok(list)
}
