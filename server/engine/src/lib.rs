//! The data plane of Nuthatch: slot tables, values and the commands on them.
//!
//! Synchronous and closed: no runtime, no socket, no clock, no source of entropy, no topology. Time, randomness and the
//! receiver of effects come in with the [`Context`]; replies and effects go out. The node's threads share one
//! [`Engine`] and call it at the same time; a command locks the hash slots of its keys, runs, and unlocks them.
//!
//! The way in is [`Engine::execute`]; `command` holds the commands by family, `store` the data and its locks, `value`
//! the collections, [`effect`] what a write changed, and `expiry` the time wheel of due keys.

mod apply;
mod command;
mod context;
mod copy;
mod digest;
pub mod effect;
mod engine;
mod expiry;
pub mod notice;
mod parcel;
mod rdb;
mod size_class;
mod snapshot;
mod standstill;
mod store;
mod stream;
mod touched;
mod transaction;
mod tuning;
pub mod value;
mod waiting;
mod watch;

pub use apply::{Divergence, Unapplied};
pub use command::{CommandError, hyperloglog_self_test};
pub use context::{Context, Rng, Stats};
pub use copy::{BadPiece, SlotCopy};
pub use digest::{Digest, SlotDigest};
pub use effect::{Effect, EffectSink, NoEffects, Running};
pub use engine::{DatabaseStats, Engine, EngineOptions, Lazyfree, Refused, Removed, Sought};
pub use notice::{Classes, NoNotices, NoticeSink};
pub use parcel::Parcel;
pub use rdb::file::{LoadError, Loaded, RdbWriter, Wanted};
pub use snapshot::{Outline, SnapshotSink};
pub use standstill::{Seat, Turn};
pub use store::reclaim::Debt;
pub use store::slot::Gate;
pub use stream::Unit;
pub use touched::HeldBack;
pub use transaction::{Places, Transaction};
pub use tuning::{Counting, EncodingNames, Tuning};
pub use waiting::{Mailbox, Outcome, Wait, Waiter};
pub use watch::{TouchFlag, Watching};

#[cfg(test)]
mod testing;
