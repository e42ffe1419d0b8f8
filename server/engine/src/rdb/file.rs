//! Whole files of Redis' RDB format: a header, the keys of the databases with their deadlines, and a checksum.
//!
//! A file is written from pieces that come in any order ([`RdbWriter`]), each some keys of one database, and says with
//! every change of the database which one follows. It names the oldest version that has all the forms in it, so that
//! servers as old as Redis 5 load it; only hashes of which fields have deadlines need Redis 7.4.
//!
//! Source: Redis' documentation of the RDB format and `rdb.h` for the numbers.

mod load;

use std::borrow::Cow;
use std::io::{self, Write};

use crc::{Digest, Table};
use nuthatch_proto::ids::Timestamp;

use super::read::{Read, Reader};
use super::{CRC64, Value, Version, save};
use crate::snapshot::Outline;
use crate::store::entry::Entry;
use crate::value::Limits;

pub use load::{LoadError, Loaded, Wanted};

/// The version of files without hashes whose fields have deadlines: Redis 5's.
const VERSION: u16 = 9;

/// The version of files with such hashes: Redis 7.4's.
const VERSION_EXPIRING_HASHES: u16 = 12;

/// What is not a key with its value.
mod opcode {
    /// Where a slot of a cluster begins.
    pub(super) const SLOT: u8 = 0xF4;
    pub(super) const FUNCTION: u8 = 0xF5;
    pub(super) const FUNCTION_EARLY: u8 = 0xF6;
    pub(super) const MODULE_AUX: u8 = 0xF7;
    pub(super) const IDLE: u8 = 0xF8;
    pub(super) const FREQUENCY: u8 = 0xF9;
    pub(super) const AUX: u8 = 0xFA;
    pub(super) const RESIZE: u8 = 0xFB;
    pub(super) const EXPIRE_MILLISECONDS: u8 = 0xFC;
    pub(super) const EXPIRE_SECONDS: u8 = 0xFD;
    pub(super) const SELECT: u8 = 0xFE;
    pub(super) const END: u8 = 0xFF;
}

/// Appends a key with its deadline and its value, for who is to read it.
pub(crate) fn entry(out: &mut Vec<u8>, entry: &Entry, version: Version) {
    if let Some(Timestamp(deadline)) = entry.deadline() {
        out.push(opcode::EXPIRE_MILLISECONDS);
        out.extend_from_slice(&deadline.to_le_bytes());
    }
    save::value(out, Some(entry.key()), entry.value(), version);
}

/// The keys that were appended, with their values and deadlines; `None`, and nothing after it, where the bytes are no key.
pub(crate) fn keys<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> impl Iterator<Item = Option<(Cow<'a, [u8]>, Value, Option<Timestamp>)>> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || {
        (!reader.is_at_end()).then(|| {
            let key = key(&mut reader, limits).ok();
            if key.is_none() {
                reader = Reader::new(b"");
            }
            key
        })
    })
}

fn key<'a>(reader: &mut Reader<'a>, limits: &Limits) -> Read<(Cow<'a, [u8]>, Value, Option<Timestamp>)> {
    let (mut kind, mut deadline) = (reader.byte()?, None);
    if kind == opcode::EXPIRE_MILLISECONDS {
        deadline = Some(Timestamp(u64::from_le_bytes(reader.array()?)));
        kind = reader.byte()?;
    }
    let key = reader.string()?;
    Ok((key, super::load::of_kind(reader, kind, limits)?, deadline))
}

/// Writes a file. What was written is a file only after [`Self::finish`].
pub struct RdbWriter<W> {
    out: W,
    checksum: Digest<'static, u64, Table<16>>,
    db: Option<usize>,
    written: u64,
}

impl<W: Write> RdbWriter<W> {
    /// Begins a file with that content and these words about it.
    pub fn new(out: W, outline: &Outline, words: &[(&str, &str)]) -> io::Result<Self> {
        let mut writer = Self { out, checksum: CRC64.digest(), db: None, written: 0 };
        let version = if outline.expiring_hashes { VERSION_EXPIRING_HASHES } else { VERSION };
        let mut head = format!("REDIS{version:04}").into_bytes();
        for (name, text) in words {
            head.push(opcode::AUX);
            save::string(&mut head, name.as_bytes());
            save::string(&mut head, text.as_bytes());
        }
        // How many keys there will be is a hint for who loads them.
        for size in &outline.databases {
            head.extend_from_slice(&[opcode::SELECT]);
            save::length(&mut head, size.db);
            head.push(opcode::RESIZE);
            save::length(&mut head, size.keys);
            save::length(&mut head, size.expires);
            writer.db = Some(size.db);
        }
        writer.write(&head)?;
        Ok(writer)
    }

    /// Adds keys of a database, as [`SnapshotSink`](crate::SnapshotSink) is given them.
    pub fn put(&mut self, db: usize, keys: &[u8]) -> io::Result<()> {
        if self.db != Some(db) {
            let mut select = vec![opcode::SELECT];
            save::length(&mut select, db);
            self.write(&select)?;
            self.db = Some(db);
        }
        self.write(keys)
    }

    /// Ends the file; where it was written to, and how long it is.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        self.write(&[opcode::END])?;
        let checksum = self.checksum.finalize();
        self.out.write_all(&checksum.to_le_bytes())?;
        self.out.flush()?;
        Ok((self.out, self.written + 8))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.update(bytes);
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

impl<W> std::fmt::Debug for RdbWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RdbWriter").field("written", &self.written).finish_non_exhaustive()
    }
}
