//! The functions that scripts have beside Lua's: the table `redis`, but for `call` and `pcall`, which belong to a run.
//!
//! Texts, constants and the treatment of wrong arguments are Redis's. Debugging and the choice of what is replicated do
//! not exist here; the functions are there because scripts call them.

#![expect(clippy::wildcard_enum_match_arm, reason = "the enums of the interpreter are open: others may come")]

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Error, Lua, MultiValue, Result, Table, Value};
use nuthatch_proto::command_table::lookup;
use nuthatch_proto::resp::Protocol;

use super::failure::{self, raise};
use super::source::Digest;
use crate::node::REDIS_VERSION;

/// What is replicated, as a script may say (`redis.set_repl`).
const REPL_ALL: i64 = 3;

const CONSTANTS: [(&str, i64); 9] = [
    ("LOG_DEBUG", 0),
    ("LOG_VERBOSE", 1),
    ("LOG_NOTICE", 2),
    ("LOG_WARNING", 3),
    ("REPL_NONE", 0),
    ("REPL_AOF", 1),
    ("REPL_SLAVE", 2),
    ("REPL_REPLICA", 2),
    ("REPL_ALL", REPL_ALL),
];

/// The table `redis`; `protocol` is what the running script has chosen.
pub(super) fn table(lua: &Lua, protocol: &Rc<Cell<Protocol>>) -> Result<Table> {
    let redis = lua.create_table()?;
    for (name, value) in CONSTANTS {
        redis.raw_set(name, value)?;
    }
    redis.raw_set("REDIS_VERSION", REDIS_VERSION)?;
    redis.raw_set("REDIS_VERSION_NUM", version_number())?;
    redis.raw_set("error_reply", lua.create_function(error_reply)?)?;
    redis.raw_set("status_reply", lua.create_function(status_reply)?)?;
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    redis.raw_set("log", lua.create_function(|_, arguments| log(&arguments))?)?;
    let chosen = Rc::clone(protocol);
    redis.raw_set("setresp", lua.create_function(move |_, arguments| setresp(&arguments, &chosen))?)?;
    redis.raw_set("set_repl", lua.create_function(|_, arguments| set_repl(&arguments))?)?;
    redis.raw_set("replicate_commands", lua.create_function(|_, ()| Ok(true))?)?;
    redis.raw_set("breakpoint", lua.create_function(|_, ()| Ok(false))?)?;
    redis.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    redis.raw_set("acl_check_cmd", lua.create_function(|_, arguments| acl_check(&arguments))?)?;
    Ok(redis)
}

/// The version as a number, a byte for each of its parts.
fn version_number() -> i64 {
    REDIS_VERSION.split('.').fold(0, |number, part| number << 8 | part.parse::<i64>().unwrap_or_default())
}

/// The only argument, if it is a string.
fn only_string(arguments: &MultiValue) -> Option<Vec<u8>> {
    match (arguments.len(), arguments.front()) {
        (1, Some(Value::String(text))) => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

const WRONG: &[u8] = b"ERR wrong number or type of arguments";

/// The text of an error as Redis keeps it: without a dash, and with the general code where it is a single word.
fn with_code(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let text = text.trim_ascii_end();
    if text.contains(&b' ') { text.to_vec() } else { [b"ERR ", text].concat() }
}

fn error_reply(lua: &Lua, arguments: MultiValue) -> Result<Table> {
    match only_string(&arguments) {
        Some(text) => failure::table(lua, &with_code(&text), false),
        None => failure::table(lua, WRONG, false),
    }
}

fn status_reply(lua: &Lua, arguments: MultiValue) -> Result<Table> {
    let Some(text) = only_string(&arguments) else { return failure::table(lua, WRONG, false) };
    let table = lua.create_table()?;
    table.raw_set("ok", lua.create_string(text)?)?;
    Ok(table)
}

fn sha1hex(lua: &Lua, arguments: MultiValue) -> Result<String> {
    let (1, Some(value)) = (arguments.len(), arguments.front()) else {
        return Err(raise("wrong number of arguments"));
    };
    let text = lua.coerce_string(value.clone())?;
    Ok(Digest::of(&text.map(|text| text.as_bytes().to_vec()).unwrap_or_default()).to_string())
}

/// A number, or a text that is one.
fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Integer(number) => Some(*number),
        Value::Number(number) => Some(*number as i64),
        Value::String(text) => text.to_str().ok()?.trim().parse::<f64>().ok().map(|number| number as i64),
        _ => None,
    }
}

fn log(arguments: &MultiValue) -> Result<()> {
    if arguments.len() < 2 {
        return Err(raise("redis.log() requires two arguments or more."));
    }
    let Some(level) = number(arguments.front()) else {
        return Err(raise("First argument must be a number (log level)."));
    };
    let words: Vec<String> = arguments.iter().skip(1).filter_map(|value| value.to_string().ok()).collect();
    let line = words.join(" ");
    match level {
        0 | 1 => tracing::debug!("{line}"),
        2 => tracing::info!("{line}"),
        3 => tracing::warn!("{line}"),
        _ => return Err(raise("Invalid debug level.")),
    }
    Ok(())
}

fn setresp(arguments: &MultiValue, protocol: &Cell<Protocol>) -> Result<()> {
    if arguments.len() != 1 {
        return Err(raise("redis.setresp() requires one argument."));
    }
    protocol.set(match number(arguments.front()) {
        Some(2) => Protocol::Resp2,
        Some(3) => Protocol::Resp3,
        _ => return Err(raise("RESP version must be 2 or 3.")),
    });
    Ok(())
}

fn set_repl(arguments: &MultiValue) -> Result<()> {
    if arguments.len() != 1 {
        return Err(raise("redis.set_repl() requires two arguments."));
    }
    match number(arguments.front()) {
        Some(0..=REPL_ALL) => Ok(()),
        _ => Err(raise("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")),
    }
}

/// Every client may run every command.
fn acl_check(arguments: &MultiValue) -> Result<bool> {
    let name = arguments.front().and_then(Value::as_string).ok_or_else(no_arguments)?;
    match lookup(&name.as_bytes()) {
        Some(_) => Ok(true),
        None => Err(raise("Invalid command passed to redis.acl_check_cmd()")),
    }
}

/// A command without a name.
pub(super) fn no_arguments() -> Error {
    raise("Please specify at least one argument for this redis lib call")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_a_byte_for_each_part() {
        assert_eq!(version_number(), 0x0007_0204);
    }

    #[test]
    fn errors_keep_their_code_or_get_the_general_one() {
        let check = |text: &str, expected: &str| {
            assert_eq!(String::from_utf8_lossy(&with_code(text.as_bytes())), expected);
        };
        check("My Err", "My Err");
        check("-My Err\r\n", "My Err");
        check("oops", "ERR oops");
        check("-oops", "ERR oops");
    }
}
