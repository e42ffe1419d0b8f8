//! The only door to data: databases of 16,384 slots, each slot a table behind its own lock.
//!
//! A command never sees a lock. The engine locks the slots of its keys ([`locked`]) and lends them to the handler, which
//! reads and changes keys through that loan; so a transaction locks the union of its slots once and runs many handlers.
//! Locks are always taken in ascending order of (database, slot).
//!
//! [`slot`] is a slot's lock, gate and counts, [`table`] its hash table, [`entry`] one key with its value and deadline,
//! [`stamp`] when it was used, [`database`] the slots of one database, [`reclaim`] what is gone and not freed yet.

pub(crate) mod attention;
pub(crate) mod database;
pub(crate) mod entry;
pub(crate) mod locked;
pub(crate) mod prefetch;
pub(crate) mod reclaim;
pub(crate) mod slot;
pub(crate) mod stamp;
pub(crate) mod table;
