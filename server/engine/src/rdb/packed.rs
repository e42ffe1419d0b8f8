//! The packed forms that Redis keeps small collections in: listpack, ziplist, zipmap and intset.
//!
//! Each is one blob, copied out of a server's memory as it was. Every offset in it may be wrong, so each element is read
//! from the front on by its own header alone; the lengths for reading backwards are passed over, and the total and the
//! count at the front are not believed.
//!
//! Source: Redis' `listpack.c`, `ziplist.c`, `zipmap.c` and `intset.c`, which describe their forms.

use super::read::{Malformed, Read, Reader};
use crate::value::Item;

const END: u8 = 0xFF;

/// Who is shown the elements; an error ends the reading.
pub(super) type Visit<'v> = &'v mut dyn FnMut(Item<'_>) -> Read<()>;

/// The elements of a listpack, in order.
pub(super) fn listpack(blob: &[u8], visit: Visit<'_>) -> Read<()> {
    let mut reader = Reader::new(blob);
    reader.take(6)?;
    loop {
        let before = reader.left();
        let first = reader.byte()?;
        let item = match first {
            END if reader.is_at_end() => return Ok(()),
            0x00..=0x7F => Item::Integer(i64::from(first)),
            0x80..=0xBF => Item::Bytes(reader.take(usize::from(first & 0x3F))?),
            0xC0..=0xDF => {
                let number = i64::from(first & 0x1F) << 8 | i64::from(reader.byte()?);
                Item::Integer(if number >= 1 << 12 { number - (1 << 13) } else { number })
            }
            0xE0..=0xEF => {
                let len = usize::from(first & 0x0F) << 8 | usize::from(reader.byte()?);
                Item::Bytes(reader.take(len)?)
            }
            0xF0 => {
                let len = u32::from_le_bytes(reader.array()?) as usize;
                Item::Bytes(reader.take(len)?)
            }
            0xF1 => Item::Integer(i64::from(i16::from_le_bytes(reader.array()?))),
            0xF2 => Item::Integer(integer_24(reader.array()?)),
            0xF3 => Item::Integer(i64::from(i32::from_le_bytes(reader.array()?))),
            0xF4 => Item::Integer(i64::from_le_bytes(reader.array()?)),
            0xF5..=0xFF => return Err(Malformed),
        };
        reader.take(back_length(before - reader.left()))?;
        visit(item)?;
    }
}

/// How many bytes the length behind a listpack's element takes.
fn back_length(element: usize) -> usize {
    match element {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

fn integer_24([low, middle, high]: [u8; 3]) -> i64 {
    i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8)
}

/// The elements of a ziplist, in order.
pub(super) fn ziplist(blob: &[u8], visit: Visit<'_>) -> Read<()> {
    let mut reader = Reader::new(blob);
    reader.take(10)?;
    loop {
        match reader.byte()? {
            END if reader.is_at_end() => return Ok(()),
            END => return Err(Malformed),
            // How long the element before is, in four more bytes.
            0xFE => drop(reader.take(4)?),
            _ => {}
        }
        let first = reader.byte()?;
        visit(match first {
            0x00..=0x3F => Item::Bytes(reader.take(usize::from(first))?),
            0x40..=0x7F => {
                let len = usize::from(first & 0x3F) << 8 | usize::from(reader.byte()?);
                Item::Bytes(reader.take(len)?)
            }
            0x80..=0xBF => {
                let len = u32::from_be_bytes(reader.array()?) as usize;
                Item::Bytes(reader.take(len)?)
            }
            0xC0 => Item::Integer(i64::from(i16::from_le_bytes(reader.array()?))),
            0xD0 => Item::Integer(i64::from(i32::from_le_bytes(reader.array()?))),
            0xE0 => Item::Integer(i64::from_le_bytes(reader.array()?)),
            0xF0 => Item::Integer(integer_24(reader.array()?)),
            0xF1..=0xFD => Item::Integer(i64::from(first & 0x0F) - 1),
            0xFE => Item::Integer(i64::from(i8::from_le_bytes(reader.array()?))),
            0xC1..=0xCF | 0xD1..=0xDF | 0xE1..=0xEF | 0xFF => return Err(Malformed),
        })?;
    }
}

/// The fields and values of a zipmap, in turn.
pub(super) fn zipmap(blob: &[u8], visit: Visit<'_>) -> Read<()> {
    let mut reader = Reader::new(blob);
    reader.byte()?;
    let mut is_value = false;
    loop {
        let len = match reader.byte()? {
            END if reader.is_at_end() && !is_value => return Ok(()),
            END => return Err(Malformed),
            0xFE => u32::from_le_bytes(reader.array()?) as usize,
            len => usize::from(len),
        };
        // A value may have unused room behind it.
        let unused = if is_value { usize::from(reader.byte()?) } else { 0 };
        visit(Item::Bytes(reader.take(len)?))?;
        reader.take(unused)?;
        is_value = !is_value;
    }
}

/// The integers of an intset.
pub(super) fn intset(blob: &[u8], visit: Visit<'_>) -> Read<()> {
    let mut reader = Reader::new(blob);
    let (width, count) = (u32::from_le_bytes(reader.array()?), u32::from_le_bytes(reader.array()?));
    for _ in 0..count {
        visit(Item::Integer(match width {
            2 => i64::from(i16::from_le_bytes(reader.array()?)),
            4 => i64::from(i32::from_le_bytes(reader.array()?)),
            8 => i64::from_le_bytes(reader.array()?),
            _ => return Err(Malformed),
        }))?;
    }
    if reader.is_at_end() { Ok(()) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Form = fn(&[u8], Visit<'_>) -> Read<()>;

    #[track_caller]
    fn check(form: Form, blob: &[u8], expected: &[&str]) {
        let mut texts = Vec::new();
        let read = form(blob, &mut |item| {
            texts.push(String::from_utf8_lossy(&item.to_vec()).into_owned());
            Ok(())
        });
        assert_eq!((read, texts), (Ok(()), expected.iter().map(|text| (*text).to_owned()).collect()));
        for len in 0..blob.len() {
            assert_eq!(form(&blob[..len], &mut |_| Ok(())), Err(Malformed), "cut off after {len}");
        }
    }

    #[test]
    fn ziplists_are_read() {
        // A string, an immediate, and integers of every width.
        let blob = b"\x30\0\0\0\x20\0\0\0\x07\0\
            \x00\x02hi\x04\xf3\x02\xfe\x9c\x03\xc0\xe8\x03\x04\xf0\x60\x79\xfe\x05\xd0\x00\x94\x35\x77\
            \x06\xe0\x00\xf2\x05\x2a\x01\x00\x00\x00\xff";
        check(ziplist, blob, &["hi", "2", "-100", "1000", "-100000", "2000000000", "5000000000"]);
        // A long element before, and lengths in two and five bytes.
        let mut blob = vec![0; 10];
        blob.extend_from_slice(b"\x00\x40\x03abc\xfe\x06\x00\x00\x00\x80\x00\x00\x00\x02de\xff");
        check(ziplist, &blob, &["abc", "de"]);
    }

    #[test]
    fn zipmaps_are_read() {
        check(zipmap, b"\x02\x03key\x05\x00value\x01n\x01\x021xx\xff", &["key", "value", "n", "1"]);
    }

    #[test]
    fn intsets_are_read() {
        check(intset, b"\x02\0\0\0\x02\0\0\0\xff\xff\x07\0", &["-1", "7"]);
        check(intset, b"\x08\0\0\0\x01\0\0\0\x00\xf2\x05\x2a\x01\x00\x00\x00", &["5000000000"]);
        assert_eq!(intset(b"\x03\0\0\0\x01\0\0\0abc", &mut |_| Ok(())), Err(Malformed));
    }

    #[test]
    fn listpacks_are_read() {
        let mut blob = vec![0; 6];
        blob.extend_from_slice(b"\x05\x01\x82hi\x03\xdf\xff\x02\xe0\x01a\x03\xf0\x01\0\0\0b\x06");
        blob.extend_from_slice(b"\xf1\xe8\x03\x03\xf2\x60\x79\xfe\x04\xff");
        check(listpack, &blob, &["5", "hi", "-1", "a", "b", "1000", "-100000"]);
    }
}
