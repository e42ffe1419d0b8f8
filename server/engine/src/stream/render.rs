//! One effect as the command of Redis that has it.
//!
//! Every command here says what is there afterwards, or takes away a number of what is there now: it means the same
//! whenever a replica that has all before it runs it. Deadlines are absolute. An object is restored from its payload.
//!
//! Where Redis itself writes one of several equal commands to its replicas (SET with PXAT for SETEX, ZPOPMIN for ZMPOP), it is
//! written here too: tools that read the stream know those.

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::double::DoubleText;

use super::Unit;
use crate::effect::{Effect, End};
use crate::rdb::{self, Version};
use crate::store::entry::ValueRef;
use crate::value::{Extreme, Object};

impl Unit {
    /// Adds the command that has that effect.
    pub(super) fn render(&mut self, db: usize, effect: Effect<'_>) {
        let mut number = itoa::Buffer::new();
        match effect {
            Effect::Set { key, value, deadline } => self.set(db, key, value, deadline),
            Effect::SetObject { key, object, deadline } => {
                let ttl = number.format(deadline.map_or(0, |deadline| deadline.0));
                let words: [&[u8]; 6] =
                    [b"RESTORE", key, ttl.as_bytes(), &payload(object), b"REPLACE", b"ABSTTL"];
                self.push(db, &words);
            }
            Effect::SetRange { key, offset, bytes } => {
                self.push(db, &[b"SETRANGE", key, number.format(offset).as_bytes(), bytes]);
            }
            Effect::Delete { key } if self.manner.unlink => self.say(db, "UNLINK", None, &[key]),
            Effect::Delete { key } | Effect::Expire { key } => self.say(db, "DEL", None, &[key]),
            Effect::Deadline { key, deadline: None } => self.push(db, &[b"PERSIST", key]),
            Effect::Deadline { key, deadline: Some(at) } => {
                self.push(db, &[b"PEXPIREAT", key, number.format(at.0).as_bytes()]);
            }
            Effect::HashSet { key, field, value } => self.say(db, "HSET", Some(key), &[field, value]),
            Effect::HashDeadline { key, field, deadline: None } => {
                self.push(db, &[b"HPERSIST", key, b"FIELDS", b"1", field]);
            }
            Effect::HashDeadline { key, field, deadline: Some(at) } => {
                self.push(db, &[b"HPEXPIREAT", key, number.format(at.0).as_bytes(), b"FIELDS", b"1", field]);
            }
            Effect::HashDelete { key, field } | Effect::HashExpire { key, field } => {
                self.say(db, "HDEL", Some(key), &[field]);
            }
            Effect::ListPush { key, end, element } => {
                self.say(db, by_end(end, "LPUSH", "RPUSH"), Some(key), &[element])
            }
            Effect::ListPop { key, end, count } => {
                self.push(
                    db,
                    &[by_end(end, "LPOP", "RPOP").as_bytes(), key, number.format(count).as_bytes()],
                );
            }
            Effect::ListSet { key, index, element } => {
                self.push(db, &[b"LSET", key, number.format(index).as_bytes(), element]);
            }
            Effect::ListRemove { key, from, count, element } => {
                let count = format!("{}{count}", by_end(from, "", "-"));
                self.push(db, &[b"LREM", key, count.as_bytes(), element]);
            }
            Effect::SetAdd { key, member } => self.say(db, "SADD", Some(key), &[member]),
            Effect::SetRemove { key, member } => self.say(db, "SREM", Some(key), &[member]),
            Effect::SortedSetAdd { key, member, score } => {
                let mut text = DoubleText::default();
                self.say(db, "ZADD", Some(key), &[text.format(score).as_bytes(), member]);
            }
            Effect::SortedSetRemove { key, member } => self.say(db, "ZREM", Some(key), &[member]),
            Effect::SortedSetPop { key, from, count } => {
                let verb: &[u8] = match from {
                    Extreme::Lowest => b"ZPOPMIN",
                    Extreme::Highest => b"ZPOPMAX",
                };
                self.push(db, &[verb, key, number.format(count).as_bytes()]);
            }
            // They are told by the commands that have them, which are written as they came.
            Effect::ListInsert { .. } | Effect::SwapSlot { .. } | Effect::FlushSlot => {}
        }
    }

    fn set(&mut self, db: usize, key: &[u8], value: &[u8], deadline: Option<Timestamp>) {
        let mut number = itoa::Buffer::new();
        if self.manner.keep_ttl {
            return self.push(db, &[b"SET", key, value, b"KEEPTTL"]);
        }
        match deadline {
            None => self.push(db, &[b"SET", key, value]),
            Some(at) => {
                self.push(db, &[b"SET", key, value, b"PXAT", number.format(at.0).as_bytes()]);
            }
        }
    }
}

fn by_end(end: End, left: &'static str, right: &'static str) -> &'static str {
    match end {
        End::Left => left,
        End::Right => right,
    }
}

/// An object's payload, for servers as old as Redis 5 unless it is one that only Redis 7.4 knows.
fn payload(object: &Object) -> Vec<u8> {
    let version = match object {
        Object::Hash(hash) if hash.has_deadlines() => Version::Current,
        Object::Hash(_) | Object::List(_) | Object::Set(_) | Object::SortedSet(_) => Version::Oldest,
    };
    rdb::dump(ValueRef::Object(object), version)
}
