//! The library `bit` that scripts have: operations on the 32 low bits of numbers.
//!
//! Source: the documentation of Lua BitOp, semantics: numbers are taken modulo 2^32, results are signed, and shifts look at
//! the five low bits of their count.

use mlua::{Lua, MultiValue, Result, Table};

use super::arguments::Arguments;

/// The 32 low bits of a number.
fn bits(number: f64) -> i32 {
    // Whole numbers of up to 53 bits are exact, and others are rounded as the library does.
    (number.round_ties_even() % 4_294_967_296.0) as i64 as i32
}

fn argument(arguments: &Arguments<'_>, position: usize) -> Result<i32> {
    arguments.number(position).map(bits)
}

fn add(
    lua: &Lua,
    table: &Table,
    name: &str,
    operation: impl Fn(&Arguments<'_>) -> Result<i32> + 'static,
) -> Result<()> {
    let function = lua.create_function(move |lua, values: MultiValue| {
        operation(&Arguments::new(lua, values)).map(f64::from)
    })?;
    table.raw_set(name, function)
}

fn unary(lua: &Lua, table: &Table, name: &str, operation: fn(i32) -> i32) -> Result<()> {
    add(lua, table, name, move |arguments| Ok(operation(argument(arguments, 1)?)))
}

fn fold(lua: &Lua, table: &Table, name: &str, operation: fn(i32, i32) -> i32) -> Result<()> {
    add(lua, table, name, move |arguments| {
        let first = argument(arguments, 1)?;
        (2..=arguments.len())
            .rev()
            .try_fold(first, |result, at| Ok(operation(result, argument(arguments, at)?)))
    })
}

fn shift(lua: &Lua, table: &Table, name: &str, operation: fn(i32, u32) -> i32) -> Result<()> {
    add(lua, table, name, move |arguments| {
        let number = argument(arguments, 1)?;
        Ok(operation(number, argument(arguments, 2)?.cast_unsigned() & 31))
    })
}

/// As many hexadecimal digits as the second argument says, eight without one; capital ones if it is negative.
fn to_hex(lua: &Lua, values: MultiValue) -> Result<String> {
    let arguments = Arguments::new(lua, values);
    let number = argument(&arguments, 1)?.cast_unsigned();
    let digits = if arguments.len() < 2 { 8 } else { argument(&arguments, 2)? };
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
