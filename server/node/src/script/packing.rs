//! The library `struct` that scripts have: numbers and strings as the bytes of a C structure, and back.
//!
//! A format is letters for values and signs for the order and the alignment of bytes. Sizes and places are counted as a C
//! program counts them, in 64 bits that overflow; what is read lies within the string, whatever a format says.
//!
//! Source: the documentation of Roberto Ierusalimschy's struct, 0.3, with Redis' limits.

use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

use super::arguments::{Arguments, located, number};

/// The largest integer, in bytes.
const INTEGER_MAX: usize = 32;

/// The alignment of a double.
const ALIGN_MAX: usize = 8;

/// How many values are returned at once, as many as the stack of Lua holds.
const RESULTS_MAX: usize = 7900;

/// How long the packed string may get: what it takes is not counted as the interpreter's.
const LEN_MAX: usize = 512 * 1024 * 1024;

/// A format that is being read.
struct Format<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    big_endian: bool,
    align: usize,
}

impl<'a> Format<'a> {
    /// A format ends at a zero byte, as strings in C do.
    fn new(lua: &'a Lua, format: &'a [u8]) -> Self {
        let end = format.iter().position(|&byte| byte == 0).unwrap_or(format.len());
        Self { lua, rest: &format[..end], big_endian: false, align: 1 }
    }

    /// The next letter, and the size of what it stands for.
    fn next(&mut self) -> Result<Option<(u8, usize)>> {
        let Some((&letter, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match letter {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.count(1)?,
            b'i' | b'I' => {
                let size = self.count(4)?;
                if size > INTEGER_MAX {
                    let text = format!("integral size {size} is larger than limit of {INTEGER_MAX}");
                    return Err(located(self.lua, &text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((letter, size)))
    }

    /// The number that stands there, if there is one.
    fn count(&mut self, default: usize) -> Result<usize> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at(digits);
        if number.is_empty() {
            return Ok(default);
        }
        self.rest = rest;
        let number = str::from_utf8(number).ok().and_then(|digits| digits.parse::<i32>().ok());
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| located(self.lua, "integral size overflow"))
    }

    /// How many bytes are left out so that a value of that size is aligned.
    fn padding(&self, place: usize, letter: u8, size: usize) -> usize {
        if size == 0 || letter == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        size.wrapping_sub(place & (size - 1)) & (size - 1)
    }

    /// A sign that stands for no value.
    fn sign(&mut self, letter: u8, args: &Arguments<'_>) -> Result<()> {
        match letter {
            b' ' => {}
            b'>' => self.big_endian = true,
            b'<' => self.big_endian = false,
            b'!' => {
                let align = self.count(ALIGN_MAX)?;
                if !align.is_power_of_two() {
                    let text = format!("alignment {align} is not a power of 2");
                    return Err(located(self.lua, &text));
                }
                self.align = align;
            }
            other => {
                return Err(args.bad(1, &format!("invalid format option '{}'", char::from(other))));
            }
        }
        Ok(())
    }

    /// Bytes in the order that the format wants, from or to little-endian ones.
    fn ordered<const N: usize>(&self, mut bytes: [u8; N]) -> [u8; N] {
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }
}

/// A number as C makes an unsigned integer of it.
fn unsigned(number: f64) -> u64 {
    if number < 0.0 {
        (number as i64).cast_unsigned()
    } else if number.is_nan() {
        1 << 63
    } else if number >= 18_446_744_073_709_551_616.0 {
        0
    } else {
        number as u64
    }
}

fn pack(lua: &Lua, args: &Arguments<'_>) -> Result<MultiValue> {
    let text = args.string(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(lua, &text);
    let (mut out, mut position) = (Vec::new(), 2);
    while let Some((letter, size)) = format.next()? {
        out.resize(out.len() + format.padding(out.len(), letter, size), 0);
        match letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let mut bytes = [0; INTEGER_MAX];
                bytes[..8].copy_from_slice(&unsigned(args.number(position)?).to_le_bytes());
                let begin = out.len();
                out.extend_from_slice(&bytes[..size]);
                if format.big_endian {
                    out[begin..].reverse();
                }
                position += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                out.extend_from_slice(&format.ordered((args.number(position)? as f32).to_le_bytes()));
                position += 1;
            }
            b'd' => {
                out.extend_from_slice(&format.ordered(args.number(position)?.to_le_bytes()));
                position += 1;
            }
            b'c' | b's' => {
                let string = args.string(position)?;
                let string = string.as_bytes();
                position += 1;
                let size = if size == 0 { string.len() } else { size };
                let part = string.get(..size).ok_or_else(|| args.bad(position, "string too short"))?;
                out.extend_from_slice(part);
                if letter == b's' {
                    out.push(0);
                }
            }
            other => format.sign(other, args)?,
        }
        if out.len() > LEN_MAX {
            return Err(mlua::Error::MemoryError("not enough memory".to_owned()));
        }
    }
    Ok(MultiValue::from_iter([Value::String(lua.create_string(out)?)]))
}

/// An integer of that many bytes, as C reads one into 64 bits.
fn integer(bytes: &[u8], big_endian: bool, signed: bool) -> f64 {
    let shifted = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
    let number = if big_endian { bytes.iter().fold(0, shifted) } else { bytes.iter().rev().fold(0, shifted) };
    if !signed {
        return number as f64;
    }
    // The sign is where the size says, counted around the 64 bits.
    let mask = u64::MAX.wrapping_shl((bytes.len() as u32).wrapping_mul(8).wrapping_sub(1));
    let number = if number & mask == 0 { number } else { number | mask };
    number.cast_signed() as f64
}

fn unpack(lua: &Lua, args: &Arguments<'_>) -> Result<MultiValue> {
    let (text, data) = (args.string(1)?, args.string(2)?);
    let (text, data) = (text.as_bytes(), data.as_bytes());
    let place = args.integer_or(3, 1)?;
    if place == 0 {
        return Err(args.bad(3, "offset must be 1 or greater"));
    }
    let too_short = || args.bad(2, "data string too short");
    let mut format = Format::new(lua, &text);
    let (mut values, mut place) = (Vec::new(), place.cast_unsigned().wrapping_sub(1) as usize);
    while let Some((letter, mut size)) = format.next()? {
        place = place.wrapping_add(format.padding(place, letter, size));
        let from = data.get(place..).filter(|from| from.len() >= size).ok_or_else(too_short)?;
        match letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = integer(&from[..size], format.big_endian, letter.is_ascii_lowercase());
                values.push(Value::Number(number));
            }
            b'x' => {}
            b'f' => {
                let bytes = from.first_chunk::<4>().ok_or_else(too_short)?;
                values.push(Value::Number(f32::from_le_bytes(format.ordered(*bytes)).into()));
            }
            b'd' => {
                let bytes = from.first_chunk::<8>().ok_or_else(too_short)?;
                values.push(Value::Number(f64::from_le_bytes(format.ordered(*bytes))));
            }
            b'c' => {
                if size == 0 {
                    let counted = values.pop().and_then(|value| number(lua, &value));
                    let counted = counted.ok_or_else(|| located(lua, "format 'c0' needs a previous size"))?;
                    size = if counted < 0.0 { usize::MAX } else { counted as usize };
                }
                values.push(string(lua, from.get(..size).ok_or_else(too_short)?)?);
            }
            b's' => {
                let end = from.iter().position(|&byte| byte == 0);
                let end = end.ok_or_else(|| located(lua, "unfinished string in data"))?;
                values.push(string(lua, &from[..end])?);
                size = end + 1;
            }
            other => format.sign(other, args)?,
        }
        if values.len() > RESULTS_MAX {
            return Err(located(lua, "stack overflow (too many results)"));
        }
        place = place.wrapping_add(size);
    }
    values.push(Value::Number(place.wrapping_add(1) as f64));
    Ok(MultiValue::from_iter(values))
}

fn string(lua: &Lua, bytes: &[u8]) -> Result<Value> {
    let string: LuaString = lua.create_string(bytes)?;
    Ok(Value::String(string))
}

/// The size of everything that a format stands for.
fn size(lua: &Lua, args: &Arguments<'_>) -> Result<MultiValue> {
    let text = args.string(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(lua, &text);
    let mut place = 0_usize;
    while let Some((letter, size)) = format.next()? {
        place = place.wrapping_add(format.padding(place, letter, size));
        if letter == b's' {
            return Err(args.bad(1, "option 's' has no fixed size"));
        } else if letter == b'c' && size == 0 {
            return Err(args.bad(1, "option 'c0' has no fixed size"));
        } else if !letter.is_ascii_alphanumeric() {
            format.sign(letter, args)?;
        }
        place = place.wrapping_add(size);
    }
    Ok(MultiValue::from_iter([Value::Number(place as f64)]))
}

/// The library.
pub(super) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let add = |name: &str, function: fn(&Lua, &Arguments<'_>) -> Result<MultiValue>| {
        let function =
            lua.create_function(move |lua, values: MultiValue| function(lua, &Arguments::new(lua, values)))?;
        table.raw_set(name, function)
    };
    let packing = lua.create_function(|lua, mut values: MultiValue| {
        // One that is missing reads as nil.
        values.push_back(Value::Nil);
        pack(lua, &Arguments::new(lua, values))
    })?;
    table.raw_set("pack", packing)?;
    add("unpack", unpack)?;
    add("size", size)?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lua() -> Lua {
        let lua = Lua::new();
        lua.globals().set("struct", table(&lua).expect("memory")).expect("memory");
        let hex = "function hex(s) return (s:gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end \
            function bytes(h) return (h:gsub('..', function(d) return string.char(tonumber(d, 16)) end)) end \
            function all(...) local t = {...} for i, v in ipairs(t) do t[i] = tostring(v) end return table.concat(t, ' ') end";
        lua.load(hex).exec().expect("three functions");
        lua
    }

    #[track_caller]
    fn check(lua: &Lua, code: &str, expected: &str) {
        let chunk = lua.load(format!("return tostring({code})")).set_name("@script");
        let text = chunk.eval::<String>().unwrap_or_else(|error| crate::script::failure::message(&error));
        assert_eq!(text, expected, "{code}");
    }

    #[test]
    fn values_become_bytes() {
        let lua = lua();
        for (code, expected) in [
            ("'bBhH', -1, 255, -2, 65535", "fffffeffffff"),
            ("'>hi3I2', 1, 2, 3", "000100000200 03"),
            ("'<l>l', 1, -2", "0100000000000000fffffffffffffffe"),
            ("'>fd', 0.5, 0.1", "3f0000003fb999999999999a"),
            ("'c2c0sx', 'abc', 'de', 'f'", "61626465660000"),
            ("'!4 b i !8 d', 1, 2, 0", "01000000020000000000000000000000"),
            ("'i32', -1", "ffffffffffffffff000000000000000000000000000000000000000000000000"),
            ("'i0', 7", ""),
            ("'L', 2^64", "0000000000000000"),
        ] {
            check(&lua, &format!("hex(struct.pack({code}))"), &expected.replace(' ', ""));
        }
    }

    #[test]
    fn bytes_become_values() {
        let lua = lua();
        for (code, expected) in [
            ("'bBhH', bytes('fffffeffffff')", "-1 255 -2 65535 7"),
            ("'>i3', bytes('ff000001'), 2", "1 5"),
            ("'<i2', bytes('0180')", "-32767 3"),
            ("'bc0', bytes('02616263')", "ab 4"),
            ("'ss', bytes('61006200')", "a b 5"),
            ("'>fd', bytes('3f0000003fe0000000000000')", "0.5 0.5 13"),
            ("'', 'abc'", "1"),
            ("'i9', bytes('000000000000000080')", "0 10"),
        ] {
            check(&lua, &format!("all(struct.unpack({code}))"), expected);
        }
        check(&lua, "struct.size('!4 b i d c5 >')", "21");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let lua = lua();
        let bad = |of: &str, position: u32, reason: &str| {
            format!("script:1: bad argument #{position} to '{of}' ({reason})")
        };
        for (code, expected) in [
            ("struct.pack('i')", bad("pack", 2, "number expected, got nil")),
            ("struct.pack('c5', 'abc')", bad("pack", 3, "string too short")),
            ("struct.pack('z')", bad("pack", 1, "invalid format option 'z'")),
            ("struct.pack('i33', 1)", "script:1: integral size 33 is larger than limit of 32".to_owned()),
            ("struct.pack('i99999999999', 1)", "script:1: integral size overflow".to_owned()),
            ("struct.pack('!3')", "script:1: alignment 3 is not a power of 2".to_owned()),
            ("struct.unpack('i', 'abc')", bad("unpack", 2, "data string too short")),
            ("struct.unpack('i', 'abcd', -1)", bad("unpack", 2, "data string too short")),
            ("struct.unpack('i', 'abcd', 0)", bad("unpack", 3, "offset must be 1 or greater")),
            ("struct.unpack('c2147483647', 'a')", bad("unpack", 2, "data string too short")),
            ("struct.unpack('bc0', bytes('ff61'))", bad("unpack", 2, "data string too short")),
            ("struct.unpack('c0', 'a')", "script:1: format 'c0' needs a previous size".to_owned()),
            ("struct.unpack('s', 'a')", "script:1: unfinished string in data".to_owned()),
            (
                "struct.unpack(('x'):rep(0) .. ('i0'):rep(10000), '')",
                "script:1: stack overflow (too many results)".to_owned(),
            ),
            ("struct.size('s')", bad("size", 1, "option 's' has no fixed size")),
            ("struct.size('c0')", bad("size", 1, "option 'c0' has no fixed size")),
        ] {
            check(&lua, code, &expected);
        }
    }

    proptest! {
        #[test]
        fn any_format_is_followed_or_refused(
            format in "[bBhHlLTiIcsfdx!<> 0-9]{0,12}",
            data in prop::collection::vec(any::<u8>(), 0..40),
            place in any::<i64>(),
        ) {
            let lua = lua();
            let globals = lua.globals();
            globals.set("format", format).expect("memory");
            globals.set("data", lua.create_string(&data).expect("memory")).expect("memory");
            globals.set("place", place).expect("memory");
            let code = "for _, at in ipairs({1, 5, place}) do \
                local read = {pcall(struct.unpack, format, data, at)} \
                if read[1] then pcall(struct.pack, format, unpack(read, 2)) end end \
                pcall(struct.size, format) return true";
            prop_assert!(lua.load(code).eval::<bool>().expect("a verdict"));
        }
    }
}
