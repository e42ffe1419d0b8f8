//! Sorted sets against a sorted vector, over all representations.
//!
//! Operations are drawn at random, with limits low enough that every form is entered and left; after each the set must agree
//! with the model in order, ranks and ranges, and keep the invariants of its tree.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Default)]
struct Model(BTreeMap<Vec<u8>, f64>);

impl Model {
    fn ordered(&self) -> Vec<(Vec<u8>, f64)> {
        let mut all: Vec<_> = self.0.iter().map(|(member, &score)| (member.clone(), score)).collect();
        all.sort_by(|a, b| a.1.partial_cmp(&b.1).expect("no NaN").then(a.0.cmp(&b.0)));
        all
    }
}

fn collect<'a>(range: impl Iterator<Item = (Item<'a>, f64)>) -> Vec<(Vec<u8>, f64)> {
    range.map(|(member, score)| (member.to_vec(), score)).collect()
}

fn check_invariants(set: &SortedSet) {
    if let Form::Indexed(indexed) = &set.0 {
        indexed.order.check(&indexed.scores);
    }
}

fn limits() -> Limits {
    Limits { sorted_set_entries: 8, sorted_set_value: 12, hash_seed: 5, ..Limits::default() }
}

fn check_ranges(set: &SortedSet, model: &Model, from: usize, to: usize) {
    let ordered = model.ordered();
    let (start, end) = (from.min(to).min(ordered.len()), to.max(from).min(ordered.len()));
    assert_eq!(collect(set.range(start..end)), ordered[start..end]);
    let reversed: Vec<_> = ordered[start..end].iter().rev().cloned().collect();
    assert_eq!(collect(set.range_reversed(start..end)), reversed);
    for (rank, (member, score)) in ordered.iter().enumerate().step_by(7) {
        assert_eq!((set.rank(member), set.score(member)), (Some(rank), Some(*score)));
    }
    let bound = |n: usize| ScoreBound { score: n as f64 / 4.0, exclusive: n.is_multiple_of(2) };
    let range = ScoreRange { min: bound(from), max: bound(to) };
    let expected: Vec<_> = ordered
        .iter()
        .filter(|(_, score)| !range.is_below(*score) && range.is_not_above(*score))
        .cloned()
        .collect();
    assert_eq!(collect(set.range(set.ranks_by_score(&range))), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn agrees_with_a_sorted_vector(
        spread in prop::sample::select(vec![10_u32, 200, 2_000]),
        scores in prop::sample::select(vec![1_u32, 5, 4_000]),
        operations in prop::collection::vec((0_u8..8, any::<u32>(), any::<u32>()), 0..1_500),
    ) {
        let (mut set, mut model) = (SortedSet::new(), Model::default());
        for (step, (kind, member, score)) in operations.into_iter().enumerate() {
            let member = (member % spread).to_string().into_bytes();
            let score = f64::from(score % scores) / 4.0;
            // First it mostly grows, then it mostly shrinks.
            let adds = if step < 900 { 6 } else { 2 };
            if kind < adds {
                let upserted = set.upsert(&member, &limits(), |_| Some(score));
                let old = model.0.insert(member.clone(), score);
                prop_assert_eq!(upserted, Upserted { old, new: Some(score) });
            } else {
                prop_assert_eq!(set.remove(&member), model.0.remove(&member));
            }
            prop_assert_eq!(set.len(), model.0.len());
            prop_assert_eq!(set.score(&member), model.0.get(&member).copied());
            if step % 97 == 0 {
                check_invariants(&set);
                check_ranges(&set, &model, step % 50, (step * 31) % 400);
            }
        }
        check_invariants(&set);
        prop_assert_eq!(collect(set.iter()), model.ordered());
    }

    #[test]
    fn lexicographic_ranges_agree_with_a_filter(
        members in prop::collection::btree_set("[a-c0-2]{0,3}", 0..40),
        min in "[a-c0-2]{0,3}",
        max in "[a-c0-2]{0,3}",
        kinds in (0_u8..4, 0_u8..4),
    ) {
        fn bound(kind: u8, member: &str) -> LexBound<'_> {
            match kind {
                0 => LexBound::Lowest,
                1 => LexBound::Highest,
                2 => LexBound::Inclusive(member.as_bytes()),
                _ => LexBound::Exclusive(member.as_bytes()),
            }
        }
        let range = LexRange { min: bound(kinds.0, &min), max: bound(kinds.1, &max) };
        let mut set = SortedSet::new();
        for member in &members {
            set.upsert(member.as_bytes(), &limits(), |_| Some(0.0));
        }
        let inside = |m: &&String| !range.is_below(m.as_bytes()) && range.is_not_above(m.as_bytes());
        let expected: Vec<_> = members.iter().filter(inside).map(|m| (m.clone().into_bytes(), 0.0)).collect();
        prop_assert_eq!(collect(set.range(set.ranks_by_lex(&range))), expected);
    }
}

#[test]
fn grows_in_order_and_empties() {
    for descending in [false, true] {
        let mut set = SortedSet::new();
        let number = |n: u32| if descending { 30_000 - n } else { n };
        for n in 0..30_000 {
            set.upsert(format!("{n:06}").as_bytes(), &limits(), |_| Some(f64::from(number(n))));
        }
        check_invariants(&set);
        for n in 0..30_000 {
            assert!(set.remove(format!("{n:06}").as_bytes()).is_some());
        }
        check_invariants(&set);
        assert!(set.is_empty() && set.memory_bytes() < 20_000, "{}", set.memory_bytes());
    }
}

#[test]
fn encodings_follow_the_limits() {
    let limits = Limits::default();
    let mut set = SortedSet::new();
    for n in 0..128 {
        set.upsert(n.to_string().as_bytes(), &limits, |_| Some(0.5));
    }
    assert_eq!(set.encoding(), "listpack");
    set.upsert(b"0", &limits, |_| Some(9.0));
    assert_eq!(set.encoding(), "listpack");
    set.upsert(b"one more", &limits, |_| Some(9.0));
    assert_eq!(set.encoding(), "skiplist");
    let mut set = SortedSet::new();
    set.upsert(&[b'x'; 65], &limits, |_| Some(1.0));
    assert_eq!(set.encoding(), "skiplist");
}

#[test]
fn decide_may_refuse() {
    let mut set = SortedSet::new();
    let refused = set.upsert(b"a", &limits(), |_| None);
    assert_eq!((refused, set.len()), (Upserted { old: None, new: None }, 0));
}
