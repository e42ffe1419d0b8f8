//! A file from the front to the end, of which only the value at hand is held.
//!
//! What is read is a payload's bytes: they are gathered here by their lengths alone, and understood when they are all there
//! (`rdb/load`). A length is believed as far as bytes follow it, so memory grows with what has arrived. Every byte goes into
//! the checksum, also of what is passed over ([`super::foreign`]).

use std::io::{self, Read};

use crc::{Digest, Table};

use super::super::super::read::{Malformed, Reader};
use super::super::super::{CRC64, kind};
use super::{LoadError, foreign};

/// How many bytes are read at once, however many are announced.
const READ_AT_ONCE: usize = 1 << 20;

/// The memory for a value is given back beyond this.
const KEPT_MAX: usize = 1 << 20;

/// A file that is being read, and the bytes of the value at hand.
pub(super) struct Tape<R> {
    input: R,
    pub(super) checksum: Digest<'static, u64, Table<16>>,
    pub(super) at: u64,
    /// The bytes since the last [`Self::forget`].
    pub(super) held: Vec<u8>,
    pub(super) key: Vec<u8>,
}

impl<R: Read> Tape<R> {
    /// Nothing is read yet.
    pub(super) fn new(input: R) -> Self {
        Self { input, checksum: CRC64.digest(), at: 0, held: Vec::new(), key: Vec::new() }
    }

    /// Passes over so many bytes.
    pub(super) fn pass(&mut self, len: u64) -> Result<(), LoadError> {
        let mut left = len;
        while left > 0 {
            let step = left.min(READ_AT_ONCE as u64);
            self.forget();
            self.hold(step)?;
            left -= step;
        }
        self.forget();
        Ok(())
    }

    pub(super) fn damaged(&self) -> LoadError {
        LoadError::Damaged { at: self.at, key: String::from_utf8_lossy(&self.key).into_owned() }
    }

    pub(super) fn forget(&mut self) {
        self.held.clear();
        self.held.shrink_to(KEPT_MAX);
    }

    /// Holds so many more bytes; where they begin.
    pub(super) fn hold(&mut self, len: u64) -> Result<usize, LoadError> {
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

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        let begin = self.hold(N as u64)?;
        self.held[begin..].try_into().map_err(|_| self.damaged())
    }

    pub(super) fn byte(&mut self) -> Result<u8, LoadError> {
        Ok(self.array::<1>()?[0])
    }

    /// A length, or how many bytes a string has that is written in another way.
    pub(super) fn length_or_special(&mut self) -> Result<Result<u64, u8>, LoadError> {
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

    pub(super) fn length(&mut self) -> Result<u64, LoadError> {
        self.length_or_special()?.map_err(|_| self.damaged())
    }

    /// How many bytes a string has, in whatever way it is written.
    pub(super) fn string_length(&mut self) -> Result<u64, LoadError> {
        Ok(match self.length_or_special()? {
            Ok(len) => len,
            Err(special @ 0..=2) => 1 << special,
            Err(3) => {
                let packed = self.length()?;
                self.length()?;
                packed
            }
            Err(_) => return Err(self.damaged()),
        })
    }

    /// Holds a whole string.
    pub(super) fn string(&mut self) -> Result<(), LoadError> {
        let len = self.string_length()?;
        self.hold(len).map(drop)
    }

    /// A string's text; nothing else is held.
    pub(super) fn text(&mut self) -> Result<Vec<u8>, LoadError> {
        self.forget();
        self.string()?;
        let text = Reader::new(&self.held).string().map(|text| text.into_owned());
        self.forget();
        text.map_err(|Malformed| self.damaged())
    }

    /// Holds a value of that type, its type in front.
    pub(super) fn value(&mut self, kind: u8) -> Result<(), LoadError> {
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
                Err(LoadError::Unknown { what: foreign::name(kind), place })
            }
        }
    }

    pub(super) fn times(
        &mut self,
        each: impl Fn(&mut Self) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        for _ in 0..self.length()? {
            each(self)?;
        }
        Ok(())
    }
}
