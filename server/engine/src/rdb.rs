//! Values in the format of Redis' RDB files: the payloads of DUMP, RESTORE and MIGRATE, and the files.
//!
//! A payload is a type byte, the value, the format's version (two bytes) and a CRC-64 of all before it, both
//! little-endian. Everything that Redis 6 to 7.4 writes for the types that exist here is read: also the packed forms,
//! whose bytes are another process's memory and are trusted in nothing ([`packed`]). Written are only the plain forms, an
//! element after the other: every version reads those, and makes of them what it keeps in memory itself.
//!
//! Files are many of these one after the other: [`file`].
//!
//! Source: Redis' documentation of the RDB format and `rdb.h` for the numbers of types and versions.

pub(crate) mod file;
mod load;
mod packed;
mod read;
mod save;

use crc::{CRC_64_REDIS, Crc, Table};

use crate::store::entry::ValueRef;
use crate::value::{Limits, Object};

pub(crate) use save::Version;

static CRC64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// The newest version that is read: Redis 7.4's.
const NEWEST_READ: u16 = 12;

/// How many bytes follow the value: the version and the checksum.
const FOOTER: usize = 10;

/// The numbers of the types, which are also those of their packed forms.
mod kind {
    pub(super) const STRING: u8 = 0;
    pub(super) const LIST: u8 = 1;
    pub(super) const SET: u8 = 2;
    pub(super) const ZSET_TEXT: u8 = 3;
    pub(super) const HASH: u8 = 4;
    pub(super) const ZSET: u8 = 5;
    pub(super) const HASH_ZIPMAP: u8 = 9;
    pub(super) const LIST_ZIPLIST: u8 = 10;
    pub(super) const SET_INTSET: u8 = 11;
    pub(super) const ZSET_ZIPLIST: u8 = 12;
    pub(super) const HASH_ZIPLIST: u8 = 13;
    pub(super) const LIST_QUICKLIST: u8 = 14;
    pub(super) const HASH_LISTPACK: u8 = 16;
    pub(super) const ZSET_LISTPACK: u8 = 17;
    pub(super) const LIST_QUICKLIST_2: u8 = 18;
    pub(super) const SET_LISTPACK: u8 = 20;
    /// Hashes whose fields have deadlines, since Redis 7.4.
    pub(super) const HASH_METADATA: u8 = 24;
    pub(super) const HASH_LISTPACK_EX: u8 = 25;
}

/// A value of its own, out of any store.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A string.
    String(Vec<u8>),
    /// A collection, which is not empty.
    Object(Object),
}

/// Why a payload cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadPayload {
    /// It is too short, too new, or its checksum does not fit.
    Footer,
    /// Its bytes are no value.
    Format,
}

/// A value's payload.
pub(crate) fn dump(value: ValueRef<'_>, version: Version) -> Vec<u8> {
    let mut out = Vec::new();
    let version = save::value(&mut out, None, value, version);
    out.extend_from_slice(&version.to_le_bytes());
    let checksum = CRC64.checksum(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// Appends an object as a payload has it, for another node of ours.
pub(crate) fn append_object(out: &mut Vec<u8>, object: &Object) {
    save::value(out, None, ValueRef::Object(object), Version::Ours);
}

/// The object that was appended.
pub(crate) fn read_object(bytes: &[u8], limits: &Limits) -> Option<Object> {
    match load::value(bytes, limits) {
        Ok(Value::Object(object)) => Some(object),
        Ok(Value::String(_)) | Err(read::Malformed) => None,
    }
}

/// The value of a payload.
pub(crate) fn restore(payload: &[u8], limits: &Limits) -> Result<Value, BadPayload> {
    let at = payload.len().checked_sub(FOOTER).ok_or(BadPayload::Footer)?;
    let (value, footer) = payload.split_at(at);
    let (version, checksum) = footer.split_at(2);
    let version = u16::from_le_bytes(version.try_into().map_err(|_| BadPayload::Footer)?);
    let checksum = u64::from_le_bytes(checksum.try_into().map_err(|_| BadPayload::Footer)?);
    if version > NEWEST_READ || CRC64.checksum(&payload[..at + 2]) != checksum {
        return Err(BadPayload::Footer);
    }
    load::value(value, limits).map_err(|_| BadPayload::Format)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::effect::End;
    use crate::value::{Collection, Hash, List, Set, SortedSet};

    fn contents(value: &Value) -> Vec<String> {
        let text = |item: crate::value::Item<'_>| String::from_utf8_lossy(&item.to_vec()).into_owned();
        let mut all: Vec<String> = match value {
            Value::String(bytes) => return vec![String::from_utf8_lossy(bytes).into_owned()],
            Value::Object(Object::List(list)) => return list.iter().map(text).collect(),
            Value::Object(Object::Set(set)) => set.iter().map(text).collect(),
            Value::Object(Object::Hash(hash)) => {
                hash.iter().map(|(field, value)| format!("{}={}", text(field), text(value))).collect()
            }
            Value::Object(Object::SortedSet(set)) => {
                set.iter().map(|(member, score)| format!("{}@{score}", text(member))).collect()
            }
        };
        all.sort();
        all
    }

    fn as_ref(value: &Value) -> ValueRef<'_> {
        match value {
            Value::String(bytes) => ValueRef::String(bytes),
            Value::Object(object) => ValueRef::Object(object),
        }
    }

    /// A value of each type with these elements.
    fn values(elements: &[Vec<u8>]) -> Vec<Value> {
        let limits = Limits::default();
        let (mut list, mut set) = (List::new(), Set::new());
        let (mut hash, mut sorted) = (Hash::new(), SortedSet::new());
        for (number, element) in elements.iter().enumerate() {
            list.push(End::Right, element, &limits);
            set.insert(element, &limits);
            hash.set(element, number.to_string().as_bytes(), &limits);
            sorted.upsert(element, &limits, |_| Some(number as f64 / 3.0 - 2.0));
        }
        let mut all = vec![Value::String(elements.concat())];
        if !elements.is_empty() {
            let objects = [list.into_object(), set.into_object(), hash.into_object(), sorted.into_object()];
            all.extend(objects.map(Value::Object));
        }
        all
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            elements in prop::collection::vec(prop_oneof!["[a-z]{0,6}", "-?[0-9]{1,12}", "(abc){9,80}"], 0..200)
        ) {
            let elements: Vec<_> = elements.into_iter().map(String::into_bytes).collect();
            for value in values(&elements) {
                for version in [Version::Current, Version::Oldest, Version::Ours] {
                    let payload = dump(as_ref(&value), version);
                    let again = restore(&payload, &Limits::default()).expect("our own payload");
                    prop_assert_eq!(contents(&again), contents(&value));
                }
            }
        }

        #[test]
        fn bytes_from_outside_never_panic(kind in 0_u8..27, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut payload = vec![kind];
            payload.extend(bytes);
            let _ = load::value(&payload, &Limits::default());
        }

        #[test]
        fn a_changed_payload_is_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let mut payload = dump(ValueRef::String(b"some words, some words, some words"), Version::Current);
            let at = at.index(payload.len());
            payload[at] ^= 1 << bit;
            prop_assert_eq!(restore(&payload, &Limits::default()).err(), Some(BadPayload::Footer));
        }
    }

    /// Payloads as redis-server 7.0.15 wrote them.
    #[test]
    fn payloads_of_redis_are_read() {
        let check = |payload: &[u8], expected: &[&str]| {
            let value = restore(payload, &Limits::default()).expect("Redis wrote it");
            assert_eq!(contents(&value), expected);
        };
        check(b"\x00\xc0\x0a\x0a\x00\x6e\x9f\x57\x45\x0e\xae\x63\xbb", &["10"]);
        check(
            b"\x00\xc3\x09\x28\x01\x61\x61\xe0\x1b\x00\x01\x61\x61\x0a\x00\xcf\x09\x2f\xaa\xae\x25\x83\x1d",
            &["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
        );
        check(
            b"\x12\x01\x02\x2b\x2b\x00\x00\x00\x07\x00\x81\x61\x02\x01\x01\xde\xd4\x02\xf2\x70\x11\x01\x04\xf3\xc0\xab\x76\xff\x05\x85\x68\x65\x6c\x6c\x6f\x06\xf4\x00\xf2\x05\x2a\x01\x00\x00\x00\x09\xff\x0a\x00\x7b\x1d\x1e\xd6\xa5\x51\x18\xde",
            &["a", "1", "-300", "70000", "-9000000", "hello", "5000000000"],
        );
        check(
            b"\x0b\x0e\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x02\x00\x2c\x01\x0a\x00\xe5\x10\xb2\x8e\x7b\x95\x29\xaa",
            &["1", "2", "300"],
        );
        check(
            b"\x10\x12\x12\x00\x00\x00\x04\x00\x81\x66\x02\x81\x76\x02\x81\x6e\x02\x05\x01\xff\x0a\x00\x84\x90\x93\x9f\x57\xb4\xf3\xc2",
            &["f=v", "n=5"],
        );
        check(
            b"\x11\x15\x15\x00\x00\x00\x04\x00\x81\x62\x02\xdf\xfe\x02\x81\x61\x02\x83\x31\x2e\x35\x04\xff\x0a\x00\x6c\x35\x9d\xf6\x33\xd0\x8b\x5d",
            &["a@1.5", "b@-2"],
        );
        check(
            b"\x05\x02\x01\x62\x00\x00\x00\x00\x00\x00\xf0\x7f\x01\x61\x00\x00\x00\x00\x00\x00\xf8\x3f\x0a\x00\x13\x43\xce\x1a\x14\xf0\x07\xa4",
            &["a@1.5", "b@inf"],
        );
    }
}
