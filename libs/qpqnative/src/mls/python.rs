//! The Python face of devices and groups. It converts, gives the GIL back, and guards; it decides nothing.

use super::error::Result;
use super::python_values::{
    Application, CommitFacts, KeyPackageInfo, Member, MessageInfo, Proposal, Received, members,
};
use super::store::{Changes, Value};
use super::{EXT_POLICY, device, group, inspect, pending, suite};
use crate::boundary::{Guarded, caught};
use crate::python::owned;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

/// Changes as Python takes them.
type PyChanges = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn changes(changes: Changes) -> PyChanges {
    changes.into_iter().map(|(key, value)| (key, value.map(|value| value.to_vec()))).collect()
}

/// Runs work without the GIL, inside the panic boundary.
pub(super) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    Ok(py.detach(|| caught(work))?)
}

/// A device.
#[pyclass(frozen, module = "qpqnative")]
pub struct Device(Guarded<device::Device>);

impl Device {
    pub(super) fn run<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut device::Device) -> Result<T> + Send,
    ) -> PyResult<T> {
        Ok(py.detach(|| self.0.consult(work))?)
    }
}

#[pymethods]
impl Device {
    #[new]
    #[pyo3(
        signature = (*, credential, signature_secret, entries = None, past_epochs = super::PAST_EPOCHS_DEFAULT),
        text_signature = "(*, credential, signature_secret, entries=None, past_epochs=5)"
    )]
    fn new(
        credential: &[u8],
        signature_secret: &[u8],
        entries: Option<&Bound<'_, PyAny>>,
        past_epochs: usize,
    ) -> PyResult<Self> {
        let records = entries.map(crate::python::entries).transpose()?.unwrap_or_default();
        let device = caught(|| device::Device::new(credential, signature_secret, records, past_epochs))?;
        Ok(Self(Guarded::new(device)))
    }

    #[pyo3(signature = (suite, *, last_resort = false, not_before_s, lifetime_s))]
    fn key_package(
        &self,
        py: Python<'_>,
        suite: u16,
        last_resort: bool,
        not_before_s: u64,
        lifetime_s: u64,
    ) -> PyResult<Vec<u8>> {
        self.run(py, |d| d.key_package(suite, last_resort, not_before_s, lifetime_s))
    }

    #[pyo3(
        signature = (suite, *, group_id, policy, external_senders = vec![], now_s),
        text_signature = "(self, suite, *, group_id, policy, external_senders=(), now_s)"
    )]
    fn create_group(
        &self,
        py: Python<'_>,
        suite: u16,
        group_id: &[u8],
        policy: &[u8],
        external_senders: Vec<(PyBackedBytes, PyBackedBytes)>,
        now_s: u64,
    ) -> PyResult<Group> {
        let senders = external_senders.iter().map(|(credential, key)| (credential.to_vec(), key.to_vec())).collect();
        self.run(py, |d| d.create_group(suite, group_id.to_vec(), policy.to_vec(), senders, now_s)).map(Group::from)
    }

    #[pyo3(signature = (welcome, tree, now_s = None))]
    fn join(&self, py: Python<'_>, welcome: &[u8], tree: Option<&[u8]>, now_s: Option<u64>) -> PyResult<Group> {
        self.run(py, |d| d.join(welcome, tree, now_s)).map(Group::from)
    }

    #[pyo3(
        signature = (group_info, tree, *, remove_leaf = None, psks = vec![], now_s = None),
        text_signature = "(self, group_info, tree, *, remove_leaf=None, psks=(), now_s=None)"
    )]
    fn external_join(
        &self,
        py: Python<'_>,
        group_info: &[u8],
        tree: &[u8],
        remove_leaf: Option<u32>,
        psks: Vec<PyBackedBytes>,
        now_s: Option<u64>,
    ) -> PyResult<(Group, Vec<u8>)> {
        let psks = owned(&psks);
        let (group, commit) = self.run(py, |d| d.external_join(group_info, tree, remove_leaf, psks, now_s))?;
        Ok((group.into(), commit))
    }

    fn load_group(&self, py: Python<'_>, group_id: &[u8], entries: &Bound<'_, PyAny>, tree: &[u8]) -> PyResult<Group> {
        let records = crate::python::entries(entries)?;
        self.run(py, |d| d.load_group(group_id, records, tree)).map(Group::from)
    }

    fn put_psk(&self, py: Python<'_>, psk_id: &[u8], secret: &[u8]) -> PyResult<()> {
        self.run(py, |d| {
            d.put_psk(psk_id, secret.to_vec());
            Ok(())
        })
    }

    fn take_changes(&self, py: Python<'_>) -> PyResult<PyChanges> {
        self.run(py, |d| Ok(changes(d.take_changes())))
    }
}

/// A group.
#[pyclass(frozen, module = "qpqnative")]
pub struct Group {
    group_id: Vec<u8>,
    guarded: Guarded<group::Group>,
}

impl From<group::Group> for Group {
    fn from(group: group::Group) -> Self {
        Self { group_id: group.group_id(), guarded: Guarded::new(group) }
    }
}

impl Group {
    fn run<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut group::Group) -> Result<T> + Send) -> PyResult<T> {
        Ok(py.detach(|| self.guarded.run(work))?)
    }
}

#[pymethods]
impl Group {
    #[getter]
    fn group_id(&self) -> Vec<u8> {
        self.group_id.clone()
    }

    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        self.run(py, |g| Ok(g.epoch()))
    }

    #[getter]
    fn suite(&self, py: Python<'_>) -> PyResult<u16> {
        self.run(py, |g| Ok(g.suite()))
    }

    #[getter]
    fn own_index(&self, py: Python<'_>) -> PyResult<u32> {
        self.run(py, |g| Ok(g.own_index()))
    }

    #[getter]
    fn inviter_index(&self, py: Python<'_>) -> PyResult<Option<u32>> {
        self.run(py, |g| Ok(g.inviter()))
    }

    #[getter]
    fn tree_hash(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.run(py, |g| Ok(g.tree_hash()))
    }

    #[getter]
    fn policy(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.run(py, |g| Ok(g.policy()))
    }

    #[getter]
    fn next_generation(&self, py: Python<'_>) -> PyResult<u32> {
        self.run(py, group::Group::next_generation)
    }

    fn members(&self, py: Python<'_>) -> PyResult<Vec<Member>> {
        self.run(py, |g| Ok(members(g.members())))
    }

    #[pyo3(
        signature = (*, add = vec![], remove = vec![], policy = None, psks = vec![], path = true, new_signer = None, now_s),
        text_signature = "(self, *, add=(), remove=(), policy=None, psks=(), path=True, new_signer=None, now_s)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keyword-only, each with its own meaning")]
    fn commit(
        &self,
        py: Python<'_>,
        add: Vec<PyBackedBytes>,
        remove: Vec<u32>,
        policy: Option<Vec<u8>>,
        psks: Vec<PyBackedBytes>,
        path: bool,
        new_signer: Option<(PyBackedBytes, PyBackedBytes)>,
        now_s: u64,
    ) -> PyResult<PendingCommit> {
        let new_signer = new_signer.map(|(credential, seed)| (credential.to_vec(), Value::new(seed.to_vec())));
        let (add, psks) = (owned(&add), owned(&psks));
        let request = group::CommitRequest { add, remove, policy, psks, path, new_signer, now_s };
        self.run(py, |g| g.commit(request)).map(PendingCommit)
    }

    #[pyo3(signature = (pending, commit = None))]
    fn apply(&self, py: Python<'_>, pending: &PendingCommit, commit: Option<&[u8]>) -> PyResult<CommitFacts> {
        self.run(py, |g| g.apply(&pending.0, commit)).map(CommitFacts::from)
    }

    #[pyo3(signature = (message, now_s = None))]
    fn process(&self, py: Python<'_>, message: &[u8], now_s: Option<u64>) -> PyResult<Received> {
        self.run(py, |g| g.process(message, now_s)).map(Received::from)
    }

    #[pyo3(
        signature = (plaintext, authenticated_data = b"".as_slice()),
        text_signature = "(self, plaintext, authenticated_data=b'')"
    )]
    fn encrypt(&self, py: Python<'_>, plaintext: &[u8], authenticated_data: &[u8]) -> PyResult<Vec<u8>> {
        self.run(py, |g| g.encrypt(plaintext, authenticated_data.to_vec()))
    }

    fn propose_self_remove(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.run(py, group::Group::propose_self_remove)
    }

    fn export(&self, py: Python<'_>, label: &[u8], context: &[u8], length: usize) -> PyResult<Vec<u8>> {
        self.run(py, |g| g.export(label, context, length))
    }

    fn export_after(
        &self,
        py: Python<'_>,
        pending: &PendingCommit,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> PyResult<Vec<u8>> {
        self.run(py, |g| g.export_after(&pending.0, label, context, length))
    }

    fn epoch_authenticator(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.run(py, |g| g.epoch_authenticator())
    }

    fn group_info(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.run(py, |g| g.group_info())
    }

    fn tree(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.run(py, |g| g.tree())
    }

    fn pending_proposals(&self, py: Python<'_>) -> PyResult<usize> {
        self.run(py, |g| Ok(g.pending_proposals()))
    }

    fn take_changes(&self, py: Python<'_>) -> PyResult<PyChanges> {
        self.run(py, |g| g.take_changes().map(changes))
    }
}

/// A detached commit.
#[pyclass(frozen, module = "qpqnative")]
pub struct PendingCommit(pending::PendingCommit);

#[pymethods]
impl PendingCommit {
    #[getter]
    fn group_id(&self) -> Vec<u8> {
        self.0.group_id.clone()
    }

    #[getter]
    const fn epoch(&self) -> u64 {
        self.0.epoch
    }

    #[getter]
    fn commit(&self) -> Vec<u8> {
        self.0.commit.clone()
    }

    #[getter]
    fn commit_hash(&self) -> Vec<u8> {
        self.0.commit_hash()
    }

    #[getter]
    fn has_path(&self, py: Python<'_>) -> PyResult<bool> {
        detached(py, || self.0.has_path())
    }

    #[getter]
    fn welcomes(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.0.welcomes.iter().map(|w| (w.key_package.clone(), w.welcome.clone())).collect()
    }

    #[getter]
    fn group_info(&self) -> Vec<u8> {
        self.0.group_info.clone()
    }

    #[getter]
    fn tree(&self) -> Vec<u8> {
        self.0.tree.clone()
    }

    #[getter]
    fn tree_hash(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        detached(py, || self.0.tree_hash())
    }

    #[getter]
    const fn unused_proposals(&self) -> u32 {
        self.0.unused_proposals
    }

    fn to_bytes(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        detached(py, || self.0.to_bytes())
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        detached(py, || pending::PendingCommit::from_bytes(data)).map(Self)
    }
}

/// A new Ed25519 signature key: seed and public key.
#[pyfunction]
fn generate_signature_key(py: Python<'_>) -> PyResult<(Vec<u8>, Vec<u8>)> {
    let (seed, public) = detached(py, device::generate_signature_key)?;
    Ok((seed.to_vec(), public))
}

/// Whether an Ed25519 signature is genuine; some 45 us, for which the GIL is kept.
#[pyfunction]
#[pyo3(signature = (public, message, signature))]
fn is_signed(public: &[u8], message: &[u8], signature: &[u8]) -> PyResult<bool> {
    let verdict: Result<bool> = caught(|| Ok(device::is_signed(public, message, signature)));
    Ok(verdict?)
}

/// Checks a KeyPackage.
#[pyfunction]
#[pyo3(signature = (message, now_s))]
fn inspect_key_package(py: Python<'_>, message: &[u8], now_s: Option<u64>) -> PyResult<KeyPackageInfo> {
    detached(py, || inspect::inspect_key_package(message, now_s)).map(KeyPackageInfo::from)
}

/// Reads a message's head. Giving the interpreter away for it looks like a waste, 3 us and then 115 of waiting, but it lets
/// the server's databases have it in time: kept, messages arrived later (docs/benchmarks.md).
#[pyfunction]
fn inspect_message(py: Python<'_>, message: &[u8]) -> PyResult<MessageInfo> {
    detached(py, || inspect::inspect_message(message)).map(MessageInfo::from)
}

/// Adds this subject's names to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("SUITE_1", u16::from(suite::SUITE_1))?;
    module.add("SUITE_XWING", u16::from(suite::SUITE_XWING))?;
    module.add("EXT_POLICY", EXT_POLICY.raw_value())?;
    module.add_class::<Device>()?;
    module.add_class::<Group>()?;
    module.add_class::<PendingCommit>()?;
    module.add_class::<super::python_view::GroupView>()?;
    module.add_class::<Member>()?;
    module.add_class::<KeyPackageInfo>()?;
    module.add_class::<MessageInfo>()?;
    module.add_class::<Application>()?;
    module.add_class::<Proposal>()?;
    module.add_class::<CommitFacts>()?;
    module.add_function(wrap_pyfunction!(generate_signature_key, module)?)?;
    module.add_function(wrap_pyfunction!(is_signed, module)?)?;
    module.add_function(wrap_pyfunction!(inspect_key_package, module)?)?;
    module.add_function(wrap_pyfunction!(inspect_message, module)?)?;
    super::python_testing::register(module)
}
