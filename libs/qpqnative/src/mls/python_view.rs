//! The Python face of the server's view.

use super::python::detached;
use super::python_values::{CommitFacts, Member, Proposal, members};
use super::view;
use pyo3::prelude::*;

/// The server's view of a group.
#[pyclass(frozen, module = "qpqnative")]
pub struct GroupView(view::GroupView);

#[derive(IntoPyObject)]
enum Checked {
    Proposal(Proposal),
    Commit(CommitFacts),
}

#[pymethods]
impl GroupView {
    #[staticmethod]
    #[pyo3(signature = (group_info, tree, now_s = None))]
    fn observe(py: Python<'_>, group_info: &[u8], tree: &[u8], now_s: Option<u64>) -> PyResult<Self> {
        detached(py, || view::GroupView::observe(group_info, tree, now_s)).map(Self)
    }

    #[staticmethod]
    fn load(py: Python<'_>, snapshot: &[u8], tree: &[u8]) -> PyResult<Self> {
        detached(py, || view::GroupView::load(snapshot, tree)).map(Self)
    }

    #[getter]
    fn group_id(&self) -> Vec<u8> {
        self.0.group_id()
    }

    #[getter]
    fn epoch(&self) -> u64 {
        self.0.epoch()
    }

    #[getter]
    fn suite(&self) -> u16 {
        self.0.suite()
    }

    #[getter]
    fn tree_hash(&self) -> Vec<u8> {
        self.0.tree_hash()
    }

    #[getter]
    fn policy(&self) -> Vec<u8> {
        self.0.policy()
    }

    #[getter]
    fn external_senders(&self, py: Python<'_>) -> PyResult<Vec<(Vec<u8>, Vec<u8>)>> {
        detached(py, || self.0.external_senders())
    }

    fn members(&self, py: Python<'_>) -> PyResult<Vec<Member>> {
        detached(py, || Ok(members(self.0.members())))
    }

    fn tree(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        detached(py, || self.0.tree())
    }

    fn snapshot(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        detached(py, || self.0.snapshot())
    }

    fn check(&self, py: Python<'_>, message: &[u8], now_s: u64) -> PyResult<(Self, Checked)> {
        let (next, checked) = detached(py, || self.0.check(message, now_s))?;
        let checked = match checked {
            view::Checked::Proposal(proposal) => Checked::Proposal(proposal.into()),
            view::Checked::Commit(commit) => Checked::Commit(commit.into()),
        };
        Ok((Self(next), checked))
    }

    fn check_group_info(&self, py: Python<'_>, group_info: &[u8]) -> PyResult<()> {
        detached(py, || self.0.check_group_info(group_info))
    }

    fn propose_remove(
        &self,
        py: Python<'_>,
        index: u32,
        sender_credential: &[u8],
        sender_secret: &[u8],
    ) -> PyResult<(Self, Vec<u8>)> {
        let (next, message) = detached(py, || self.0.propose_remove(index, sender_credential, sender_secret))?;
        Ok((Self(next), message))
    }

    fn cached_proposals(&self, py: Python<'_>) -> PyResult<Vec<(Vec<u8>, Proposal)>> {
        let proposals = detached(py, || Ok(self.0.cached_proposals()))?;
        Ok(proposals.into_iter().map(|p| (p.reference.clone(), p.into())).collect())
    }
}
