//! Effects as bytes: what a primary appends to its log, its replicas are sent, and a slot on the move is followed by.
//!
//! A record is one effect with its place. It says how long it is, so that a log can be cut between records and a reader
//! knows whether it has the whole of one:
//!
//! ```text
//! record   length | head | database | slot 2 | the effect's fields
//! head     version 3 bits | kind 5 bits
//! number   seven bits a byte, the lowest first, the eighth bit where more follow; never longer than it must be
//! bytes    their number | themselves
//! deadline 0, or 1 and its milliseconds
//! object   the rest of the record, as the value of an RDB payload, nothing compressed
//! ```
//!
//! Kinds are only ever added; whoever changes the fields of one raises the version. A record is written without an
//! allocation of its own, under the lock of its slot ([`append`]), and read where it lies ([`Record::read`]): the
//! reader borrows, believes no length beyond the bytes at hand, and says what is wrong with bytes that are no record.
//!
//! Not here: offsets, epochs and checksums, which are the log's; and what a record does to a copy, which is
//! [`crate::Engine::apply`]'s.

mod append;
mod read;

pub use append::{TooLong, append};
pub use read::{Change, Malformed, Record};

/// The version of the format.
pub const VERSION: u8 = 1;

/// The longest record, without its length. A reader waits for the rest of no longer one.
pub const RECORD_MAX: u64 = 1 << 32;

/// How many bits of the head are the kind.
const KIND_BITS: u32 = 5;

/// The numbers of the effects.
mod kind {
    pub(super) const SET: u8 = 0;
    pub(super) const SET_RANGE: u8 = 1;
    pub(super) const SET_OBJECT: u8 = 2;
    pub(super) const DELETE: u8 = 3;
    pub(super) const EXPIRE: u8 = 4;
    pub(super) const DEADLINE: u8 = 5;
    pub(super) const HASH_SET: u8 = 6;
    pub(super) const HASH_DEADLINE: u8 = 7;
    pub(super) const HASH_DELETE: u8 = 8;
    pub(super) const HASH_EXPIRE: u8 = 9;
    pub(super) const LIST_PUSH: u8 = 10;
    pub(super) const LIST_POP: u8 = 11;
    pub(super) const LIST_INSERT: u8 = 12;
    pub(super) const LIST_SET: u8 = 13;
    pub(super) const LIST_REMOVE: u8 = 14;
    pub(super) const SET_ADD: u8 = 15;
    pub(super) const SET_REMOVE: u8 = 16;
    pub(super) const SORTED_SET_ADD: u8 = 17;
    pub(super) const SORTED_SET_REMOVE: u8 = 18;
    pub(super) const SORTED_SET_POP: u8 = 19;
    pub(super) const SWAP_SLOT: u8 = 20;
    pub(super) const FLUSH_SLOT: u8 = 21;
}

#[cfg(test)]
mod tests;
