//! The library `cmsgpack` that scripts have: values of Lua in MessagePack and back.
//!
//! Written is the shortest form of every value; a table is an array if its keys are 1 to n, and a map if not. A table that is
//! too deep in others is nil, so that one that contains itself comes to an end. Read is everything but the types that
//! Lua has no values for (bin, ext).
//!
//! Source: the MessagePack specification; the names and the errors are those of lua-cmsgpack 0.4.0.

mod pack;
mod unpack;

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::arguments::{Arguments, located};

/// The library.
pub(super) fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let add = |name: &str, function: fn(&Lua, &Arguments<'_>) -> Result<MultiValue>| {
        let function =
            lua.create_function(move |lua, values: MultiValue| function(lua, &Arguments::new(lua, values)))?;
        table.raw_set(name, function)
    };
    add("pack", pack)?;
    add("unpack", |lua, args| unpack(lua, args, None))?;
    add("unpack_one", |lua, args| unpack(lua, args, Some((1, args.integer_or(2, 0)?))))?;
    add("unpack_limit", |lua, args| unpack(lua, args, Some((args.integer(2)?, args.integer_or(3, 0)?))))?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

fn pack(lua: &Lua, args: &Arguments<'_>) -> Result<MultiValue> {
    if args.len() == 0 {
        return Err(args.bad(0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for position in 1..=args.len() {
        pack::value(&mut out, args.get(position).unwrap_or(&Value::Nil), 0)?;
    }
    Ok(MultiValue::from_iter([Value::String(lua.create_string(out)?)]))
}

/// All values of a string; or so many from an offset on, and before them the offset of the rest, -1 if there is none.
fn unpack(lua: &Lua, args: &Arguments<'_>, part: Option<(i64, i64)>) -> Result<MultiValue> {
    let string = args.string(1)?;
    let bytes = string.as_bytes();
    // A part of nothing from the beginning is everything, as it is to the library in C.
    let part = part.filter(|&part| part != (0, 0));
    let (limit, offset) = part.unwrap_or((i64::MAX, 0));
    let len = bytes.len();
    if limit < 0 || offset < 0 {
        let text = format!("Invalid request to unpack with offset of {offset} and limit of {len}.");
        return Err(located(lua, &text));
    }
    let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
    let Some(rest) = rest else {
        return Err(located(lua, &format!("Start offset {offset} greater than input length {len}.")));
    };
    let mut reader = unpack::Reader::new(lua, rest);
    let mut values = Vec::new();
    while !reader.is_done() && (values.len() as i64) < limit {
        values.push(reader.value().map_err(|error| error.raised(lua))?);
        if values.len() >= unpack::RESULTS_MAX {
            return Err(unpack::Unreadable::TooMany.raised(lua));
        }
    }
    if part.is_some() {
        let end = if reader.is_done() { -1 } else { (len - reader.left()) as i64 };
        values.insert(0, Value::Integer(end));
    }
    Ok(MultiValue::from_iter(values))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lua() -> Lua {
        let lua = Lua::new();
        lua.globals().set("cmsgpack", table(&lua).expect("memory")).expect("memory");
        let hex = "function hex(s) return (s:gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end \
            function bytes(h) return (h:gsub('..', function(d) return string.char(tonumber(d, 16)) end)) end";
        lua.load(hex).exec().expect("two functions");
        lua
    }

    #[track_caller]
    fn check(lua: &Lua, code: &str, expected: &str) {
        let chunk = lua.load(format!("return tostring({code})")).set_name("@script");
        let text = chunk.eval::<String>().unwrap_or_else(|error| crate::script::failure::message(&error));
        assert_eq!(text, expected, "{code}");
    }

    #[test]
    fn every_value_has_its_shortest_form() {
        let lua = lua();
        for (code, hex) in [
            ("nil", "c0"),
            ("false, true", "c2c3"),
            ("0, 127, 128, 255, 256", "007fcc80ccffcd0100"),
            ("65536, 2^32, 2^40, 2^63", "ce00010000cf0000000100000000cf0000010000000000ca5f000000"),
            ("-1, -32, -33, -128, -129", "ffe0d0dfd080d1ff7f"),
            ("-32769, -2147483649, -2^63", "d2ffff7fffd3ffffffff7fffffffd38000000000000000"),
            ("0.5, 0.1, 1/0", "ca3f000000cb3fb999999999999aca7f800000"),
            ("'', 'abc'", "a0a3616263"),
            ("{}, {1, {2}}, {a = 1}", "90920191028 1a16101"),
            ("{[2] = 1}, {1, nil, 3}", "81020182010103 03"),
            ("print", "c0"),
        ] {
            check(&lua, &format!("hex(cmsgpack.pack({code}))"), &hex.replace(' ', ""));
        }
        check(&lua, "hex(cmsgpack.pack(('x'):rep(31)):sub(1, 1))", "bf");
        check(&lua, "hex(cmsgpack.pack(('x'):rep(32)):sub(1, 2))", "d920");
        check(&lua, "hex(cmsgpack.pack(('x'):rep(256)):sub(1, 3))", "da0100");
        check(&lua, "hex(cmsgpack.pack(('x'):rep(65536)):sub(1, 5))", "db00010000");
    }

    #[test]
    fn what_was_written_is_read() {
        let lua = lua();
        let code = "local t, a = {}, {} for i = 1, 70000 do t[i] = i a['k' .. i] = -i end \
            local s = {x = 0.1, y = {t, a}, z = ('s'):rep(70000), [5] = true} \
            local u = cmsgpack.unpack(cmsgpack.pack(s)) \
            return u.x == 0.1 and #u.y[1] == 70000 and u.y[1][70000] == 70000 and u.y[2].k300 == -300 \
                and u.z == s.z and u[5] == true";
        assert!(lua.load(code).eval::<bool>().expect("a verdict"));
        let deep = "local a = {} a.a = a local u, depth = cmsgpack.unpack(cmsgpack.pack(a)), 0 \
            while u do u = u.a depth = depth + 1 end return depth";
        assert_eq!(lua.load(deep).eval::<i64>().expect("a depth"), 16);
    }

    #[test]
    fn parts_are_read_one_after_another() {
        let lua = lua();
        for (code, expected) in [
            ("select('#', cmsgpack.unpack(bytes('010203')))", "3"),
            ("table.concat({cmsgpack.unpack_one(bytes('010203'))}, ' ')", "1 1"),
            ("table.concat({cmsgpack.unpack_one(bytes('010203'), 2)}, ' ')", "-1 3"),
            ("table.concat({cmsgpack.unpack_limit(bytes('010203'), 2)}, ' ')", "2 1 2"),
            ("table.concat({cmsgpack.unpack_limit(bytes('010203'), 0, 0)}, ' ')", "1 2 3"),
            ("cmsgpack.unpack_one('a', 2)", "script:1: Start offset 2 greater than input length 1."),
            (
                "cmsgpack.unpack_one('a', -1)",
                "script:1: Invalid request to unpack with offset of -1 and limit of 1.",
            ),
            ("cmsgpack.unpack(bytes('91'))", "script:1: Missing bytes in input."),
            ("cmsgpack.unpack(bytes('ddffffffff'))", "script:1: Missing bytes in input."),
            ("cmsgpack.unpack(bytes('dbffffffff'))", "script:1: Missing bytes in input."),
            ("cmsgpack.unpack(bytes('c1'))", "script:1: Bad data format in input."),
            ("cmsgpack.unpack(bytes('81c001'))", "table index is nil"),
            ("cmsgpack.pack()", "script:1: bad argument #0 to 'pack' (MessagePack pack needs input.)"),
        ] {
            check(&lua, code, expected);
        }
        let many = "script:1: stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)";
        check(&lua, "cmsgpack.unpack(('x'):rep(100000))", many);
        check(&lua, "cmsgpack.unpack(bytes('91'):rep(100000))", many);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let lua = lua();
            lua.globals().set("bytes", lua.create_string(&bytes).expect("memory")).expect("memory");
            let code = "local read = {pcall(cmsgpack.unpack, bytes)} \
                if not read[1] then return tostring(read[2]) ~= '' end \
                return #cmsgpack.pack(unpack(read)) > 0";
            prop_assert!(lua.load(code).eval::<bool>().expect("a verdict"));
        }
    }
}
