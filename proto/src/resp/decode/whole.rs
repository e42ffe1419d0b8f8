//! The fast path: a plain request that is there as a whole, read in one pass.
//!
//! Plain means: an array header and bulk headers of at most nine digits, within the limits. Nothing here decides that a
//! request is wrong; at the first header that is not plain or not complete it says how far it came, and the decoder
//! reads that header again with all the rules.

use super::Limits;
use super::place;
use crate::resp::args::Span;

/// How far [`whole`] came.
pub(super) struct Progress {
    /// Where the first header that it could not take begins; the request's end if `remaining` is 0.
    pub(super) read: usize,
    /// Arguments that are still to be read; 0 as well when not even the first header was taken.
    pub(super) remaining: u64,
}

/// Reads a plain request as far as it is there; whatever is incomplete, unusual or wrong is left to
/// the decoder's slow path, which begins at the same header again.
#[inline]
pub(super) fn whole(buffer: &[u8], start: usize, limits: &Limits, spans: &mut Vec<Span>) -> Progress {
    let nothing = Progress { read: start, remaining: 0 };
    let Some((count, mut read)) = plain_header(buffer, start, b'*') else { return nothing };
    if count == 0 || limits.check_count(count).is_err() || u32::try_from(buffer.len()).is_err() {
        return nothing;
    }
    let longest = limits.longest_bulk();
    for taken in 0..count {
        let argument = plain_header(buffer, read, b'$').filter(|&(len, _)| len <= longest);
        // At most nine digits: the sum cannot overflow.
        let argument = argument.map(|(len, from)| (len as usize, from, from + len as usize + 2));
        let Some((len, from, end)) = argument.filter(|&(_, _, end)| end <= buffer.len()) else {
            return Progress { read, remaining: count - taken };
        };
        spans.push(Span { start: place(from), len: place(len) });
        read = end;
    }
    Progress { read, remaining: 0 }
}

/// A header of that kind at `at` with a plain number of at most nine digits, and where what follows it begins.
#[inline]
fn plain_header(buffer: &[u8], at: usize, kind: u8) -> Option<(u64, usize)> {
    let header = buffer.get(at..)?;
    // Nearly every header has one digit or two.
    let &[first, tens, next, after, ..] = header else { return None };
    let digit = tens.wrapping_sub(b'0');
    if first != kind || digit > 9 {
        return None;
    }
    if next == b'\r' {
        return Some((u64::from(digit), at + 4));
    }
    let second = next.wrapping_sub(b'0');
    if digit == 0 || second > 9 {
        return None;
    }
    let mut number = u64::from(digit) * 10 + u64::from(second);
    if after == b'\r' && header.len() > 4 {
        return Some((number, at + 5));
    }
    for (index, &byte) in header.iter().enumerate().take(11).skip(3) {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            number = number * 10 + u64::from(digit);
        } else if byte == b'\r' && index + 1 < header.len() {
            return Some((number, at + index + 2));
        } else {
            return None;
        }
    }
    None
}
