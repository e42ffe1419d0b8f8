//! From an effect to the bytes of its record.

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::Slot;

use super::{KIND_BITS, RECORD_MAX, VERSION, kind};
use crate::effect::{Effect, End};
use crate::rdb;
use crate::value::{Extreme, Object};

/// An effect's record would be longer than [`RECORD_MAX`]: who follows the log must be given the slot anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the effect takes a record of {0} bytes, and {RECORD_MAX} is the limit")]
pub struct TooLong(pub u64);

/// Appends the record of an effect. If it would be too long, nothing is appended.
pub fn append(out: &mut Vec<u8>, db: usize, slot: Slot, effect: Effect<'_>) -> Result<(), TooLong> {
    append_within(RECORD_MAX, out, db, slot, effect)
}

pub(super) fn append_within(
    limit: u64,
    out: &mut Vec<u8>,
    db: usize,
    slot: Slot,
    effect: Effect<'_>,
) -> Result<(), TooLong> {
    let begin = out.len();
    // Most records are shorter than 128 bytes, so one byte is left for the length.
    out.push(0);
    fields(&mut Body { out, db, slot }, effect);
    let length = (out.len() - begin - 1) as u64;
    if length > limit {
        out.truncate(begin);
        return Err(TooLong(length));
    }
    let mut room = [0; 10];
    let prefix = number(&mut room, length);
    let (end, more) = (out.len(), prefix.len() - 1);
    if more > 0 {
        out.resize(end + more, 0);
        out.copy_within(begin + 1..end, begin + 1 + more);
    }
    out[begin..=begin + more].copy_from_slice(prefix);
    Ok(())
}

fn fields<'b, 'o>(body: &'b mut Body<'o>, effect: Effect<'_>) -> &'b mut Body<'o> {
    match effect {
        Effect::Set { key, value, deadline } => body.of(kind::SET).bytes(key).deadline(deadline).bytes(value),
        Effect::SetRange { key, offset, bytes } => {
            body.of(kind::SET_RANGE).bytes(key).count(offset).bytes(bytes)
        }
        Effect::SetObject { key, object, deadline } => {
            body.of(kind::SET_OBJECT).bytes(key).deadline(deadline).object(object)
        }
        Effect::Delete { key } => body.of(kind::DELETE).bytes(key),
        Effect::Expire { key } => body.of(kind::EXPIRE).bytes(key),
        Effect::Deadline { key, deadline } => body.of(kind::DEADLINE).bytes(key).deadline(deadline),
        Effect::HashSet { key, field, value } => body.of(kind::HASH_SET).bytes(key).bytes(field).bytes(value),
        Effect::HashDeadline { key, field, deadline } => {
            body.of(kind::HASH_DEADLINE).bytes(key).bytes(field).deadline(deadline)
        }
        Effect::HashDelete { key, field } => body.of(kind::HASH_DELETE).bytes(key).bytes(field),
        Effect::HashExpire { key, field } => body.of(kind::HASH_EXPIRE).bytes(key).bytes(field),
        Effect::ListPush { key, end, element } => body.of(kind::LIST_PUSH).bytes(key).end(end).bytes(element),
        Effect::ListPop { key, end, count } => body.of(kind::LIST_POP).bytes(key).end(end).count(count),
        Effect::ListInsert { key, index, element } => {
            body.of(kind::LIST_INSERT).bytes(key).count(index).bytes(element)
        }
        Effect::ListSet { key, index, element } => {
            body.of(kind::LIST_SET).bytes(key).count(index).bytes(element)
        }
        Effect::ListRemove { key, from, count, element } => {
            body.of(kind::LIST_REMOVE).bytes(key).end(from).count(count).bytes(element)
        }
        Effect::SetAdd { key, member } => body.of(kind::SET_ADD).bytes(key).bytes(member),
        Effect::SetRemove { key, member } => body.of(kind::SET_REMOVE).bytes(key).bytes(member),
        Effect::SortedSetAdd { key, member, score } => {
            body.of(kind::SORTED_SET_ADD).bytes(key).bytes(member).score(score)
        }
        Effect::SortedSetRemove { key, member } => body.of(kind::SORTED_SET_REMOVE).bytes(key).bytes(member),
        Effect::SortedSetPop { key, from, count } => {
            body.of(kind::SORTED_SET_POP).bytes(key).extreme(from).count(count)
        }
        Effect::SwapSlot { with } => body.of(kind::SWAP_SLOT).count(with),
        Effect::FlushSlot => body.of(kind::FLUSH_SLOT),
    }
}

/// A number's bytes, in a room that is long enough for any.
pub(super) fn number(room: &mut [u8; 10], mut number: u64) -> &[u8] {
    let mut len = 0;
    while number > 0x7F {
        room[len] = number as u8 | 0x80;
        number >>= 7;
        len += 1;
    }
    room[len] = number as u8;
    &room[..=len]
}

/// A record behind its length.
struct Body<'o> {
    out: &'o mut Vec<u8>,
    db: usize,
    slot: Slot,
}

impl Body<'_> {
    /// Begins it.
    fn of(&mut self, kind: u8) -> &mut Self {
        self.out.push(VERSION << KIND_BITS | kind);
        self.count(self.db);
        self.out.extend_from_slice(&self.slot.number().to_le_bytes());
        self
    }

    fn count(&mut self, count: usize) -> &mut Self {
        self.out.extend_from_slice(number(&mut [0; 10], count as u64));
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.out.extend_from_slice(bytes);
        self
    }

    fn deadline(&mut self, deadline: Option<Timestamp>) -> &mut Self {
        self.out.push(u8::from(deadline.is_some()));
        if let Some(Timestamp(deadline)) = deadline {
            self.out.extend_from_slice(number(&mut [0; 10], deadline));
        }
        self
    }

    fn end(&mut self, end: End) -> &mut Self {
        self.out.push(match end {
            End::Left => 0,
            End::Right => 1,
        });
        self
    }

    fn extreme(&mut self, extreme: Extreme) -> &mut Self {
        self.out.push(match extreme {
            Extreme::Lowest => 0,
            Extreme::Highest => 1,
        });
        self
    }

    fn score(&mut self, score: f64) -> &mut Self {
        self.out.extend_from_slice(&score.to_le_bytes());
        self
    }

    fn object(&mut self, object: &Object) -> &mut Self {
        rdb::append_object(self.out, object);
        self
    }
}
