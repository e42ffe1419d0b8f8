//! What a write changed: the unit of replication and of slot migration.
//!
//! An effect is deterministic: deadlines are absolute, floats and random choices are already results, and an effect
//! says what became of the data, not which command asked for it. Applying a slot's effects in their order to a copy of
//! the slot yields the slot. A collection whose last element an effect removes is gone without a further effect; a key
//! whose deadline has passed is gone when its `Expire` says so, and a field of a hash when its `HashExpire` does, never
//! by a clock on the copy.
//!
//! Effects are emitted under the lock of their slot, in the order of the changes. They borrow the arguments of the
//! command; a sink that keeps them copies them. While the engine is followed ([`crate::Engine::follow`]) the sink also
//! hears which command they come from, and where those end that nobody may see a part of. As bytes they are records
//! ([`record`]).

pub mod record;

use nuthatch_proto::command_table::{DataCommand, KeyspaceCommand};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::Args;
use nuthatch_proto::slot::Slot;

use crate::value::{Extreme, Object};

/// One change.
#[derive(Debug, Clone, Copy)]
pub enum Effect<'a> {
    /// The key now holds this string and this deadline, whatever it held before.
    Set {
        /// The key.
        key: &'a [u8],
        /// The whole string.
        value: &'a [u8],
        /// When it expires, if it does.
        deadline: Option<Timestamp>,
    },
    /// The string at the key, which keeps its deadline, has these bytes from that offset on; what was missing up to
    /// there is zeros.
    SetRange {
        /// The key.
        key: &'a [u8],
        /// Where the bytes begin.
        offset: usize,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The key now holds this object and this deadline, whatever it held before.
    SetObject {
        /// The key.
        key: &'a [u8],
        /// The whole object.
        object: &'a Object,
        /// When it expires, if it does.
        deadline: Option<Timestamp>,
    },
    /// The key is gone.
    Delete {
        /// The key.
        key: &'a [u8],
    },
    /// The key is gone because its time had come.
    Expire {
        /// The key.
        key: &'a [u8],
    },
    /// The key's deadline changed, and nothing else.
    Deadline {
        /// The key.
        key: &'a [u8],
        /// When it expires, if it does.
        deadline: Option<Timestamp>,
    },
    /// A field of a hash now has this value; it keeps its deadline.
    HashSet {
        /// The hash's key.
        key: &'a [u8],
        /// The field.
        field: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// A field of a hash has this deadline, and is as it was otherwise.
    HashDeadline {
        /// The hash's key.
        key: &'a [u8],
        /// The field, which is there.
        field: &'a [u8],
        /// When it expires, if it does.
        deadline: Option<Timestamp>,
    },
    /// A field left a hash.
    HashDelete {
        /// The hash's key.
        key: &'a [u8],
        /// The field.
        field: &'a [u8],
    },
    /// A field left a hash because its time had come.
    HashExpire {
        /// The hash's key.
        key: &'a [u8],
        /// The field.
        field: &'a [u8],
    },
    /// An element joined a list at one end.
    ListPush {
        /// The list's key.
        key: &'a [u8],
        /// At which end.
        end: End,
        /// The element.
        element: &'a [u8],
    },
    /// Elements left a list at one end.
    ListPop {
        /// The list's key.
        key: &'a [u8],
        /// At which end.
        end: End,
        /// How many.
        count: usize,
    },
    /// An element joined a list before the one at an index; at the end if the index is the list's length.
    ListInsert {
        /// The list's key.
        key: &'a [u8],
        /// The element's index afterwards.
        index: usize,
        /// The element.
        element: &'a [u8],
    },
    /// An element took the place of the one at an index.
    ListSet {
        /// The list's key.
        key: &'a [u8],
        /// The index.
        index: usize,
        /// The new element.
        element: &'a [u8],
    },
    /// The first elements of a list that are equal to this, seen from one end, left it.
    ListRemove {
        /// The list's key.
        key: &'a [u8],
        /// From which end they were counted.
        from: End,
        /// How many; there were so many at least.
        count: usize,
        /// What they were.
        element: &'a [u8],
    },
    /// A member joined a set.
    SetAdd {
        /// The set's key.
        key: &'a [u8],
        /// The member.
        member: &'a [u8],
    },
    /// A member left a set.
    SetRemove {
        /// The set's key.
        key: &'a [u8],
        /// The member.
        member: &'a [u8],
    },
    /// A member of a sorted set now has this score.
    SortedSetAdd {
        /// The sorted set's key.
        key: &'a [u8],
        /// The member.
        member: &'a [u8],
        /// Its score.
        score: f64,
    },
    /// A member left a sorted set.
    SortedSetRemove {
        /// The sorted set's key.
        key: &'a [u8],
        /// The member.
        member: &'a [u8],
    },
    /// Members left a sorted set at one end of its order.
    SortedSetPop {
        /// The sorted set's key.
        key: &'a [u8],
        /// At which end.
        from: Extreme,
        /// How many.
        count: usize,
    },
    /// The slot's keys and those of the same slot in another database were exchanged.
    SwapSlot {
        /// The other database.
        with: usize,
    },
    /// All keys of the slot are gone.
    FlushSlot,
}

impl<'a> Effect<'a> {
    /// The key that changed; none if all of the slot did.
    pub(crate) fn key(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Set { key, .. }
            | Self::SetRange { key, .. }
            | Self::SetObject { key, .. }
            | Self::Delete { key }
            | Self::Expire { key }
            | Self::Deadline { key, .. }
            | Self::HashSet { key, .. }
            | Self::HashDeadline { key, .. }
            | Self::HashDelete { key, .. }
            | Self::HashExpire { key, .. }
            | Self::ListPush { key, .. }
            | Self::ListPop { key, .. }
            | Self::ListInsert { key, .. }
            | Self::ListSet { key, .. }
            | Self::ListRemove { key, .. }
            | Self::SetAdd { key, .. }
            | Self::SetRemove { key, .. }
            | Self::SortedSetAdd { key, .. }
            | Self::SortedSetRemove { key, .. }
            | Self::SortedSetPop { key, .. } => Some(key),
            Self::SwapSlot { .. } | Self::FlushSlot => None,
        }
    }
}

/// One end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Where LPUSH pushes.
    Left,
    /// Where RPUSH pushes.
    Right,
}

/// What runs, and has the effects that follow.
#[derive(Clone, Copy)]
pub enum Running<'a> {
    /// A command on keys.
    Data(DataCommand, Args<'a>),
    /// A command that changes whole databases.
    Keyspace(KeyspaceCommand, Args<'a>),
    /// A client is given what it waited for.
    Serving,
}

/// Receives the effects of every write.
pub trait EffectSink: Sync {
    /// Takes one effect. Called under the slot's lock, in order: it must be short and must not call the engine.
    fn emit(&self, db: usize, slot: Slot, effect: Effect<'_>);

    /// Whether anybody listens; if not, nothing is emitted. The answer may change only while no command runs on the
    /// slots it concerns.
    fn listens(&self) -> bool {
        true
    }

    /// A command begins, in that database. Like the next two, called only while the engine is followed.
    fn begin(&self, _db: usize, _running: Running<'_>) {}

    /// The command is done; whether it did what it was to do.
    fn done(&self, _succeeded: bool) {}

    /// What was told since the first [`Self::begin`] is whole. Called under the locks of all its slots, or while nobody
    /// else runs commands.
    fn end(&self) {}
}

/// The sink of a node without replicas: hears nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoEffects;

impl EffectSink for NoEffects {
    fn emit(&self, _: usize, _: Slot, _: Effect<'_>) {}

    fn listens(&self) -> bool {
        false
    }
}
