//! A group of members of both kinds and delivery's view of it, with one log that all of them read.

use crate::dice::Dice;
use crate::member::{Built, Member, Seen, State, Want};
use crate::ours::{Ours, now_s};
use crate::theirs::Theirs;
use crate::wire::Package;
use qpqnative::mls::device::generate_signature_key;
use qpqnative::mls::store::Value;
use qpqnative::mls::view::GroupView;

/// No other bytes in a message look like it (number.rs searches for it).
pub const GROUP_ID: &[u8] = b"second opinion: channel/0";
/// Who the external sender says that it is.
pub const DELIVERY: &[u8] = b"delivery";
/// Exporters compared after each epoch: label, context, length.
const EXPORTS: [(&str, &[u8], usize); 4] =
    [("qpq", b"", 32), ("", b"context", 16), ("a longer label", b"\0", 64), ("x", b"x", 1)];

/// Which rules the members of qpqnative keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// QPQ's, as shipped; delivery's view looks on.
    Qpq,
    /// MLS's alone: pre-shared keys and proposals by reference too. The view keeps QPQ's rules, so that it is absent.
    Mls,
}

/// An application message under way.
struct Mail {
    epoch: u64,
    sender: String,
    leaf: u32,
    text: Vec<u8>,
    sealed: Vec<u8>,
    /// Who may read it: members then, other than the sender, by the number of their membership.
    readers: Vec<(String, u32)>,
}

/// What a run has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub groups: u64,
    pub operations: u64,
    pub epochs: u64,
    pub comparisons: u64,
    pub exports: u64,
    pub messages: u64,
    pub late: u64,
    pub too_late: u64,
    pub of_leavers: u64,
    pub tampered: u64,
    pub replayed: u64,
    pub adds: u64,
    pub removes: u64,
    pub updates: u64,
    pub self_removes: u64,
    pub rejoins: u64,
    pub external_removes: u64,
    pub policies: u64,
    pub psks: u64,
    pub by_reference: u64,
    pub by_ours: u64,
    pub by_theirs: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.groups, other.groups),
            (&mut self.operations, other.operations),
            (&mut self.epochs, other.epochs),
            (&mut self.comparisons, other.comparisons),
            (&mut self.exports, other.exports),
            (&mut self.messages, other.messages),
            (&mut self.late, other.late),
            (&mut self.too_late, other.too_late),
            (&mut self.of_leavers, other.of_leavers),
            (&mut self.tampered, other.tampered),
            (&mut self.replayed, other.replayed),
            (&mut self.adds, other.adds),
            (&mut self.removes, other.removes),
            (&mut self.updates, other.updates),
            (&mut self.self_removes, other.self_removes),
            (&mut self.rejoins, other.rejoins),
            (&mut self.external_removes, other.external_removes),
            (&mut self.policies, other.policies),
            (&mut self.psks, other.psks),
            (&mut self.by_reference, other.by_reference),
            (&mut self.by_ours, other.by_ours),
            (&mut self.by_theirs, other.by_theirs),
        ];
        for (sum, more) in pairs {
            *sum += more;
        }
    }
}

/// A member of either kind.
pub enum Player {
    Ours(Box<Ours>),
    Theirs(Box<Theirs>),
}

impl Player {
    pub fn get(&self) -> &dyn Member {
        match self {
            Self::Ours(ours) => ours.as_ref(),
            Self::Theirs(theirs) => theirs.as_ref(),
        }
    }

    pub fn get_mut(&mut self) -> &mut dyn Member {
        match self {
            Self::Ours(ours) => ours.as_mut(),
            Self::Theirs(theirs) => theirs.as_mut(),
        }
    }

    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Ours(_))
    }
}

/// A player in the group, or one that has left it and may come back.
pub struct Seat {
    pub player: Player,
    pub inside: bool,
    /// Counts its times in the group: messages of an earlier time are not for it.
    pub time: u32,
}

pub struct Play {
    pub dice: Dice,
    pub law: Law,
    pub seats: Vec<Seat>,
    pub view: Option<GroupView>,
    pub delivery: (Value, Vec<u8>),
    pub capabilities: Vec<u8>,
    pub tally: Tally,
    mail: Vec<Mail>,
}

/// The capabilities that qpqnative lists in a leaf.
pub fn our_capabilities() -> Vec<u8> {
    let package = Ours::new("nobody", GROUP_ID, true, false).key_package();
    Package::decode(&package).unwrap().leaf.capabilities()
}

impl Play {
    /// A group of one, of either kind.
    pub fn new(seed: u64, law: Law) -> Self {
        let mut dice = Dice::new(seed);
        let founder_ours = dice.percent(50);
        Self::founded(dice, law, founder_ours)
    }

    /// A group of one.
    pub fn founded(dice: Dice, law: Law, founder_ours: bool) -> Self {
        let delivery = generate_signature_key().unwrap();
        let tally = Tally { groups: 1, ..Tally::default() };
        let capabilities = our_capabilities();
        let (seats, mail) = (vec![], vec![]);
        let mut play = Self { dice, law, seats, view: None, delivery, capabilities, tally, mail };
        let founder = play.new_player(founder_ours);
        let key = play.delivery.1.clone();
        play.seats[founder].player.get_mut().create(b"policy 0", (DELIVERY, &key));
        play.seats[founder].inside = true;
        play.observe();
        play
    }

    /// A new player outside the group.
    pub fn new_player(&mut self, ours: bool) -> usize {
        let name = format!("{}{}", if ours { "our" } else { "their" }, self.seats.len());
        let restless = self.dice.percent(30);
        let mut player = if ours {
            Player::Ours(Box::new(Ours::new(&name, GROUP_ID, self.law == Law::Qpq, restless)))
        } else {
            Player::Theirs(Box::new(Theirs::new(&name, GROUP_ID, &self.capabilities)))
        };
        player.get_mut().put_psk(b"psk a", b"secret a");
        player.get_mut().put_psk(b"psk b", b"secret b");
        self.seats.push(Seat { player, inside: false, time: 0 });
        self.seats.len() - 1
    }

    /// The view as delivery begins it, from a GroupInfo and the tree.
    fn observe(&mut self) {
        if self.law == Law::Qpq {
            let member = self.seats[self.inside()[0]].player.get();
            let (info, tree) = (member.group_info(), member.state().tree);
            self.view = Some(GroupView::observe(&info, &tree, Some(now_s())).unwrap());
        }
    }

    pub fn inside(&self) -> Vec<usize> {
        (0..self.seats.len()).filter(|seat| self.seats[*seat].inside).collect()
    }

    pub fn pick(&mut self, among: &[usize]) -> usize {
        self.dice.pick(among)
    }

    pub fn member(&mut self, seat: usize) -> &mut dyn Member {
        self.seats[seat].player.get_mut()
    }

    /// A proposal reaches everybody but its author.
    pub fn propose(&mut self, author: Option<usize>, message: &[u8]) {
        for seat in self.inside() {
            if Some(seat) != author {
                assert_eq!(self.member(seat).process(message), Ok(Seen::Proposal), "{}", self.member(seat).name());
            }
        }
        self.show(message);
    }

    fn show(&mut self, message: &[u8]) {
        if let Some(view) = &self.view {
            let (next, _) = view.check(message, now_s()).expect("the view takes what the members take");
            self.view = Some(next);
        }
    }

    /// One member commits, the rest follow, whom it adds join; then all are compared.
    pub fn commit(&mut self, author: usize, want: &Want, joining: &[usize], leaving: &[usize]) {
        let Built { commit, welcomes } = self.member(author).commit(want).expect("a valid commit is built");
        if self.seats[author].player.is_ours() {
            self.tally.by_ours += 1;
        } else {
            self.tally.by_theirs += 1;
        }
        for seat in self.inside() {
            if seat != author {
                let expected = Ok(Seen::Commit(leaving.contains(&seat)));
                let name = self.member(seat).name().to_owned();
                assert_eq!(self.member(seat).process(&commit), expected, "{name}");
            }
        }
        self.member(author).apply(&commit).expect("its author applies it");
        self.show(&commit);
        for seat in leaving {
            self.seats[*seat].inside = false;
        }
        let tree = self.member(author).state().tree;
        for (place, seat) in joining.iter().enumerate() {
            let welcome = welcomes.get(place).unwrap_or(&welcomes[0]);
            let name = self.member(*seat).name().to_owned();
            assert_eq!(self.member(*seat).join(welcome, &tree), Ok(()), "{name} joins");
            self.enter(*seat);
        }
        self.compare();
    }

    fn enter(&mut self, seat: usize) {
        self.seats[seat].inside = true;
        self.seats[seat].time += 1;
    }

    /// A device comes back, or in, by external commit.
    pub fn rejoin(&mut self, seat: usize) {
        let others: Vec<_> = self.inside().into_iter().filter(|other| *other != seat).collect();
        let helper = self.pick(&others);
        let (info, tree) = (self.member(helper).group_info(), self.member(helper).state().tree);
        let old = self.seats[seat].inside.then(|| self.member(seat).own_index());
        let commit = self.member(seat).rejoin(&info, &tree, old).expect("an external commit is built");
        for other in others {
            let name = self.member(other).name().to_owned();
            assert_eq!(self.member(other).process(&commit), Ok(Seen::Commit(false)), "{name}");
        }
        self.show(&commit);
        self.enter(seat);
        self.compare();
    }

    /// All members, and the view, are in the same state.
    pub fn compare(&mut self) {
        let inside = self.inside();
        let states: Vec<State> = inside.iter().map(|seat| self.seats[*seat].player.get().state()).collect();
        for (state, seat) in states.iter().zip(&inside) {
            assert_eq!(*state, states[0], "{}", self.seats[*seat].player.get().name());
        }
        self.tally.epochs += 1;
        self.tally.comparisons += inside.len() as u64 - 1;
        for (label, context, length) in EXPORTS {
            let exported = |seat: &usize| self.seats[*seat].player.get().export(label, context, length);
            let first = exported(&inside[0]);
            assert!(inside.iter().all(|seat| exported(seat) == first), "exporter {label}");
            self.tally.exports += inside.len() as u64 - 1;
        }
        if let Some(view) = &self.view {
            assert_eq!((view.epoch(), view.tree_hash()), (states[0].epoch, states[0].tree_hash.clone()));
            assert_eq!(view.tree().unwrap(), states[0].tree);
            let told = self.seats[self.inside()[0]].player.get().group_info();
            view.check_group_info(&told).expect("the view knows the members' GroupInfo");
        }
    }

    /// A member sends; nobody has read it yet.
    pub fn send(&mut self, author: usize) {
        let text: Vec<u8> = (0..self.dice.below(200)).map(|_| self.dice.byte()).collect();
        let (epoch, sender) = (self.member(author).state().epoch, self.member(author).name().to_owned());
        let sealed = self.member(author).encrypt(&text).expect("a message is sealed");
        let readers = self.inside().into_iter().filter(|seat| *seat != author);
        let readers =
            readers.map(|seat| (self.seats[seat].player.get().name().to_owned(), self.seats[seat].time)).collect();
        let leaf = self.member(author).own_index();
        self.mail.push(Mail { epoch, sender, leaf, text, sealed, readers });
    }

    /// Delivers some of what is under way, in any order, to those who are still what they were.
    pub fn deliver(&mut self, percent: usize) {
        self.dice.shuffle(&mut self.mail);
        let keep = self.mail.len() - (self.mail.len() * percent).div_ceil(100);
        for mail in self.mail.split_off(keep) {
            for seat in self.inside() {
                let reader = (self.seats[seat].player.get().name().to_owned(), self.seats[seat].time);
                if mail.readers.contains(&reader) {
                    self.read(seat, &mail);
                }
            }
        }
    }

    fn read(&mut self, seat: usize, mail: &Mail) {
        let state = self.member(seat).state();
        let age = state.epoch - mail.epoch;
        let name = self.member(seat).name().to_owned();
        if self.dice.percent(20) {
            let (mut changed, at) = (mail.sealed.clone(), self.dice.below(mail.sealed.len()));
            changed[at] ^= 1 << self.dice.below(8);
            assert!(self.member(seat).process(&changed).is_err(), "{name} reads what was changed at {at}");
            self.tally.tampered += 1;
        }
        let read = self.member(seat).process(&mail.sealed);
        if age > crate::ours::PAST_EPOCHS as u64 {
            assert!(read.is_err(), "{name} reads what is {age} epochs old");
            self.tally.too_late += 1;
            return;
        }
        let sender = mail.sender.clone().into_bytes();
        if !state.members.contains(&(mail.leaf, sender.clone())) && self.seats[seat].player.is_ours() {
            // docs/spec/second-opinion.md: who has left his leaf is not read any more, and nobody is taken for him.
            assert_eq!(read, Err("not_a_member: MemberNotFound".to_owned()), "{name}");
            self.tally.of_leavers += 1;
            return;
        }
        let expected = Seen::Application(mail.text.clone(), sender);
        assert_eq!(read, Ok(expected), "{name}, {age} epochs later");
        self.tally.messages += 1;
        self.tally.late += u64::from(age > 0);
        if self.dice.percent(20) {
            assert!(self.member(seat).process(&mail.sealed).is_err(), "{name} reads twice");
            self.tally.replayed += 1;
        }
    }
}
