//! What SCAN, HSCAN, SSCAN and ZSCAN share: cursors, options, and the page of elements that is the reply.
//!
//! Where a scan goes on is the business of whoever is scanned: it shows a step's elements to a [`Page`] and answers the next
//! cursor, 0 at the end. The page counts what it was shown, so that a call ends after about COUNT elements whether they
//! match or not, and writes those that match. A step cannot be divided, so a page may be longer than COUNT, and a compact
//! collection comes whole.
//!
//! The elements are written to a buffer of their own: the reply begins with the next cursor, which is known last.

use nuthatch_proto::glob::{self, Case};
use nuthatch_proto::resp::{Args, Protocol, ReplyWriter};

use super::args::{integer, is};
use super::elements;
use super::{CommandError, Handled};
use crate::context::Context;
use crate::store::locked::LockedSlots;
use crate::value::{Collection, IntegerText, Item};

/// How many steps in a row may show nothing before a page ends, for every element that was asked for.
const STEPS_PER_ELEMENT: usize = 10;

/// A cursor as Redis reads it, with C's `strtoul`: no digits are 0, a minus sign counts from the end.
pub(super) fn cursor(text: &[u8]) -> Result<u64, CommandError> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    // A sign without digits is no number; nothing at all is.
    if digits.is_empty() && !text.is_empty() {
        return Err(CommandError::InvalidCursor);
    }
    let number = digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = char::from(digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    });
    let number = number.ok_or(CommandError::InvalidCursor)?;
    Ok(if negative { number.wrapping_neg() } else { number })
}

/// What is scanned: each has an option of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scanned {
    /// The keys of a database, perhaps of one TYPE.
    Keys,
    /// The fields of a hash, perhaps with NOVALUES.
    Fields,
    /// The members of a set or a sorted set.
    Members,
}

/// The options of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScanOptions<'a> {
    pattern: Option<&'a [u8]>,
    /// The name of a type.
    pub(super) kind: Option<&'a [u8]>,
    count: usize,
    /// Whether a hash's values are left out.
    pub(super) without_values: bool,
}

impl<'a> ScanOptions<'a> {
    pub(super) fn parse(args: Args<'a>, scanned: Scanned) -> Result<Self, CommandError> {
        let mut options = Self { pattern: None, kind: None, count: 10, without_values: false };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            if is(word, "NOVALUES") {
                if scanned != Scanned::Fields {
                    return Err(CommandError::Other("ERR NOVALUES option can only be used in HSCAN"));
                }
                options.without_values = true;
                continue;
            }
            let value = words.next().ok_or(CommandError::Syntax)?;
            if is(word, "COUNT") {
                let count = integer(value)?;
                options.count = usize::try_from(count).ok().filter(|&n| n > 0).ok_or(CommandError::Syntax)?;
            } else if is(word, "MATCH") {
                options.pattern = Some(value).filter(|pattern| pattern != b"*");
            } else if is(word, "TYPE") && scanned == Scanned::Keys {
                options.kind = Some(value);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

/// One call's elements.
pub(super) struct Page<'a> {
    options: &'a ScanOptions<'a>,
    reply: ReplyWriter<'a>,
    shown: usize,
    steps: usize,
    written: usize,
}

impl<'a> Page<'a> {
    /// An empty page, whose elements are kept in `room`.
    pub(super) fn new(options: &'a ScanOptions<'a>, room: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Self { options, reply: ReplyWriter::new(room, protocol), shown: 0, steps: 0, written: 0 }
    }

    /// Begins another step, unless enough was shown.
    pub(super) fn goes_on(&mut self) -> bool {
        self.steps += 1;
        self.shown < self.options.count && self.steps <= self.options.count.saturating_mul(STEPS_PER_ELEMENT)
    }

    /// Whether enough was shown.
    pub(super) fn is_full(&self) -> bool {
        self.shown >= self.options.count
    }

    /// How many parts of elements were written.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    /// Is shown an element: whether it belongs on the page.
    pub(super) fn admits(&mut self, element: &[u8]) -> bool {
        self.shown += 1;
        self.options.pattern.is_none_or(|pattern| glob::matches(pattern, element, Case::Sensitive))
    }

    /// Is shown a member of a collection and writes it if it belongs on the page; whether it does.
    pub(super) fn member(&mut self, member: Item<'_>) -> bool {
        let admitted = self.admits(member.bytes(&mut IntegerText::new()));
        if admitted {
            self.write(member);
        }
        admitted
    }

    /// Writes a part of an element that was admitted.
    pub(super) fn write(&mut self, part: Item<'_>) {
        elements::bulk(&mut self.reply, part);
        self.written += 1;
    }
}

/// Replies with the next cursor and the parts of a page, of which there are so many.
pub(super) fn finish(reply: &mut ReplyWriter<'_>, cursor: u64, written: usize, page: &[u8]) {
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(cursor).as_bytes());
    reply.array(written);
    reply.raw(page);
}

/// Runs `xSCAN key cursor [options]`; `step` shows the page the elements at a cursor and answers the next.
pub(super) fn collection<C: Collection>(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
    scanned: Scanned,
    step: impl Fn(&C, u64, &mut Page<'_>, &ScanOptions<'_>) -> u64,
) -> Handled {
    let mut cursor = cursor(args.at(2))?;
    let Some(collection) = slots.read::<C>(cx, args.at(1))? else {
        // Without a key, the options are not looked at.
        finish(reply, 0, 0, &[]);
        return Ok(());
    };
    let options = ScanOptions::parse(args.skip(3), scanned)?;
    let mut room = Vec::new();
    let mut page = Page::new(&options, &mut room, reply.protocol());
    while page.goes_on() {
        cursor = step(collection, cursor, &mut page, &options);
        if cursor == 0 {
            break;
        }
    }
    let written = page.written();
    finish(reply, cursor, written, &room);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_strtoul_reads_them() {
        for (text, number) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("17", Some(17)),
            ("+17", Some(17)),
            ("017", Some(17)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-", None),
            (" 1", None),
            ("1 ", None),
            ("1x", None),
            ("--1", None),
        ] {
            assert_eq!(cursor(text.as_bytes()).ok(), number, "{text:?}");
        }
    }
}
