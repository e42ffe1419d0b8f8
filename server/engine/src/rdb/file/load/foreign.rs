//! What Redis has and this server has not: streams, functions, and whatever modules keep.
//!
//! They are named where they end a loading, and passed over where they may be missing. For that their lengths must be
//! known: the first form of modules' values does not give them, so nothing behind one can be read.
//!
//! Source: `rdb.c` of Redis 7 for the order of what they consist of.

use std::io::Read;

use super::super::opcode;
use super::LoadError;
use super::tape::Tape;

const MODULE_FIRST: u8 = 6;
const MODULE: u8 = 7;
const STREAM: u8 = 15;
const STREAM_2: u8 = 19;
const STREAM_3: u8 = 21;

/// The parts that the value of a module consists of.
mod part {
    pub(super) const END: u64 = 0;
    pub(super) const SIGNED: u64 = 1;
    pub(super) const UNSIGNED: u64 = 2;
    pub(super) const FLOAT: u64 = 3;
    pub(super) const DOUBLE: u64 = 4;
    pub(super) const STRING: u64 = 5;
}

/// How many bytes the id of an entry has where it is not written as two numbers.
const ID: u64 = 16;
/// How many bytes a time has.
const TIME: u64 = 8;

/// What a type that does not exist here is.
pub(super) fn name(kind: u8) -> &'static str {
    match kind {
        MODULE_FIRST | MODULE => "the data of a module",
        STREAM | STREAM_2 | STREAM_3 => "a stream",
        _ => "a value of an unknown type",
    }
}

/// Whether a value of that type does not exist here, and where it ends is known.
pub(super) fn can_be_passed(kind: u8) -> bool {
    matches!(kind, MODULE | STREAM | STREAM_2 | STREAM_3)
}

impl<R: Read> Tape<R> {
    /// Passes over what stands beside the keys, or says that it may not be missing.
    pub(super) fn beside(&mut self, code: u8, may_miss: bool) -> Result<(), LoadError> {
        let what = if code == opcode::MODULE_AUX { "the data of a module" } else { "a function" };
        // The early form of functions was never in a release.
        if !may_miss || code == opcode::FUNCTION_EARLY {
            return Err(LoadError::Unknown { what, place: format!("at byte {}", self.at) });
        }
        if code == opcode::FUNCTION {
            return self.pass_string();
        }
        self.pass_lengths(3)?;
        self.pass_parts()
    }

    /// Passes over a value that [`can_be_passed`].
    pub(super) fn pass_value(&mut self, kind: u8) -> Result<(), LoadError> {
        if kind == MODULE {
            self.length()?;
            return self.pass_parts();
        }
        for _ in 0..self.length()? {
            self.pass_string()?;
            self.pass_string()?;
        }
        // How many entries, and the last id; later also the first, the highest one deleted, and how many there ever were.
        self.pass_lengths(if kind == STREAM { 3 } else { 8 })?;
        for _ in 0..self.length()? {
            self.pass_group(kind)?;
        }
        Ok(())
    }

    fn pass_group(&mut self, kind: u8) -> Result<(), LoadError> {
        self.pass_string()?;
        self.pass_lengths(if kind == STREAM { 2 } else { 3 })?;
        for _ in 0..self.length()? {
            self.pass(ID + TIME)?;
            self.length()?;
        }
        for _ in 0..self.length()? {
            self.pass_string()?;
            self.pass(if kind == STREAM_3 { 2 * TIME } else { TIME })?;
            for _ in 0..self.length()? {
                self.pass(ID)?;
            }
        }
        Ok(())
    }

    fn pass_parts(&mut self) -> Result<(), LoadError> {
        loop {
            match self.length()? {
                part::END => return Ok(()),
                part::SIGNED | part::UNSIGNED => self.pass_lengths(1)?,
                part::FLOAT => self.pass(4)?,
                part::DOUBLE => self.pass(8)?,
                part::STRING => self.pass_string()?,
                _ => return Err(self.damaged()),
            }
            self.forget();
        }
    }

    fn pass_string(&mut self) -> Result<(), LoadError> {
        let len = self.string_length()?;
        self.pass(len)
    }

    fn pass_lengths(&mut self, count: usize) -> Result<(), LoadError> {
        (0..count).try_for_each(|_| self.length().map(drop))
    }
}
