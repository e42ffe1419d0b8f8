//! MessagePack as values of Lua.
//!
//! Tables that are being read are kept on a stack of their own, so that how deep they are in each other is no matter of the
//! thread's stack. Nothing is set aside for a length before its bytes are there.

use mlua::{Error, Lua, Table, Value};

use super::super::arguments::located;

/// How many values are returned at once, as many as the stack of Lua holds.
pub(super) const RESULTS_MAX: usize = 7900;

/// How deep tables are in each other.
const DEPTH_MAX: usize = 3900;

/// Why a string is not read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It is too short.
    Missing,
    /// It has a type that there is no value for.
    BadFormat,
    /// It has more values, or deeper ones, than Lua's stack holds.
    TooMany,
    /// The interpreter refused a value.
    Refused(Error),
}

impl Unreadable {
    /// The error that the script sees.
    pub(super) fn raised(self, lua: &Lua) -> Error {
        match self {
            Self::Missing => located(lua, "Missing bytes in input."),
            Self::BadFormat => located(lua, "Bad data format in input."),
            Self::TooMany => located(
                lua,
                "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)",
            ),
            Self::Refused(error) => error,
        }
    }
}

impl From<Error> for Unreadable {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// A table that is being read: what is still to come, and the key that has.
enum Open {
    Array { table: Table, next: usize, left: usize },
    Map { table: Table, key: Option<Value>, left: usize },
}

/// What begins at a place.
enum Piece {
    Value(Value),
    Array(usize),
    Map(usize),
}

/// A cursor over the string.
pub(super) struct Reader<'a> {
    lua: &'a Lua,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(lua: &'a Lua, bytes: &'a [u8]) -> Self {
        Self { lua, bytes }
    }

    pub(super) fn is_done(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The next value, whole.
    pub(super) fn value(&mut self) -> Result<Value, Unreadable> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let mut value = match self.piece()? {
                Piece::Value(value) => value,
                Piece::Array(0) | Piece::Map(0) => Value::Table(self.lua.create_table()?),
                Piece::Array(left) => {
                    open.push(Open::Array { table: self.begin(&open)?, next: 1, left });
                    continue;
                }
                Piece::Map(left) => {
                    open.push(Open::Map { table: self.begin(&open)?, key: None, left });
                    continue;
                }
            };
            // Where it goes; a table that has all it should have goes into the one around it.
            loop {
                let table = match open.pop() {
                    None => return Ok(value),
                    Some(Open::Array { table, next, left }) => {
                        table.raw_set(next, value)?;
                        if left > 1 {
                            open.push(Open::Array { table, next: next + 1, left: left - 1 });
                            break;
                        }
                        table
                    }
                    Some(Open::Map { table, key: None, left }) => {
                        open.push(Open::Map { table, key: Some(value), left });
                        break;
                    }
                    Some(Open::Map { table, key: Some(key), left }) => {
                        set(&table, key, value)?;
                        if left > 1 {
                            open.push(Open::Map { table, key: None, left: left - 1 });
                            break;
                        }
                        table
                    }
                };
                value = Value::Table(table);
            }
        }
    }

    fn begin(&self, open: &[Open]) -> Result<Table, Unreadable> {
        if open.len() >= DEPTH_MAX { Err(Unreadable::TooMany) } else { Ok(self.lua.create_table()?) }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(Unreadable::Missing)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn string(&mut self, len: usize) -> Result<Piece, Unreadable> {
        let bytes = self.take(len)?;
        Ok(Piece::Value(Value::String(self.lua.create_string(bytes)?)))
    }

    /// A length of two bytes or of four.
    fn short(&mut self) -> Result<usize, Unreadable> {
        Ok(u16::from_be_bytes(self.array()?).into())
    }

    fn long(&mut self) -> Result<usize, Unreadable> {
        Ok(u32::from_be_bytes(self.array()?) as usize)
    }

    fn piece(&mut self) -> Result<Piece, Unreadable> {
        let [first] = self.array()?;
        let low = usize::from(first & 0x0f);
        let number = match first {
            0x00..=0x7f => f64::from(first),
            0xe0..=0xff => f64::from(first.cast_signed()),
            0xcc => f64::from(u8::from_be_bytes(self.array()?)),
            0xcd => f64::from(u16::from_be_bytes(self.array()?)),
            0xce => f64::from(u32::from_be_bytes(self.array()?)),
            0xcf => u64::from_be_bytes(self.array()?) as f64,
            0xd0 => f64::from(i8::from_be_bytes(self.array()?)),
            0xd1 => f64::from(i16::from_be_bytes(self.array()?)),
            0xd2 => f64::from(i32::from_be_bytes(self.array()?)),
            0xd3 => i64::from_be_bytes(self.array()?) as f64,
            0xca => f64::from(f32::from_be_bytes(self.array()?)),
            0xcb => f64::from_be_bytes(self.array()?),
            0xc0 => return Ok(Piece::Value(Value::Nil)),
            0xc2 | 0xc3 => return Ok(Piece::Value(Value::Boolean(first == 0xc3))),
            0xa0..=0xbf => return self.string(usize::from(first & 0x1f)),
            0xd9 => {
                let [len] = self.array()?;
                return self.string(len.into());
            }
            0xda => {
                let len = self.short()?;
                return self.string(len);
            }
            0xdb => {
                let len = self.long()?;
                return self.string(len);
            }
            0x90..=0x9f => return Ok(Piece::Array(low)),
            0xdc => return Ok(Piece::Array(self.short()?)),
            0xdd => return Ok(Piece::Array(self.long()?)),
            0x80..=0x8f => return Ok(Piece::Map(low)),
            0xde => return Ok(Piece::Map(self.short()?)),
            0xdf => return Ok(Piece::Map(self.long()?)),
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => return Err(Unreadable::BadFormat),
        };
        Ok(Piece::Value(Value::Number(number)))
    }
}

/// Sets a member; what cannot be a key is refused as Lua refuses it where no script is in between: without a place.
fn set(table: &Table, key: Value, value: Value) -> Result<(), Unreadable> {
    match key {
        Value::Nil => Err(Unreadable::Refused(Error::runtime("table index is nil"))),
        Value::Number(number) if number.is_nan() => {
            Err(Unreadable::Refused(Error::runtime("table index is NaN")))
        }
        Value::Boolean(_)
        | Value::Integer(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Table(_)
        | Value::LightUserData(_)
        | Value::Function(_)
        | Value::Thread(_)
        | Value::UserData(_)
        | Value::Error(_)
        | Value::Other(_) => Ok(table.raw_set(key, value)?),
    }
}
