//! The library as a script uses it.

use mlua::Lua;
use proptest::prelude::*;

use super::table;

fn lua() -> Lua {
    let lua = Lua::new();
    lua.globals().set("cjson", table(&lua).expect("memory")).expect("memory");
    lua
}

/// What an expression gives, as text; an error as its message.
#[track_caller]
fn check(lua: &Lua, code: &str, expected: &str) {
    let chunk = lua.load(format!("return tostring({code})")).set_name("@script");
    let result = chunk.eval::<mlua::LuaString>().map(|text| text.to_string_lossy());
    let text = result.unwrap_or_else(|error| crate::script::failure::message(&error));
    assert_eq!(text, expected, "{code}");
}

#[test]
fn values_become_json() {
    let lua = lua();
    for (code, json) in [
        ("nil", "null"),
        ("cjson.null", "null"),
        ("true", "true"),
        ("1", "1"),
        ("-0.5", "-0.5"),
        ("1e20", "1e+20"),
        ("2^53", "9.007199254741e+15"),
        ("123456789", "123456789"),
        ("'a\"b\\\\/\\n\\1\\127\\200'", "\"a\\\"b\\\\\\/\\n\\u0001\\u007f\u{fffd}\""),
        ("{}", "{}"),
        ("{1, 2, {3}}", "[1,2,[3]]"),
        ("{1, nil, 3}", "[1,null,3]"),
        ("{[3] = 1}", "[null,null,1]"),
        ("{a = {b = {}}}", "{\"a\":{\"b\":{}}}"),
        ("{[0] = 1}", "{\"0\":1}"),
        ("{[1.5] = 1}", "{\"1.5\":1}"),
    ] {
        check(&lua, &format!("cjson.encode({code})"), json);
    }
}

#[test]
fn what_json_has_no_words_for_is_refused() {
    let lua = lua();
    for (code, error) in [
        ("cjson.encode(print)", "Cannot serialise function: type not supported"),
        ("cjson.encode({[true] = 1})", "Cannot serialise boolean: table key must be a number or string"),
        ("cjson.encode(1/0)", "Cannot serialise number: must not be NaN or Inf"),
        ("cjson.encode({[11] = 1})", "Cannot serialise table: excessively sparse array"),
        ("cjson.encode()", "bad argument #1 to 'encode' (expected 1 argument)"),
        ("cjson.decode({})", "bad argument #1 to 'decode' (string expected, got table)"),
        (
            "cjson.encode_max_depth(0)",
            "bad argument #1 to 'encode_max_depth' (expected integer between 1 and 2147483647)",
        ),
        ("cjson.encode_max_depth(1, 2)", "bad argument #2 to 'encode_max_depth' (found too many arguments)"),
        (
            "cjson.decode_invalid_numbers('x')",
            "bad argument #1 to 'decode_invalid_numbers' (invalid option 'x')",
        ),
    ] {
        check(&lua, code, &format!("script:1: {error}"));
    }
}

#[test]
fn json_becomes_values() {
    let lua = lua();
    for (json, code, expected) in [
        ("[0.0, -5e3, -1, 0.3e-3, 1023.2, 0e10]", "table.concat(it, ' ')", "0 -5000 -1 0.0003 1023.2 0"),
        (r#"{"a": {"b": [1, {"c": "d"}]}, "e": 5}"#, "it.a.b[2].c .. it.e", "d5"),
        (r#""\u0041\u00e4\u20ac\ud83d\ude00\/\b""#, "it", "A\u{e4}\u{20ac}\u{1f600}/\u{8}"),
        ("null", "it == cjson.null", "true"),
        ("[null]", "it[1] == cjson.null", "true"),
        (" [ ] ", "#it", "0"),
        ("{}", "next(it)", "nil"),
        ("[true,false]", "tostring(it[1]) .. tostring(it[2])", "truefalse"),
        ("[[],{},[]]", "#it", "3"),
        ("0x10", "it", "16"),
        ("-Infinity", "it", "-inf"),
        ("+5", "it", "5"),
        ("12\0garbage", "it", "12"),
    ] {
        lua.globals().set("json", json).expect("memory");
        let result: String =
            lua.load(format!("it = cjson.decode(json) return tostring({code})")).eval().expect(json);
        assert_eq!(result, expected, "{json}");
    }
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    let lua = lua();
    for (json, error) in [
        ("", "Expected value but found T_END at character 1"),
        ("[1,", "Expected value but found T_END at character 4"),
        ("[1 2]", "Expected comma or array end but found T_NUMBER at character 4"),
        ("{1:2}", "Expected object key string but found T_NUMBER at character 2"),
        ("{\"a\" 1}", "Expected colon but found T_NUMBER at character 6"),
        ("{\"a\":1 ]", "Expected comma or object end but found T_ARR_END at character 8"),
        ("1 x", "Expected the end but found invalid token at character 3"),
        ("tru", "Expected value but found invalid token at character 1"),
        ("-", "Expected value but found invalid number at character 1"),
        ("\"a", "Expected value but found unexpected end of string at character 3"),
        ("\"\\x\"", "Expected value but found invalid escape code at character 2"),
        ("\"\\ud800\"", "Expected value but found invalid unicode escape code at character 2"),
        ("\"\\udc00\\udc00\"", "Expected value but found invalid unicode escape code at character 2"),
        ("\0a", "JSON parser does not support UTF-16 or UTF-32"),
    ] {
        lua.globals().set("json", json).expect("memory");
        check(&lua, "cjson.decode(json)", &format!("script:1: {error}"));
    }
}

#[test]
fn settings_are_kept_and_those_of_a_new_library_are_its_own() {
    let lua = lua();
    for (code, expected) in [
        ("cjson.encode_max_depth(1)", "1"),
        ("cjson.encode({{}})", "script:1: Cannot serialise, excessive nesting (2)"),
        ("cjson.new().encode({{}})", "[{}]"),
        ("cjson.decode_max_depth(1)", "1"),
        ("cjson.decode('[[]]')", "script:1: Found too many nested data structures (2) at character 2"),
        ("cjson.encode_invalid_numbers('null')", "null"),
        ("cjson.encode(0/0)", "null"),
        ("cjson.encode_invalid_numbers(true)", "true"),
        ("cjson.encode({0/0, 1/0})", "[nan,inf]"),
        ("cjson.decode_invalid_numbers(false)", "false"),
        ("cjson.decode('01')", "script:1: Expected value but found invalid number at character 1"),
        ("cjson.encode_number_precision(3)", "3"),
        ("cjson.encode(1/3)", "0.333"),
        ("cjson.encode_keep_buffer()", "true"),
        ("select(2, cjson.encode_sparse_array(true))", "2"),
        ("cjson.encode({[100] = 1})", "{\"100\":1}"),
        ("cjson.encode_sparse_array(false, 0)", "false"),
        ("#cjson.encode({[1000] = 1})", "4998"),
    ] {
        check(&lua, code, expected);
    }
}

#[test]
fn no_depth_is_too_deep_for_the_thread() {
    let lua = lua();
    let code = "cjson.encode_max_depth(2147483647) cjson.decode_max_depth(2147483647) \
        local t = {} for i = 1, 100000 do t = {t} end \
        local a, b = pcall(cjson.encode, t) \
        local c, d = pcall(cjson.decode, string.rep('[', 100000)) \
        return tostring(a) .. tostring(b) .. tostring(c) .. tostring(d)";
    let result: String = lua.load(code).eval().expect("a text");
    let refused =
        |text: &str| result.contains(&format!("false{text}")) || result.contains(&format!("error: {text}"));
    assert!(refused("Cannot serialise, excessive nesting (2601)"), "{result}");
    assert!(refused("Found too many nested data structures (2601) at character 2601"), "{result}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in prop::collection::vec(prop::sample::select(&b"[]{}:,\"\\u0d8c.1-+eEnulltrueINFx \0\xff"[..]), 0..40)) {
        let lua = lua();
        lua.globals().set("json", lua.create_string(&text).expect("memory")).expect("memory");
        // What was read is written, and read again it is the same.
        let code = "cjson.encode_sparse_array(true) cjson.encode_invalid_numbers(true) \
            local ok, value = pcall(cjson.decode, json) if not ok then return true end \
            local once = cjson.encode(value) return cjson.encode(cjson.decode(once)) == once";
        prop_assert!(lua.load(code).eval::<bool>().expect("a verdict"));
    }
}
