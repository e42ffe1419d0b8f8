//! Numbers in a hash's fields: HINCRBY and HINCRBYFLOAT.
//!
//! As with counters that are keys of their own, a field has no type: it is read as a number, added to, and written back as
//! its digits, and the effect is the result. What cannot be added leaves the hash as it was, and no empty one behind.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::super::args::{integer, parse_integer};
use super::super::long_double::LongDouble;
use crate::command::CommandError;
use crate::context::Context;
use crate::effect::Effect;
use crate::notice::Classes;
use crate::store::locked::LockedSlots;
use crate::value::{Hash, IntegerText, Item};

/// Replaces a field's value by what `sum` makes of it, and tells of it.
fn replace(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    event: &'static str,
    sum: impl FnOnce(Option<Item<'_>>) -> Result<String, CommandError>,
) -> Result<String, CommandError> {
    let (key, field) = (args.at(1), args.at(2));
    slots.modify_or_create(cx, key, |hash: &mut Hash, emitter| {
        let sum = sum(hash.get(field))?;
        let value = sum.as_bytes();
        hash.set(field, value, emitter.limits());
        emitter.emit(Effect::HashSet { key, field, value });
        emitter.notify(Classes::HASH, event);
        Ok(sum)
    })?
}

pub(in super::super) fn hincrby(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let delta = integer(args.at(3))?;
    let mut sum = 0;
    replace(cx, slots, args, "hincrby", |value| {
        let value = match value {
            None => Some(0),
            Some(Item::Integer(number)) => Some(number),
            Some(Item::Bytes(text)) => parse_integer(text),
        };
        let value = value.ok_or(CommandError::Other("ERR hash value is not an integer"))?;
        sum = value.checked_add(delta).ok_or(CommandError::Overflow)?;
        Ok(sum.to_string())
    })?;
    reply.integer(sum);
    Ok(())
}

pub(in super::super) fn hincrbyfloat(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let delta = LongDouble::parse(args.at(3)).ok_or(CommandError::NotFloat)?;
    if matches!(delta, LongDouble::Infinite { .. }) {
        return Err(CommandError::Other("ERR value is NaN or Infinity"));
    }
    let sum = replace(cx, slots, args, "hincrbyfloat", |value| {
        let value = match value {
            None => LongDouble::parse(b"0"),
            Some(item) => LongDouble::parse(item.bytes(&mut IntegerText::new())),
        };
        let value = value.ok_or(CommandError::Other("ERR hash value is not a float"))?;
        Ok(value.checked_add(delta).ok_or(CommandError::NanOrInfinity)?.text())
    })?;
    reply.bulk(sum.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn integers() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("HINCRBY h n 5", ":5"),
            ("HINCRBY h n -7", ":-2"),
            ("HGET h n", "-2"),
            ("HSET h max 9223372036854775807 text x padded 01", ":3"),
            ("HINCRBY h max 1", "-ERR increment or decrement would overflow"),
            ("HINCRBY h n -9223372036854775807", "-ERR increment or decrement would overflow"),
            ("HINCRBY h text 1", "-ERR hash value is not an integer"),
            ("HINCRBY h padded 1", "-ERR hash value is not an integer"),
            ("HINCRBY none n x", "-ERR value is not an integer or out of range"),
            ("EXISTS none", ":0"),
        ]);
        assert_eq!(bench.effects()[..2], ["hset h n 5", "hset h n -2"]);
    }

    #[test]
    fn floats() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("HINCRBYFLOAT h n 10.5", "10.5"),
            ("HINCRBYFLOAT h n 0.1", "10.6"),
            ("HINCRBYFLOAT h n -5.0e0", "5.6"),
            ("HSET h hex 0x10 inf inf text x nan nan", ":4"),
            ("HINCRBYFLOAT h hex 1", "17"),
            ("HINCRBYFLOAT h inf 1", "-ERR increment would produce NaN or Infinity"),
            ("HINCRBYFLOAT h text 1", "-ERR hash value is not a float"),
            ("HINCRBYFLOAT h nan 1", "-ERR hash value is not a float"),
            ("HINCRBYFLOAT h n nan", "-ERR value is not a valid float"),
            ("HINCRBYFLOAT h n -inf", "-ERR value is NaN or Infinity"),
            ("HINCRBYFLOAT none n x", "-ERR value is not a valid float"),
            ("EXISTS none", ":0"),
        ]);
        assert_eq!(bench.effects()[..2], ["hset h n 10.5", "hset h n 10.6"]);
    }
}
