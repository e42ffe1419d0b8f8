//! The library `cjson` that scripts have: JSON from values of Lua and back, with the settings and the errors of Redis' own.
//!
//! Strings are bytes and are not looked at, so that what is no UTF-8 comes back as it was. A table is an array if all its
//! keys are positive whole numbers, and an object if not or if it is empty. `null` is a value of its own, because a table
//! cannot hold nil. Settings stay until a script changes them: they are the interpreter's.
//!
//! Both directions keep the tables they are in on a stack of their own, not on the thread's: how deep that gets is a
//! setting, and [`DEPTH_MAX`] where a script sets it out of reach.
//!
//! Source: the documentation of Lua CJSON 2.1.

mod decode;
mod encode;
mod number;

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Result, Table, Value};

use super::arguments::Arguments;

/// How deep tables are in each other at most, whatever the settings say.
const DEPTH_MAX: usize = 2600;

/// What becomes of numbers that JSON does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Invalid {
    /// An error.
    Refused,
    /// A word for each.
    Written,
    /// Null.
    Null,
}

/// What a script may choose.
#[derive(Debug)]
struct Settings {
    /// An array with many gaps is an object, not an error.
    sparse_convert: Cell<bool>,
    /// It has many if its length is so many times the number of its elements; 0: never.
    sparse_ratio: Cell<i32>,
    /// Up to that length it has not.
    sparse_safe: Cell<i32>,
    encode_depth: Cell<i32>,
    decode_depth: Cell<i32>,
    encode_invalid: Cell<Invalid>,
    decode_invalid: Cell<bool>,
    /// How many digits a number has.
    precision: Cell<i32>,
    /// Shown and without effect: a buffer is not kept.
    keep_buffer: Cell<bool>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sparse_convert: Cell::new(false),
            sparse_ratio: Cell::new(2),
            sparse_safe: Cell::new(10),
            encode_depth: Cell::new(1000),
            decode_depth: Cell::new(1000),
            encode_invalid: Cell::new(Invalid::Refused),
            decode_invalid: Cell::new(true),
            precision: Cell::new(14),
            keep_buffer: Cell::new(true),
        }
    }
}

/// The library.
pub(super) fn table(lua: &Lua) -> Result<Table> {
    let next: Function = lua.globals().raw_get("next")?;
    made(lua, &next)
}

/// A library with settings of its own.
fn made(lua: &Lua, next: &Function) -> Result<Table> {
    let (table, settings) = (lua.create_table()?, Rc::new(Settings::default()));
    let add = |name: &str, function: fn(&Settings, &Arguments<'_>) -> Result<MultiValue>| {
        let settings = Rc::clone(&settings);
        let function = lua.create_function(move |lua, values: MultiValue| {
            function(&settings, &Arguments::new(lua, values))
        })?;
        table.raw_set(name, function)
    };
    add("encode_sparse_array", encode_sparse_array)?;
    add("encode_max_depth", |of, args| integers(args, &[(&of.encode_depth, 1, i32::MAX)]))?;
    add("decode_max_depth", |of, args| integers(args, &[(&of.decode_depth, 1, i32::MAX)]))?;
    add("encode_number_precision", |of, args| integers(args, &[(&of.precision, 1, 14)]))?;
    add("encode_keep_buffer", |of, args| one(args, |args| switch(args, 1, &of.keep_buffer)))?;
    add("decode_invalid_numbers", |of, args| one(args, |args| switch(args, 1, &of.decode_invalid)))?;
    add("encode_invalid_numbers", encode_invalid_numbers)?;
    let (of, step) = (Rc::clone(&settings), next.clone());
    table.raw_set(
        "encode",
        lua.create_function(move |lua, values: MultiValue| {
            let args = Arguments::new(lua, values);
            let value = the_only(&args)?;
            lua.create_string(encode::encode(lua, &of, &step, value)?)
        })?,
    )?;
    let of = Rc::clone(&settings);
    table.raw_set(
        "decode",
        lua.create_function(move |lua, values: MultiValue| {
            let args = Arguments::new(lua, values);
            the_only(&args)?;
            let text = args.string(1)?;
            decode::decode(lua, &of, &text.as_bytes())
        })?,
    )?;
    let step = next.clone();
    table.raw_set("new", lua.create_function(move |lua, ()| made(lua, &step))?)?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

fn the_only<'a>(args: &'a Arguments<'_>) -> Result<&'a Value> {
    match args.get(1) {
        Some(value) if args.len() == 1 => Ok(value),
        _ => Err(args.bad(1, "expected 1 argument")),
    }
}

fn at_most(args: &Arguments<'_>, most: usize) -> Result<()> {
    if args.len() > most { Err(args.bad(most + 1, "found too many arguments")) } else { Ok(()) }
}

fn one(args: &Arguments<'_>, set: impl FnOnce(&Arguments<'_>) -> Result<Value>) -> Result<MultiValue> {
    at_most(args, 1)?;
    Ok(MultiValue::from_iter([set(args)?]))
}

/// Sets whole numbers that are given, each between two others; answers what they are.
fn integers(args: &Arguments<'_>, settings: &[(&Cell<i32>, i32, i32)]) -> Result<MultiValue> {
    at_most(args, settings.len())?;
    let set = |(index, &(setting, least, most)): (usize, &(&Cell<i32>, i32, i32))| {
        integer(args, index + 1, setting, least, most)
    };
    settings.iter().enumerate().map(set).collect()
}

fn integer(
    args: &Arguments<'_>,
    position: usize,
    setting: &Cell<i32>,
    least: i32,
    most: i32,
) -> Result<Value> {
    if !args.is_none(position) {
        let number = i32::try_from(args.integer(position)?).ok().filter(|n| (least..=most).contains(n));
        let error = || args.bad(1, &format!("expected integer between {least} and {most}"));
        setting.set(number.ok_or_else(error)?);
    }
    Ok(Value::Integer(setting.get().into()))
}

/// The number of the word among these that an argument is.
fn word(args: &Arguments<'_>, position: usize, words: &[&str]) -> Result<usize> {
    let given = args.string(position)?;
    let found = words.iter().position(|word| word.as_bytes() == &*given.as_bytes());
    found.ok_or_else(|| args.bad(position, &format!("invalid option '{}'", given.to_string_lossy())))
}

/// Sets what is on or off, if it is given.
fn switch(args: &Arguments<'_>, position: usize, setting: &Cell<bool>) -> Result<Value> {
    match args.get(position) {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(on)) => setting.set(*on),
        Some(_) => setting.set(word(args, position, &["off", "on"])? == 1),
    }
    Ok(Value::Boolean(setting.get()))
}

fn encode_sparse_array(of: &Settings, args: &Arguments<'_>) -> Result<MultiValue> {
    at_most(args, 3)?;
    Ok(MultiValue::from_iter([
        switch(args, 1, &of.sparse_convert)?,
        integer(args, 2, &of.sparse_ratio, 0, i32::MAX)?,
        integer(args, 3, &of.sparse_safe, 0, i32::MAX)?,
    ]))
}

fn encode_invalid_numbers(of: &Settings, args: &Arguments<'_>) -> Result<MultiValue> {
    at_most(args, 1)?;
    match args.get(1) {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(false)) => of.encode_invalid.set(Invalid::Refused),
        Some(Value::Boolean(true)) => of.encode_invalid.set(Invalid::Written),
        Some(_) => of.encode_invalid.set(match word(args, 1, &["off", "on", "null"])? {
            0 => Invalid::Refused,
            1 => Invalid::Written,
            _ => Invalid::Null,
        }),
    }
    Ok(MultiValue::from_iter([match of.encode_invalid.get() {
        Invalid::Refused => Value::Boolean(false),
        Invalid::Written => Value::Boolean(true),
        Invalid::Null => args.text("null")?,
    }]))
}

#[cfg(test)]
mod tests;
