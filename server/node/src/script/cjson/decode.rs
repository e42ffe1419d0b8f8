//! JSON as values of Lua.
//!
//! A zero byte ends the text, as it does for the library in C. Numbers that JSON does not have are read unless the settings
//! refuse them. The place of an error counts from 1.

use mlua::{Error, Lua, Result, Table, Value};

use super::super::arguments::located;
use super::number;
use super::{DEPTH_MAX, Settings};

/// A piece of the text.
#[derive(Debug, PartialEq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Colon,
    Comma,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    End,
    /// What is wrong.
    Error(&'static str),
}

impl Token {
    /// What it is called in errors.
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::End => "T_END",
            Self::Error(what) => what,
        }
    }
}

/// A table that is being filled.
enum Open {
    Array(Table, usize),
    Object(Table, Value),
}

struct Decoder<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    text: &'a [u8],
    at: usize,
    /// Where the last token began, or what was wrong with it.
    place: usize,
    open: Vec<Open>,
}

/// The value that a text says.
pub(super) fn decode(lua: &Lua, settings: &Settings, text: &[u8]) -> Result<Value> {
    if text.len() >= 2 && text[..2].contains(&0) {
        return Err(located(lua, "JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut decoder = Decoder { lua, settings, text, at: 0, place: 0, open: Vec::new() };
    let token = decoder.token();
    let value = decoder.whole(token)?;
    let rest = decoder.token();
    if rest == Token::End { Ok(value) } else { Err(decoder.unexpected("the end", &rest)) }
}

impl Decoder<'_> {
    fn unexpected(&self, expected: &str, found: &Token) -> Error {
        let (found, place) = (found.name(), self.place + 1);
        located(self.lua, &format!("Expected {expected} but found {found} at character {place}"))
    }

    /// The value that begins with a token.
    fn whole(&mut self, mut token: Token) -> Result<Value> {
        loop {
            let mut value = match token {
                Token::String(bytes) => Value::String(self.lua.create_string(bytes)?),
                Token::Number(number) => Value::Number(number),
                Token::Boolean(boolean) => Value::Boolean(boolean),
                Token::Null => Value::NULL,
                Token::ArrayBegin => {
                    let table = self.descend()?;
                    token = self.token();
                    if token != Token::ArrayEnd {
                        self.open.push(Open::Array(table, 1));
                        continue;
                    }
                    Value::Table(table)
                }
                Token::ObjectBegin => {
                    let table = self.descend()?;
                    token = self.token();
                    if token != Token::ObjectEnd {
                        token = self.member(table, token)?;
                        continue;
                    }
                    Value::Table(table)
                }
                Token::ObjectEnd
                | Token::ArrayEnd
                | Token::Colon
                | Token::Comma
                | Token::End
                | Token::Error(_) => return Err(self.unexpected("value", &token)),
            };
            // Where it goes; a table that is complete by that goes into the one around it.
            token = loop {
                let (end, expected) = match self.open.last() {
                    None => return Ok(value),
                    Some(Open::Array(..)) => (Token::ArrayEnd, "comma or array end"),
                    Some(Open::Object(..)) => (Token::ObjectEnd, "comma or object end"),
                };
                self.put(value)?;
                let after = self.token();
                if after == Token::Comma {
                    break self.next_element()?;
                } else if after != end {
                    return Err(self.unexpected(expected, &after));
                }
                match self.open.pop() {
                    Some(Open::Array(table, _) | Open::Object(table, _)) => value = Value::Table(table),
                    None => return Ok(Value::Nil),
                }
            };
        }
    }

    /// Puts a value into the innermost table.
    fn put(&mut self, value: Value) -> Result<()> {
        match self.open.last_mut() {
            Some(Open::Array(table, index)) => {
                table.raw_set(*index, value)?;
                *index += 1;
            }
            Some(Open::Object(table, key)) => table.raw_set(std::mem::replace(key, Value::Nil), value)?,
            None => {}
        }
        Ok(())
    }

    /// The first token of the innermost table's next element, behind a comma.
    fn next_element(&mut self) -> Result<Token> {
        let token = self.token();
        match self.open.pop() {
            Some(Open::Object(table, _)) => self.member(table, token),
            Some(open @ Open::Array(..)) => {
                self.open.push(open);
                Ok(token)
            }
            None => Ok(token),
        }
    }

    /// Takes the key of a member and the colon; the first token of its value.
    fn member(&mut self, table: Table, key: Token) -> Result<Token> {
        let Token::String(key) = key else { return Err(self.unexpected("object key string", &key)) };
        let key = Value::String(self.lua.create_string(key)?);
        let colon = self.token();
        if colon != Token::Colon {
            return Err(self.unexpected("colon", &colon));
        }
        self.open.push(Open::Object(table, key));
        Ok(self.token())
    }

    fn descend(&mut self) -> Result<Table> {
        let depth = self.open.len() + 1;
        let most = usize::try_from(self.settings.decode_depth.get()).unwrap_or_default().min(DEPTH_MAX);
        if depth > most {
            let text = format!("Found too many nested data structures ({depth}) at character {}", self.at);
            return Err(located(self.lua, &text));
        }
        self.lua.create_table()
    }

    /// The byte there; behind the end there are zeros.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn wrong(&mut self, what: &'static str) -> Token {
        self.place = self.at;
        Token::Error(what)
    }

    fn token(&mut self) -> Token {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.place = self.at;
        let single = match self.byte(self.at) {
            0 => return Token::End,
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            b'"' => return self.string(),
            _ => return self.word(),
        };
        self.at += 1;
        single
    }

    /// A number, or one of the words.
    fn word(&mut self) -> Token {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_odd = is_odd_number(rest);
        match rest.first() {
            Some(b'-' | b'0'..=b'9') if is_odd && !self.settings.decode_invalid.get() => {
                return self.wrong("invalid number");
            }
            Some(b'-' | b'0'..=b'9') => return self.number(),
            _ => {}
        }
        let words = [("true", Token::Boolean(true)), ("false", Token::Boolean(false)), ("null", Token::Null)];
        for (word, token) in words {
            if rest.starts_with(word.as_bytes()) {
                self.at += word.len();
                return token;
            }
        }
        let may_begin = matches!(rest.first(), Some(b'i' | b'I' | b'n' | b'N' | b'+'));
        if may_begin && is_odd && self.settings.decode_invalid.get() {
            return self.number();
        }
        self.wrong("invalid token")
    }

    fn number(&mut self) -> Token {
        match number::read(&self.text[self.at..]) {
            Some((number, len)) => {
                self.at += len;
                Token::Number(number)
            }
            None => self.wrong("invalid number"),
        }
    }

    fn string(&mut self) -> Token {
        let mut bytes = Vec::new();
        self.at += 1;
        loop {
            match self.byte(self.at) {
                b'"' => break,
                0 => return self.wrong("unexpected end of string"),
                b'\\' => match self.byte(self.at + 1) {
                    b'u' => match self.unicode() {
                        Some((character, len)) => {
                            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                            self.at += len;
                        }
                        None => return self.wrong("invalid unicode escape code"),
                    },
                    letter => match escaped(letter) {
                        Some(byte) => {
                            bytes.push(byte);
                            self.at += 2;
                        }
                        None => return self.wrong("invalid escape code"),
                    },
                },
                byte => {
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Token::String(bytes)
    }

    /// The character of an escape, or of a pair of them, and how long that is.
    fn unicode(&self) -> Option<(char, usize)> {
        let high = self.unit(self.at + 2)?;
        if let Some(character) = char::from_u32(high) {
            return Some((character, 6));
        }
        if self.byte(self.at + 6) != b'\\' || self.byte(self.at + 7) != b'u' {
            return None;
        }
        let low = self.unit(self.at + 8)?;
        let units = [u16::try_from(high).ok()?, u16::try_from(low).ok()?];
        char::decode_utf16(units).next()?.ok().map(|character| (character, 12))
    }

    /// Four hexadecimal digits.
    fn unit(&self, at: usize) -> Option<u32> {
        (at..at + 4).try_fold(0, |unit, at| Some(unit << 4 | char::from(self.byte(at)).to_digit(16)?))
    }
}

fn escaped(letter: u8) -> Option<u8> {
    Some(match letter {
        b'"' | b'\\' | b'/' => letter,
        b'b' => b'\x08',
        b't' => b'\t',
        b'n' => b'\n',
        b'f' => b'\x0c',
        b'r' => b'\r',
        _ => return None,
    })
}

/// Whether a text begins with a number that C reads and JSON does not have.
fn is_odd_number(text: &[u8]) -> bool {
    let text = match text.split_first() {
        Some((b'+', _)) => return true,
        Some((b'-', rest)) => rest,
        _ => text,
    };
    let begins = |word: &[u8]| text.get(..3).is_some_and(|part| part.eq_ignore_ascii_case(word));
    match text {
        [b'0', second, ..] => second.eq_ignore_ascii_case(&b'x') || second.is_ascii_digit(),
        _ => begins(b"inf") || begins(b"nan"),
    }
}
