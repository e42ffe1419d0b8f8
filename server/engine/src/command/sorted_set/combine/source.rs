//! What sorted sets and sets become when they are united, intersected or subtracted.
//!
//! Results are members borrowed from the sources, each with its score, in no order until [`ordered`] gives them one. An
//! intersection and a difference cost a lookup per member and source; a union is gathered in a hash table, under the
//! process's seed because clients choose the members.
//!
//! A score that is not a number becomes 0, as Redis has it, where a weight is applied to a union's member or an
//! intersection's first, and where a sum is taken.

use std::cmp::Ordering;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::super::super::{CommandError, args};
use crate::store::entry::ValueRef;
use crate::value::{IntegerText, Item, Limits, Object, Set, SortedSet};

/// How the scores of one member become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let words = [("sum", Self::Sum), ("min", Self::Min), ("max", Self::Max)];
        words.into_iter().find(|(word, _)| args::is(text, word)).map(|(_, aggregate)| aggregate)
    }

    fn of(self, score: f64, other: f64) -> f64 {
        match self {
            Self::Sum => number(score + other),
            Self::Min if other < score => other,
            Self::Max if other > score => other,
            Self::Min | Self::Max => score,
        }
    }
}

fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A collection that is combined with others.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// There is none at the key.
    Absent,
    /// Every member has the score 1.
    Set(&'a Set),
    Sorted(&'a SortedSet),
}

/// A source whose scores are multiplied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighted<'a> {
    pub(super) source: Source<'a>,
    pub(super) weight: f64,
}

impl<'a> Source<'a> {
    pub(super) fn of(value: Option<ValueRef<'a>>) -> Result<Self, CommandError> {
        match value {
            None => Ok(Self::Absent),
            Some(ValueRef::Object(Object::Set(set))) => Ok(Self::Set(set)),
            Some(ValueRef::Object(Object::SortedSet(set))) => Ok(Self::Sorted(set)),
            Some(ValueRef::String(_) | ValueRef::Object(_)) => Err(CommandError::WrongType),
        }
    }

    pub(super) fn len(self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Set(set) => set.len(),
            Self::Sorted(set) => set.len(),
        }
    }

    fn members(self) -> impl Iterator<Item = (Item<'a>, f64)> {
        let (set, sorted) = match self {
            Self::Absent => (None, None),
            Self::Set(set) => (Some(set.iter().map(|member| (member, 1.0))), None),
            Self::Sorted(set) => (None, Some(set.iter())),
        };
        set.into_iter().flatten().chain(sorted.into_iter().flatten())
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Absent => None,
            Self::Set(set) => set.contains(member).then_some(1.0),
            Self::Sorted(set) => set.score(member),
        }
    }
}

/// The members that any of the sources has.
pub(super) fn union<'a>(
    sources: &[Weighted<'a>],
    aggregate: Aggregate,
    limits: &Limits,
) -> Vec<(Item<'a>, f64)> {
    let largest = sources.iter().map(|weighted| weighted.source.len()).max().unwrap_or(0);
    let hasher = FixedState::with_seed(limits.hash_seed);
    let mut scores: HashMap<Item<'a>, f64, _> = HashMap::with_capacity_and_hasher(largest, hasher);
    for weighted in sources {
        for (member, score) in weighted.source.members() {
            let score = number(score * weighted.weight);
            match scores.entry(canonical(member)) {
                Entry::Vacant(entry) => {
                    entry.insert(score);
                }
                Entry::Occupied(mut entry) => *entry.get_mut() = aggregate.of(*entry.get(), score),
            }
        }
    }
    scores.into_iter().collect()
}

/// The same member is the same item, whichever form it was kept in.
fn canonical(member: Item<'_>) -> Item<'_> {
    match member {
        Item::Bytes(bytes) => Item::new(bytes),
        Item::Integer(_) => member,
    }
}

/// The members that all of the sources have.
pub(super) fn intersection<'a>(
    sources: &[Weighted<'a>],
    aggregate: Aggregate,
) -> impl Iterator<Item = (Item<'a>, f64)> {
    let (first, others) = sources.split_first().map_or((None, sources), |(first, rest)| (Some(first), rest));
    let mut room = IntegerText::new();
    first.into_iter().flat_map(|first| first.source.members().map(|found| (first.weight, found))).filter_map(
        move |(weight, (member, score))| {
            let mut combined = number(score * weight);
            for other in others {
                let score = other.source.score(member.bytes(&mut room))?;
                combined = aggregate.of(combined, score * other.weight);
            }
            Some((member, combined))
        },
    )
}

/// The members of the first source that no other has.
pub(super) fn difference<'a>(sources: &[Weighted<'a>]) -> impl Iterator<Item = (Item<'a>, f64)> {
    let mut room = IntegerText::new();
    let (first, others) = sources.split_first().map_or((None, sources), |(first, rest)| (Some(first), rest));
    first.into_iter().flat_map(|first| first.source.members()).filter(move |(member, _)| {
        let member = member.bytes(&mut room);
        !others.iter().any(|other| other.source.score(member).is_some())
    })
}

/// The members in the order of a sorted set.
pub(super) fn ordered(mut members: Vec<(Item<'_>, f64)>) -> Vec<(Item<'_>, f64)> {
    members.sort_unstable_by(|(a, a_score), (b, b_score)| {
        // No score is NaN.
        a_score.partial_cmp(b_score).unwrap_or(Ordering::Equal).then_with(|| a.cmp_bytes(*b))
    });
    members
}
