//! A HyperLogLog as it lies in a string: a header and its registers, dense or sparse.
//!
//! ```text
//! header      "HYLL" 4 | encoding 1 | zeros 3 | estimate 8, little endian; its highest bit: it does not hold any more
//! dense       six bits per register, from the lowest bit of each byte on
//! sparse      runs of registers: 00llllll zeros | 01llllll llllllll more zeros | 1vvvvvll a value; each is one too low
//! ```
//!
//! [`Sketch::of`] looks at the header alone, as Redis does. Whether the runs of a sparse one are all the registers and no
//! more shows when they are read; those that say otherwise are an error, never a place out of bounds.

use std::ops::Range;

use super::super::CommandError;
use super::estimate::Histogram;

/// How many registers there are.
pub(super) const REGISTERS: usize = 1 << 14;

/// The header's length.
pub(super) const HEADER: usize = 16;

/// Where the header has the estimate.
pub(super) const CACHE: Range<usize> = 8..16;

/// A dense one's length.
pub(super) const DENSE_LEN: usize = HEADER + REGISTERS * BITS / 8;

/// The highest value of a sparse register.
pub(super) const SPARSE_VALUE_MAX: u8 = 32;

/// The most registers of one run of a value.
pub(super) const VALUES_MAX: usize = 4;

/// The most registers of one run of zeros in its short form.
pub(super) const ZEROS_MAX: usize = 64;

/// Where the encoding stands, and which there are.
pub(super) const ENCODING: usize = 4;
pub(super) const DENSE: u8 = 0;
pub(super) const SPARSE: u8 = 1;
pub(super) const MAGIC: &[u8; 4] = b"HYLL";

/// How many bits a dense register has.
const BITS: usize = 6;

/// The longest sparse one: every run has a register at least, and two bytes at most.
const SPARSE_LEN_MAX: usize = HEADER + 2 * REGISTERS;

const NO_SKETCH: CommandError = CommandError::Other("WRONGTYPE Key is not a valid HyperLogLog string value.");

/// The registers are not what they must be.
pub(super) const CORRUPT: CommandError = CommandError::Other("INVALIDOBJ Corrupted HLL object detected");

/// The registers as they lie behind a header.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sketch<'a> {
    Dense(&'a [u8]),
    Sparse(&'a [u8]),
}

impl<'a> Sketch<'a> {
    /// What the string's header says that it is.
    pub(super) fn of(string: &'a [u8]) -> Result<Self, CommandError> {
        let (header, registers) = string.split_at_checked(HEADER).ok_or(NO_SKETCH)?;
        match header[ENCODING] {
            _ if !header.starts_with(MAGIC) => Err(NO_SKETCH),
            DENSE if string.len() == DENSE_LEN => Ok(Self::Dense(registers)),
            SPARSE if string.len() > SPARSE_LEN_MAX => Err(CORRUPT),
            SPARSE => Ok(Self::Sparse(registers)),
            _ => Err(NO_SKETCH),
        }
    }

    /// Raises registers to its own.
    pub(super) fn merge_into(self, registers: &mut Registers) -> Result<(), CommandError> {
        match self {
            Self::Dense(dense) => {
                let values = registers.0.iter_mut().zip(dense_values(dense));
                values.for_each(|(value, other)| *value = (*value).max(other));
                Ok(())
            }
            Self::Sparse(sparse) => each_run(sparse, |first, run| {
                for value in &mut registers.0[first..first + run.len] {
                    *value = (*value).max(run.value);
                }
            }),
        }
    }

    /// How many of its registers have each value.
    pub(super) fn histogram(self) -> Result<Histogram, CommandError> {
        let mut histogram = [0; 64];
        match self {
            Self::Dense(dense) => {
                dense_values(dense).for_each(|value| histogram[usize::from(value)] += 1);
            }
            Self::Sparse(sparse) => {
                each_run(sparse, |_, run| histogram[usize::from(run.value)] += run.len as u32)?
            }
        }
        Ok(histogram)
    }
}

/// The values of all registers.
#[derive(Debug, Clone)]
pub(super) struct Registers([u8; REGISTERS]);

impl Default for Registers {
    fn default() -> Self {
        Self([0; REGISTERS])
    }
}

impl Registers {
    pub(super) fn values(&self) -> &[u8] {
        &self.0
    }

    /// How many have each value.
    pub(super) fn histogram(&self) -> Histogram {
        let mut histogram = [0; 64];
        self.0.iter().for_each(|&value| histogram[usize::from(value)] += 1);
        histogram
    }
}

/// Whether the estimate in the header holds.
pub(super) fn is_cached(string: &[u8]) -> bool {
    string[CACHE.end - 1] & 0x80 == 0
}

/// The estimate in the header.
pub(super) fn cached(string: &[u8]) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&string[CACHE]);
    i64::from_le_bytes(bytes)
}

/// Registers of one value, next to one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) value: u8,
    pub(super) len: usize,
    /// It takes two bytes.
    pub(super) wide: bool,
}

impl Run {
    /// How many bytes it takes.
    pub(super) fn size(self) -> usize {
        1 + usize::from(self.wide)
    }

    /// The run that begins there.
    pub(super) fn at(sparse: &[u8], at: usize) -> Option<Self> {
        let &first = sparse.get(at)?;
        let low = usize::from(first & 0x3f);
        Some(match first >> 6 {
            0 => Self { value: 0, len: low + 1, wide: false },
            1 => {
                // Redis, whose strings end with a zero, reads that behind the last byte.
                let second = sparse.get(at + 1).copied().unwrap_or(0);
                Self { value: 0, len: (low << 8 | usize::from(second)) + 1, wide: true }
            }
            _ => Self { value: (first >> 2 & 0x1f) + 1, len: usize::from(first & 0x3) + 1, wide: false },
        })
    }
}

/// The runs of a sparse one, whatever they add up to.
pub(super) fn runs(sparse: &[u8]) -> impl Iterator<Item = Run> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let run = Run::at(sparse, at)?;
        at += run.size();
        Some(run)
    })
}

/// Calls with the first register of every run, and the run; they are all within the registers.
fn each_run(sparse: &[u8], mut call: impl FnMut(usize, Run)) -> Result<(), CommandError> {
    let mut first = 0;
    for run in runs(sparse) {
        if first + run.len > REGISTERS {
            return Err(CORRUPT);
        }
        call(first, run);
        first += run.len;
    }
    if first == REGISTERS { Ok(()) } else { Err(CORRUPT) }
}

/// Where a dense register begins: its byte, and how many bits of that come before it.
fn dense_place(register: usize) -> (usize, usize) {
    (register * BITS / 8, register * BITS % 8)
}

/// The two bytes that a dense register is in; behind the last one there is nothing of it.
fn dense_window(dense: &[u8], byte: usize) -> u16 {
    u16::from_le_bytes([dense[byte], dense.get(byte + 1).copied().unwrap_or(0)])
}

fn dense_value(dense: &[u8], register: usize) -> u8 {
    let (byte, shift) = dense_place(register);
    (dense_window(dense, byte) >> shift) as u8 & 0x3f
}

/// All dense registers: four in every three bytes.
fn dense_values(dense: &[u8]) -> impl Iterator<Item = u8> {
    let (triples, _) = dense.as_chunks::<3>();
    triples.iter().flat_map(|&[low, middle, high]| {
        let bits = u32::from_le_bytes([low, middle, high, 0]);
        [0, 6, 12, 18].map(|shift| (bits >> shift) as u8 & 0x3f)
    })
}

/// What is to be written where in a dense one.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) at: usize,
    pub(super) bytes: [u8; 2],
    pub(super) len: usize,
}

/// The change of a dense one that raises a register, if it is lower.
pub(super) fn raised(string: &[u8], register: usize, value: u8) -> Option<Change> {
    let dense = &string[HEADER..];
    if dense_value(dense, register) >= value {
        return None;
    }
    let (byte, shift) = dense_place(register);
    let window = dense_window(dense, byte) & !(0x3f << shift) | u16::from(value) << shift;
    let len = if shift + BITS > 8 { 2 } else { 1 };
    Some(Change { at: HEADER + byte, bytes: window.to_le_bytes(), len })
}
