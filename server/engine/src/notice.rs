//! Keyspace notices: what happened to a key, under the name that Redis has for it.
//!
//! Not effects: an effect says what became of the data and a copy is built from it; a notice says which event a
//! subscriber hears of, and nothing depends on its delivery. They are told under the lock of the key's slot, so that
//! the notices of one key have the order of its changes. Which classes anybody wants is read once per batch
//! ([`Context::classes`](crate::Context)), so that a notice nobody wants costs one test.
//!
//! Source: Redis documentation, "Redis keyspace notifications".

use bitflags::bitflags;

bitflags! {
    /// Classes of notices; the letters are those of `notify-keyspace-events`.
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
    pub struct Classes: u32 {
        /// `K`: publish to the channel of the key.
        const KEYSPACE = 1;
        /// `E`: publish to the channel of the event.
        const KEYEVENT = 1 << 1;
        /// `g`: commands on keys of any type.
        const GENERIC = 1 << 2;
        /// `$`: strings.
        const STRING = 1 << 3;
        /// `l`: lists.
        const LIST = 1 << 4;
        /// `s`: sets.
        const SET = 1 << 5;
        /// `h`: hashes.
        const HASH = 1 << 6;
        /// `z`: sorted sets.
        const SORTED_SET = 1 << 7;
        /// `x`: keys that expired.
        const EXPIRED = 1 << 8;
        /// `e`: keys that were evicted.
        const EVICTED = 1 << 9;
        /// `t`: streams.
        const STREAM = 1 << 10;
        /// `m`: reads of keys that were not there; not among `A`.
        const KEY_MISS = 1 << 11;
        /// `d`: values of modules.
        const MODULE = 1 << 12;
        /// `n`: keys that were not there before; not among `A`.
        const NEW = 1 << 13;
    }
}

/// Receives notices.
pub trait NoticeSink: Sync {
    /// Takes one notice, of a class that is wanted. Called under the slot's lock: it must be short and must not call
    /// the engine.
    fn notify(&self, db: usize, class: Classes, event: &'static str, key: &[u8]);
}

/// The sink of those whom nobody asks for notices.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoNotices;

impl NoticeSink for NoNotices {
    fn notify(&self, _: usize, _: Classes, _: &'static str, _: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use super::Classes;
    use crate::testing::Bench;

    #[track_caller]
    fn check(bench: &mut Bench, command: &str, expected: &[&str]) {
        bench.run(command);
        assert_eq!(bench.notices(), expected, "{command}");
    }

    fn bench(classes: Classes) -> Bench {
        let mut bench = Bench::new();
        bench.classes = classes;
        bench
    }

    #[test]
    fn a_collection_that_became_empty_is_told_to_be_deleted() {
        let mut bench = bench(Classes::GENERIC);
        for (add, remove) in [
            ("RPUSH a 1", "LPOP a"),
            ("SADD a 1", "SREM a 1"),
            ("HSET a f 1", "HDEL a f"),
            ("ZADD a 1 m", "ZREM a m"),
        ] {
            check(&mut bench, add, &[]);
            check(&mut bench, remove, &["del a@0"]);
        }
    }

    #[test]
    fn keys_that_expire_are_told_when_they_are_found_and_when_they_are_looked_for() {
        let mut bench = bench(Classes::EXPIRED | Classes::KEY_MISS);
        bench.check("MSET a 1 b 2", "+OK");
        bench.check("PEXPIRE a 10", ":1");
        bench.check("PEXPIRE b 10", ":1");
        bench.now += 10;
        check(&mut bench, "GET a", &["expired a@0", "keymiss a@0"]);
        // The wheel looks a little after the time.
        bench.now += 1000;
        bench.expire(10);
        assert_eq!(bench.notices(), ["expired b@0"]);
        check(&mut bench, "HGET c f", &["keymiss c@0"]);
        check(&mut bench, "LPOP c", &[]);
    }

    #[test]
    fn new_keys_are_told_before_what_made_them() {
        let mut bench = bench(Classes::NEW | Classes::GENERIC | Classes::STRING);
        bench.classes |= Classes::LIST | Classes::SET;
        check(&mut bench, "SET a 1", &["new a@0", "set a@0"]);
        check(&mut bench, "SET a 2", &["set a@0"]);
        check(&mut bench, "RPUSH l 1", &["new l@0", "rpush l@0"]);
        check(&mut bench, "RPUSH l 1", &["rpush l@0"]);
        check(&mut bench, "SADD s 1", &["new s@0", "sadd s@0"]);
        check(&mut bench, "RENAME a s", &["new s@0", "rename_from a@0", "rename_to s@0"]);
        check(&mut bench, "COPY s b", &["new b@0", "copy_to b@0"]);
    }
}
