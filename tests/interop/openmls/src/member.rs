//! A member of a group, of either library, by what a play asks of it. Errors are the library's own words.

/// Errors by the library's name for them.
pub type Said<T> = Result<T, String>;

/// What a commit shall do; stored proposals are taken up besides.
#[derive(Debug, Clone, Default)]
pub struct Want {
    /// KeyPackages, as MLSMessages.
    pub add: Vec<Vec<u8>>,
    /// Leaves.
    pub remove: Vec<u32>,
    /// The policy from now on.
    pub policy: Option<Vec<u8>>,
    /// Ids of external pre-shared keys.
    pub psks: Vec<Vec<u8>>,
    /// With a path even where none is needed.
    pub path: bool,
}

/// A commit that waits for the log, and Welcomes for whom it adds (one each, or one for all).
#[derive(Debug, Clone)]
pub struct Built {
    pub commit: Vec<u8>,
    pub welcomes: Vec<Vec<u8>>,
}

/// What a member has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The text, and the identity of who sent it.
    Application(Vec<u8>, Vec<u8>),
    Proposal,
    /// A commit; whether it took this member out.
    Commit(bool),
}

/// What all members of an epoch must agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub epoch: u64,
    pub tree_hash: Vec<u8>,
    pub authenticator: Vec<u8>,
    pub tree: Vec<u8>,
    /// Identities by leaf.
    pub members: Vec<(u32, Vec<u8>)>,
}

pub trait Member {
    fn name(&self) -> &str;
    fn seed(&self) -> &[u8];
    fn key_package(&mut self) -> Vec<u8>;
    fn put_psk(&mut self, id: &[u8], secret: &[u8]);
    fn create(&mut self, policy: &[u8], sender: (&[u8], &[u8]));
    fn join(&mut self, welcome: &[u8], tree: &[u8]) -> Said<()>;
    /// Joins by external commit, which takes effect at once here.
    fn rejoin(&mut self, group_info: &[u8], tree: &[u8], old_leaf: Option<u32>) -> Said<Vec<u8>>;
    fn commit(&mut self, want: &Want) -> Said<Built>;
    /// The log has brought the own commit back.
    fn apply(&mut self, commit: &[u8]) -> Said<()>;
    fn process(&mut self, message: &[u8]) -> Said<Seen>;
    fn leave(&mut self) -> Said<Vec<u8>>;
    fn encrypt(&mut self, text: &[u8]) -> Said<Vec<u8>>;
    fn state(&self) -> State;
    fn own_index(&self) -> u32;
    fn export(&self, label: &str, context: &[u8], length: usize) -> Vec<u8>;
    fn group_info(&self) -> Vec<u8>;
}
