//! A sorted set: members ordered by score, then by their bytes.
//!
//! A few are one allocation in order ([`Compact`], `listpack` to Redis). More are a [`Table`] from member to score and
//! a counted [`Tree`] over them (`skiplist` to Redis): a score is one lookup; a rank or the border of a range is one
//! descent. Members are stored once, in the table; the tree keeps their places.
//!
//! Ranges of every kind are ranges of ranks: [`SortedSet::ranks_by_score`] and [`SortedSet::ranks_by_lex`] translate.

mod compact;
mod node;
mod range;
mod tree;

use std::ops::Range;

use compact::Compact;
use node::Entry;
pub use range::{LexBound, LexRange, ScoreBound, ScoreRange};
use tree::Tree;

use super::item::{IntegerText, Item};
use super::limits::Limits;
use super::table::{Slot, Table};
use crate::context::Rng;

/// The value of a sorted set key.
#[derive(Debug, Clone)]
pub struct SortedSet(Form);

#[derive(Debug, Clone)]
enum Form {
    Compact(Compact),
    Indexed(Box<Indexed>),
}

#[derive(Debug, Clone)]
struct Indexed {
    /// Member to score, in eight bytes.
    scores: Table,
    order: Tree,
}

/// What [`SortedSet::upsert`] did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Upserted {
    /// The score before, if the member was there.
    pub old: Option<f64>,
    /// The score that was asked for; `None` if nothing was to be done.
    pub new: Option<f64>,
}

/// One end of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extreme {
    /// Where the lowest score is.
    Lowest,
    /// Where the highest score is.
    Highest,
}

impl Default for SortedSet {
    fn default() -> Self {
        Self(Form::Compact(Compact::default()))
    }
}

fn read_score(value: &[u8]) -> f64 {
    value.try_into().map_or(0.0, f64::from_le_bytes)
}

impl SortedSet {
    /// An empty sorted set.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many members there are.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Compact(compact) => compact.len(),
            Form::Indexed(indexed) => indexed.scores.len(),
        }
    }

    /// Whether there is none; such a key does not exist.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `OBJECT ENCODING` says.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Compact(_) => "listpack",
            Form::Indexed(_) => "skiplist",
        }
    }

    /// Whether it is small and kept as such: members of it are found by walking.
    pub fn is_compact(&self) -> bool {
        matches!(self.0, Form::Compact(_))
    }

    /// The heap memory it holds.
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Compact(compact) => compact.memory_bytes(),
            Form::Indexed(indexed) => {
                size_of::<Indexed>() + indexed.scores.memory_bytes() + indexed.order.memory_bytes()
            }
        }
    }

    /// How many allocations dropping it frees.
    pub fn free_effort(&self) -> usize {
        match &self.0 {
            Form::Compact(_) => 1,
            Form::Indexed(indexed) => indexed.scores.free_effort() + indexed.order.node_count(),
        }
    }

    /// The table of its scores, if it is a big one.
    #[inline]
    pub(super) fn table(&self) -> Option<&Table> {
        if let Form::Indexed(indexed) = &self.0 { Some(&indexed.scores) } else { None }
    }

    /// See [`super::Object::shed`].
    pub(super) fn shed(&mut self, most: usize) -> usize {
        match &mut self.0 {
            Form::Compact(_) => 0,
            Form::Indexed(indexed) => {
                let records = indexed.scores.shed(most);
                records + indexed.order.shed(most - records)
            }
        }
    }

    /// A member's score.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Form::Compact(compact) => compact.score(member),
            Form::Indexed(indexed) => indexed.scores.get(member).map(read_score),
        }
    }

    /// A member's rank, from the lowest score.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        let score = self.score(member)?;
        Some(self.count(|other_score, other| other_score < score || (other_score == score && other < member)))
    }

    /// Makes ready for so many members to be added by one command, the longest so long. Redis judges the command by
    /// its arguments, so that many at once convert earlier than many in turn.
    pub fn prepare(&mut self, members: usize, longest: usize, limits: &Limits) {
        let too_long = self.is_empty() && longest > limits.sorted_set_value;
        if members > limits.sorted_set_entries || too_long {
            self.become_indexed(members, limits);
        }
    }

    /// Shows `decide` the member's score and gives the member the score it answers, if it answers one: not NaN.
    pub fn upsert(
        &mut self,
        member: &[u8],
        limits: &Limits,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Upserted {
        match &mut self.0 {
            Form::Indexed(indexed) => indexed.upsert(member, decide),
            Form::Compact(compact) => {
                let old = compact.score(member);
                let new = decide(old);
                let upserted = Upserted { old, new };
                let Some(score) = new else { return upserted };
                if old == Some(score) {
                    return upserted;
                }
                if old.is_some() {
                    compact.remove(member);
                } else if compact.len() >= limits.sorted_set_entries || member.len() > limits.sorted_set_value
                {
                    self.become_indexed(1, limits).upsert(member, |_| new);
                    return upserted;
                }
                compact.insert(member, score);
                upserted
            }
        }
    }

    /// Takes a member away; its score, if it was there.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Form::Compact(compact) => compact.remove(member),
            Form::Indexed(indexed) => indexed.remove(member),
        }
    }

    /// Takes the members of these ranks away and shows each to `removed`.
    pub fn remove_range(&mut self, ranks: Range<usize>, mut removed: impl FnMut(&[u8])) {
        if let Form::Compact(compact) = &mut self.0 {
            return compact.remove_range(ranks, removed);
        }
        let members: Vec<Vec<u8>> = self.range(ranks).map(|(member, _)| member.to_vec()).collect();
        for member in members {
            self.remove(&member);
            removed(&member);
        }
    }

    /// The member at one end, and its score.
    pub fn extreme(&self, end: Extreme) -> Option<(Item<'_>, f64)> {
        let last = self.len().checked_sub(1)?;
        match end {
            Extreme::Lowest => self.range(0..1).next(),
            Extreme::Highest => self.range(last..last + 1).next(),
        }
    }

    /// The members of these ranks with their scores, ascending.
    pub fn range(&self, ranks: Range<usize>) -> impl Iterator<Item = (Item<'_>, f64)> {
        let (compact, indexed) = match &self.0 {
            Form::Compact(compact) => (Some(compact.iter().skip(ranks.start)), None),
            Form::Indexed(indexed) => (None, Some((indexed, indexed.order.ascending(ranks.start)))),
        };
        let indexed = indexed.into_iter().flat_map(|(indexed, entries)| indexed.members(entries));
        compact.into_iter().flatten().chain(indexed).take(ranks.len())
    }

    /// The members of these ranks with their scores, descending.
    pub fn range_reversed(&self, ranks: Range<usize>) -> impl Iterator<Item = (Item<'_>, f64)> {
        let (compact, indexed) = match &self.0 {
            Form::Compact(compact) => {
                let members: Vec<_> = compact.iter().skip(ranks.start).take(ranks.len()).collect();
                (Some(members.into_iter().rev()), None)
            }
            Form::Indexed(indexed) => {
                (None, Some((indexed, indexed.order.descending(ranks.end.saturating_sub(1)))))
            }
        };
        let indexed = indexed.into_iter().flat_map(|(indexed, entries)| indexed.members(entries));
        compact.into_iter().flatten().chain(indexed).take(ranks.len())
    }

    /// The members with their scores, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Item<'_>, f64)> {
        self.range(0..self.len())
    }

    /// Shows the members at the cursor; the next cursor, 0 after the last of them. A member that is there from the first
    /// call to the last is shown at least once, however the set grows or shrinks in between.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(Item<'a>, f64)) -> u64 {
        match &self.0 {
            Form::Compact(compact) => {
                compact.iter().for_each(|(member, score)| visit(member, score));
                0
            }
            Form::Indexed(indexed) => {
                indexed.scores.scan(cursor, |record| visit(Item::Bytes(record.key), read_score(record.value)))
            }
        }
    }

    /// A member that the dice choose, each with the same chance, and its score.
    pub fn random(&self, rng: &mut Rng) -> Option<(Item<'_>, f64)> {
        match &self.0 {
            Form::Compact(compact) => compact.from(rng.below(compact.len())).next(),
            Form::Indexed(indexed) => {
                let record = indexed.scores.random(rng)?;
                Some((Item::Bytes(record.key), read_score(record.value)))
            }
        }
    }

    /// The ranks of the members whose scores lie in a range.
    pub fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        let start = self.count(|score, _| range.is_below(score));
        start..self.count(|score, _| range.is_not_above(score)).max(start)
    }

    /// The ranks of the members that lie in a range. It means something only where all scores are equal.
    pub fn ranks_by_lex(&self, range: &LexRange<'_>) -> Range<usize> {
        let start = self.count(|_, member| range.is_below(member));
        start..self.count(|_, member| range.is_not_above(member)).max(start)
    }

    fn count(&self, before: impl Fn(f64, &[u8]) -> bool) -> usize {
        match &self.0 {
            Form::Compact(compact) => compact.count(before),
            Form::Indexed(indexed) => {
                let member = |entry: Entry| indexed.scores.record(entry.place).key;
                indexed.order.count(|entry| before(entry.score, member(entry)))
            }
        }
    }

    fn become_indexed(&mut self, additional: usize, limits: &Limits) -> &mut Indexed {
        if let Form::Compact(compact) = &self.0 {
            let scores = Table::new(limits.hash_seed, compact.len() + additional);
            let mut indexed = Indexed { scores, order: Tree::new() };
            let mut room = IntegerText::new();
            for (member, score) in compact.iter() {
                indexed.upsert(member.bytes(&mut room), |_| Some(score));
            }
            self.0 = Form::Indexed(Box::new(indexed));
        }
        match &mut self.0 {
            Form::Indexed(indexed) => indexed,
            Form::Compact(_) => unreachable!("it has just been indexed"),
        }
    }
}

impl Indexed {
    fn upsert(&mut self, member: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) -> Upserted {
        let place = self.scores.find(member);
        let old = place.map(|place| read_score(self.scores.record(place).value));
        let new = decide(old);
        let upserted = Upserted { old, new };
        let Some(score) = new else { return upserted };
        if let (Some(place), Some(old)) = (place, old) {
            if old != score {
                self.order.rescore(&self.scores, old, Entry { score, place }, member);
                self.scores.value_mut(place).copy_from_slice(&score.to_le_bytes());
            }
        } else {
            let (Slot::Added(place) | Slot::Found(place)) = self.scores.upsert(member, &score.to_le_bytes());
            self.order.insert(&self.scores, Entry { score, place }, member);
        }
        upserted
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let place = self.scores.find(member)?;
        let score = read_score(self.scores.record(place).value);
        self.order.remove(&self.scores, score, member);
        if let Some(sparse) = self.scores.remove_record(place) {
            for (_, new) in self.scores.evacuate(&sparse) {
                let score = read_score(self.scores.record(new).value);
                self.order.relocate(&self.scores, score, new);
            }
            self.scores.release(sparse);
        }
        Some(score)
    }

    fn members(&self, entries: impl Iterator<Item = Entry>) -> impl Iterator<Item = (Item<'_>, f64)> {
        entries.map(|entry| (Item::Bytes(self.scores.record(entry.place).key), entry.score))
    }
}

#[cfg(test)]
mod tests;
