//! From a value of ours to the bytes of a payload, in the plain forms that every version of Redis reads.
//!
//! Strings that are small integers are written as integers, longer ones compressed where that makes them shorter, as
//! Redis does; but not for a copy of ours, which is written under the lock of a slot and soon read again.

use super::kind;
use crate::store::entry::ValueRef;
use crate::value::{Hash, IntegerText, Item, Object};

/// Who is to read a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Redis 7.2 and we.
    Current,
    /// Also servers as old as Redis 5, as a target of MIGRATE may be.
    Oldest,
    /// Another node of ours.
    Ours,
}

impl Version {
    fn number(self) -> u16 {
        match self {
            Self::Current | Self::Ours => 11,
            Self::Oldest => 9,
        }
    }
}

/// The first version that has hashes whose fields have deadlines.
const EXPIRING_HASHES: u16 = 12;

/// Shorter strings are not worth compressing.
const COMPRESS_FROM: usize = 21;

/// Writes a value with its type, and in a file with its key between them; the number of the format's version.
pub(super) fn value(out: &mut Vec<u8>, key: Option<&[u8]>, value: ValueRef<'_>, version: Version) -> u16 {
    let string = if version == Version::Ours { plain_string } else { string };
    let item = |out: &mut Vec<u8>, item: Item<'_>| match item {
        Item::Bytes(bytes) => string(out, bytes),
        Item::Integer(number) => integer(out, number),
    };
    let begin = |out: &mut Vec<u8>, kind| {
        out.push(kind);
        key.into_iter().for_each(|key| string(out, key));
    };
    match value {
        ValueRef::String(bytes) => {
            begin(out, kind::STRING);
            string(out, bytes);
        }
        ValueRef::Object(Object::List(list)) => {
            begin(out, kind::LIST);
            length(out, list.len());
            list.iter().for_each(|element| item(out, element));
        }
        ValueRef::Object(Object::Set(set)) => {
            begin(out, kind::SET);
            length(out, set.len());
            set.iter().for_each(|member| item(out, member));
        }
        ValueRef::Object(Object::Hash(hash)) if hash.has_deadlines() && version != Version::Oldest => {
            begin(out, kind::HASH_METADATA);
            expiring_hash(out, hash, item);
            return EXPIRING_HASHES;
        }
        ValueRef::Object(Object::Hash(hash)) => {
            begin(out, kind::HASH);
            length(out, hash.len());
            for (field, value) in hash.iter() {
                item(out, field);
                item(out, value);
            }
        }
        ValueRef::Object(Object::SortedSet(set)) => {
            begin(out, kind::ZSET);
            length(out, set.len());
            for (member, score) in set.iter() {
                item(out, member);
                out.extend_from_slice(&score.to_le_bytes());
            }
        }
    }
    version.number()
}

/// The earliest deadline and the fields, each with how much later its own is, and one more.
fn expiring_hash(out: &mut Vec<u8>, hash: &Hash, item: impl Fn(&mut Vec<u8>, Item<'_>)) {
    let earliest = hash.next_deadline().map_or(0, |deadline| deadline.0);
    out.extend_from_slice(&earliest.to_le_bytes());
    length(out, hash.iter_all().count());
    let mut room = IntegerText::new();
    for (field, value) in hash.iter_all() {
        let deadline = hash.deadline(field.bytes(&mut room));
        let later = deadline.map_or(0, |deadline| deadline.0.saturating_sub(earliest) + 1);
        length(out, usize::try_from(later).unwrap_or(usize::MAX));
        item(out, field);
        item(out, value);
    }
}

pub(super) fn length(out: &mut Vec<u8>, length: usize) {
    let length = length as u64;
    match length {
        0..=0x3F => out.push(length as u8),
        0x40..=0x3FFF => out.extend_from_slice(&(0x4000 | length as u16).to_be_bytes()),
        0x4000..=0xFFFF_FFFF => {
            out.push(0x80);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

pub(super) fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() >= COMPRESS_FROM
        && let Ok(packed) = lzf::compress(bytes)
        && packed.len() + 4 < bytes.len()
    {
        out.push(0xC3);
        length(out, packed.len());
        length(out, bytes.len());
        out.extend_from_slice(&packed);
        return;
    }
    plain_string(out, bytes);
}

/// The same, not compressed.
fn plain_string(out: &mut Vec<u8>, bytes: &[u8]) {
    if let Item::Integer(number) = Item::new(bytes) {
        return integer(out, number);
    }
    length(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn integer(out: &mut Vec<u8>, number: i64) {
    if let Ok(number) = i8::try_from(number) {
        out.push(0xC0);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i16::try_from(number) {
        out.push(0xC1);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i32::try_from(number) {
        out.push(0xC2);
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        let mut room = IntegerText::new();
        let text = room.format(number).as_bytes();
        length(out, text.len());
        out.extend_from_slice(text);
    }
}
