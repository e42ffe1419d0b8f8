//! A HyperLogLog that is being changed, beside the string that it comes from.
//!
//! It is copied when something changes, and becomes dense when a register is too high for a sparse one or when it grows too
//! long. Which runs a register that is raised leaves behind, and which of them are then joined, is as in Redis, because
//! whoever compares the strings must find them equal.

use std::borrow::Cow;

use nuthatch_proto::resp::Args;

use super::super::{CommandError, Handled};
use super::hash::place;
use super::sketch::{
    CACHE, CORRUPT, DENSE, DENSE_LEN, ENCODING, HEADER, MAGIC, REGISTERS, Registers, Run, SPARSE,
    SPARSE_VALUE_MAX, Sketch, VALUES_MAX, ZEROS_MAX, raised,
};

/// How many runs are looked at after a change, to join equal ones.
const JOIN_SPAN: usize = 5;

/// See the module.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    bytes: Cow<'a, [u8]>,
    sparse_max: usize,
}

/// The run that a register is in.
struct Found {
    at: usize,
    /// Where the run before it is.
    before: Option<usize>,
    /// The first register of it.
    first: usize,
    run: Run,
}

impl<'a> Draft<'a> {
    /// A new one, sparse up to so many bytes.
    pub(super) fn empty(sparse_max: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + 2);
        bytes.extend_from_slice(MAGIC);
        bytes.resize(HEADER, 0);
        bytes[ENCODING] = SPARSE;
        push_zeros(&mut bytes, REGISTERS);
        Self { bytes: Cow::Owned(bytes), sparse_max }
    }

    /// One that is as the string, whose header is that of a HyperLogLog.
    pub(super) fn of(string: &'a [u8], sparse_max: usize) -> Self {
        Self { bytes: Cow::Borrowed(string), sparse_max }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_owned()
    }

    /// The same, apart from the string it came from.
    pub(super) fn into_owned(self) -> Draft<'static> {
        Draft { bytes: Cow::Owned(self.bytes.into_owned()), sparse_max: self.sparse_max }
    }

    /// Says that the estimate in the header does not hold any more.
    pub(super) fn forget_estimate(&mut self) {
        self.bytes.to_mut()[CACHE.end - 1] |= 0x80;
    }

    /// Adds elements; whether one of them changed anything.
    pub(super) fn add_all(&mut self, elements: Args<'_>) -> Result<bool, CommandError> {
        let mut changed = false;
        for element in elements.iter() {
            let (register, value) = place(element);
            changed |= self.raise(register, value)?;
        }
        Ok(changed)
    }

    /// Raises registers to others.
    pub(super) fn raise_all(&mut self, registers: &Registers) -> Handled {
        for (register, &value) in registers.values().iter().enumerate() {
            if value > 0 {
                self.raise(register, value)?;
            }
        }
        Ok(())
    }

    /// Raises a register; whether it was lower.
    pub(super) fn raise(&mut self, register: usize, value: u8) -> Result<bool, CommandError> {
        if self.bytes[ENCODING] == DENSE {
            return Ok(self.raise_dense(register, value));
        }
        if value > SPARSE_VALUE_MAX {
            self.make_dense()?;
            return Ok(self.raise_dense(register, value));
        }
        let found = self.find(register).ok_or(CORRUPT)?;
        if found.run.value >= value {
            return Ok(false);
        }
        let runs = split(&found, register, value);
        let old = found.run.size();
        if runs.len() > old && self.bytes.len() + runs.len() - old > self.sparse_max {
            self.make_dense()?;
            return Ok(self.raise_dense(register, value));
        }
        let bytes = self.bytes.to_mut();
        let end = (found.at + old).min(bytes.len());
        bytes.splice(found.at..end, runs);
        join(bytes, found.before.unwrap_or(HEADER));
        bytes[CACHE.end - 1] |= 0x80;
        Ok(true)
    }

    fn raise_dense(&mut self, register: usize, value: u8) -> bool {
        let Some(change) = raised(&self.bytes, register, value) else { return false };
        self.bytes.to_mut()[change.at..change.at + change.len].copy_from_slice(&change.bytes[..change.len]);
        true
    }

    /// Makes a sparse one dense; the estimate in the header stays.
    pub(super) fn make_dense(&mut self) -> Handled {
        let Sketch::Sparse(_) = Sketch::of(&self.bytes)? else { return Ok(()) };
        let mut registers = Registers::default();
        Sketch::of(&self.bytes)?.merge_into(&mut registers)?;
        let mut dense = vec![0; DENSE_LEN];
        dense[..HEADER].copy_from_slice(&self.bytes[..HEADER]);
        dense[ENCODING] = DENSE;
        self.bytes = Cow::Owned(dense);
        for (register, &value) in registers.values().iter().enumerate() {
            self.raise_dense(register, value);
        }
        Ok(())
    }

    /// The run that has the register, if the runs go so far.
    fn find(&self, register: usize) -> Option<Found> {
        let (mut at, mut before, mut first) = (HEADER, None, 0);
        loop {
            let run = Run::at(&self.bytes, at)?;
            if register < first + run.len {
                return Some(Found { at, before, first, run });
            }
            before = Some(at);
            at += run.size();
            first += run.len;
        }
    }
}

/// The runs that take the place of one in which a register is raised.
fn split(found: &Found, register: usize, value: u8) -> Vec<u8> {
    let (head, tail) = (register - found.first, found.first + found.run.len - 1 - register);
    let mut runs = Vec::with_capacity(5);
    let part = |runs: &mut Vec<u8>, len| match found.run.value {
        _ if len == 0 => {}
        0 => push_zeros(runs, len),
        old => runs.push(values(old, len)),
    };
    part(&mut runs, head);
    runs.push(values(value, 1));
    part(&mut runs, tail);
    runs
}

fn push_zeros(runs: &mut Vec<u8>, len: usize) {
    let less = len - 1;
    if len > ZEROS_MAX {
        runs.push(0x40 | (less >> 8) as u8);
    }
    runs.push(less as u8);
}

/// A run of up to [`VALUES_MAX`] registers that have a value.
fn values(value: u8, len: usize) -> u8 {
    0x80 | (value - 1) << 2 | (len - 1) as u8
}

/// Joins runs of the same value that lie side by side, from there on and not far.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_SPAN {
        let Some(run) = Run::at(bytes, at) else { return };
        let next = Run::at(bytes, at + run.size()).filter(|next| run.value > 0 && next.value == run.value);
        match next {
            Some(next) if run.len + next.len <= VALUES_MAX => {
                bytes.remove(at + 1);
                bytes[at] = values(run.value, run.len + next.len);
            }
            _ => at += run.size(),
        }
    }
}
