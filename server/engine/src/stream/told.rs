//! Commands that are written to the stream as they came.
//!
//! Some have effects that no command of Redis has (LINSERT), some effects that are much longer than they are (RENAME of a
//! long list). A command may be among them only if its outcome follows from the data and its words. One with a relative time, a
//! random choice or the order of a set in it is not, and none that may wait. RESTORE is, with its deadline made absolute.

use nuthatch_proto::command_table::{DataCommand, KeyspaceCommand};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::Args;
use nuthatch_proto::resp::args::OwnedArgs;

use super::Manner;
use crate::effect::{Effect, Running};

/// Where RESTORE has its time.
const RESTORE_TTL: usize = 2;

/// Where the options of RESTORE begin.
const RESTORE_OPTIONS: usize = 4;

/// When a command is worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// It changed something.
    Changed,
    /// It changed something, and this is the deadline it gave.
    Restored(Option<Timestamp>),
    /// It has changed nothing so far.
    Unchanged,
    /// It succeeded, whether there was anything to change or not.
    Succeeded,
}

/// A command that runs and will be written as it came.
#[derive(Debug)]
pub(super) struct Told {
    db: usize,
    words: OwnedArgs,
    restores: bool,
    when: When,
}

impl Told {
    /// What runs, if it is to be written as it came.
    pub(super) fn of(db: usize, running: Running<'_>) -> Option<Self> {
        let (args, restores, when) = match running {
            Running::Data(command, args) => {
                if !is_told(command) {
                    return None;
                }
                (args, is_restore(command), When::Unchanged)
            }
            Running::Keyspace(command, args) => {
                if !changes(command) {
                    return None;
                }
                (args, false, When::Succeeded)
            }
            Running::Serving => return None,
        };
        Some(Self { db, words: args.iter().collect(), restores, when })
    }

    /// The database it runs in.
    pub(super) fn db(&self) -> usize {
        self.db
    }

    /// Whether the command says what the effect does.
    pub(super) fn covers(&mut self, effect: Effect<'_>) -> bool {
        if self.when == When::Succeeded {
            return true;
        }
        self.when = if !self.restores {
            When::Changed
        } else if let Effect::Set { deadline, .. } | Effect::SetObject { deadline, .. } = effect {
            When::Restored(deadline)
        } else {
            // What is restored with a deadline that has passed is only deleted.
            return false;
        };
        true
    }

    /// Whether it is to be written at all.
    pub(super) fn is_needed(&self, succeeded: bool) -> bool {
        match self.when {
            When::Changed | When::Restored(_) => true,
            When::Unchanged => false,
            When::Succeeded => succeeded,
        }
    }

    /// The words to write.
    pub(super) fn words(&self) -> Vec<Vec<u8>> {
        let mut words: Vec<Vec<u8>> = self.words.as_args().iter().map(<[u8]>::to_vec).collect();
        let is_absolute = words.iter().skip(RESTORE_OPTIONS).any(|word| word.eq_ignore_ascii_case(b"ABSTTL"));
        if let (When::Restored(Some(deadline)), false) = (self.when, is_absolute) {
            words[RESTORE_TTL] = deadline.to_string().into_bytes();
            words.push(b"ABSTTL".to_vec());
        }
        words
    }
}

impl Manner {
    /// How a command is written that is not written as it came.
    pub(super) fn of(running: Running<'_>) -> Self {
        let Running::Data(command, args) = running else { return Self::default() };
        let says_so = |args: Args<'_>| args.skip(3).iter().any(|word| word.eq_ignore_ascii_case(b"KEEPTTL"));
        Self {
            keep_ttl: command == DataCommand::IncrByFloat || (command == DataCommand::Set && says_so(args)),
            unlink: command == DataCommand::Unlink,
        }
    }
}

fn is_restore(command: DataCommand) -> bool {
    matches!(command, DataCommand::Restore | DataCommand::RestoreAsking)
}

/// Whether the command changes whole databases.
pub(crate) fn changes(command: KeyspaceCommand) -> bool {
    matches!(command, KeyspaceCommand::FlushAll | KeyspaceCommand::FlushDb | KeyspaceCommand::SwapDb)
}

fn is_told(command: DataCommand) -> bool {
    use DataCommand as C;
    is_restore(command)
        || matches!(
            command,
            C::Copy
                | C::Decr
                | C::DecrBy
                | C::Incr
                | C::IncrBy
                | C::LInsert
                | C::LMove
                | C::LTrim
                | C::MSet
                | C::MSetNx
                | C::Move
                | C::PfAdd
                | C::PfCount
                | C::PfDebug
                | C::PfMerge
                | C::Rename
                | C::RenameNx
                | C::RPopLPush
                | C::SDiffStore
                | C::SInterStore
                | C::SMove
                | C::SUnionStore
                | C::ZDiffStore
                | C::ZInterStore
                | C::ZRangeStore
                | C::ZUnionStore
        )
}
