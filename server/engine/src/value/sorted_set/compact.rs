//! A small sorted set: members and scores in turn in one allocation, in order.
//!
//! A score that is an integer is packed as one, any other as its eight bytes. Everything is a scan, since there are
//! few of them.

use std::ops::Range;

use super::super::item::{IntegerText, Item};
use super::super::packed::Packed;

/// Members with their scores, ordered by score, then by member.
#[derive(Debug, Default, Clone)]
pub(super) struct Compact(Packed);

/// Scores up to here are exact as integers.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn pack_score<T>(score: f64, with: impl FnOnce(Item<'_>) -> T) -> T {
    let negative_zero = score == 0.0 && score.is_sign_negative();
    if score.trunc() == score && score.abs() < EXACT && !negative_zero {
        with(Item::Integer(score as i64))
    } else {
        with(Item::Bytes(&score.to_le_bytes()))
    }
}

fn unpack_score(item: Item<'_>) -> f64 {
    match item {
        Item::Integer(number) => number as f64,
        Item::Bytes(bytes) => bytes.try_into().map_or(0.0, f64::from_le_bytes),
    }
}

impl Compact {
    /// How many members there are.
    pub(super) fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// The heap memory it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    /// The members with their scores, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Item<'_>, f64)> + Clone {
        self.from(0)
    }

    /// The members from a rank on with their scores, ascending.
    pub(super) fn from(&self, rank: usize) -> impl Iterator<Item = (Item<'_>, f64)> + Clone {
        let mut items = self.0.from(rank * 2);
        std::iter::from_fn(move || Some((items.next()?, unpack_score(items.next()?))))
    }

    /// A member's score.
    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        let at = self.0.find(Item::new(member), 2)?;
        Some(unpack_score(self.0.read(self.0.read(at).1).0))
    }

    /// How many members `before` holds for, which must be a prefix.
    pub(super) fn count(&self, before: impl Fn(f64, &[u8]) -> bool) -> usize {
        let mut room = IntegerText::new();
        self.iter().take_while(|(member, score)| before(*score, member.bytes(&mut room))).count()
    }

    /// Adds a member that is not there.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) {
        let mut room = IntegerText::new();
        let mut at = 0;
        while at < self.0.end() {
            let (other, score_at) = self.0.read(at);
            let (other_score, next) = self.0.read(score_at);
            let other_score = unpack_score(other_score);
            if other_score > score || (other_score == score && other.bytes(&mut room) > member) {
                break;
            }
            at = next;
        }
        pack_score(score, |score| self.0.insert(at, score));
        self.0.insert(at, Item::new(member));
    }

    /// Takes the members of these ranks away and shows each to `removed`.
    pub(super) fn remove_range(&mut self, ranks: Range<usize>, mut removed: impl FnMut(&[u8])) {
        let mut room = IntegerText::new();
        for (member, _) in self.iter().skip(ranks.start).take(ranks.len()) {
            removed(member.bytes(&mut room));
        }
        let at = (0..ranks.start * 2).fold(0, |at, _| self.0.read(at).1);
        self.0.remove(at, ranks.len() * 2);
    }

    /// Takes a member away; its score, if it was there.
    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let at = self.0.find(Item::new(member), 2)?;
        let score = unpack_score(self.0.read(self.0.read(at).1).0);
        self.0.remove(at, 2);
        Some(score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_back_exactly() {
        for score in [0.0, -0.0, 1.5, -3.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, EXACT, -EXACT, 5e-324] {
            let mut compact = Compact::default();
            compact.insert(b"m", score);
            assert_eq!(compact.score(b"m").map(f64::to_bits), Some(score.to_bits()));
        }
    }
}
