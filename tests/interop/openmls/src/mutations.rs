//! Valid commits with random changes: as they are, and signed and tagged again, so that only the content is wrong.

use crate::court::{Case, Class, Court, LAST, OTHER, Verdict, Verdicts};
use crate::dice::Dice;
use crate::member::Want;
use crate::wire::Public;
use std::collections::BTreeMap;

/// The libraries' words for a path secret that does not open.
const OWN_SECRET: [&str; 2] = ["CryptoProviderError", "UnableToDecrypt"];
/// Changes of one commit at most.
const CHANGES_MAX: usize = 3;

fn change(dice: &mut Dice, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        bytes.push(dice.byte());
        return;
    }
    let at = dice.below(bytes.len());
    match dice.below(8) {
        0..=2 => bytes[at] ^= 1 << dice.below(8),
        3 => bytes[at] = dice.pick(&[0, 1, 2, 3, 0x3F, 0x40, 0x7F, 0x80, 0xFF]),
        4 => drop(bytes.remove(at)),
        5 => bytes.insert(at, dice.byte()),
        6 => {
            let end = (at + 1 + dice.below(39)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            let to = dice.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        _ => {
            let end = (at + 1 + dice.below(39)).min(bytes.len());
            bytes.drain(at..end);
        }
    }
}

/// Valid commits of several kinds, with the proposals that they refer to.
fn bases(court: &Court) -> Vec<(Vec<Vec<u8>>, Public)> {
    let added = |ours| [vec![0, 1, 0, 5], court.outsider(ours).0.encode()].concat();
    let wants = [
        Want { path: true, ..Want::default() },
        Want { add: vec![added(true)], ..Want::default() },
        Want { add: vec![added(false)], remove: vec![OTHER], ..Want::default() },
        Want { policy: Some(b"another".to_vec()), ..Want::default() },
        Want { remove: vec![LAST], ..Want::default() },
    ];
    let mut bases: Vec<_> = wants.iter().map(|want| (vec![], court.commit(want))).collect();
    bases.push((vec![], court.external(None)));
    bases
}

/// How the verdicts went, and how often.
pub type Count = BTreeMap<[Class; 4], u64>;

/// Whether two members agree. Without new signatures all that they say is that a commit is bad. Each opens a path
/// secret of its own: a change in one member's is nothing to another.
fn alike(one: &Verdict, other: &Verdict, sealed: bool) -> bool {
    let classes = [one.class, other.class];
    let own_secret = [&one.cause, &other.cause].iter().any(|cause| OWN_SECRET.iter().any(|word| cause.ends_with(word)));
    one.class == other.class
        || (!sealed && !classes.contains(&Class::Passes))
        || (own_secret && !classes.contains(&Class::Refused))
}

/// Whether four verdicts on a change agree. QPQ's own rules may refuse what both libraries let pass.
fn agree(v: &Verdicts, sealed: bool) -> bool {
    let same = alike(&v.mls, &v.openmls, sealed) && (alike(&v.qpq, &v.mls, sealed) || v.qpq.cause.starts_with("rule:"));
    let by_view = match (v.view.class, v.qpq.class) {
        (Class::Passes, class) => class != Class::Refused,
        // A length that is written longer than it need be is not what was signed; members see it by the tag first.
        (_, class) => class == Class::Refused || !sealed || v.qpq.cause.ends_with("InvalidMembershipTag"),
    };
    let pass = v.qpq.class == Class::Passes && v.openmls.class == Class::Passes;
    let together = !pass || v.qpq.authenticator == v.openmls.authenticator;
    same && by_view && together
}

/// A difference that nobody has decided.
pub struct Open {
    pub line: String,
    /// Members under QPQ's rules and the view refuse the commit, whatever the others say.
    pub refused: bool,
}

/// Puts changed commits before a court; returns what they came to, and what nobody has decided.
pub fn play(seed: u64, count: usize) -> (Count, Vec<Open>) {
    let mut court = Court::new(seed);
    let mut dice = Dice::new(seed);
    let bases = bases(&court);
    let (mut counts, mut open) = (Count::new(), vec![]);
    for number in 0..count {
        let (earlier, public) = dice.pick(&bases);
        let sealed = dice.percent(50);
        let changes = 1 + dice.below(CHANGES_MAX);
        let message = if sealed {
            let mut public = public;
            (0..changes).for_each(|_| change(&mut dice, &mut public.content.body));
            court.seal(public).encode()
        } else {
            let mut message = public.encode();
            (0..changes).for_each(|_| change(&mut dice, &mut message));
            message
        };
        let mut case = Case { earlier, message, complete: sealed };
        let verdicts = court.hear(&mut case);
        *counts.entry(verdicts.classes()).or_default() += 1;
        if !agree(&verdicts, sealed) && !crate::differences::decided(&verdicts) {
            let line = format!("seed {seed} number {number} sealed {sealed}: {verdicts}");
            let refused = [verdicts.qpq.class, verdicts.view.class] == [Class::Refused, Class::Refused];
            open.push(Open { line, refused });
        }
    }
    (counts, open)
}
