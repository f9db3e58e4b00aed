//! What `make test` runs, a few seconds of it, and `make second-opinion SEEDS=from-to` as long as one likes.

use crate::court::{Class, Court};
use crate::differences::DIFFERENCES;
use crate::kinds::{Kind, Sort, kinds};
use crate::play::Tally;
use crate::{history, mutations};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Steps of one history.
const STEPS: usize = 40;
/// Changed commits before one court.
const MUTATIONS: usize = 150;
/// Seeds where none are asked for.
const SEEDS: RangeInclusive<u64> = 1..=12;

/// Where seeds are asked for, as `from-to`.
const SEEDS_ASKED_FOR: &str = "SECOND_OPINION_SEEDS";

fn seeds() -> RangeInclusive<u64> {
    let Ok(text) = std::env::var(SEEDS_ASKED_FOR) else { return SEEDS };
    let (from, to) = text.split_once('-').unwrap_or((&text, &text));
    from.parse().expect("SECOND_OPINION_SEEDS=from-to")..=to.parse().expect("SECOND_OPINION_SEEDS=from-to")
}

#[test]
fn valid_histories_end_in_one_state() {
    let mut sum = Tally::default();
    for seed in seeds() {
        println!("history of seed {seed}");
        sum.add(&history::play(seed, STEPS));
    }
    println!("{sum:#?}");
    assert!(sum.by_ours > 0 && sum.by_theirs > 0 && sum.late > 0);
}

#[test]
fn changed_commits_get_one_verdict() {
    let (mut sum, mut open) = (mutations::Count::new(), vec![]);
    let long = std::env::var(SEEDS_ASKED_FOR).is_ok();
    for seed in seeds() {
        let (counts, found) = mutations::play(seed, MUTATIONS);
        counts.into_iter().for_each(|(classes, count)| *sum.entry(classes).or_default() += count);
        // Keys differ from run to run, and with them what a change hits: what QPQ refuses in any case is looked into by
        // the long run alone.
        open.extend(found.into_iter().filter(|found| long || !found.refused).map(|found| found.line));
    }
    for (classes, count) in sum {
        println!("{count:>8} changed commits: {classes:?} (qpq, mls, openmls, view)");
    }
    assert!(open.is_empty(), "not decided:\n{}", open.join("\n"));
}

/// Whether the verdicts on a kind are what the RFC says, and nobody differs.
fn agreed(kind: &Kind, classes: [Class; 4]) -> bool {
    let [qpq, mls, openmls, view] = classes;
    let by_view = if qpq == Class::Refused { Class::Refused } else { Class::Passes };
    let right = match kind.sort {
        Sort::Valid => qpq == Class::Passes,
        Sort::Unsealed => qpq == Class::Secrets,
        Sort::Broken => qpq != Class::Passes,
    };
    right && qpq == mls && mls == openmls && view == by_view
}

#[test]
fn rule_breaking_commits_get_one_verdict() {
    let mut court = Court::new(*seeds().start());
    let (mut open, mut met, mut names) = (vec![], BTreeSet::new(), BTreeSet::new());
    for kind in kinds() {
        assert!(names.insert(kind.name), "{} stands twice", kind.name);
        let mut case = (kind.make)(&mut court);
        let verdicts = court.hear(&mut case);
        let row = DIFFERENCES.iter().find(|row| row.kinds.contains(&kind.name));
        let named = row.map(|row| format!(" [{}]", row.row)).unwrap_or_default();
        let line = format!("{}{named} ({}, {:?}): {verdicts}", kind.name, kind.section, kind.sort);
        println!("{line}");
        let agreed = agreed(&kind, verdicts.classes());
        if row.is_some_and(|row| row.classes == verdicts.classes() && !agreed) {
            met.insert(kind.name);
        } else if row.is_some() || !agreed {
            open.push(line);
        }
        if verdicts.qpq.class == Class::Passes && verdicts.openmls.class == Class::Passes {
            assert_eq!(verdicts.qpq.authenticator, verdicts.openmls.authenticator, "{}", kind.name);
        }
    }
    assert!(open.is_empty(), "not decided, or decided otherwise:\n{}", open.join("\n"));
    let decided: BTreeSet<_> = DIFFERENCES.iter().flat_map(|row| row.kinds).copied().collect();
    assert_eq!(met, decided, "a difference that was decided does not occur");
    println!("{} kinds, {} of them in the table of differences", names.len(), met.len());
}

#[test]
fn each_difference_is_explained() {
    let page = include_str!("../../../../docs/spec/second-opinion.md");
    for difference in DIFFERENCES {
        assert!(page.contains(&format!("| {} |", difference.row)), "{}", difference.row);
    }
}
