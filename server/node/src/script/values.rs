//! Values between Redis and Lua: the reply of a command becomes what a script sees, and what a script returns becomes its
//! reply.
//!
//! Which table means what is Redis's convention: a status is `{ok = ...}`, an error `{err = ...}`, a double `{double =
//! ...}`, and an array ends at its first nil. Metatables are not asked. What a script returns may contain itself, or one
//! thing very often, so that depth and length have limits.
//!
//! Source: the documentation of Redis, "Redis Lua API reference", data type conversion.

#![expect(clippy::wildcard_enum_match_arm, reason = "the enums of the interpreter are open: others may come")]

use mlua::{Lua, Table, Value};
use nuthatch_proto::resp::number::parse_integer;
use nuthatch_proto::resp::{Protocol, ReplyWriter};

use super::failure::{self, Failure};

/// How deep tables may be in each other.
const DEPTH_MAX: usize = 128;

/// How long the reply of a script may get.
const REPLY_MAX: usize = 512 * 1024 * 1024;

/// A cursor over a reply that the server itself has written.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next line without its end.
    fn line(&mut self) -> &'a [u8] {
        let bytes = self.bytes;
        let end = bytes.iter().position(|&byte| byte == b'\r').unwrap_or(bytes.len());
        self.bytes = bytes.get(end + 2..).unwrap_or_default();
        &bytes[..end]
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let bytes = self.bytes;
        self.bytes = bytes.get(len + 2..).unwrap_or_default();
        bytes.get(..len).unwrap_or_default()
    }
}

/// A length, or none where the header means null.
fn length(line: &[u8]) -> Option<usize> {
    parse_integer(&line[1..]).and_then(|length| usize::try_from(length).ok())
}

/// A command's reply as a script sees it.
pub(super) fn from_reply(lua: &Lua, reply: &[u8]) -> mlua::Result<Value> {
    read(lua, &mut Reader { bytes: reply })
}

fn read(lua: &Lua, reader: &mut Reader<'_>) -> mlua::Result<Value> {
    let line = reader.line();
    let Some((&kind, rest)) = line.split_first() else { return Ok(Value::Nil) };
    let string = |bytes: &[u8]| lua.create_string(bytes);
    Ok(match kind {
        b':' => Value::Number(parse_integer(rest).unwrap_or_default() as f64),
        b'$' => match length(line) {
            Some(length) => Value::String(string(reader.take(length))?),
            None => Value::Boolean(false),
        },
        b'+' => field(lua, "ok", string(rest)?)?,
        b'-' => Value::Table(failure::table(lua, rest, true)?),
        b'*' | b'>' => match length(line) {
            Some(length) => {
                let array = lua.create_table_with_capacity(length.min(1024), 0)?;
                for index in 1..=length {
                    array.raw_set(index, read(lua, reader)?)?;
                }
                Value::Table(array)
            }
            None => Value::Boolean(false),
        },
        b'%' => {
            let map = lua.create_table()?;
            for _ in 0..length(line).unwrap_or_default() {
                let (key, value) = (read(lua, reader)?, read(lua, reader)?);
                if !key.is_nil() {
                    map.raw_set(key, value)?;
                }
            }
            field(lua, "map", map)?
        }
        b'~' => {
            let set = lua.create_table()?;
            for _ in 0..length(line).unwrap_or_default() {
                let element = read(lua, reader)?;
                if !element.is_nil() {
                    set.raw_set(element, true)?;
                }
            }
            field(lua, "set", set)?
        }
        b'#' => Value::Boolean(rest == b"t"),
        b',' => {
            let double = std::str::from_utf8(rest).ok().and_then(|text| text.parse::<f64>().ok());
            field(lua, "double", double.unwrap_or(f64::NAN))?
        }
        b'(' => field(lua, "big_number", string(rest)?)?,
        b'=' => {
            let text = reader.take(length(line).unwrap_or_default());
            let verbatim = lua.create_table()?;
            verbatim.raw_set("format", string(text.get(..3).unwrap_or_default())?)?;
            verbatim.raw_set("string", string(text.get(4..).unwrap_or_default())?)?;
            field(lua, "verbatim_string", verbatim)?
        }
        _ => Value::Nil,
    })
}

/// A table with one field.
fn field(lua: &Lua, name: &str, value: impl mlua::IntoLua) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(name, value)?;
    Ok(Value::Table(table))
}

/// Why what a script returned cannot be its reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// It is too deep.
    #[error("ERR reached lua stack limit")]
    Deep,
    /// It is too long.
    #[error("ERR the reply of the script is too long")]
    Long,
    /// Lua has no memory left.
    #[error("ERR {0}")]
    Lua(#[from] mlua::Error),
}

/// What a script returned as its reply; `protocol` is the one that the script has chosen. Answers whether the reply is an
/// error that has been counted already.
pub(super) fn to_reply(
    value: &Value,
    protocol: Protocol,
    reply: &mut ReplyWriter<'_>,
) -> Result<bool, Unfit> {
    let end = reply.written() + REPLY_MAX;
    if let Value::Table(table) = value
        && let Value::String(_) = table.raw_get("err")?
    {
        let failure = Failure::read(table)?;
        reply.error_bytes(&failure.text);
        return Ok(failure.counted);
    }
    Writer { protocol, reply, end }.value(value, 0)?;
    Ok(false)
}

struct Writer<'r, 'w> {
    protocol: Protocol,
    reply: &'r mut ReplyWriter<'w>,
    end: usize,
}

impl Writer<'_, '_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Unfit> {
        if depth > DEPTH_MAX {
            return Err(Unfit::Deep);
        }
        if self.reply.written() > self.end {
            return Err(Unfit::Long);
        }
        match value {
            Value::String(text) => self.reply.bulk(&text.as_bytes()),
            Value::Boolean(value) if self.protocol == Protocol::Resp3 => self.reply.boolean(*value),
            Value::Boolean(true) => self.reply.integer(1),
            Value::Integer(number) => self.reply.integer(*number),
            // As C does where it is defined: towards zero.
            Value::Number(number) => self.reply.integer(*number as i64),
            Value::Table(table) => self.table(table, depth)?,
            _ => self.reply.null(),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: usize) -> Result<(), Unfit> {
        if let Value::String(text) = table.raw_get("err")? {
            self.reply.error_bytes(&text.as_bytes());
        } else if let Value::String(text) = table.raw_get("ok")? {
            self.line(b'+', &text.as_bytes());
        } else if let Some(double) = number(&table.raw_get("double")?) {
            self.reply.double(double);
        } else if let Value::Table(map) = table.raw_get("map")? {
            self.map(&map, depth)?;
        } else if let Value::Table(set) = table.raw_get("set")? {
            self.set(&set, depth)?;
        } else if let Value::String(digits) = table.raw_get("big_number")? {
            match self.reply.protocol() {
                Protocol::Resp2 => self.reply.bulk(&unbroken(&digits.as_bytes())),
                Protocol::Resp3 => self.line(b'(', &digits.as_bytes()),
            }
        } else if let Value::Table(verbatim) = table.raw_get("verbatim_string")?
            && let (Value::String(text), Value::String(format)) =
                (verbatim.raw_get("string")?, verbatim.raw_get("format")?)
        {
            // The format is three letters, whatever the script has.
            let mut letters: String = String::from_utf8_lossy(&format.as_bytes()).chars().take(3).collect();
            letters.retain(|letter| letter.is_ascii_graphic());
            self.reply.verbatim(&format!("{letters:<3}"), &text.as_bytes());
        } else {
            self.array(table, depth)?;
        }
        Ok(())
    }

    /// A line; breaks in it become spaces.
    fn line(&mut self, kind: u8, text: &[u8]) {
        self.reply.raw(&[&[kind], unbroken(text).as_slice(), b"\r\n"].concat());
    }

    fn array(&mut self, table: &Table, depth: usize) -> Result<(), Unfit> {
        let header = self.reply.deferred_array();
        let mut len = 0;
        loop {
            let value = table.raw_get(len + 1)?;
            if let Value::Nil = value {
                break;
            }
            self.value(&value, depth + 1)?;
            len += 1;
        }
        self.reply.finish_array(header, len);
        Ok(())
    }

    fn map(&mut self, map: &Table, depth: usize) -> Result<(), Unfit> {
        let header = self.reply.deferred_array();
        let mut len = 0;
        for pair in map.pairs::<Value, Value>() {
            let (key, value) = pair?;
            self.value(&key, depth + 1)?;
            self.value(&value, depth + 1)?;
            len += 1;
        }
        self.reply.finish_map(header, len);
        Ok(())
    }

    fn set(&mut self, set: &Table, depth: usize) -> Result<(), Unfit> {
        let header = self.reply.deferred_array();
        let mut len = 0;
        for pair in set.pairs::<Value, Value>() {
            self.value(&pair?.0, depth + 1)?;
            len += 1;
        }
        self.reply.finish_set(header, len);
        Ok(())
    }
}

/// A text with spaces in the place of breaks.
fn unbroken(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&byte| if byte == b'\r' || byte == b'\n' { b' ' } else { byte }).collect()
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}
