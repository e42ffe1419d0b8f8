//! A small sorted set: members and scores in turn in one allocation, in order.
//!
//! A score that is an integer is packed as one. Any other is packed as bytes, and their number tells how: two to seven are a
//! decimal fraction, how many digits it has behind its point and then all its digits as an integer; eight are the double
//! itself. Everything is a scan, since there are few of them.
//!
//! The zero below zero is not told from zero here, as in Redis.

use std::ops::Range;

use super::super::item::{IntegerText, Item};
use super::super::packed::Packed;

/// Members with their scores, ordered by score, then by member.
#[derive(Debug, Default, Clone)]
pub(super) struct Compact(Packed);

/// Scores up to here are exact as integers.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// How many digits behind the point are tried.
const PLACES_MAX: usize = 6;
const POWERS_OF_TEN: [f64; PLACES_MAX + 1] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
/// A decimal fraction's digits take at most so many bytes.
const DIGITS_BYTES: usize = 6;

fn pack_score<T>(score: f64, with: impl FnOnce(Item<'_>) -> T) -> T {
    if score.trunc() == score && score.abs() < EXACT {
        return with(Item::Integer(score as i64));
    }
    match decimal(score) {
        Some((places, digits)) => {
            // One bit is the sign's.
            let bits = 65 - (digits ^ (digits >> 63)).leading_zeros() as usize;
            let width = bits.div_ceil(8);
            let mut bytes = [0; 1 + DIGITS_BYTES];
            bytes[0] = places as u8;
            bytes[1..=width].copy_from_slice(&digits.to_le_bytes()[..width]);
            with(Item::Bytes(&bytes[..=width]))
        }
        None => with(Item::Bytes(&score.to_le_bytes())),
    }
}

/// A score as its digits and how many of them stand behind the point, if it is exactly what those digits read as.
fn decimal(score: f64) -> Option<(usize, i64)> {
    const DIGITS_MAX: f64 = (1_i64 << (8 * DIGITS_BYTES - 1)) as f64;
    (1..=PLACES_MAX).find_map(|places| {
        let digits = (score * POWERS_OF_TEN[places]).round();
        // Both are exact, so that dividing them rounds to the very double that their text would be read as.
        (digits.abs() < DIGITS_MAX && digits / POWERS_OF_TEN[places] == score)
            .then_some((places, digits as i64))
    })
}

fn unpack_score(item: Item<'_>) -> f64 {
    match item {
        Item::Integer(number) => number as f64,
        Item::Bytes(bytes) => match bytes.try_into() {
            Ok(bytes) => f64::from_le_bytes(bytes),
            Err(_) => unpack_decimal(bytes),
        },
    }
}

fn unpack_decimal(bytes: &[u8]) -> f64 {
    let Some((&places, digits)) = bytes.split_first() else { return 0.0 };
    let mut wide = [0; 8];
    wide[8 - digits.len()..].copy_from_slice(digits);
    let digits = i64::from_le_bytes(wide) >> (64 - 8 * digits.len());
    digits as f64 / POWERS_OF_TEN[usize::from(places)]
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
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(score: f64) -> usize {
        let mut compact = Compact::default();
        compact.insert(b"m", score);
        assert_eq!(compact.score(b"m").map(f64::to_bits), Some(score.to_bits()), "{score}");
        compact.0.end() - 2
    }

    #[test]
    fn scores_are_read_back_exactly() {
        for score in [0.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, EXACT, -EXACT, 5e-324, f64::MAX] {
            check(score);
        }
        for (score, packed) in [
            (111.0, 1),
            (-3.0, 2),
            (0.5, 3),
            (-12.7, 3),
            (12.8, 4),
            (-0.000_001, 3),
            (99.99, 4),
            (52.520_008, 6),
            (140_737_488.355_329, 9),
            (0.1 + 0.2, 9),
        ] {
            assert_eq!(check(score), packed, "{score}");
        }
    }

    #[test]
    fn zero_has_no_sign() {
        let mut compact = Compact::default();
        compact.insert(b"m", -0.0);
        assert_eq!(compact.score(b"m").map(f64::to_bits), Some(0));
    }

    proptest! {
        #[test]
        fn so_are_all_others(bits: u64, digits in -1_i64 << 48..1 << 48, places in 0_usize..9) {
            let score = f64::from_bits(bits);
            if !score.is_nan() {
                check(score);
            }
            if digits != 0 {
                check(digits as f64 / 10_f64.powi(places as i32));
            }
        }
    }
}
