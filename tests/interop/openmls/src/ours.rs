//! A member through qpqnative, as QPQ's clients are: its state stored and loaded again, its commits detached.

use crate::member::{Built, Member, Said, Seen, State, Want};
use qpqnative::mls::device::{Device, generate_signature_key};
use qpqnative::mls::error::Error;
use qpqnative::mls::facts::Received;
use qpqnative::mls::group::{CommitRequest, Group};
use qpqnative::mls::pending::PendingCommit;
use qpqnative::mls::store::{Changes, Value};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// Epochs whose messages both libraries keep the keys of.
pub const PAST_EPOCHS: usize = 5;
/// Lifetime of KeyPackages here, seconds.
pub const LIFETIME_S: u64 = 86_400;

/// OpenMLS reads the clock itself, so that both have to be told the true time.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub struct Ours {
    name: String,
    seed: Value,
    pub device: Device,
    records: BTreeMap<Vec<u8>, Value>,
    group_id: Vec<u8>,
    group: Option<Group>,
    pending: Option<PendingCommit>,
    /// Load the state anew after each step, as after a restart.
    restless: bool,
}

pub fn said(error: Error) -> String {
    format!("{}: {}", error.kind.name(), error.cause)
}

impl Ours {
    pub fn new(name: &str, group_id: &[u8], lawful: bool, restless: bool) -> Self {
        let (seed, _) = generate_signature_key().unwrap();
        let mut device = Device::new(name.as_bytes(), &seed, vec![], PAST_EPOCHS).unwrap();
        if !lawful {
            device.lift_rules();
        }
        let (name, group_id) = (name.to_owned(), group_id.to_vec());
        Self { name, seed, device, records: BTreeMap::new(), group_id, group: None, pending: None, restless }
    }

    pub fn group(&self) -> &Group {
        self.group.as_ref().unwrap()
    }

    fn write(&mut self, changes: Changes) {
        for (key, value) in changes {
            match value {
                Some(value) => self.records.insert(key, value),
                None => self.records.remove(&key),
            };
        }
    }

    /// Takes a group's changes into the records; it is kept or, of a restless member, loaded from them.
    fn settle(&mut self, mut group: Group) {
        self.write(group.take_changes().unwrap());
        self.group = Some(group);
        if self.restless {
            self.group = Some(self.load(&self.device));
        }
    }

    /// The group out of the records, for this device or for one that keeps other rules.
    pub fn load(&self, device: &Device) -> Group {
        let tree = self.records.get(&[b"t/", self.group_id.as_slice()].concat()).unwrap();
        let records = self.records.iter().filter(|(key, _)| key.starts_with(b"s/") || key.starts_with(b"e/"));
        let records = records.map(|(key, value)| (key.clone(), value.clone())).collect();
        device.load_group(&self.group_id, records, tree).unwrap()
    }

    /// What the member would make of a message, leaving it as it is: the epoch authenticator after a commit.
    pub fn judge(&self, device: &Device, earlier: &[Vec<u8>], message: &[u8]) -> Said<Vec<u8>> {
        let mut group = self.load(device);
        for proposal in earlier {
            if group.process(proposal, Some(now_s())).is_err() {
                group = self.load(device);
            }
        }
        group.process(message, Some(now_s())).map_err(said)?;
        Ok(group.epoch_authenticator().unwrap_or_default())
    }

    /// Runs a step of the group; after an error the group comes out of the records again.
    fn step<T>(&mut self, step: impl FnOnce(&mut Group) -> Result<T, Error>) -> Said<T> {
        let mut group = self.group.take().unwrap();
        match step(&mut group) {
            Ok(out) => {
                self.settle(group);
                Ok(out)
            }
            Err(error) => {
                self.group = Some(self.load(&self.device));
                Err(said(error))
            }
        }
    }
}

impl Member for Ours {
    fn name(&self) -> &str {
        &self.name
    }

    fn seed(&self) -> &[u8] {
        &self.seed
    }

    fn key_package(&mut self) -> Vec<u8> {
        let package = self.device.key_package(1, false, now_s() - 60, LIFETIME_S).unwrap();
        self.write(self.device.take_changes());
        package
    }

    fn put_psk(&mut self, id: &[u8], secret: &[u8]) {
        self.device.put_psk(id, secret.to_vec());
    }

    fn create(&mut self, policy: &[u8], (credential, key): (&[u8], &[u8])) {
        let senders = vec![(credential.to_vec(), key.to_vec())];
        let group = self.device.create_group(1, self.group_id.clone(), policy.to_vec(), senders, now_s()).unwrap();
        self.settle(group);
    }

    fn join(&mut self, welcome: &[u8], tree: &[u8]) -> Said<()> {
        let group = self.device.join(welcome, Some(tree), Some(now_s())).map_err(said)?;
        self.settle(group);
        Ok(())
    }

    fn rejoin(&mut self, group_info: &[u8], tree: &[u8], old_leaf: Option<u32>) -> Said<Vec<u8>> {
        let joined = self.device.external_join(group_info, tree, old_leaf, vec![], Some(now_s()));
        let (group, commit) = joined.map_err(said)?;
        self.records.retain(|key, _| key.starts_with(b"k/"));
        self.settle(group);
        Ok(commit)
    }

    fn commit(&mut self, want: &Want) -> Said<Built> {
        let (add, remove, policy, psks) =
            (want.add.clone(), want.remove.clone(), want.policy.clone(), want.psks.clone());
        let request = CommitRequest { add, remove, policy, psks, path: want.path, new_signer: None, now_s: now_s() };
        let pending = self.step(|group| group.commit(request))?;
        let welcomes = pending.welcomes.iter().map(|welcome| welcome.welcome.clone()).collect();
        let built = Built { commit: pending.commit.clone(), welcomes };
        self.pending = Some(pending);
        Ok(built)
    }

    fn apply(&mut self, commit: &[u8]) -> Said<()> {
        let pending = self.pending.take().unwrap();
        self.step(|group| group.apply(&pending, Some(commit)))?;
        assert_eq!(self.group().tree().unwrap(), pending.tree, "the tree that was promised");
        Ok(())
    }

    fn process(&mut self, message: &[u8]) -> Said<Seen> {
        let received = self.step(|group| group.process(message, Some(now_s())))?;
        Ok(match received {
            Received::Application(read) => Seen::Application(read.data, read.sender.credential),
            Received::Proposal(_) => Seen::Proposal,
            Received::Commit(facts) => Seen::Commit(facts.self_removed),
        })
    }

    fn leave(&mut self) -> Said<Vec<u8>> {
        self.step(Group::propose_self_remove)
    }

    fn encrypt(&mut self, text: &[u8]) -> Said<Vec<u8>> {
        self.step(|group| group.encrypt(text, vec![]))
    }

    fn state(&self) -> State {
        let group = self.group();
        let members = group.members().into_iter().map(|leaf| (leaf.index, leaf.credential)).collect();
        let authenticator = group.epoch_authenticator().unwrap();
        State {
            epoch: group.epoch(),
            tree_hash: group.tree_hash(),
            authenticator,
            tree: group.tree().unwrap(),
            members,
        }
    }

    fn own_index(&self) -> u32 {
        self.group().own_index()
    }

    fn export(&self, label: &str, context: &[u8], length: usize) -> Vec<u8> {
        self.group().export(label.as_bytes(), context, length).unwrap()
    }

    fn group_info(&self) -> Vec<u8> {
        self.group().group_info().unwrap()
    }
}
