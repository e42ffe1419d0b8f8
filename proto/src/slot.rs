//! Key to hash slot: CRC16 (XMODEM) of the key, or of its hash tag, modulo 16,384.
//!
//! Source: the Redis Cluster specification, "Key distribution model" and "Hash tags".

mod crc;

use std::fmt;

/// How many hash slots there are.
pub const SLOT_COUNT: u16 = 16_384;

/// A hash slot, always below [`SLOT_COUNT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// The slot of that number, if there is one.
    pub const fn new(number: u16) -> Option<Self> {
        if number < SLOT_COUNT { Some(Self(number)) } else { None }
    }

    /// The slot a key belongs to.
    #[inline]
    pub fn of_key(key: &[u8]) -> Self {
        Self(crc::crc16(hash_tag(key)) % SLOT_COUNT)
    }

    /// The slot's number, 0 to 16,383.
    #[inline]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The slot's number as an index into a table of [`SLOT_COUNT`] rows.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Every slot, ascending.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        (0..SLOT_COUNT).map(Self)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The part of a key that is hashed: what stands between the first `{` and the first `}` after it, if that is not
/// empty; else the whole key.
#[inline]
pub fn hash_tag(key: &[u8]) -> &[u8] {
    // Most keys have no tag. Without an early exit the compiler looks at sixteen bytes at a time.
    if key.iter().fold(false, |found, &byte| found | (byte == b'{')) { tag_within(key) } else { key }
}

fn tag_within(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&b| b == b'{') else { return key };
    let rest = &key[open + 1..];
    match rest.iter().position(|&b| b == b'}') {
        None | Some(0) => key,
        Some(close) => &rest[..close],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // The values `redis-cli CLUSTER KEYSLOT` prints.
        for (key, slot) in [("foo", 12182), ("bar", 5061), ("", 0), ("123456789", 12739)] {
            assert_eq!(Slot::of_key(key.as_bytes()).number(), slot, "{key}");
        }
    }

    #[test]
    fn hash_tags_follow_the_specification() {
        for (key, tag) in [
            ("{user1000}.following", "user1000"),
            ("foo{}{bar}", "foo{}{bar}"),
            ("foo{{bar}}zap", "{bar"),
            ("foo{bar}{zap}", "bar"),
            ("foo{bar", "foo{bar"),
            ("foo}bar{", "foo}bar{"),
        ] {
            assert_eq!(hash_tag(key.as_bytes()), tag.as_bytes(), "{key}");
        }
    }
}
