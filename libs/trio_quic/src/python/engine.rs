//! `NativeEngine`: the engine behind one lock, which is only ever held for the length of a call.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::BytesMut;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList};

use super::events::event_list;
use crate::address;
use crate::engine::{Bed, Engine, Read, Received, Sent, Settings};
use crate::error::EngineError;
use crate::tls::ServerTls;

impl From<EngineError> for PyErr {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Configuration(text) => PyValueError::new_err(text),
            EngineError::Socket(cause) => {
                PyOSError::new_err((cause.raw_os_error(), cause.to_string()))
            }
            EngineError::Gone => PyRuntimeError::new_err(error.to_string()),
        }
    }
}

fn unpacked(packed: &[u8]) -> PyResult<std::net::SocketAddr> {
    address::unpack(packed)
        .ok_or_else(|| PyValueError::new_err("a packed address has 6 or 18 bytes"))
}

/// Streams opened: the number, -1 to wait for AVAILABLE, -2 when the connection is gone.
fn opened(result: Result<Option<u64>, EngineError>) -> i64 {
    match result {
        Ok(Some(number)) => i64::try_from(number).unwrap_or(-2),
        Ok(None) => -1,
        Err(_) => -2,
    }
}

/// Frames sent: 0, -1 to wait for WRITABLE, -2 when the stream is gone, -3 when it was reset for want of room.
fn sent(result: Sent) -> i64 {
    match result {
        Sent::Taken => 0,
        Sent::Full => -1,
        Sent::Gone => -2,
        Sent::Refused => -3,
    }
}

/// The engine over quinn-proto; `trio_quic.engine.Engine` documents the methods.
#[pyclass(frozen, module = "trio_quic._native")]
pub struct NativeEngine {
    engine: Mutex<Engine>,
    bed: OnceLock<Bed>,
}

impl NativeEngine {
    fn lock(&self) -> MutexGuard<'_, Engine> {
        // Panics are caught inside, one connection at a time: a poisoned lock still guards a whole engine.
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works without the interpreter lock: for everything that can take long.
    fn detached<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Engine) -> R + Send) -> R {
        py.detach(|| work(&mut self.lock()))
    }
}

#[pymethods]
impl NativeEngine {
    #[new]
    #[pyo3(signature = (configuration, framed=true))]
    fn new(configuration: Settings, framed: bool) -> PyResult<Self> {
        Ok(Self {
            engine: Mutex::new(Engine::new(&configuration, framed)?),
            bed: OnceLock::new(),
        })
    }

    fn receive(
        &self,
        py: Python<'_>,
        batch: Vec<(PyBackedBytes, u8, PyBackedBytes, usize)>,
        now_us: u64,
    ) -> PyResult<()> {
        let mut received = Vec::with_capacity(batch.len());
        for (packed, ecn, data, segment) in &batch {
            let (address, contents) = (unpacked(packed)?, BytesMut::from(data.as_ref()));
            received.push(Received {
                address,
                ecn: *ecn,
                contents,
                segment: *segment,
            });
        }
        self.detached(py, |engine| engine.receive(received, now_us));
        Ok(())
    }

    fn poll<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let events = self.lock().poll();
        event_list(py, events)
    }

    fn transmit<'py>(&self, py: Python<'py>, now_us: u64) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for one in self.detached(py, |engine| engine.transmit(now_us)) {
            let packed = PyBytes::new(py, &address::pack(&one.address));
            list.append((
                packed,
                PyBytes::new(py, &one.contents),
                one.segment.unwrap_or(0),
            ))?;
        }
        Ok(list)
    }

    fn next_timeout(&self) -> Option<u64> {
        let mut engine = self.lock();
        let deadline_us = engine.next_timeout();
        if let Some(bed) = self.bed.get() {
            bed.tell(deadline_us);
        }
        deadline_us
    }

    fn handle_timeout(&self, py: Python<'_>, now_us: u64) {
        self.detached(py, |engine| engine.handle_timeout(now_us));
    }

    #[pyo3(signature = (address, reuse_port=false))]
    fn bind<'py>(
        &self,
        py: Python<'py>,
        address: &[u8],
        reuse_port: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bound = self.lock().bind(unpacked(address)?, reuse_port)?;
        Ok(PyBytes::new(py, &address::pack(&bound)))
    }

    fn unbind(&self) {
        self.lock().unbind();
    }

    fn fileno(&self) -> i32 {
        self.lock().fileno().unwrap_or(-1)
    }

    fn poll_socket<'py>(&self, py: Python<'py>, now_us: u64) -> PyResult<Bound<'py, PyList>> {
        let events = self.detached(py, |engine| {
            engine.receive_socket(now_us);
            engine.poll()
        });
        event_list(py, events)
    }

    fn doze(&self, py: Python<'_>, now_us: u64) -> PyResult<()> {
        let bed = match self.bed.get() {
            Some(bed) => bed,
            None => {
                let made = Bed::new()?;
                made.tell(self.lock().next_timeout());
                self.bed.get_or_init(|| made)
            }
        };
        py.detach(|| bed.doze(&self.engine, now_us))?;
        Ok(())
    }

    fn rouse(&self) -> PyResult<()> {
        if let Some(bed) = self.bed.get() {
            bed.rouse()?;
        }
        Ok(())
    }

    fn flush_socket(&self, py: Python<'_>, now_us: u64) -> bool {
        self.detached(py, |engine| engine.flush_socket(now_us))
    }

    fn connect(&self, address: &[u8], server_name: &str, now_us: u64) -> PyResult<u64> {
        Ok(self
            .lock()
            .connect(unpacked(address)?, server_name, now_us)?)
    }

    fn close(&self, connection: u64, code: u64, reason: &[u8], now_us: u64) {
        self.lock().close(connection, code, reason, now_us);
    }

    fn call(&self, connection: u64, frame: &[u8]) -> i64 {
        opened(self.lock().call(connection, frame))
    }

    fn open(&self, connection: u64, framed: bool) -> i64 {
        opened(self.lock().open(connection, framed))
    }

    fn reply(&self, connection: u64, stream: u64, frame: &[u8]) -> i64 {
        sent(self.lock().reply(connection, stream, frame))
    }

    fn send(&self, connection: u64, stream: u64, frame: &[u8]) -> i64 {
        sent(self.lock().send(connection, stream, frame))
    }

    fn finish(&self, connection: u64, stream: u64) {
        self.lock().finish(connection, stream);
    }

    fn consumed(&self, connection: u64, stream: u64) {
        self.lock().consumed(connection, stream);
    }

    fn raw(&self, connection: u64, stream: u64) {
        self.lock().raw(connection, stream);
    }

    fn read<'py>(
        &self,
        py: Python<'py>,
        connection: u64,
        stream: u64,
        bytes_max: usize,
    ) -> PyResult<Option<(Bound<'py, PyBytes>, bool)>> {
        let Some((pieces, fin)): Option<Read> = self.lock().read(connection, stream, bytes_max)
        else {
            return Ok(None);
        };
        if let [one] = pieces.as_slice() {
            return Ok(Some((PyBytes::new(py, one), fin)));
        }
        Ok(Some((PyBytes::new(py, &pieces.concat()), fin)))
    }

    fn write(&self, py: Python<'_>, connection: u64, stream: u64, data: &[u8], fin: bool) -> i64 {
        let taken = self.detached(py, |engine| engine.write(connection, stream, data, fin));
        taken
            .and_then(|taken| i64::try_from(taken).ok())
            .unwrap_or(-2)
    }

    fn reset(&self, connection: u64, stream: u64, code: u64) {
        self.lock().reset(connection, stream, code);
    }

    fn stop_sending(&self, connection: u64, stream: u64, code: u64) {
        self.lock().stop_sending(connection, stream, code);
    }

    fn watch_idle(&self, connection: u64) {
        self.lock().watch_idle(connection);
    }

    fn set_frame_limit(&self, connection: u64, bytes_max: usize) {
        self.lock().set_frame_limit(connection, bytes_max);
    }

    fn set_certificate(&self, tls: ServerTls) -> PyResult<()> {
        Ok(self.lock().set_certificate(&tls)?)
    }

    fn set_window(&self, connection: u64, window_bytes: u32) {
        self.lock().set_window(connection, window_bytes);
    }

    fn charge(&self, connection: u64) {
        self.lock().charge(connection);
    }

    fn set_accepting(&self, accepting: bool) {
        self.lock().set_accepting(accepting);
    }

    fn set_retry(&self, from_half_open: usize) {
        self.lock().set_retry(from_half_open);
    }

    #[pyo3(signature = (current, also=None))]
    fn set_retry_keys(&self, current: [u8; 32], also: Option<[u8; 32]>) {
        self.lock().set_retry_keys(&current, also.as_ref());
    }

    fn update_keys(&self, connection: u64) {
        self.lock().update_keys(connection);
    }

    fn set_forwarding(&self, worker: Option<u8>) {
        self.lock().set_forwarding(worker);
    }

    fn peer_certificates<'py>(
        &self,
        py: Python<'py>,
        connection: u64,
    ) -> Option<Vec<Bound<'py, PyBytes>>> {
        let chain = self.lock().peer_certificates(connection)?;
        Some(chain.iter().map(|one| PyBytes::new(py, one)).collect())
    }

    fn peer_spki_sha256<'py>(
        &self,
        py: Python<'py>,
        connection: u64,
    ) -> Option<Bound<'py, PyBytes>> {
        self.lock()
            .peer_spki_sha256(connection)
            .map(|digest| PyBytes::new(py, &digest))
    }

    fn refused_spki_sha256<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.lock()
            .refused_spki_sha256()
            .map(|digest| PyBytes::new(py, &digest))
    }

    fn export_keying_material<'py>(
        &self,
        py: Python<'py>,
        connection: u64,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let material = self
            .lock()
            .export_keying_material(connection, label, context, length)?;
        Ok(PyBytes::new(py, &material))
    }

    fn handshake<'py>(
        &self,
        py: Python<'py>,
        connection: u64,
    ) -> Option<(Option<Bound<'py, PyBytes>>, Option<String>, String)> {
        let done = self.lock().handshake(connection)?;
        Some((
            done.alpn.map(|alpn| PyBytes::new(py, &alpn)),
            done.server_name,
            done.group,
        ))
    }

    fn remote_address<'py>(&self, py: Python<'py>, connection: u64) -> Option<Bound<'py, PyBytes>> {
        let at = self.lock().remote_address(connection)?;
        Some(PyBytes::new(py, &address::pack(&at)))
    }

    fn stats<'py>(&self, py: Python<'py>, connection: u64) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(stats) = self.lock().stats(connection) else {
            return Ok(None);
        };
        let dict = PyDict::new(py);
        for (name, value) in stats {
            dict.set_item(name, value)?;
        }
        Ok(Some(dict))
    }

    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (counters, gauges) = {
            let engine = self.lock();
            (engine.counters().clone(), engine.gauges())
        };
        let dict = PyDict::new(py);
        for (name, value) in counters.named() {
            dict.set_item(name, value)?;
        }
        for (name, value) in gauges {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }
}
