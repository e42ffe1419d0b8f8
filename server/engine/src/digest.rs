//! Digests of data, to tell whether two sets of keys are the same without comparing them: DEBUG DIGEST and DIGEST-VALUE.
//!
//! Equal data has equal digests, in every form its values may be kept in, in any order where order means nothing, on any
//! node and after any restart. What counts is the type, the value and whether there is a deadline, but not when; of a whole
//! node also the keys and their databases. A key that is past its deadline counts as gone.
//!
//! Of a slot there is an exact digest besides, for two copies of it: there the deadlines themselves count, and what is past
//! its deadline, for it is in both copies until an effect takes it out of both.
//!
//! A digest is not a proof: its function mixes well, and does not resist who wants two values to have the same one.

use std::fmt;

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::Slot;

use crate::engine::Engine;
use crate::store::entry::{Entry, ValueRef};
use crate::store::slot::{Hashed, Place};
use crate::value::{Hash, IntegerText, Item, Object};

/// A digest: 160 bits.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Digest([u64; 3]);

/// What a slot holds, in all databases.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SlotDigest {
    /// How many keys.
    pub keys: usize,
    /// The digest of all that they are.
    pub digest: Digest,
}

/// What of the data counts.
#[derive(Debug, Clone, Copy)]
enum Seen {
    /// What is there for everybody then, and whether it has a deadline.
    At(Timestamp),
    /// All that is stored.
    Stored,
}

impl Seen {
    /// Whether what has that deadline is gone.
    fn is_gone(self, deadline: Timestamp) -> bool {
        match self {
            Self::At(now) => deadline <= now,
            Self::Stored => false,
        }
    }

    /// What a deadline adds.
    fn mark(self, deadline: Timestamp) -> Digest {
        match self {
            Self::At(_) => Digest::of(b"expires"),
            Self::Stored => Digest::of(&deadline.0.to_le_bytes()),
        }
    }
}

/// What each part begins with: any three numbers of many bits.
const SEEDS: [u64; 3] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9];

impl Digest {
    /// The digest of bytes.
    fn of(bytes: &[u8]) -> Self {
        Self(SEEDS.map(|seed| {
            let words = bytes.chunks(8).map(|chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                u64::from_le_bytes(word)
            });
            words.fold(mixed(seed ^ bytes.len() as u64), |sum, word| mixed(sum ^ word).wrapping_add(seed))
        }))
    }

    /// Adds what has no place among the rest: added in another order, it comes to the same.
    fn add(&mut self, other: Self) {
        for (part, other) in self.0.iter_mut().zip(other.0) {
            *part ^= other;
        }
    }

    /// Adds what comes after the rest.
    fn append(&mut self, other: Self) {
        self.add(other);
        *self = Self::of(&self.0.map(u64::to_le_bytes).concat());
    }

    /// Two things that belong together, in this order.
    fn pair(first: Self, second: Self) -> Self {
        let mut pair = Self::default();
        pair.append(first);
        pair.append(second);
        pair
    }
}

/// Spreads every bit over all of them, and loses none.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third] = self.0;
        write!(f, "{first:016x}{second:016x}{:08x}", third & 0xffff_ffff)
    }
}

impl Engine {
    /// The digest of all keys in all databases, but those in slots whose gate is shut; nought if there are none. Each slot
    /// is locked while it is looked at.
    pub fn digest(&self, now: Timestamp) -> Digest {
        let mut all = Digest::default();
        for db in 0..self.databases() {
            for (_, slot) in self.slots(db) {
                slot.iter().filter_map(|entry| key(db, entry, Seen::At(now))).for_each(|key| all.add(key));
            }
        }
        all
    }

    /// The exact digest of a slot, its gate open or shut, with what `at` says at that moment: called under the slot's lock, it
    /// must not call the engine.
    pub fn digest_slot<T>(&self, slot: Slot, at: impl Fn() -> T) -> (SlotDigest, T) {
        let (slots, at) = self.lock_everywhere(slot, at);
        let mut all = SlotDigest::default();
        for (place, slot) in &slots {
            all.keys += slot.len();
            let keys = slot.iter().filter_map(|entry| key(place.db, entry, Seen::Stored));
            keys.for_each(|key| all.digest.add(key));
        }
        (all, at)
    }

    /// The digest of what a key holds, whatever the key is called; nought if there is no such key.
    pub fn digest_of(&self, db: usize, key: &[u8], now: Timestamp) -> Digest {
        let place = Place { db, slot: Slot::of_key(key) };
        let Some(cell) = self.existing_slot(place) else { return Digest::default() };
        let slot = cell.lock();
        slot.get(Hashed { bytes: key, hash: self.hash().of(key), hasher: self.hash() })
            .and_then(|entry| value(entry, Seen::At(now)))
            .unwrap_or_default()
    }
}

/// The digest of a key with its value, unless its time has passed.
fn key(db: usize, entry: &Entry, seen: Seen) -> Option<Digest> {
    let key = Digest::pair(Digest::of(&(db as u64).to_le_bytes()), Digest::of(entry.key()));
    Some(Digest::pair(key, value(entry, seen)?))
}

/// The digest of a value, unless its time has passed.
fn value(entry: &Entry, seen: Seen) -> Option<Digest> {
    if entry.deadline().is_some_and(|deadline| seen.is_gone(deadline)) {
        return None;
    }
    let mut digest = Digest::of(entry.kind().name().as_bytes());
    match entry.value() {
        ValueRef::String(bytes) => digest.append(Digest::of(bytes)),
        ValueRef::Object(Object::List(list)) => list.iter().for_each(|element| digest.append(item(element))),
        ValueRef::Object(Object::Set(set)) => set.iter().for_each(|member| digest.add(item(member))),
        ValueRef::Object(Object::SortedSet(set)) => {
            set.iter().for_each(|(member, score)| {
                // Makes 0 of -0: they are equal scores, and a compact form does not tell them apart.
                let score = score + 0.0;
                digest.add(Digest::pair(item(member), Digest::of(&score.to_le_bytes())));
            });
        }
        ValueRef::Object(Object::Hash(hash)) => fields(hash, seen).for_each(|field| digest.add(field)),
    }
    if let Some(deadline) = entry.deadline() {
        digest.add(seen.mark(deadline));
    }
    Some(digest)
}

/// The digests of a hash's fields with their values.
fn fields(hash: &Hash, seen: Seen) -> impl Iterator<Item = Digest> {
    hash.iter_all().filter_map(move |(field, value)| {
        let pair = Digest::pair(item(field), item(value));
        match hash.deadline(field.bytes(&mut IntegerText::new())) {
            Some(deadline) if seen.is_gone(deadline) => None,
            Some(deadline) => Some(Digest::pair(pair, seen.mark(deadline))),
            None => Some(pair),
        }
    })
}

fn item(item: Item<'_>) -> Digest {
    Digest::of(item.bytes(&mut IntegerText::new()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Bench;
    use crate::tuning::Tuning;
    use crate::value::Limits;

    fn digest(bench: &Bench, key: &str) -> String {
        bench.engine.digest_of(0, key.as_bytes(), Timestamp(bench.now)).to_string()
    }

    /// What holds the same under two keys, and what does not.
    #[track_caller]
    fn check(commands: &[&str], same: bool) {
        let mut bench = Bench::new();
        for command in commands {
            assert!(!bench.run(command).starts_with('-'), "{command}");
        }
        assert_eq!(digest(&bench, "a") == digest(&bench, "b"), same, "{commands:?}");
    }

    #[test]
    fn equal_values_have_equal_digests_and_others_do_not() {
        check(&["SET a 1", "SET b 1"], true);
        check(&["SET a 1", "SET b 2"], false);
        check(&["SET a abcdefgh", "SET b abcdefgh0"], false);
        check(&["RPUSH a x y", "RPUSH b x y"], true);
        check(&["RPUSH a x y", "RPUSH b y x"], false);
        check(&["RPUSH a x", "SET b x"], false);
        check(&["SADD a 1 2 x", "SADD b x 2 1"], true);
        check(&["SADD a x y", "RPUSH b x y"], false);
        check(&["ZADD a 1 x 2 y", "ZADD b 2 y 1 x"], true);
        check(&["ZADD a 1 x 2 y", "ZADD b 2 x 1 y"], false);
        let long = "a".repeat(80);
        check(&[&format!("ZADD a -0 {long}"), &format!("ZADD b 0 {long}")], true);
        check(&["HSET a f v g w", "HSET b g w f v"], true);
        check(&["HSET a f v g w", "HSET b f w g v"], false);
        check(&["HSET a f g", "HSET b g f"], false);
        check(&["SET a 1 EX 100", "SET b 1 EX 200"], true);
        check(&["SET a 1 EX 100", "SET b 1"], false);
        check(&["HSET a f v", "HSET b f v", "HPEXPIRE a 100 FIELDS 1 f"], false);
    }

    #[test]
    fn what_is_past_its_deadline_does_not_count() {
        let mut bench = Bench::new();
        bench.run("SET a 1 PX 10");
        bench.run("HSET h f v g w");
        let with_both = digest(&bench, "h");
        bench.run("HPEXPIRE h 10 FIELDS 1 g");
        bench.run("HSET i f v");
        assert_ne!(digest(&bench, "a"), "0".repeat(40));
        bench.now += 10;
        assert_eq!(digest(&bench, "a"), "0".repeat(40));
        assert_eq!(digest(&bench, "h"), digest(&bench, "i"));
        assert_ne!(digest(&bench, "h"), with_both);
    }

    #[test]
    fn the_digest_of_all_depends_on_keys_and_databases_and_no_order() {
        let all = |commands: &[&str]| {
            let mut bench = Bench::new();
            for command in commands {
                match command.strip_prefix("SELECT ") {
                    Some(db) => bench.db = db.parse().expect("a number"),
                    None => drop(bench.run(command)),
                }
            }
            bench.engine.digest(Timestamp(bench.now)).to_string()
        };
        assert_eq!(all(&[]), "0".repeat(40));
        assert_eq!(all(&["SET a 1", "SET b 2"]), all(&["SET b 2", "SET c 3", "DEL c", "SET a 1"]));
        assert_ne!(all(&["SET a 1"]), all(&["SET b 1"]));
        assert_ne!(all(&["SET a 1"]), all(&["SELECT 3", "SET a 1"]));
        assert_ne!(all(&["SET a 1", "SET b 2"]), all(&["SET a 2", "SET b 1"]));
    }

    proptest! {
        #[test]
        fn forms_do_not_matter(members in prop::collection::hash_set("[a-c0-9]{1,4}", 1..20)) {
            let mut bench = Bench::new();
            let compact = Tuning::default();
            let limits = Limits {
                hash_entries: 0, set_integers: 0, set_entries: 0, sorted_set_entries: 0, list_size: 1, ..Limits::default()
            };
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            for command in ["RPUSH", "SADD", "ZADD", "HSET"] {
                let words = |key: &'static str| {
                    let elements = members.iter().flat_map(move |&member| match command {
                        "ZADD" => vec!["1", member],
                        "HSET" => vec![member, "1"],
                        _ => vec![member],
                    });
                    [command, key].into_iter().chain(elements).collect::<Vec<_>>()
                };
                bench.engine.tune(compact);
                bench.run("DEL a b");
                bench.run_words(&words("a"));
                bench.engine.tune(Tuning { limits, ..compact });
                bench.run_words(&words("b"));
                prop_assert_eq!(digest(&bench, "a"), digest(&bench, "b"), "{}", command);
            }
        }
    }
}
