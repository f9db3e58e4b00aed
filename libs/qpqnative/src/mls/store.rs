//! State as records and changes: what mls-rs writes is noted here until the caller takes it into his own transaction.
//!
//! Keys: `s/<group>` state without the tree, `e/<group><epoch be64>` a past epoch, `e/<group><epoch be64>/skipped` that
//! epoch's ledger of skipped keys, `t/<group>` the tree; in the device's store `k/<reference>` a KeyPackage's private
//! half and `p/<id>` a pre-shared key. A change to `None` is a deletion.

use mls_rs_codec::{MlsDecode, MlsEncode};
use mls_rs_core::error::IntoAnyError;
use mls_rs_core::group::{EpochRecord, GroupState, GroupStateStorage};
use mls_rs_core::key_package::{KeyPackageData, KeyPackageStorage};
use mls_rs_core::psk::{ExternalPskId, PreSharedKey, PreSharedKeyStorage};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// A record's value; wiped when dropped.
pub type Value = Zeroizing<Vec<u8>>;
/// Changes since they were last taken, by key.
pub type Changes = BTreeMap<Vec<u8>, Option<Value>>;

/// A record of our own that cannot be read.
#[derive(Debug)]
pub struct DamagedRecord;

impl std::fmt::Display for DamagedRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("damaged record")
    }
}

impl std::error::Error for DamagedRecord {}

impl IntoAnyError for DamagedRecord {
    fn into_dyn_error(self) -> Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(Box::new(self))
    }
}

/// Records as last taken, and the changes over them.
#[derive(Default)]
struct Records {
    kept: BTreeMap<Vec<u8>, Value>,
    changes: Changes,
}

impl Records {
    fn get(&self, key: &[u8]) -> Option<&Value> {
        match self.changes.get(key) {
            Some(change) => change.as_ref(),
            None => self.kept.get(key),
        }
    }

    fn put(&mut self, key: Vec<u8>, value: Value) {
        if self.get(&key) != Some(&value) {
            self.changes.insert(key, Some(value));
        }
    }

    fn delete(&mut self, key: &[u8]) {
        if self.get(key).is_some() {
            self.changes.insert(key.to_vec(), None);
        }
    }

    fn take(&mut self) -> Changes {
        let changes = std::mem::take(&mut self.changes);
        for (key, value) in &changes {
            match value {
                Some(value) => self.kept.insert(key.clone(), value.clone()),
                None => self.kept.remove(key),
            };
        }
        changes
    }

    fn keys_from<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = &'a Vec<u8>> {
        let from = || prefix.to_vec()..;
        self.kept
            .range(from())
            .map(|(key, _)| key)
            .chain(self.changes.range(from()).map(|(key, _)| key))
            .filter(move |key| key.starts_with(prefix) && self.get(key).is_some())
    }
}

fn key(kind: &[u8], id: &[u8]) -> Vec<u8> {
    [kind, b"/", id].concat()
}

fn epoch_key(group: &[u8], epoch: u64) -> Vec<u8> {
    [b"e/", group, &epoch.to_be_bytes()].concat()
}

fn skipped_key(group: &[u8], epoch: u64) -> Vec<u8> {
    [b"e/", group, &epoch.to_be_bytes(), b"/skipped"].concat()
}

/// One group's records. Clones share them.
#[derive(Clone)]
pub struct GroupStore {
    records: Arc<Mutex<Records>>,
    past_epochs: usize,
}

impl GroupStore {
    /// A store with the records that the caller kept.
    pub fn new(entries: impl IntoIterator<Item = (Vec<u8>, Value)>, past_epochs: usize) -> Self {
        let records = Records { kept: entries.into_iter().collect(), changes: Changes::new() };
        Self { records: Arc::new(Mutex::new(records)), past_epochs }
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The changes since the last call.
    #[must_use]
    pub fn take(&self) -> Changes {
        self.lock().take()
    }

    /// Notes the tree of the current epoch.
    pub fn put_tree(&self, group: &[u8], tree: Vec<u8>) {
        self.lock().put(key(b"t", group), Zeroizing::new(tree));
    }

    /// An epoch's ledger of skipped keys.
    #[must_use]
    pub fn skipped(&self, group: &[u8], epoch: u64) -> Option<Value> {
        self.lock().get(&skipped_key(group, epoch)).cloned()
    }

    /// Notes an epoch's ledger of skipped keys.
    pub fn put_skipped(&self, group: &[u8], epoch: u64, ledger: Vec<u8>) {
        self.lock().put(skipped_key(group, epoch), Zeroizing::new(ledger));
    }
}

/// The past epochs that are stored, oldest first.
fn epochs(records: &Records, group: &[u8]) -> Vec<u64> {
    let prefix = key(b"e", group);
    let mut found: Vec<u64> = records
        .keys_from(&prefix)
        .filter_map(|key| key.get(prefix.len()..)?.try_into().ok().map(u64::from_be_bytes))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn drop_old_epochs(records: &mut Records, group: &[u8], past_epochs: usize) {
    let stored = epochs(records, group);
    let surplus = stored.len().saturating_sub(past_epochs);
    for epoch in stored.into_iter().take(surplus) {
        records.delete(&epoch_key(group, epoch));
        records.delete(&skipped_key(group, epoch));
    }
}

impl GroupStateStorage for GroupStore {
    type Error = DamagedRecord;

    fn state(&self, group_id: &[u8]) -> Result<Option<Value>, DamagedRecord> {
        Ok(self.lock().get(&key(b"s", group_id)).cloned())
    }

    fn epoch(&self, group_id: &[u8], epoch_id: u64) -> Result<Option<Value>, DamagedRecord> {
        Ok(self.lock().get(&epoch_key(group_id, epoch_id)).cloned())
    }

    fn write(
        &mut self,
        state: GroupState,
        epoch_inserts: Vec<EpochRecord>,
        epoch_updates: Vec<EpochRecord>,
    ) -> Result<(), DamagedRecord> {
        let mut records = self.lock();
        records.put(key(b"s", &state.id), state.data);
        for record in epoch_inserts.into_iter().chain(epoch_updates) {
            records.put(epoch_key(&state.id, record.id), record.data);
        }
        drop_old_epochs(&mut records, &state.id, self.past_epochs);
        Ok(())
    }

    fn max_epoch_id(&self, group_id: &[u8]) -> Result<Option<u64>, DamagedRecord> {
        Ok(epochs(&self.lock(), group_id).last().copied())
    }
}

/// A device's KeyPackages and pre-shared keys. Clones share them: every group of the device holds one.
#[derive(Clone)]
pub struct DeviceStore(Arc<Mutex<Records>>);

impl DeviceStore {
    /// A store with the records that the caller kept.
    pub fn new(entries: impl IntoIterator<Item = (Vec<u8>, Value)>) -> Self {
        Self(Arc::new(Mutex::new(Records { kept: entries.into_iter().collect(), changes: Changes::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The changes since the last call.
    #[must_use]
    pub fn take(&self) -> Changes {
        self.lock().take()
    }

    /// Stores a pre-shared key.
    pub fn put_psk(&self, id: &[u8], secret: Vec<u8>) {
        self.lock().put(key(b"p", id), Zeroizing::new(secret));
    }
}

impl KeyPackageStorage for DeviceStore {
    type Error = DamagedRecord;

    fn delete(&mut self, id: &[u8]) -> Result<(), DamagedRecord> {
        self.lock().delete(&key(b"k", id));
        Ok(())
    }

    fn insert(&mut self, id: Vec<u8>, package: KeyPackageData) -> Result<(), DamagedRecord> {
        let bytes = package.mls_encode_to_vec().map_err(|_| DamagedRecord)?;
        self.lock().put(key(b"k", &id), Zeroizing::new(bytes));
        Ok(())
    }

    fn get(&self, id: &[u8]) -> Result<Option<KeyPackageData>, DamagedRecord> {
        let Some(bytes) = self.lock().get(&key(b"k", id)).cloned() else { return Ok(None) };
        KeyPackageData::mls_decode(&mut bytes.as_slice()).map(Some).map_err(|_| DamagedRecord)
    }
}

impl PreSharedKeyStorage for DeviceStore {
    type Error = DamagedRecord;

    fn get(&self, id: &ExternalPskId) -> Result<Option<PreSharedKey>, DamagedRecord> {
        Ok(self.lock().get(&key(b"p", id.as_ref())).map(|secret| PreSharedKey::new(secret.to_vec())))
    }
}
