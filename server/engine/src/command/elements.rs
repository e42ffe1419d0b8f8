//! What the commands on collections share: replying with elements, alone or in pairs, and ranges of positions that count from both ends.
//!
//! Elements come borrowed from the value and are written straight into the reply; nothing is collected in between. Positions
//! beyond an end are cut, as in Redis: a range that misses is empty, not an error.

use std::ops::Range;

use nuthatch_proto::resp::{Protocol, ReplyWriter};

use crate::value::Item;

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
