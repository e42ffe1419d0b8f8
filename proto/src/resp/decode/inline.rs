//! Inline requests: a line of words, quoted as a shell user would, unescaped where they stand.
//!
//! `"..."` knows `\n \r \t \b \a`, `\xHH` and any other byte escaped as itself; `'...'` knows only `\'`. A closing quote
//! must be followed by a blank or the line's end. Quotes may begin inside a word: `foo"bar baz"` is one argument.
//! Unescaping only ever shortens, so an argument is written over its own text.
//!
//! Source: Redis 7.2 `sds.c`, `sdssplitargs`, with one difference: a zero byte is a byte like any other.

use super::ProtocolError;
use crate::resp::args::Span;

/// Splits the line into arguments and appends their spans, `offset` added.
pub(super) fn split(line: &mut [u8], offset: u32, spans: &mut Vec<Span>) -> Result<(), ProtocolError> {
    let before = spans.len();
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|&b| is_space(b)) {
            at += 1;
        }
        if at == line.len() {
            return Ok(());
        }
        let start = at;
        let Some(word) = word(line, start) else {
            spans.truncate(before);
            return Err(ProtocolError::UnbalancedQuotes);
        };
        spans.push(Span { start: offset + super::place(start), len: super::place(word.len) });
        at = word.next;
    }
}

struct Word {
    /// Its length once unescaped.
    len: usize,
    /// Where in the line reading goes on.
    next: usize,
}

enum Quote {
    None,
    Single,
    Double,
}

/// Unescapes the word that begins at `start` in place; `None` if its quotes are unbalanced.
fn word(line: &mut [u8], start: usize) -> Option<Word> {
    let (mut read, mut write) = (start, start);
    let mut quote = Quote::None;
    loop {
        let Some(&byte) = line.get(read) else {
            return matches!(quote, Quote::None).then_some(Word { len: write - start, next: read });
        };
        let (value, taken) = match (&quote, byte) {
            (Quote::None, b' ' | b'\n' | b'\r' | b'\t') => {
                return Some(Word { len: write - start, next: read });
            }
            (Quote::None, b'"' | b'\'') => {
                quote = if byte == b'"' { Quote::Double } else { Quote::Single };
                read += 1;
                continue;
            }
            (Quote::Double, b'"') | (Quote::Single, b'\'') => {
                let ends = line.get(read + 1).is_none_or(|&b| is_space(b));
                return ends.then_some(Word { len: write - start, next: read + 1 });
            }
            (Quote::Double, b'\\') => escaped(&line[read..]),
            (Quote::Single, b'\\') if line.get(read + 1) == Some(&b'\'') => (b'\'', 2),
            (Quote::None | Quote::Single | Quote::Double, _) => (byte, 1),
        };
        line[write] = value;
        write += 1;
        read += taken;
    }
}

/// The byte that an escape inside double quotes stands for, and the escape's length.
fn escaped(text: &[u8]) -> (u8, usize) {
    match text {
        [_, b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            (hex(*high) * 16 + hex(*low), 4)
        }
        [_, b'n', ..] => (b'\n', 2),
        [_, b'r', ..] => (b'\r', 2),
        [_, b't', ..] => (b'\t', 2),
        [_, b'b', ..] => (8, 2),
        [_, b'a', ..] => (7, 2),
        [_, other, ..] => (*other, 2),
        _ => (b'\\', 1),
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::Args;

    #[track_caller]
    fn check(line: &[u8], words: Option<&[&[u8]]>) {
        let mut line = line.to_vec();
        let mut spans = Vec::new();
        let outcome = split(&mut line, 0, &mut spans);
        let found = outcome.ok().map(|()| Args::new(&line, &spans).iter().collect::<Vec<_>>());
        assert_eq!(found.as_deref(), words);
    }

    #[test]
    fn words_are_split_at_blanks() {
        check(b"", Some(&[]));
        check(b" \t\x0b ", Some(&[]));
        check(b"  SET  key\tvalue ", Some(&[b"SET", b"key", b"value"]));
        check(b"a\x0bb", Some(&[b"a\x0bb"]));
        check(b"a\x00b c", Some(&[b"a\x00b", b"c"]));
    }

    #[test]
    fn double_quotes_know_escapes() {
        check(br#"SET "a b" """#, Some(&[b"SET", b"a b", b""]));
        check(br#""\x41\xfF\n\r\t\b\a\"\\\q" z"#, Some(&[b"A\xff\n\r\t\x08\x07\"\\q", b"z"]));
        check(br#""\xZZ" "\x4""#, Some(&[b"xZZ", b"x4"]));
        check(br#"foo"bar baz" x"#, Some(&[b"foobar baz", b"x"]));
    }

    #[test]
    fn single_quotes_know_only_their_own() {
        check(br"'a\'b' '\n' ''", Some(&[b"a'b", b"\\n", b""]));
        check(br#"'"' "'""#, Some(&[b"\"", b"'"]));
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [&br#"""#[..], br#""a"#, br#"set """test-key""" v"#, br#""a"b"#, b"'", b"'a'b", br#""a\"#]
        {
            check(line, None);
        }
    }
}
