//! Values of Lua in MessagePack.

#![expect(clippy::wildcard_enum_match_arm, reason = "the enums of the interpreter are open: others may come")]

use mlua::{Error, Result, Table, Value};

/// How deep tables are in each other.
const DEPTH_MAX: usize = 16;

/// How long the string may get: what it takes is not counted as the interpreter's.
const LEN_MAX: usize = 512 * 1024 * 1024;

const NIL: u8 = 0xc0;
const FALSE: u8 = 0xc2;
const TRUE: u8 = 0xc3;
const FLOAT: u8 = 0xca;
const DOUBLE: u8 = 0xcb;

/// Appends a value that is in so many tables.
pub(super) fn value(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<()> {
    if out.len() > LEN_MAX {
        return Err(Error::MemoryError("not enough memory".to_owned()));
    }
    match value {
        Value::String(string) => {
            let bytes = string.as_bytes();
            // Strings of fewer than 32 bytes have their length in the first byte; others in one, two or four.
            head(out, bytes.len(), (0xa0, 32), Some(0xd9), (0xda, 0xdb));
            out.extend_from_slice(&bytes);
        }
        Value::Boolean(true) => out.push(TRUE),
        Value::Boolean(false) => out.push(FALSE),
        Value::Integer(number) => integer(out, *number),
        Value::Number(number) => self::number(out, *number),
        Value::Table(table) if depth < DEPTH_MAX => self::table(out, table, depth)?,
        _ => out.push(NIL),
    }
    Ok(())
}

/// A length: in the first byte if it is small, and else behind one that says how long it is.
fn head(out: &mut Vec<u8>, len: usize, (short, below): (u8, usize), one: Option<u8>, more: (u8, u8)) {
    if len < below {
        out.push(short | len as u8);
    } else if let (Some(one), Ok(len)) = (one, u8::try_from(len)) {
        out.extend_from_slice(&[one, len]);
    } else if let Ok(len) = u16::try_from(len) {
        out.push(more.0);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(more.1);
        out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
    }
}

fn integer(out: &mut Vec<u8>, number: i64) {
    if (-32..=0x7f).contains(&number) {
        return out.push(number as u8);
    }
    let bytes = number.to_be_bytes();
    let (head, len) = if number > 0 {
        let forms = [(0xcc, 1), (0xcd, 2), (0xce, 4)];
        forms.into_iter().find(|&(_, len)| number >> (8 * len) == 0).unwrap_or((0xcf, 8))
    } else {
        let forms = [(0xd0, 1), (0xd1, 2), (0xd2, 4)];
        forms.into_iter().find(|&(_, len)| number >> (8 * len - 1) == -1).unwrap_or((0xd3, 8))
    };
    out.push(head);
    out.extend_from_slice(&bytes[bytes.len() - len..]);
}

fn number(out: &mut Vec<u8>, number: f64) {
    let whole = number as i64;
    if whole as f64 == number && whole != i64::MAX {
        integer(out, whole);
    } else if f64::from(number as f32) == number {
        out.push(FLOAT);
        out.extend_from_slice(&(number as f32).to_be_bytes());
    } else {
        out.push(DOUBLE);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn table(out: &mut Vec<u8>, table: &Table, depth: usize) -> Result<()> {
    let (mut count, mut longest, mut is_array) = (0_usize, 0, true);
    for pair in table.pairs::<Value, Value>() {
        let (key, _) = pair?;
        count += 1;
        match key {
            Value::Integer(index @ 1..=0x7fff_ffff) => longest = longest.max(index as usize),
            _ => is_array = false,
        }
    }
    if is_array && longest == count {
        head(out, count, (0x90, 16), None, (0xdc, 0xdd));
        for index in 1..=count {
            value(out, &table.raw_get(index)?, depth + 1)?;
        }
        return Ok(());
    }
    head(out, count, (0x80, 16), None, (0xde, 0xdf));
    for pair in table.pairs() {
        let (key, element): (Value, Value) = pair?;
        value(out, &key, depth + 1)?;
        value(out, &element, depth + 1)?;
    }
    Ok(())
}
