//! Strings as rows of bits: SETBIT and GETBIT.
//!
//! Bit 0 is the highest of the first byte. A bit beyond the end is 0; setting one lengthens the string with zeros, as
//! SETRANGE does, up to the same limit.
//!
//! Source: Redis documentation, "Bitmaps".

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::{CommandError, Handled, args};
use crate::context::Context;
use crate::notice::Classes;
use crate::store::entry::Origin;
use crate::store::locked::{LockedSlots, NewDeadline};

const BAD_OFFSET: CommandError = CommandError::Other("ERR bit offset is not an integer or out of range");
const BAD_BIT: CommandError = CommandError::Other("ERR bit is not an integer or out of range");

/// Where a bit is: its byte, and the mask of it there.
fn place(offset: &[u8], string_max: usize) -> Result<(usize, u8), CommandError> {
    let offset = args::integer(offset).map_err(|_| BAD_OFFSET)?;
    let offset = usize::try_from(offset).ok().filter(|offset| offset / 8 < string_max);
    let offset = offset.ok_or(BAD_OFFSET)?;
    Ok((offset / 8, 0x80 >> (offset % 8)))
}

pub(super) fn getbit(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (byte, mask) = place(args.at(2), slots.tuned().string_max())?;
    let string = slots.string(cx, args.at(1))?.unwrap_or_default();
    reply.integer(i64::from(string.get(byte).is_some_and(|bits| bits & mask != 0)));
    Ok(())
}

pub(super) fn setbit(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let key = args.at(1);
    let (byte, mask) = place(args.at(2), slots.tuned().string_max())?;
    let on = match args.at(3) {
        b"0" => false,
        b"1" => true,
        _ => return Err(BAD_BIT),
    };
    let before = match slots.string_mut(cx, key)? {
        Some(mut string) => {
            let found = string.bytes().get(byte).copied();
            let bits = found.unwrap_or(0);
            let before = bits & mask != 0;
            if found.is_some() && before == on {
                // It is so already: no change for anybody, but a string that is edited is `raw` from then on.
                string.set_origin(Origin::Edited);
                reply.integer(i64::from(before));
                return Ok(());
            }
            string.write_at(cx, byte, &[if on { bits | mask } else { bits & !mask }]);
            before
        }
        None => {
            let mut bytes = vec![0; byte + 1];
            bytes[byte] = if on { mask } else { 0 };
            slots.set_string(cx, key, &bytes, NewDeadline::Clear);
            if let Some(mut string) = slots.string_mut(cx, key)? {
                string.set_origin(Origin::Edited);
            }
            false
        }
    };
    slots.notify(cx, Classes::STRING, "setbit", key);
    reply.integer(i64::from(before));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn bits_are_set_and_read_from_the_highest_on() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SETBIT b 1 1", ":0"),
            ("GET b", "@"),
            ("SETBIT b 1 1", ":1"),
            ("SETBIT b 15 1", ":0"),
            ("STRLEN b", ":2"),
            ("SETBIT b 1 0", ":1"),
            ("GETBIT b 15", ":1"),
            ("GETBIT b 14", ":0"),
            ("GETBIT b 1000", ":0"),
            ("GETBIT none 3", ":0"),
            ("SETBIT n 20 0", ":0"),
            ("STRLEN n", ":3"),
            ("SET i 1", "+OK"),
            ("SETBIT i 6 1", ":0"),
            ("GET i", "3"),
        ]);
        let last = bench.effects().pop();
        assert_eq!(last.as_deref(), Some("range i 0 3"));
    }

    #[test]
    fn a_string_is_raw_after_a_bit_was_set_to_what_it_was() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SET i 5", "+OK"),
            ("SETBIT i 0 0", ":0"),
            ("OBJECT ENCODING i", "raw"),
            ("SET i 5", "+OK"),
            ("GETBIT i 0", ":0"),
            ("OBJECT ENCODING i", "int"),
        ]);
        assert_eq!(bench.effects().len(), 2);
    }

    #[test]
    fn what_is_no_bit_is_refused_before_the_key_is_looked_at() {
        let mut bench = Bench::new();
        let (offset, bit) = (
            "-ERR bit offset is not an integer or out of range",
            "-ERR bit is not an integer or out of range",
        );
        bench.check_all(&[
            ("SETBIT b x 1", offset),
            ("SETBIT b -1 1", offset),
            ("SETBIT b 4294967296 1", offset),
            ("SETBIT b 9223372036854775807 1", offset),
            ("SETBIT b 1 2", bit),
            ("SETBIT b 1 x", bit),
            ("GETBIT b -1", offset),
            ("EXISTS b", ":0"),
            ("RPUSH l a", ":1"),
            ("SETBIT l 1 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("GETBIT l 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ]);
    }
}
