//! The arguments of a library's functions, read as functions in C read theirs.
//!
//! Strings and numbers stand in for each other where they can, and an error says which argument of which function was
//! wrong and where in the script that is, in the words of Lua's own library.
//!
//! Source: Lua 5.1 Reference Manual, section 4, "The Auxiliary Library".

#![expect(clippy::wildcard_enum_match_arm, reason = "the enums of the interpreter are open: others may come")]

use mlua::{Error, Lua, LuaString, MultiValue, Result, Value};

/// What a function was called with; the first argument is 1.
pub(super) struct Arguments<'a> {
    lua: &'a Lua,
    values: Vec<Value>,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(lua: &'a Lua, values: MultiValue) -> Self {
        Self { lua, values: values.into_iter().collect() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// A string to answer.
    pub(super) fn text(&self, text: &str) -> Result<Value> {
        Ok(Value::String(self.lua.create_string(text)?))
    }

    pub(super) fn get(&self, position: usize) -> Option<&Value> {
        self.values.get(position - 1)
    }

    /// Whether it is missing or nil.
    pub(super) fn is_none(&self, position: usize) -> bool {
        self.get(position).is_none_or(Value::is_nil)
    }

    /// An error about an argument.
    pub(super) fn bad(&self, position: usize, reason: &str) -> Error {
        let name = self.lua.inspect_stack(0, |at| at.names().name.map(String::from)).flatten();
        let name = name.as_deref().unwrap_or("?");
        located(self.lua, &format!("bad argument #{position} to '{name}' ({reason})"))
    }

    /// An error about an argument of the wrong type.
    pub(super) fn expected(&self, position: usize, what: &str) -> Error {
        let got = self.get(position).map_or("no value", type_name);
        self.bad(position, &format!("{what} expected, got {got}"))
    }

    pub(super) fn number(&self, position: usize) -> Result<f64> {
        let number = self.get(position).and_then(|value| number(self.lua, value));
        number.ok_or_else(|| self.expected(position, "number"))
    }

    /// A number without its fraction.
    pub(super) fn integer(&self, position: usize) -> Result<i64> {
        Ok(self.number(position)? as i64)
    }

    /// The same, or what stands for one that is missing.
    pub(super) fn integer_or(&self, position: usize, default: i64) -> Result<i64> {
        if self.is_none(position) { Ok(default) } else { self.integer(position) }
    }

    pub(super) fn string(&self, position: usize) -> Result<LuaString> {
        let string = match self.get(position) {
            Some(value @ (Value::String(_) | Value::Integer(_) | Value::Number(_))) => {
                self.lua.coerce_string(value.clone())?
            }
            _ => None,
        };
        string.ok_or_else(|| self.expected(position, "string"))
    }
}

/// A value as a number, if it is one or reads as one.
pub(super) fn number(lua: &Lua, value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(_) => lua.coerce_number(value.clone()).ok().flatten(),
        _ => None,
    }
}

/// An error with the place in the script that called the function which runs.
pub(super) fn located(lua: &Lua, message: &str) -> Error {
    let place = lua.inspect_stack(1, |at| Some((at.source().short_src?.into_owned(), at.current_line()?)));
    Error::runtime(match place.flatten() {
        Some((source, line)) => format!("{source}:{line}: {message}"),
        None => message.to_owned(),
    })
}

/// The name of a value's type in Lua.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "number",
        Value::LightUserData(_) => "userdata",
        other => other.type_name(),
    }
}
