//! From a file to the keys in it, one after the other.
//!
//! The file may come from anywhere and is longer than memory: it is read from the front on, and of one key at a time as
//! many bytes are held as its value has ([`Tape`]). They are then read as a payload is. What a count or a length promises
//! is believed only as far as there are bytes. Checksums are compared where a file has one.
//!
//! Everything that Redis 5 to 7.4 writes for the types that exist here is read. A key of another type, a function or the
//! data of a module ends the loading: nobody is to find out later what is missing.

use std::io::{self, Read};

use crc::{Digest, Table};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::Slot;

use super::super::read::{Malformed, Reader};
use super::super::{CRC64, NEWEST_READ, kind, load};
use super::opcode;
use crate::context::Context;
use crate::engine::Engine;
use crate::store::locked::LockedSlots;
use crate::store::slot::{Gate, Place};
use crate::store::stamp::Used;

/// How many bytes are read at once, however many are announced.
const READ_AT_ONCE: usize = 1 << 20;

/// The memory for a value is given back beyond this.
const KEPT_MAX: usize = 1 << 20;

/// Files of this version and later end with a checksum.
const CHECKSUMS_FROM: u16 = 5;

/// What was loaded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// How many keys.
    pub keys: u64,
    /// How many were left out because their time had come.
    pub expired: u64,
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

/// A file that is being read, and the bytes of the value at hand.
struct Tape<R> {
    input: R,
    checksum: Digest<'static, u64, Table<16>>,
    at: u64,
    /// The bytes since the last [`Self::forget`].
    held: Vec<u8>,
    key: Vec<u8>,
}

impl<R: Read> Tape<R> {
    fn damaged(&self) -> LoadError {
        LoadError::Damaged { at: self.at, key: String::from_utf8_lossy(&self.key).into_owned() }
    }

    fn forget(&mut self) {
        self.held.clear();
        self.held.shrink_to(KEPT_MAX);
    }

    /// Holds so many more bytes; where they begin.
    fn hold(&mut self, len: u64) -> Result<usize, LoadError> {
        let begin = self.held.len();
        let mut left = len;
        while left > 0 {
            let (from, step) = (self.held.len(), left.min(READ_AT_ONCE as u64) as usize);
            self.held.resize(from + step, 0);
            self.input.read_exact(&mut self.held[from..]).map_err(|error| {
                let is_end = error.kind() == io::ErrorKind::UnexpectedEof;
                if is_end { LoadError::CutOff(self.at) } else { LoadError::Unreadable(error) }
            })?;
            self.checksum.update(&self.held[from..]);
            (self.at, left) = (self.at + step as u64, left - step as u64);
        }
        Ok(begin)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        let begin = self.hold(N as u64)?;
        self.held[begin..].try_into().map_err(|_| self.damaged())
    }

    fn byte(&mut self) -> Result<u8, LoadError> {
        Ok(self.array::<1>()?[0])
    }

    /// A length, or how many bytes a string has that is written in another way.
    fn length_or_special(&mut self) -> Result<Result<u64, u8>, LoadError> {
        let first = self.byte()?;
        let low = u64::from(first & 0x3F);
        Ok(match first >> 6 {
            0 => Ok(low),
            1 => Ok(low << 8 | u64::from(self.byte()?)),
            2 if first == 0x80 => Ok(u64::from(u32::from_be_bytes(self.array()?))),
            2 if first == 0x81 => Ok(u64::from_be_bytes(self.array()?)),
            2 => return Err(self.damaged()),
            _ => Err(first & 0x3F),
        })
    }

    fn length(&mut self) -> Result<u64, LoadError> {
        self.length_or_special()?.map_err(|_| self.damaged())
    }

    /// Holds a whole string, in whatever way it is written.
    fn string(&mut self) -> Result<(), LoadError> {
        let len = match self.length_or_special()? {
            Ok(len) => len,
            Err(special @ 0..=2) => 1 << special,
            Err(3) => {
                let packed = self.length()?;
                self.length()?;
                packed
            }
            Err(_) => return Err(self.damaged()),
        };
        self.hold(len).map(drop)
    }

    /// A string's text; nothing else is held.
    fn text(&mut self) -> Result<Vec<u8>, LoadError> {
        self.forget();
        self.string()?;
        let text = Reader::new(&self.held).string().map(|text| text.into_owned());
        self.forget();
        text.map_err(|Malformed| self.damaged())
    }

    /// Holds a value of that type, its type in front.
    fn value(&mut self, kind: u8) -> Result<(), LoadError> {
        self.forget();
        self.held.push(kind);
        match kind {
            kind::STRING
            | kind::HASH_ZIPMAP
            | kind::LIST_ZIPLIST
            | kind::SET_INTSET
            | kind::ZSET_ZIPLIST
            | kind::HASH_ZIPLIST
            | kind::HASH_LISTPACK
            | kind::ZSET_LISTPACK
            | kind::SET_LISTPACK => self.string(),
            kind::LIST | kind::SET | kind::LIST_QUICKLIST => self.times(Self::string),
            kind::HASH => self.times(|tape| tape.string().and_then(|()| tape.string())),
            kind::ZSET => self.times(|tape| tape.string().and_then(|()| tape.hold(8).map(drop))),
            kind::ZSET_TEXT => self.times(|tape| {
                tape.string()?;
                match tape.byte()? {
                    // Not a number, and the infinities.
                    253.. => Ok(()),
                    len => tape.hold(u64::from(len)).map(drop),
                }
            }),
            kind::LIST_QUICKLIST_2 => self.times(|tape| tape.length().and_then(|_| tape.string())),
            kind::HASH_METADATA => {
                self.hold(8)?;
                self.times(|tape| {
                    tape.length()?;
                    tape.string()?;
                    tape.string()
                })
            }
            kind::HASH_LISTPACK_EX => {
                self.hold(8)?;
                self.string()
            }
            _ => {
                let place = format!("the key '{}'", String::from_utf8_lossy(&self.key));
                Err(LoadError::Unknown { what: unknown(kind), place })
            }
        }
    }

    fn times(&mut self, each: impl Fn(&mut Self) -> Result<(), LoadError>) -> Result<(), LoadError> {
        for _ in 0..self.length()? {
            each(self)?;
        }
        Ok(())
    }
}

/// What a type that does not exist here is.
fn unknown(kind: u8) -> &'static str {
    match kind {
        6 | 7 => "the data of a module",
        15 | 19 | 21 => "a stream",
        _ => "a value of an unknown type",
    }
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
        self.preserve_all();
        let (checksum, held, key) = (CRC64.digest(), Vec::new(), Vec::new());
        let mut tape = Tape { input, checksum, at: 0, held, key };
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
                opcode::AUX => drop((tape.text()?, tape.text()?)),
                opcode::FUNCTION_EARLY | opcode::FUNCTION => {
                    let place = format!("at byte {}", tape.at);
                    return Err(LoadError::Unknown { what: "a function", place });
                }
                opcode::MODULE_AUX => {
                    let place = format!("at byte {}", tape.at);
                    return Err(LoadError::Unknown { what: "the data of a module", place });
                }
                kind => {
                    tape.key = tape.text()?;
                    tape.value(kind)?;
                    let before = std::mem::take(&mut before);
                    self.load_key(cx, db, &tape, before, &mut loaded)?;
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
        loaded: &mut Loaded,
    ) -> Result<(), LoadError> {
        let limits = self.hash().tuned.limits();
        let value = load::value(&tape.held, &limits).map_err(|Malformed| tape.damaged())?;
        if before.deadline.is_some_and(|deadline| deadline <= cx.now) {
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
