//! Random valid histories: a plan out of a seed, played by members of both kinds.

use crate::member::Want;
use crate::play::{DELIVERY, Law, Play, Player, Tally};

/// Members at most.
const MEMBERS_MAX: usize = 12;
/// Members that a group has before it is played with.
const MEMBERS_MIN: usize = 3;

impl Play {
    fn add(&mut self, author: usize, count: usize, path: bool) {
        let mut joining = vec![];
        let mut want = Want { path, ..Want::default() };
        for _ in 0..count {
            let ours = self.dice.percent(50);
            let seat = self.new_player(ours);
            want.add.push(self.member(seat).key_package());
            joining.push(seat);
        }
        self.tally.adds += count as u64;
        self.commit(author, &want, &joining, &[]);
    }

    fn remove(&mut self, author: usize) {
        let others: Vec<_> = self.inside().into_iter().filter(|seat| *seat != author).collect();
        let seat = self.pick(&others);
        let remove = vec![self.member(seat).own_index()];
        let want = Want { remove, path: self.dice.percent(50), ..Want::default() };
        self.tally.removes += 1;
        self.commit(author, &want, &[], &[seat]);
    }

    fn self_remove(&mut self, author: usize) {
        let others: Vec<_> = self.inside().into_iter().filter(|seat| *seat != author).collect();
        let seat = self.pick(&others);
        let message = self.member(seat).leave().expect("a SelfRemove is proposed");
        self.propose(Some(seat), &message);
        self.tally.self_removes += 1;
        self.commit(author, &Want::default(), &[], &[seat]);
    }

    /// The external sender proposes; a member commits.
    fn external_remove(&mut self, author: usize) {
        let others: Vec<_> = self.inside().into_iter().filter(|seat| *seat != author).collect();
        let seat = self.pick(&others);
        let leaf = self.member(seat).own_index();
        let Some(view) = &self.view else { return };
        let (_, message) = view.propose_remove(leaf, DELIVERY, &self.delivery.0).unwrap();
        self.propose(None, &message);
        self.tally.external_removes += 1;
        self.commit(author, &Want::default(), &[], &[seat]);
    }

    fn policy(&mut self, author: usize) {
        let policy = format!("policy {}", self.dice.below(1_000_000)).into_bytes();
        let want = Want { policy: Some(policy), path: self.dice.percent(50), ..Want::default() };
        self.tally.policies += 1;
        self.commit(author, &want, &[], &[]);
    }

    fn psk(&mut self, author: usize) {
        let psks =
            if self.dice.percent(50) { vec![b"psk a".to_vec()] } else { vec![b"psk b".to_vec(), b"psk a".to_vec()] };
        self.tally.psks += psks.len() as u64;
        let want = Want { psks, path: self.dice.percent(50), ..Want::default() };
        self.commit(author, &want, &[], &[]);
    }

    /// Proposals by reference: an OpenMLS member's update, add, remove, pre-shared key, all at once; others commit them.
    fn by_reference(&mut self, author: usize) {
        let inside = self.inside();
        let theirs: Vec<_> =
            inside.iter().copied().filter(|s| *s != author && !self.seats[*s].player.is_ours()).collect();
        if theirs.len() < 2 {
            return;
        }
        let added = self.new_player(self.seats.len().is_multiple_of(2));
        let package = self.member(added).key_package();
        let (first, second) = (theirs[0], theirs[1]);
        let gone = inside.iter().copied().find(|seat| ![author, first, second].contains(seat));
        let gone_leaf = gone.map(|seat| self.member(seat).own_index());
        let mut messages = vec![];
        if let Player::Theirs(player) = &mut self.seats[first].player {
            messages.push((first, player.propose_update().unwrap()));
            messages.push((first, player.propose_psk(b"psk b").unwrap()));
        }
        if let Player::Theirs(player) = &mut self.seats[second].player {
            messages.push((second, player.propose_add(&package).unwrap()));
            messages.extend(gone_leaf.map(|leaf| (second, player.propose_remove(leaf).unwrap())));
        }
        self.tally.by_reference += messages.len() as u64;
        for (from, message) in messages {
            self.propose(Some(from), &message);
        }
        self.commit(author, &Want::default(), &[added], &gone.into_iter().collect::<Vec<_>>());
    }

    fn step(&mut self) {
        let inside = self.inside();
        let author = self.pick(&inside);
        let room = MEMBERS_MAX.saturating_sub(inside.len());
        self.tally.operations += 1;
        match self.dice.below(100) {
            0..=17 if room > 0 => {
                let (count, path) = (1 + self.dice.below(room.min(3)), self.dice.percent(50));
                self.add(author, count, path);
            }
            18..=24 if inside.len() > MEMBERS_MIN => self.remove(author),
            25..=31 if inside.len() > MEMBERS_MIN => self.self_remove(author),
            32..=37 if inside.len() > MEMBERS_MIN && self.law == Law::Qpq => self.external_remove(author),
            38..=43 => {
                self.tally.rejoins += 1;
                self.rejoin(author);
            }
            44..=49 => self.policy(author),
            50..=55 if self.law == Law::Mls => self.psk(author),
            56..=61 if self.law == Law::Mls && room > 0 => self.by_reference(author),
            62..=74 => {
                self.tally.updates += 1;
                self.commit(author, &Want { path: true, ..Want::default() }, &[], &[]);
            }
            75..=87 => (0..=self.dice.below(5)).for_each(|_| self.send(author)),
            _ => self.deliver(40),
        }
    }
}

/// Plays a history and returns what happened in it.
pub fn play(seed: u64, steps: usize) -> Tally {
    let law = if seed.is_multiple_of(2) { Law::Qpq } else { Law::Mls };
    let mut play = Play::new(seed, law);
    play.add(0, MEMBERS_MIN, true);
    for _ in 0..steps {
        play.step();
    }
    play.deliver(100);
    play.tally
}
