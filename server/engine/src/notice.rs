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
