//! Errors on their way through Lua.
//!
//! A script sees an error of the server as a table whose field `err` is the text, its code first, as Redis has it. A
//! function of ours cannot raise a table: it raises [`Raised`], which becomes one where a script catches it or where it
//! ends the script. Errors of Lua itself are texts, and become tables only when they end the script. Then it is also
//! noted where that was.

#![expect(clippy::wildcard_enum_match_arm, reason = "the enums of the interpreter are open: others may come")]

use std::fmt;

use mlua::{Error, Lua, Table, Value};

/// What the prelude is called in errors.
pub(super) const PRELUDE_NAME: &str = "=prelude";

/// An error of the server.
#[derive(Debug)]
pub(super) struct Raised {
    /// The code and the message.
    pub(super) text: Vec<u8>,
    /// It has been counted among the errors already.
    pub(super) counted: bool,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}

impl std::error::Error for Raised {}

/// The script is to end, whatever it does about errors.
#[derive(Debug, thiserror::Error)]
#[error("Script killed by user with SCRIPT KILL.")]
pub(super) struct Killed;

/// An error with the general code.
pub(super) fn raise(message: &str) -> Error {
    Error::external(Raised { text: format!("ERR {message}").into_bytes(), counted: false })
}

/// The table that scripts see an error of the server as.
pub(super) fn table(lua: &Lua, text: &[u8], counted: bool) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 4)?;
    table.raw_set("err", lua.create_string(text)?)?;
    if counted {
        table.raw_set("ignore_error_stats_update", true)?;
    }
    Ok(table)
}

/// The message of an error that is not one of the server's, without its trace.
pub(super) fn message(error: &Error) -> String {
    match error {
        Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => message(cause),
        Error::RuntimeError(text) | Error::MemoryError(text) | Error::SyntaxError { message: text, .. } => {
            text.clone()
        }
        other => other.to_string(),
    }
}

/// An error as scripts see it where they catch one: those of the server as tables, all else as it is.
pub(super) fn plain(lua: &Lua, value: Value) -> mlua::Result<Value> {
    let Value::Error(error) = &value else { return Ok(value) };
    match error.downcast_ref::<Raised>() {
        Some(raised) => table(lua, &raised.text, raised.counted).map(Value::Table),
        None => lua.create_string(message(error)).map(Value::String),
    }
}

/// An error that ends a script as a table, with the place where it was raised. Called by the function that raised it.
pub(super) fn last(lua: &Lua, value: Value) -> mlua::Result<Table> {
    let table = match plain(lua, value)? {
        Value::Table(table) => table,
        other => {
            let text = match lua.coerce_string(other.clone())? {
                Some(text) => text.as_bytes().to_vec(),
                None => other.to_string()?.into_bytes(),
            };
            table(lua, &[b"ERR ", text.as_slice()].concat(), false)?
        }
    };
    if let Some((source, line)) = place(lua) {
        table.raw_set("source", source)?;
        table.raw_set("line", line)?;
    }
    Ok(table)
}

/// Where the script is: its innermost function. Above it are at most the function that raised the error and what of the
/// prelude called that.
fn place(lua: &Lua) -> Option<(String, usize)> {
    (1..=4).find_map(|level| {
        let at = lua.inspect_stack(level, |at| {
            let source = at.source();
            let own = source.what == "C" || source.source.as_deref() == Some(PRELUDE_NAME);
            (!own).then(|| (source.source.map(String::from), at.current_line()))
        });
        let (source, line) = at.flatten()?;
        Some((source?, line?))
    })
}

/// What is left of an error that ended a script.
#[derive(Debug, Default)]
pub(super) struct Failure {
    /// The code and the message.
    pub(super) text: Vec<u8>,
    /// Where it was raised.
    pub(super) place: Option<(Vec<u8>, i64)>,
    /// It has been counted among the errors already.
    pub(super) counted: bool,
}

impl Failure {
    /// Reads the table that [`last`] made, or that the script raised.
    pub(super) fn read(table: &Table) -> mlua::Result<Self> {
        let text = match table.raw_get::<Value>("err")? {
            Value::String(text) => text.as_bytes().to_vec(),
            _ => b"ERR unknown error".to_vec(),
        };
        let place = match (table.raw_get::<Value>("source")?, table.raw_get::<Value>("line")?) {
            (Value::String(source), Value::Integer(line)) => Some((source.as_bytes().to_vec(), line)),
            (Value::String(source), Value::Number(line)) => Some((source.as_bytes().to_vec(), line as i64)),
            _ => None,
        };
        let counted = matches!(table.raw_get("ignore_error_stats_update")?, Value::Boolean(true));
        Ok(Self { text, place, counted })
    }

    /// What the client is told.
    pub(super) fn reply(&self, script: &str) -> Vec<u8> {
        let mut reply = self.text.clone();
        reply.extend_from_slice(b" script: ");
        reply.extend_from_slice(script.as_bytes());
        if let Some((source, line)) = &self.place {
            reply.extend_from_slice(b", on ");
            reply.extend_from_slice(source);
            reply.extend_from_slice(format!(":{line}").as_bytes());
        }
        reply.push(b'.');
        reply
    }
}
