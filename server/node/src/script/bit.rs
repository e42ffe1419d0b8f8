//! The library `bit` that scripts have: operations on the 32 low bits of numbers.
//!
//! Source: the documentation of Lua BitOp, semantics: numbers are taken modulo 2^32, results are signed, and shifts look at
//! the five low bits of their count.

use mlua::{Error, Lua, Result, Table, Value, Variadic};

/// The 32 low bits of a number.
fn bits(number: f64) -> i32 {
    // Whole numbers of up to 53 bits are exact, and others are rounded as the library does.
    (number.round_ties_even() % 4_294_967_296.0) as i64 as i32
}

fn argument(value: Option<&Value>, position: usize) -> Result<i32> {
    let number = match value {
        Some(Value::Integer(number)) => Some(*number as f64),
        Some(Value::Number(number)) => Some(*number),
        Some(Value::String(text)) => text.to_str().ok().and_then(|text| text.trim().parse().ok()),
        _ => None,
    };
    number.map(bits).ok_or_else(|| {
        let got = value.map_or("no value", Value::type_name);
        Error::runtime(format!("bad argument #{position} (number expected, got {got})"))
    })
}

fn unary(lua: &Lua, table: &Table, name: &str, operation: fn(i32) -> i32) -> Result<()> {
    let function = lua.create_function(move |_, arguments: Variadic<Value>| {
        Ok(f64::from(operation(argument(arguments.first(), 1)?)))
    })?;
    table.raw_set(name, function)
}

fn fold(lua: &Lua, table: &Table, name: &str, operation: fn(i32, i32) -> i32) -> Result<()> {
    let function = lua.create_function(move |_, arguments: Variadic<Value>| {
        let mut result = argument(arguments.first(), 1)?;
        for (index, value) in arguments.iter().enumerate().skip(1) {
            result = operation(result, argument(Some(value), index + 1)?);
        }
        Ok(f64::from(result))
    })?;
    table.raw_set(name, function)
}

fn shift(lua: &Lua, table: &Table, name: &str, operation: fn(i32, u32) -> i32) -> Result<()> {
    let function = lua.create_function(move |_, arguments: Variadic<Value>| {
        let count = argument(arguments.get(1), 2)?.cast_unsigned() & 31;
        Ok(f64::from(operation(argument(arguments.first(), 1)?, count)))
    })?;
    table.raw_set(name, function)
}

/// As many hexadecimal digits as the second argument says, eight without one; capital ones if it is negative.
fn to_hex(_: &Lua, arguments: Variadic<Value>) -> Result<String> {
    let number = argument(arguments.first(), 1)?.cast_unsigned();
    let digits = if arguments.len() > 1 { argument(arguments.get(1), 2)? } else { 8 };
    let count = usize::try_from(digits.unsigned_abs()).unwrap_or(8).min(8);
    let text = if digits < 0 { format!("{number:08X}") } else { format!("{number:08x}") };
    Ok(text[8 - count..].to_owned())
}

/// The library.
pub(super) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    unary(lua, &table, "tobit", |n| n)?;
    unary(lua, &table, "bnot", |n| !n)?;
    unary(lua, &table, "bswap", i32::swap_bytes)?;
    fold(lua, &table, "band", |a, b| a & b)?;
    fold(lua, &table, "bor", |a, b| a | b)?;
    fold(lua, &table, "bxor", |a, b| a ^ b)?;
    shift(lua, &table, "lshift", |n, count| n << count)?;
    shift(lua, &table, "rshift", |n, count| (n.cast_unsigned() >> count).cast_signed())?;
    shift(lua, &table, "arshift", |n, count| n >> count)?;
    shift(lua, &table, "rol", i32::rotate_left)?;
    shift(lua, &table, "ror", i32::rotate_right)?;
    table.raw_set("tohex", lua.create_function(to_hex)?)?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_those_of_the_library() {
        let lua = Lua::new();
        lua.globals().set("bit", table(&lua).expect("memory")).expect("memory");
        let check = |code: &str, expected: &str| {
            let result: String = lua.load(format!("return tostring({code})")).eval().expect(code);
            assert_eq!(result, expected, "{code}");
        };
        check("bit.tobit(0xffffffff)", "-1");
        check("bit.tobit(0xffffffff + 1)", "0");
        check("bit.tobit(2^40 + 1234)", "1234");
        check("bit.tohex(65535, -2147483648)", "0000FFFF");
        check("bit.tohex(-1, 4)", "ffff");
        check("bit.tohex(255, -8)", "000000FF");
        check("bit.tohex(1, 0)", "");
        check("bit.bnot(0x12345678)", "-305419897");
        check("bit.band(0x12345678, 0xff)", "120");
        check("bit.bor(1, 2, 4, 8)", "15");
        check("bit.bxor(0xa5a5f0f0, 0xaa55ff00)", "267390960");
        check("bit.lshift(1, 32)", "1");
        check("bit.rshift(-256, 8)", "16777215");
        check("bit.arshift(-256, 8)", "-1");
        check("bit.rol(0x12345678, 12)", "1164411171");
        check("bit.ror(0x12345678, 12)", "1736516421");
        check("bit.bswap(0x12345678)", "2018915346");
    }
}
