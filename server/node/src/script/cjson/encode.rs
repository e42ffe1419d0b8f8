//! Values of Lua as JSON.

#![expect(clippy::wildcard_enum_match_arm, reason = "the enums of the interpreter are open: others may come")]

use mlua::{Error, Function, Lua, Result, Table, Value};

use super::super::arguments::{located, number, type_name};
use super::number::write;
use super::{DEPTH_MAX, Invalid, Settings};

/// How long the text may get: what the buffer takes is not counted as the interpreter's.
const TEXT_MAX: usize = 512 * 1024 * 1024;

/// A table that is being written.
enum Open {
    Array {
        table: Table,
        /// The index of the next element, and of the last one.
        next: usize,
        last: usize,
    },
    Object {
        table: Table,
        /// The key of the last element that was written.
        key: Value,
    },
}

struct Encoder<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    /// Lua's function `next`.
    next: &'a Function,
    out: Vec<u8>,
    open: Vec<Open>,
}

/// A value as JSON.
pub(super) fn encode(lua: &Lua, settings: &Settings, next: &Function, value: &Value) -> Result<Vec<u8>> {
    let mut encoder = Encoder { lua, settings, next, out: Vec::new(), open: Vec::new() };
    encoder.value(value)?;
    while let Some(open) = encoder.open.pop() {
        encoder.go_on(open)?;
        if encoder.out.len() > TEXT_MAX {
            return Err(Error::MemoryError("not enough memory".to_owned()));
        }
    }
    Ok(encoder.out)
}

impl Encoder<'_> {
    fn unfit(&self, value: &Value, reason: &str) -> Error {
        located(self.lua, &format!("Cannot serialise {}: {reason}", type_name(value)))
    }

    /// Writes a value; a table is only begun.
    fn value(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::String(string) => quote(&mut self.out, &string.as_bytes()),
            Value::Integer(_) | Value::Number(_) => self.number(value)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Table(table) => self.begin(table, value)?,
            Value::Nil => self.out.extend_from_slice(b"null"),
            null if null.is_null() => self.out.extend_from_slice(b"null"),
            other => return Err(self.unfit(other, "type not supported")),
        }
        Ok(())
    }

    fn number(&mut self, value: &Value) -> Result<()> {
        let number = number(self.lua, value).unwrap_or_default();
        match self.settings.encode_invalid.get() {
            _ if number.is_finite() => {}
            Invalid::Refused => return Err(self.unfit(value, "must not be NaN or Inf")),
            Invalid::Null => {
                self.out.extend_from_slice(b"null");
                return Ok(());
            }
            Invalid::Written if number.is_nan() => {
                self.out.extend_from_slice(b"nan");
                return Ok(());
            }
            Invalid::Written => {}
        }
        let digits = usize::try_from(self.settings.precision.get()).unwrap_or(1).max(1);
        write(&mut self.out, number, digits);
        Ok(())
    }

    fn begin(&mut self, table: &Table, value: &Value) -> Result<()> {
        let depth = self.open.len() + 1;
        let most = usize::try_from(self.settings.encode_depth.get()).unwrap_or_default().min(DEPTH_MAX);
        if depth > most {
            return Err(located(self.lua, &format!("Cannot serialise, excessive nesting ({depth})")));
        }
        let open = match self.array_len(table, value)? {
            Some(last) if last > 0 => {
                self.out.push(b'[');
                Open::Array { table: table.clone(), next: 1, last }
            }
            _ => {
                self.out.push(b'{');
                Open::Object { table: table.clone(), key: Value::Nil }
            }
        };
        self.open.push(open);
        Ok(())
    }

    /// The length of a table that is an array.
    fn array_len(&self, table: &Table, value: &Value) -> Result<Option<usize>> {
        let (mut longest, mut count) = (0.0, 0.0);
        for pair in table.pairs::<Value, Value>() {
            let (key, _) = pair?;
            let index = if key.is_string() { None } else { number(self.lua, &key) };
            let Some(index) = index.filter(|&index| index.floor() == index && index >= 1.0) else {
                return Ok(None);
            };
            longest = f64::max(longest, index);
            count += 1.0;
        }
        let (ratio, safe) = (self.settings.sparse_ratio.get(), self.settings.sparse_safe.get());
        if ratio > 0 && longest > count * f64::from(ratio) && longest > f64::from(safe) {
            if self.settings.sparse_convert.get() {
                return Ok(None);
            }
            return Err(self.unfit(value, "excessively sparse array"));
        }
        Ok(Some(longest as usize))
    }

    /// Writes the next element of a table, or its end.
    fn go_on(&mut self, open: Open) -> Result<()> {
        match open {
            Open::Array { next, last, .. } if next > last => self.out.push(b']'),
            Open::Array { table, next, last } => {
                if next > 1 {
                    self.out.push(b',');
                }
                let value: Value = table.raw_get(next)?;
                self.open.push(Open::Array { table, next: next + 1, last });
                self.value(&value)?;
            }
            Open::Object { table, key } => {
                let first = key.is_nil();
                let (key, value): (Value, Value) = self.next.call((&table, key))?;
                if key.is_nil() {
                    self.out.push(b'}');
                    return Ok(());
                }
                if !first {
                    self.out.push(b',');
                }
                self.key(&key)?;
                self.open.push(Open::Object { table, key });
                self.value(&value)?;
            }
        }
        Ok(())
    }

    fn key(&mut self, key: &Value) -> Result<()> {
        match key {
            Value::String(string) => quote(&mut self.out, &string.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                self.out.push(b'"');
                self.number(key)?;
                self.out.push(b'"');
            }
            other => return Err(self.unfit(other, "table key must be a number or string")),
        }
        self.out.push(b':');
        Ok(())
    }
}

/// A string between quotes, with escapes for what cannot stand there.
fn quote(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    for &byte in bytes {
        let escape = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'\x08' => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            b'\x0c' => b'f',
            b'\r' => b'r',
            0..=0x1f | 0x7f => {
                out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                continue;
            }
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', escape]);
    }
    out.push(b'"');
}
