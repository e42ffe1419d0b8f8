//! One element of a compact collection, and how it is packed into bytes.
//!
//! Elements are byte strings. One that is the decimal text of an integer is kept as the integer, which is what most
//! counters, ids and scores are; it reads back as the same text. The first byte tells the form:
//!
//! ```text
//! 00..3F  a string of so many bytes, which follow       F7 F8 F9  a string, its length in 1, 2, 4 bytes first
//! 80..EF  an integer from 0 to 111                      F0 F1 F2 F3 F4  an integer in 1, 2, 3, 4, 8 bytes
//! 40..7F  an integer from 112 to 16,495: its excess over 112 in 14 bits, of which the high six are in the tag
//! ```
//!
//! All numbers are little-endian. The bytes are our own: they are trusted, and reading others panics.

use std::cmp::Ordering;

use nuthatch_proto::resp::number::parse_integer;

const SMALL_STRING: usize = 0x40;
const MIDDLE_INTEGER: u8 = 0x40;
/// The first integer that is too large for the middle form.
const LARGE_INTEGER: i64 = SMALL_INTEGERS + (1 << 14);
const SMALL_INTEGER: u8 = 0x80;
const SMALL_INTEGERS: i64 = 0x70;
const STRING_8: u8 = 0xF7;
const STRING_16: u8 = 0xF8;
const STRING_32: u8 = 0xF9;
/// The integer forms: tag, and how many bytes follow.
const INTEGERS: [(u8, usize); 5] = [(0xF0, 1), (0xF1, 2), (0xF2, 3), (0xF3, 4), (0xF4, 8)];

/// An element of a collection, borrowed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item<'a> {
    /// Bytes that are no integer's decimal text, or are kept as bytes.
    Bytes(&'a [u8]),
    /// An integer, standing for its decimal text.
    Integer(i64),
}

/// Room for an integer's decimal text.
pub type IntegerText = itoa::Buffer;

impl<'a> Item<'a> {
    /// The element that `text` is: an integer if it is exactly the decimal text of one.
    #[inline]
    pub fn new(text: &'a [u8]) -> Self {
        parse_integer(text).map_or(Self::Bytes(text), Self::Integer)
    }

    /// The element's bytes; an integer's are written to `room`.
    #[inline]
    pub fn bytes<'b>(self, room: &'b mut IntegerText) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Integer(number) => room.format(number).as_bytes(),
        }
    }

    /// The element's bytes, copied.
    pub fn to_vec(self) -> Vec<u8> {
        self.bytes(&mut IntegerText::new()).to_vec()
    }

    /// Whether it is that byte string.
    #[inline]
    pub fn is(self, text: &[u8]) -> bool {
        self.bytes(&mut IntegerText::new()) == text
    }

    /// Compares the elements' bytes.
    pub fn cmp_bytes(self, other: Item<'_>) -> Ordering {
        self.bytes(&mut IntegerText::new()).cmp(other.bytes(&mut IntegerText::new()))
    }

    /// How many bytes it takes when packed.
    pub(super) fn packed_len(self) -> usize {
        match self {
            Self::Bytes(bytes) if bytes.len() < SMALL_STRING => 1 + bytes.len(),
            Self::Bytes(bytes) if u8::try_from(bytes.len()).is_ok() => 2 + bytes.len(),
            Self::Bytes(bytes) if u16::try_from(bytes.len()).is_ok() => 3 + bytes.len(),
            Self::Bytes(bytes) => 5 + bytes.len(),
            Self::Integer(0..SMALL_INTEGERS) => 1,
            Self::Integer(SMALL_INTEGERS..LARGE_INTEGER) => 2,
            Self::Integer(number) => 1 + integer_form(number).1,
        }
    }

    /// Packs it into the beginning of `out`, which must have room; returns how many bytes it took.
    #[inline]
    pub(super) fn pack(self, out: &mut [u8]) -> usize {
        match self {
            Self::Bytes(bytes) => pack_bytes(bytes, out),
            Self::Integer(number) => pack_integer(number, out),
        }
    }

    /// Reads the element that begins `packed`, and how many bytes it takes.
    #[inline]
    pub(super) fn unpack(packed: &'a [u8]) -> (Self, usize) {
        let tag = packed[0];
        match tag {
            ..MIDDLE_INTEGER => {
                let end = 1 + tag as usize;
                (Self::Bytes(&packed[1..end]), end)
            }
            MIDDLE_INTEGER..SMALL_INTEGER => {
                let excess = u16::from_be_bytes([tag - MIDDLE_INTEGER, packed[1]]);
                (Self::Integer(SMALL_INTEGERS + i64::from(excess)), 2)
            }
            SMALL_INTEGER..0xF0 => (Self::Integer(i64::from(tag - SMALL_INTEGER)), 1),
            STRING_8 => {
                let end = 2 + usize::from(packed[1]);
                (Self::Bytes(&packed[2..end]), end)
            }
            STRING_16 => {
                let end = 3 + usize::from(u16::from_le_bytes([packed[1], packed[2]]));
                (Self::Bytes(&packed[3..end]), end)
            }
            STRING_32 => {
                let len = u32::from_le_bytes([packed[1], packed[2], packed[3], packed[4]]);
                let end = 5 + len as usize;
                (Self::Bytes(&packed[5..end]), end)
            }
            _ => {
                let width = INTEGERS[usize::from(tag - INTEGERS[0].0)].1;
                (Self::Integer(read_integer(&packed[1..=width])), 1 + width)
            }
        }
    }
}

fn pack_bytes(bytes: &[u8], out: &mut [u8]) -> usize {
    let header = if bytes.len() < SMALL_STRING {
        out[0] = bytes.len() as u8;
        1
    } else if let Ok(len) = u8::try_from(bytes.len()) {
        out[..2].copy_from_slice(&[STRING_8, len]);
        2
    } else if let Ok(len) = u16::try_from(bytes.len()) {
        out[0] = STRING_16;
        out[1..3].copy_from_slice(&len.to_le_bytes());
        3
    } else {
        let len = u32::try_from(bytes.len()).expect("a request, and so an element, is below 4 GiB");
        out[0] = STRING_32;
        out[1..5].copy_from_slice(&len.to_le_bytes());
        5
    };
    out[header..header + bytes.len()].copy_from_slice(bytes);
    header + bytes.len()
}

fn pack_integer(number: i64, out: &mut [u8]) -> usize {
    if let 0..SMALL_INTEGERS = number {
        out[0] = SMALL_INTEGER + number as u8;
        return 1;
    }
    if let SMALL_INTEGERS..LARGE_INTEGER = number {
        let [high, low] = ((number - SMALL_INTEGERS) as u16).to_be_bytes();
        out[..2].copy_from_slice(&[MIDDLE_INTEGER | high, low]);
        return 2;
    }
    let (tag, width) = integer_form(number);
    out[0] = tag;
    out[1..=width].copy_from_slice(&number.to_le_bytes()[..width]);
    1 + width
}

/// The narrowest form that holds the number.
fn integer_form(number: i64) -> (u8, usize) {
    let bits = 65 - (number ^ (number >> 63)).leading_zeros() as usize;
    INTEGERS.into_iter().find(|&(_, width)| bits <= width * 8).unwrap_or(INTEGERS[4])
}

fn read_integer(bytes: &[u8]) -> i64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let unused = 64 - 8 * bytes.len() as u32;
    i64::from_le_bytes(wide) << unused >> unused
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &[u8]) {
        let item = Item::new(text);
        let mut packed = vec![0; item.packed_len() + 3];
        assert_eq!(item.pack(&mut packed), item.packed_len());
        assert_eq!(Item::unpack(&packed), (item, item.packed_len()));
        assert_eq!(item.to_vec(), text);
        assert!(item.is(text));
    }

    #[test]
    fn lengths_at_the_edges_of_each_form() {
        for len in [0, 1, 63, 64, 255, 256, 65_535, 65_536, 100_000] {
            check(&vec![b'x'; len]);
        }
    }

    #[test]
    fn integers_at_the_edges_of_each_form() {
        for bits in 0..64 {
            for number in [1_i64 << bits, (1_i64 << bits).wrapping_sub(1), (1_i64 << bits).wrapping_neg()] {
                assert_eq!(Item::new(number.to_string().as_bytes()), Item::Integer(number));
                check(number.to_string().as_bytes());
            }
        }
        for number in [i64::MIN, 111, 112, 16_495, 16_496] {
            check(number.to_string().as_bytes());
        }
    }

    #[test]
    fn only_the_exact_text_is_an_integer() {
        for text in ["", "-", "-0", "00", "01", "+1", " 1", "1 ", "1.0", "9223372036854775808", "1e3", "١"] {
            check(text.as_bytes());
            assert_eq!(Item::new(text.as_bytes()), Item::Bytes(text.as_bytes()));
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_is_read_back(text in prop::collection::vec(any::<u8>(), 0..300)) {
            check(&text);
        }

        #[test]
        fn every_integer_is_read_back(number: i64) {
            check(number.to_string().as_bytes());
        }
    }
}
