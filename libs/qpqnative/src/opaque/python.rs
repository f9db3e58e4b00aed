//! The Python face of OPAQUE.

use super::server::{self, Naming};
use super::{Error, Result, Stretch, client, with_randomness};
use crate::boundary::{Guarded, caught};
use pyo3::prelude::*;

type Bytes = Vec<u8>;

fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    Ok(py.detach(|| caught(work))?)
}

/// The server's long-term secrets.
#[pyclass(frozen, module = "qpqnative")]
pub struct OpaqueServerSetup(server::ServerSetup);

#[pymethods]
impl OpaqueServerSetup {
    #[staticmethod]
    fn new(py: Python<'_>) -> PyResult<Self> {
        detached(py, || with_randomness(None, |r| Ok(server::ServerSetup::new(r)))).map(Self)
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        detached(py, || server::ServerSetup::from_bytes(data)).map(Self)
    }

    fn to_bytes(&self) -> Bytes {
        self.0.to_bytes()
    }

    #[getter]
    fn public_key(&self) -> Bytes {
        self.0.public_key()
    }
}

/// Answers a registration request.
#[pyfunction]
fn opaque_registration_response(
    py: Python<'_>,
    setup: &OpaqueServerSetup,
    request: &[u8],
    credential_id: &[u8],
) -> PyResult<Bytes> {
    detached(py, || setup.0.registration_response(request, credential_id))
}

/// Checks an upload; the record to store.
#[pyfunction]
fn opaque_registration_record(py: Python<'_>, upload: &[u8]) -> PyResult<Bytes> {
    detached(py, || server::registration_record(upload))
}

/// Answers a log-in request: response and state.
#[pyfunction]
#[pyo3(
    signature = (setup, record, request, credential_id, *, context = b"".as_slice(), client = None, server = None, randomness = None),
    text_signature = "(setup, record, request, credential_id, *, context=b'', client=None, server=None, randomness=None)"
)]
#[expect(clippy::too_many_arguments, reason = "keyword-only, each with its own meaning")]
fn opaque_login_response(
    py: Python<'_>,
    setup: &OpaqueServerSetup,
    record: Option<&[u8]>,
    request: &[u8],
    credential_id: &[u8],
    context: &[u8],
    client: Option<&[u8]>,
    server: Option<&[u8]>,
    randomness: Option<&[u8]>,
) -> PyResult<(Bytes, Bytes)> {
    let naming = Naming { context, client, server };
    detached(py, || with_randomness(randomness, |r| setup.0.login_response(r, record, request, credential_id, naming)))
}

/// Finishes a log-in: the session key.
#[pyfunction]
fn opaque_login_finish(py: Python<'_>, state: &[u8], finalization: &[u8]) -> PyResult<Bytes> {
    detached(py, || server::login_finish(state, finalization, Naming::default()))
}

const fn stretch(identity: bool) -> Stretch {
    if identity { Stretch::Identity } else { Stretch::Argon2id }
}

/// A registration, client's side: `start`, then `finish`, once each.
#[pyclass(frozen, module = "qpqnative")]
pub struct OpaqueRegistration(Guarded<Option<client::Registration>>);

#[pymethods]
impl OpaqueRegistration {
    #[new]
    const fn new() -> Self {
        Self(Guarded::new(None))
    }

    #[pyo3(signature = (password, *, randomness = None))]
    fn start(&self, py: Python<'_>, password: &[u8], randomness: Option<&[u8]>) -> PyResult<Bytes> {
        let begin = |slot: &mut Option<client::Registration>| {
            let (state, request) = with_randomness(randomness, |r| client::Registration::start(r, password))?;
            *slot = Some(state);
            Ok::<_, Error>(request)
        };
        Ok(py.detach(|| self.0.run(begin))?)
    }

    #[pyo3(signature = (password, response, *, client = None, server = None, identity_stretch = false, randomness = None))]
    #[expect(clippy::too_many_arguments, reason = "keyword-only, each with its own meaning")]
    fn finish(
        &self,
        py: Python<'_>,
        password: &[u8],
        response: &[u8],
        client: Option<&[u8]>,
        server: Option<&[u8]>,
        identity_stretch: bool,
        randomness: Option<&[u8]>,
    ) -> PyResult<(Bytes, Bytes, Bytes)> {
        let naming = Naming { context: b"", client, server };
        let end = |slot: &mut Option<client::Registration>| {
            let state = slot.take().ok_or(Error::Poisoned)?;
            with_randomness(randomness, |r| state.finish(r, password, response, naming, stretch(identity_stretch)))
        };
        let done = py.detach(|| self.0.run(end))?;
        Ok((done.upload, done.export_key.to_vec(), done.server_public_key))
    }
}

/// A log-in, client's side: `start`, then `finish`, once each.
#[pyclass(frozen, module = "qpqnative")]
pub struct OpaqueLogin(Guarded<Option<client::Login>>);

#[pymethods]
impl OpaqueLogin {
    #[new]
    const fn new() -> Self {
        Self(Guarded::new(None))
    }

    #[pyo3(signature = (password, *, randomness = None))]
    fn start(&self, py: Python<'_>, password: &[u8], randomness: Option<&[u8]>) -> PyResult<Bytes> {
        let begin = |slot: &mut Option<client::Login>| {
            let (state, request) = with_randomness(randomness, |r| client::Login::start(r, password))?;
            *slot = Some(state);
            Ok::<_, Error>(request)
        };
        Ok(py.detach(|| self.0.run(begin))?)
    }

    #[pyo3(
        signature = (password, response, *, context = b"".as_slice(), client = None, server = None, identity_stretch = false),
        text_signature = "(self, password, response, *, context=b'', client=None, server=None, identity_stretch=False)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keyword-only, each with its own meaning")]
    fn finish(
        &self,
        py: Python<'_>,
        password: &[u8],
        response: &[u8],
        context: &[u8],
        client: Option<&[u8]>,
        server: Option<&[u8]>,
        identity_stretch: bool,
    ) -> PyResult<(Bytes, Bytes, Bytes, Bytes)> {
        let naming = Naming { context, client, server };
        let end = |slot: &mut Option<client::Login>| {
            let state = slot.take().ok_or(Error::Poisoned)?;
            with_randomness(None, |r| state.finish(r, password, response, naming, stretch(identity_stretch)))
        };
        let done = py.detach(|| self.0.run(end))?;
        let (session_key, export_key) = (done.session_key.to_vec(), done.export_key.to_vec());
        Ok((done.finalization, session_key, export_key, done.server_public_key))
    }
}

/// Argon2id, version 1.3.
#[pyfunction]
fn argon2id(
    py: Python<'_>,
    password: &[u8],
    salt: &[u8],
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    length: usize,
) -> PyResult<Bytes> {
    detached(py, || {
        let mut output = vec![0; length];
        super::argon2id(password, salt, memory_kib, passes, lanes, &mut output)?;
        Ok(output)
    })
}

/// Adds this subject's names to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<OpaqueServerSetup>()?;
    module.add_class::<OpaqueRegistration>()?;
    module.add_class::<OpaqueLogin>()?;
    module.add_function(wrap_pyfunction!(opaque_registration_response, module)?)?;
    module.add_function(wrap_pyfunction!(opaque_registration_record, module)?)?;
    module.add_function(wrap_pyfunction!(opaque_login_response, module)?)?;
    module.add_function(wrap_pyfunction!(opaque_login_finish, module)?)?;
    module.add_function(wrap_pyfunction!(argon2id, module)?)
}
