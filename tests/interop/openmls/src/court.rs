//! A group in which one member, Eve, makes what she should not, and what the others make of it: a member of qpqnative
//! under QPQ's rules, the same without them, a member of OpenMLS, and delivery's view.

use crate::dice::Dice;
use crate::member::{Member, Said, Want};
use crate::ours::{Ours, now_s, said};
use crate::play::{DELIVERY, GROUP_ID, Law, Play, Player};
use crate::theirs::Theirs;
use crate::wire::{COMMIT, Commit, Content, Leaf, PROPOSAL, Package, Public, Sender, reference};
use mls_rs_core::crypto::CipherSuiteProvider;
use qpqnative::mls::device::Device;
use qpqnative::mls::suite::{SUITE_1, provider};

/// What somebody makes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It passes.
    Passes,
    /// Everything that can be checked without a secret passes; a tag does not fit, or a path secret does not open.
    Secrets,
    /// A rule is broken.
    Refused,
}

/// A class and the library's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub class: Class,
    pub cause: String,
    pub authenticator: Vec<u8>,
}

/// The libraries' words for what fails on secrets alone.
const ON_SECRETS: [&str; 12] = [
    "InvalidConfirmationTag",
    "InvalidMembershipTag",
    "ConfirmationTagMismatch",
    "UpdatePathError.UnableToDecrypt",
    "UnableToDecrypt",
    "PathMismatch",
    "PubKeyMismatch",
    "CryptoProviderError",
    "HpkeDecryptionError",
    "MissingRequiredPsk",
    "OldGroupStateNotFound",
    "PskError.KeyNotFound",
];

impl From<Said<Vec<u8>>> for Verdict {
    fn from(said: Said<Vec<u8>>) -> Self {
        match said {
            Ok(authenticator) => Self { class: Class::Passes, cause: String::new(), authenticator },
            Err(cause) => {
                let secrets = ON_SECRETS.iter().any(|word| cause.ends_with(word));
                let class = if secrets { Class::Secrets } else { Class::Refused };
                Self { class, cause, authenticator: vec![] }
            }
        }
    }
}

/// Four verdicts on one message.
#[derive(Debug, Clone)]
pub struct Verdicts {
    pub qpq: Verdict,
    pub mls: Verdict,
    pub openmls: Verdict,
    pub view: Verdict,
}

impl Verdicts {
    pub const fn classes(&self) -> [Class; 4] {
        [self.qpq.class, self.mls.class, self.openmls.class, self.view.class]
    }
}

impl std::fmt::Display for Verdicts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = [("qpq", &self.qpq), ("mls", &self.mls), ("openmls", &self.openmls), ("view", &self.view)];
        named.iter().try_for_each(|(name, verdict)| write!(f, "{name} {:?} {}; ", verdict.class, verdict.cause))
    }
}

/// What is put before the court.
pub struct Case {
    /// Proposals that everybody has had.
    pub earlier: Vec<Vec<u8>>,
    pub message: Vec<u8>,
    /// Eve would know the confirmation tag: where OpenMLS comes as far as to compute it, it is put in.
    pub complete: bool,
}

pub struct Court {
    pub play: Play,
    lawless: Device,
    eve_lawless: Device,
    membership_key: Vec<u8>,
    pub context: Vec<u8>,
    pub epoch: u64,
}

/// Seats, which are leaves as well: 3 is blank.
pub const EVE: usize = 0;
const OURS: usize = 1;
const THEIRS: usize = 2;
pub const BLANK: u32 = 3;
pub const OTHER: u32 = 4;
pub const LAST: u32 = 5;

impl Court {
    pub fn new(seed: u64) -> Self {
        let mut play = Play::founded(Dice::new(seed), Law::Qpq, true);
        let joining: Vec<_> = [true, false, true, true, false].map(|ours| play.new_player(ours)).to_vec();
        let add = joining.iter().map(|seat| play.member(*seat).key_package()).collect();
        play.commit(EVE, &Want { add, path: true, ..Want::default() }, &joining, &[]);
        for author in [2, 3, 4, 5, 1, 0] {
            play.commit(author, &Want { path: true, ..Want::default() }, &[], &[]);
        }
        play.commit(THEIRS, &Want { remove: vec![BLANK], ..Want::default() }, &[], &[BLANK as usize]);
        for author in [4, 1] {
            play.commit(author, &Want { path: true, ..Want::default() }, &[], &[]);
        }
        let lawless = |seat: usize| {
            let Player::Ours(ours) = &play.seats[seat].player else { unreachable!() };
            let mut device = ours.device.clone();
            device.lift_rules();
            device
        };
        let (eve_lawless, lawless) = (lawless(EVE), lawless(OURS));
        let mut court = Self { play, lawless, eve_lawless, membership_key: vec![], context: vec![], epoch: 0 };
        court.context = court.theirs().context();
        court.epoch = court.theirs().state().epoch;
        court.find_membership_key();
        court
    }

    /// Of the keys that OpenMLS has derived of late, the one that a member's tag was made with.
    fn find_membership_key(&mut self) {
        let real = self.commit(&Want { path: true, ..Want::default() });
        let keys = self.theirs().notebook().membership_keys.clone();
        let made = |key: &&Vec<u8>| real.clone().tag(&self.context, key).membership == real.membership;
        self.membership_key = keys.iter().rev().find(made).expect("the epoch's membership key").clone();
    }

    pub fn eve(&self) -> &Ours {
        let Player::Ours(eve) = &self.play.seats[EVE].player else { unreachable!() };
        eve
    }

    fn ours(&self) -> &Ours {
        let Player::Ours(ours) = &self.play.seats[OURS].player else { unreachable!() };
        ours
    }

    pub fn theirs(&self) -> &Theirs {
        let Player::Theirs(theirs) = &self.play.seats[THEIRS].player else { unreachable!() };
        theirs
    }

    pub fn seed_of(&self, leaf: u32) -> Vec<u8> {
        self.play.seats[leaf as usize].player.get().seed().to_vec()
    }

    /// A leaf as it stands in the tree.
    pub fn leaf(&self, index: u32) -> Leaf {
        let tree = self.eve().state().tree;
        let mut nodes = crate::wire::Reader(&tree);
        let mut nodes = crate::wire::Reader(nodes.vec().unwrap());
        let mut place = 0;
        loop {
            let present = nodes.number(1).unwrap() == 1;
            if present && nodes.number(1).unwrap() == 1 {
                let leaf = Leaf::decode(&mut nodes).unwrap();
                if place == 2 * index {
                    return leaf;
                }
            } else if present {
                nodes.vec().unwrap();
                nodes.vec().unwrap();
                nodes.vec().unwrap();
            }
            place += 1;
        }
    }

    /// A valid commit of Eve's.
    pub fn commit(&self, want: &Want) -> Public {
        let (add, remove, policy) = (want.add.clone(), want.remove.clone(), want.policy.clone());
        let mut request = qpqnative::mls::group::CommitRequest { add, remove, policy, ..Default::default() };
        (request.path, request.now_s, request.psks) = (want.path, now_s(), want.psks.clone());
        let pending = self.eve().load(&self.eve_lawless).commit(request).unwrap();
        Public::decode(&pending.commit).unwrap()
    }

    /// A valid external commit by which Eve's device comes back, or that of somebody new.
    pub fn external(&self, new: Option<&Ours>) -> Public {
        let (info, tree) = (self.eve().group_info(), self.eve().state().tree);
        let (device, old) = new.map_or((&self.eve_lawless, Some(EVE as u32)), |new| (&new.device, None));
        let (_, commit) = device.external_join(&info, &tree, old, vec![], Some(now_s())).map_err(said).unwrap();
        Public::decode(&commit).unwrap()
    }

    /// Signs and tags as Eve.
    pub fn seal(&self, public: Public) -> Public {
        public.seal(self.eve().seed(), &self.context, &self.membership_key)
    }

    pub fn seal_as(&self, seed: &[u8], public: Public) -> Public {
        public.seal(seed, &self.context, &self.membership_key)
    }

    pub fn tag(&self, public: Public) -> Public {
        public.tag(&self.context, &self.membership_key)
    }

    /// A commit of Eve's out of its parts, with a confirmation tag that is none yet.
    pub fn forge(&self, commit: &Commit) -> Public {
        let content = Content { kind: COMMIT, body: commit.encode(), ..self.content(EVE as u32) };
        self.seal(Public { content, signature: vec![], confirmation: Some(vec![0; 32]), membership: None })
    }

    fn content(&self, leaf: u32) -> Content {
        let (group_id, sender) = (GROUP_ID.to_vec(), Sender::Member(leaf));
        Content { group_id, epoch: self.epoch, sender, aad: vec![], kind: 0, body: vec![] }
    }

    /// A proposal message, and its reference.
    pub fn proposal(&self, leaf: u32, body: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
        let content = Content { kind: PROPOSAL, body, ..self.content(leaf) };
        let public = Public { content, signature: vec![], confirmation: None, membership: None };
        let public = self.seal_as(&self.seed_of(leaf), public);
        let authenticated = [&[0, 1][..], &public.content.encode(), &crate::wire::vec(&public.signature)].concat();
        (public.encode(), reference("MLS 1.0 Proposal Reference", &authenticated))
    }

    /// The external sender's Remove, and its reference.
    pub fn external_remove(&self, leaf: u32) -> (Vec<u8>, Vec<u8>) {
        let view = self.play.view.as_ref().unwrap();
        let (next, message) = view.propose_remove(leaf, DELIVERY, &self.play.delivery.0).unwrap();
        (message, next.cached_proposals()[0].reference.clone())
    }

    /// Somebody who is not in the group: a KeyPackage, and the seed that signed it.
    pub fn outsider(&self, ours: bool) -> (Package, Vec<u8>) {
        let mut member: Box<dyn Member> = if ours {
            Box::new(Ours::new("our new", GROUP_ID, true, false))
        } else {
            Box::new(Theirs::new("their new", GROUP_ID, &self.play.capabilities))
        };
        let package = Package::decode(&member.key_package()).unwrap();
        (package, member.seed().to_vec())
    }

    fn view_says(&self, case: &Case) -> Said<Vec<u8>> {
        let mut view = self.play.view.clone().unwrap();
        for proposal in &case.earlier {
            if let Ok((next, _)) = view.check(proposal, now_s()) {
                view = next;
            }
        }
        view.check(&case.message, now_s()).map(|_| vec![]).map_err(said)
    }

    fn openmls_says(&mut self, case: &Case) -> Said<Vec<u8>> {
        let Player::Theirs(theirs) = &mut self.play.seats[THEIRS].player else { unreachable!() };
        for proposal in &case.earlier {
            let _ = theirs.process(proposal);
        }
        let said = theirs.judge(&case.message);
        theirs.forget_proposals();
        said
    }

    /// All four verdicts.
    pub fn hear(&mut self, case: &mut Case) -> Verdicts {
        let mut openmls: Verdict = self.openmls_says(case).into();
        if case.complete && openmls.cause.ends_with("ConfirmationTagMismatch") {
            let mut public = Public::decode(&case.message).unwrap();
            public.confirmation = Some(self.theirs().notebook().confirmation_tag.clone());
            case.message = self.tag(public).encode();
            openmls = self.openmls_says(case).into();
        }
        let ours = self.ours();
        Verdicts {
            qpq: ours.judge(&ours.device, &case.earlier, &case.message).into(),
            mls: ours.judge(&self.lawless, &case.earlier, &case.message).into(),
            openmls,
            view: self.view_says(case).into(),
        }
    }

    /// Random bytes for a nonce or a key.
    pub fn random(&self, count: usize) -> Vec<u8> {
        provider(SUITE_1).unwrap().random_bytes_vec(count).unwrap()
    }
}
