//! What the commands on collections share: counting elements, taking them away by name, replying with them alone or in
//! pairs, and ranges of positions that count from both ends.
//!
//! Elements come borrowed from the value and are written straight into the reply; nothing is collected in between. Positions
//! beyond an end are cut, as in Redis: a range that misses is empty, not an error.

use std::ops::Range;

use nuthatch_proto::resp::{Args, Protocol, ReplyWriter};

use super::Handled;
use crate::context::Context;
use crate::effect::Effect;
use crate::notice::Classes;
use crate::store::locked::LockedSlots;
use crate::value::{Collection, Item};

/// Replies with an element, as a bulk string.
#[inline]
pub(super) fn bulk(reply: &mut ReplyWriter<'_>, item: Item<'_>) {
    match item {
        Item::Bytes(bytes) => reply.bulk(bytes),
        Item::Integer(number) => reply.bulk_integer(number),
    }
}

/// The header of so many members, each with what belongs to it or not: flat in RESP2, pairs in RESP3.
pub(super) fn members_header(reply: &mut ReplyWriter<'_>, count: usize, paired: bool) {
    let flat = paired && reply.protocol() == Protocol::Resp2;
    reply.array(if flat { count.saturating_mul(2) } else { count });
}

/// A member, and what belongs to it as `companion` writes it.
#[inline]
pub(super) fn member(
    reply: &mut ReplyWriter<'_>,
    member: Item<'_>,
    companion: Option<impl FnOnce(&mut ReplyWriter<'_>)>,
) {
    if companion.is_some() && reply.protocol() == Protocol::Resp3 {
        reply.array(2);
    }
    bulk(reply, member);
    if let Some(companion) = companion {
        companion(reply);
    }
}

/// A collection whose elements have names, by which they can be taken away.
pub(super) trait Named: Collection {
    /// The class of its notices.
    const CLASS: Classes;
    /// The event when elements were taken away.
    const REMOVED: &'static str;

    /// Takes an element away; whether it was there.
    fn take(&mut self, name: &[u8]) -> bool;
    /// The effect of that.
    fn removal<'a>(key: &'a [u8], name: &'a [u8]) -> Effect<'a>;
}

/// HDEL, SREM and ZREM: `key name [name ...]`.
pub(super) fn remove<C: Named>(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let key = args.at(1);
    let removed = slots.modify(cx, key, |collection: &mut C, emitter| {
        let mut removed = 0;
        for name in args.skip(2).iter() {
            if collection.take(name) {
                removed += 1;
                emitter.emit(C::removal(key, name));
            }
        }
        if removed > 0 {
            emitter.notify(C::CLASS, C::REMOVED);
        }
        removed
    })?;
    reply.count(removed.unwrap_or(0));
    Ok(())
}

/// HLEN, LLEN, SCARD and ZCARD.
pub(super) fn count<C: Collection>(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    reply.count(slots.read::<C>(cx, args.at(1))?.map_or(0, C::size));
    Ok(())
}

/// The positions from `start` to `end`, both included, of `len`; negative ones count from the end. Out of range is
/// no error: the range is cut, to nothing if need be.
pub(super) fn positions(start: i64, end: i64, len: usize) -> Range<usize> {
    let start = resolve(start, len).unwrap_or(0);
    let end = resolve(end, len).map_or(0, |end| end.saturating_add(1)).min(len);
    start.min(end)..end
}

/// The position of `len`, if it is one of them; a negative one counts from the end.
pub(super) fn position(position: i64, len: usize) -> Option<usize> {
    resolve(position, len).filter(|&position| position < len)
}

fn resolve(position: i64, len: usize) -> Option<usize> {
    let distance = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
    if position < 0 { len.checked_sub(distance) } else { Some(distance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_both_ends_and_are_cut() {
        for (start, end, len, range) in [
            (0, -1, 5, 0..5),
            (1, 3, 5, 1..4),
            (-3, -2, 5, 2..4),
            (-100, 100, 5, 0..5),
            (5, 10, 5, 5..5),
            (3, 1, 5, 2..2),
            (0, -6, 5, 0..0),
            (i64::MIN, i64::MAX, 5, 0..5),
            (i64::MAX, i64::MIN, 5, 0..0),
            (0, -1, 0, 0..0),
        ] {
            assert_eq!(positions(start, end, len), range, "{start} {end} {len}");
        }
    }
}
