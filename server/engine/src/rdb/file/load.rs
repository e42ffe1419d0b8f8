//! From a file to the keys in it, one after the other.
//!
//! The file may come from anywhere and is longer than memory: it is read from the front on, and of one key at a time as
//! many bytes are held as its value has ([`Tape`]). They are then read as a payload is. What a count or a length promises
//! is believed only as far as there are bytes. Checksums are compared where a file has one.
//!
//! Everything that Redis 5 to 7.4 writes for the types that exist here is read. A key of another type, a function or the
//! data of a module ends the loading, unless the caller wants them passed over: nobody is to find out later what is
//! missing.

mod foreign;
mod tape;

use std::io::{self, Read};

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::Slot;

use self::tape::Tape;
use super::super::read::Malformed;
use super::super::{NEWEST_READ, load};
use super::opcode;
use crate::context::Context;
use crate::engine::Engine;
use crate::store::locked::LockedSlots;
use crate::store::slot::{Gate, Place};
use crate::store::stamp::Used;

/// Files of this version and later end with a checksum.
const CHECKSUMS_FROM: u16 = 5;

/// The word about a file that says which database is selected in the stream that goes on from it.
const STREAM_DB: &[u8] = b"repl-stream-db";

/// What was loaded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// How many keys.
    pub keys: u64,
    /// How many were left out because their time had come.
    pub expired: u64,
    /// How many keys, functions and data of modules were passed over because such do not exist here.
    pub passed_over: u64,
    /// The database that is selected in the stream which goes on from here, if it says so.
    pub stream_db: Option<usize>,
}

/// What of a file is loaded beside keys that live, of types that exist here.
#[derive(Debug, Default, Clone, Copy)]
pub struct Wanted {
    /// Keys whose time has come: somebody else says when they go.
    pub expired: bool,
    /// What does not exist here is passed over, and does not end the loading.
    pub known_only: bool,
}

/// Why a file cannot be loaded. The keys before the place are in the engine.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It does not begin as such a file does.
    #[error("it is no RDB file")]
    NotRdb,
    /// A later version of Redis wrote it.
    #[error("it has version {0} of the format, and the newest that is read is {NEWEST_READ}")]
    TooNew(u16),
    /// It ends before its end.
    #[error("it is cut off after {0} bytes")]
    CutOff(u64),
    /// Its bytes are no keys.
    #[error("it is damaged at byte {at}, in or after the key '{key}'")]
    Damaged {
        /// Where that was found.
        at: u64,
        /// The key that was read last.
        key: String,
    },
    /// It is not what was written.
    #[error("its checksum does not fit: it is damaged somewhere")]
    Checksum,
    /// It has something in it that does not exist here.
    #[error(
        "it contains {what} ({place}), which this server does not have; delete that where the file comes from"
    )]
    Unknown {
        /// What.
        what: &'static str,
        /// Where.
        place: String,
    },
    /// It has a database that does not exist here.
    #[error("it contains keys of database {0}: raise `databases` to more than that")]
    NoDatabase(u64),
}

/// What stands before a key.
#[derive(Default)]
struct Before {
    deadline: Option<Timestamp>,
    used: Used,
}

/// The version that the file says it has.
fn version(head: &[u8; 9]) -> Result<u16, LoadError> {
    let digits = head.strip_prefix(b"REDIS").and_then(|digits| std::str::from_utf8(digits).ok());
    let version = digits.and_then(|digits| digits.parse().ok()).filter(|&version: &u16| version > 0);
    match version.ok_or(LoadError::NotRdb)? {
        version if version > NEWEST_READ => Err(LoadError::TooNew(version)),
        version => Ok(version),
    }
}

impl Engine {
    /// Puts the keys of a file in the databases, over those of the same names, while no thread has a turn. `cx` should
    /// have nobody who hears of effects.
    pub fn load(&self, cx: &mut Context<'_>, input: impl Read) -> Result<Loaded, LoadError> {
        self.load_some(cx, input, Wanted::default())
    }

    /// The same with those that are wanted.
    pub fn load_some(
        &self,
        cx: &mut Context<'_>,
        input: impl Read,
        wanted: Wanted,
    ) -> Result<Loaded, LoadError> {
        self.preserve_all();
        let mut tape = Tape::new(input);
        let version = version(&tape.array()?)?;
        let (mut db, mut before, mut loaded) = (0, Before::default(), Loaded::default());
        loop {
            tape.forget();
            match tape.byte()? {
                opcode::END => break,
                opcode::SELECT => {
                    let number = tape.length()?;
                    let there = usize::try_from(number).ok().filter(|&db| db < self.databases());
                    db = there.ok_or(LoadError::NoDatabase(number))?;
                }
                opcode::EXPIRE_MILLISECONDS => {
                    before.deadline = Some(deadline(i64::from_le_bytes(tape.array()?)));
                }
                opcode::EXPIRE_SECONDS => {
                    let seconds = i64::from(i32::from_le_bytes(tape.array()?));
                    before.deadline = Some(deadline(seconds.saturating_mul(1000)));
                }
                opcode::IDLE => before.used.idle = Some(tape.length()?.saturating_mul(1000)),
                opcode::FREQUENCY => before.used.count = Some(tape.byte()?),
                opcode::RESIZE => drop((tape.length()?, tape.length()?)),
                opcode::SLOT => drop((tape.length()?, tape.length()?, tape.length()?)),
                opcode::AUX => {
                    let (name, text) = (tape.text()?, tape.text()?);
                    if name == STREAM_DB {
                        let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
                        loaded.stream_db = number.filter(|&db| db < self.databases());
                    }
                }
                code @ (opcode::FUNCTION_EARLY | opcode::FUNCTION | opcode::MODULE_AUX) => {
                    tape.beside(code, wanted.known_only)?;
                    loaded.passed_over += 1;
                }
                kind => {
                    tape.key = tape.text()?;
                    let before = std::mem::take(&mut before);
                    if wanted.known_only && foreign::can_be_passed(kind) {
                        tape.pass_value(kind)?;
                        loaded.passed_over += 1;
                    } else {
                        tape.value(kind)?;
                        self.load_key(cx, db, &tape, before, wanted, &mut loaded)?;
                    }
                }
            }
        }
        let expected = tape.checksum.clone().finalize();
        if version >= CHECKSUMS_FROM {
            let checksum = u64::from_le_bytes(tape.array()?);
            // A server that was told to write none writes 0.
            if checksum != 0 && checksum != expected {
                return Err(LoadError::Checksum);
            }
        }
        Ok(loaded)
    }

    /// Puts the key that the tape holds where it belongs.
    fn load_key<R: Read>(
        &self,
        cx: &mut Context<'_>,
        db: usize,
        tape: &Tape<R>,
        before: Before,
        wanted: Wanted,
        loaded: &mut Loaded,
    ) -> Result<(), LoadError> {
        let limits = self.hash().tuned.limits();
        let value = load::value(&tape.held, &limits).map_err(|Malformed| tape.damaged())?;
        if !wanted.expired && before.deadline.is_some_and(|deadline| deadline <= cx.now) {
            loaded.expired += 1;
            return Ok(());
        }
        let slot = Slot::of_key(&tape.key);
        let guard = self.slot(Place { db, slot }).lock();
        // The slot has left since the file was written.
        if guard.gate == Gate::Shut {
            return Ok(());
        }
        let mut slots = LockedSlots::one(self, db, slot, guard);
        slots.restore(cx, &tape.key, value, before.deadline, before.used);
        loaded.keys += 1;
        Ok(())
    }
}

/// A moment before 1970 has passed as well.
fn deadline(milliseconds: i64) -> Timestamp {
    Timestamp(u64::try_from(milliseconds).unwrap_or(0))
}

#[cfg(test)]
mod tests;
