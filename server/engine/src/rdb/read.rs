//! Lengths, numbers and strings of the RDB format, from bytes that nobody vouches for.
//!
//! A length's two highest bits tell its form; the fourth form is not a length but a specially written string: an
//! integer in 1, 2 or 4 bytes, or LZF-compressed bytes. Nothing is allocated that the bytes at hand cannot fill.

use std::borrow::Cow;

/// The bytes are no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

pub(super) type Read<T> = Result<T, Malformed>;

/// The longest string, as Redis has it by default.
const STRING_MAX: u64 = 512 * 1024 * 1024;

/// LZF makes at most so many bytes of one.
const LZF_EXPANSION: u64 = 264;

const INTEGER_8: u8 = 0;
const INTEGER_16: u8 = 1;
const INTEGER_32: u8 = 2;
const COMPRESSED: u8 = 3;

/// A length, or how the string that stands in its place is written.
enum Length {
    Plain(u64),
    Special(u8),
}

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left: no count of elements can be larger.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn take(&mut self, len: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    pub(super) fn byte(&mut self) -> Read<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn length_or_special(&mut self) -> Read<Length> {
        let first = self.byte()?;
        let low = u64::from(first & 0x3F);
        Ok(match first >> 6 {
            0 => Length::Plain(low),
            1 => Length::Plain(low << 8 | u64::from(self.byte()?)),
            2 if first == 0x80 => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            2 if first == 0x81 => Length::Plain(u64::from_be_bytes(self.array()?)),
            2 => return Err(Malformed),
            _ => Length::Special(first & 0x3F),
        })
    }

    /// A length: of a string, or of whatever is counted.
    pub(super) fn length(&mut self) -> Read<u64> {
        match self.length_or_special()? {
            Length::Plain(length) => Ok(length),
            Length::Special(_) => Err(Malformed),
        }
    }

    /// How many elements follow: at least one, and no more than there are bytes.
    pub(super) fn count(&mut self) -> Read<usize> {
        let count = usize::try_from(self.length()?).map_err(|_| Malformed)?;
        if count == 0 || count > self.left() { Err(Malformed) } else { Ok(count) }
    }

    pub(super) fn string(&mut self) -> Read<Cow<'a, [u8]>> {
        let integer = |number: i64| Ok(Cow::Owned(number.to_string().into_bytes()));
        match self.length_or_special()? {
            Length::Plain(length) => {
                let length = usize::try_from(length).map_err(|_| Malformed)?;
                self.take(length).map(Cow::Borrowed)
            }
            Length::Special(INTEGER_8) => integer(i64::from(i8::from_le_bytes(self.array()?))),
            Length::Special(INTEGER_16) => integer(i64::from(i16::from_le_bytes(self.array()?))),
            Length::Special(INTEGER_32) => integer(i64::from(i32::from_le_bytes(self.array()?))),
            Length::Special(COMPRESSED) => self.compressed().map(Cow::Owned),
            Length::Special(_) => Err(Malformed),
        }
    }

    fn compressed(&mut self) -> Read<Vec<u8>> {
        let (packed, whole) = (self.length()?, self.length()?);
        if whole > STRING_MAX || whole > packed.saturating_mul(LZF_EXPANSION) {
            return Err(Malformed);
        }
        let bytes = self.take(usize::try_from(packed).map_err(|_| Malformed)?)?;
        let whole = usize::try_from(whole).map_err(|_| Malformed)?;
        lzf::decompress(bytes, whole).ok().filter(|text| text.len() == whole).ok_or(Malformed)
    }

    /// A score in eight bytes; NaN is none.
    pub(super) fn score(&mut self) -> Read<f64> {
        let score = f64::from_le_bytes(self.array()?);
        if score.is_nan() { Err(Malformed) } else { Ok(score) }
    }

    /// A score as text behind its length, as Redis wrote it before version 8.
    pub(super) fn score_text(&mut self) -> Read<f64> {
        match self.byte()? {
            253 => Err(Malformed),
            254 => Ok(f64::INFINITY),
            255 => Ok(f64::NEG_INFINITY),
            length => parse_score(self.take(usize::from(length))?),
        }
    }
}

/// A score's text; NaN is none.
pub(super) fn parse_score(text: &[u8]) -> Read<f64> {
    let score = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<f64>().ok());
    score.filter(|score| !score.is_nan()).ok_or(Malformed)
}
