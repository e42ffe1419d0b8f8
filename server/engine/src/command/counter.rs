//! Counters: strings that hold a number.
//!
//! A counter has no type of its own: each command reads the string as a number, adds, and writes the digits back. Integers
//! are of 64 bits and an overflow is refused before anything changes; floats are added in the
//! format in which Redis adds them (`long_double`). The effect is the resulting string, never "add": a copy must not compute
//! it again.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::args::integer;
use super::long_double::LongDouble;
use super::{CommandError, Handled};
use crate::context::Context;
use crate::notice::Classes;
use crate::store::entry::Origin;
use crate::store::locked::{LockedSlots, NewDeadline};

#[inline]
pub(super) fn incr(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    add(cx, slots, args.at(1), 1, reply)
}

pub(super) fn decr(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    add(cx, slots, args.at(1), -1, reply)
}

pub(super) fn incrby(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    add(cx, slots, args.at(1), integer(args.at(2))?, reply)
}

pub(super) fn decrby(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let delta = integer(args.at(2))?.checked_neg().ok_or(CommandError::DecrementOverflow)?;
    add(cx, slots, args.at(1), delta, reply)
}

#[inline]
fn add(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    key: &[u8],
    delta: i64,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let mut digits = itoa::Buffer::new();
    let sum = match slots.string_mut(cx, key)? {
        Some(mut string) => {
            let sum = integer(string.bytes())?.checked_add(delta).ok_or(CommandError::Overflow)?;
            string.replace(cx, digits.format(sum).as_bytes());
            sum
        }
        None => {
            slots.set_string(cx, key, digits.format(delta).as_bytes(), NewDeadline::Clear);
            delta
        }
    };
    slots.notify(cx, Classes::STRING, "incrby", key);
    reply.integer(sum);
    Ok(())
}

pub(super) fn incrbyfloat(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let key = args.at(1);
    let sum = match slots.string_mut(cx, key)? {
        Some(mut string) => {
            let sum = add_floats(string.bytes(), args.at(2))?;
            string.replace(cx, sum.as_bytes());
            string.set_origin(Origin::Computed);
            sum
        }
        None => {
            let sum = add_floats(b"0", args.at(2))?;
            slots.set_string(cx, key, sum.as_bytes(), NewDeadline::Clear);
            if let Some(mut string) = slots.string_mut(cx, key)? {
                string.set_origin(Origin::Computed);
            }
            sum
        }
    };
    slots.notify(cx, Classes::STRING, "incrbyfloat", key);
    reply.bulk(sum.as_bytes());
    Ok(())
}

/// The sum's text.
fn add_floats(value: &[u8], delta: &[u8]) -> Result<String, CommandError> {
    let number = |text| LongDouble::parse(text).ok_or(CommandError::NotFloat);
    let sum = number(value)?.checked_add(number(delta)?).ok_or(CommandError::NanOrInfinity)?;
    Ok(sum.text())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn integers() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("INCR a", ":1"),
            ("INCR a", ":2"),
            ("INCRBY a 40", ":42"),
            ("DECR a", ":41"),
            ("DECRBY a 50", ":-9"),
            ("GET a", "-9"),
            ("SET b 9223372036854775807", "+OK"),
            ("INCR b", "-ERR increment or decrement would overflow"),
            ("DECRBY b -9223372036854775808", "-ERR decrement would overflow"),
            ("INCRBY b x", "-ERR value is not an integer or out of range"),
            ("SET c 1x", "+OK"),
            ("INCR c", "-ERR value is not an integer or out of range"),
            ("SET d 1 EX 100", "+OK"),
            ("INCR d", ":2"),
            ("TTL d", ":100"),
        ]);
        assert_eq!(bench.effects()[..2], ["set a 1", "set a 2"]);
    }

    #[test]
    fn floats() {
        Bench::new().check_all(&[
            ("INCRBYFLOAT a 0.1", "0.1"),
            ("INCRBYFLOAT a 0.2", "0.3"),
            ("SET b 10.50", "+OK"),
            ("INCRBYFLOAT b 0.1", "10.6"),
            ("INCRBYFLOAT b -5", "5.6"),
            ("SET c 5.0e3", "+OK"),
            ("INCRBYFLOAT c 2.0e2", "5200"),
            ("SET d x", "+OK"),
            ("INCRBYFLOAT d 1", "-ERR value is not a valid float"),
            ("INCRBYFLOAT a x", "-ERR value is not a valid float"),
            ("INCRBYFLOAT a nan", "-ERR value is not a valid float"),
            ("INCRBYFLOAT a inf", "-ERR increment would produce NaN or Infinity"),
            ("SET e 3", "+OK"),
            ("INCRBYFLOAT e -3", "0"),
        ]);
    }
}
