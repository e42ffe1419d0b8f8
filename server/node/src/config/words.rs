//! Splits a line of a configuration file into words, and writes a word so that it splits into itself.
//!
//! The rules are redis.conf's: words are separated by blanks; within double quotes a backslash escapes (`\n`, `\r`,
//! `\t`, `\b`, `\a`, `\xff`, else the character itself), within single quotes only `\'`; a closing quote ends its word.

/// A quote is not closed, or text follows a closing quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unbalanced quotes: close every quote and put a space behind it")]
pub struct Unbalanced;

/// The words of a line.
pub(crate) fn split(line: &str) -> Result<Vec<String>, Unbalanced> {
    let mut words = Vec::new();
    let mut rest = line.chars().peekable();
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.peek().is_none() {
            return Ok(words);
        }
        let mut word = String::new();
        while let Some(c) = rest.next_if(|c| !c.is_whitespace()) {
            match c {
                '"' => quoted(&mut rest, &mut word)?,
                '\'' => literal(&mut rest, &mut word)?,
                c => {
                    word.push(c);
                    continue;
                }
            }
            if rest.peek().is_some_and(|c| !c.is_whitespace()) {
                return Err(Unbalanced);
            }
        }
        words.push(word);
    }
}

fn quoted(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), Unbalanced> {
    loop {
        match rest.next().ok_or(Unbalanced)? {
            '"' => return Ok(()),
            '\\' => match rest.next().ok_or(Unbalanced)? {
                'n' => word.push('\n'),
                'r' => word.push('\r'),
                't' => word.push('\t'),
                'b' => word.push('\u{8}'),
                'a' => word.push('\u{7}'),
                'x' => {
                    let digits: String = rest.take(2).collect();
                    let byte = u8::from_str_radix(&digits, 16).map_err(|_| Unbalanced)?;
                    word.push(char::from(byte));
                }
                c => word.push(c),
            },
            c => word.push(c),
        }
    }
}

fn literal(rest: &mut impl Iterator<Item = char>, word: &mut String) -> Result<(), Unbalanced> {
    let mut escaped = false;
    loop {
        match rest.next().ok_or(Unbalanced)? {
            '\'' if !escaped => return Ok(()),
            '\\' if !escaped => escaped = true,
            '\'' => {
                word.push('\'');
                escaped = false;
            }
            c => {
                if std::mem::take(&mut escaped) {
                    word.push('\\');
                }
                if c == '\\' {
                    escaped = true;
                } else {
                    word.push(c);
                }
            }
        }
    }
}

/// The word as it is written in a file: in quotes where it needs them.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '\'' | '\\' | '#');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<&[&str], Unbalanced>) {
        let expected = expected.map(|words| words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>());
        assert_eq!(split(line), expected, "{line}");
    }

    #[test]
    fn lines_split_as_in_redis_conf() {
        check("  port 7001\t", Ok(&["port", "7001"]));
        check(r#"save """#, Ok(&["save", ""]));
        check(r#"a "b c\n\x41\"" 'd "e\'f\g'"#, Ok(&["a", "b c\nA\"", "d \"e'f\\g"]));
        check(r#"a pre"fix""#, Ok(&["a", "prefix"]));
        check(r#"a "b"#, Err(Unbalanced));
        check("a 'b", Err(Unbalanced));
        check(r#"a "b"c"#, Err(Unbalanced));
        check(r#"a "\xg1""#, Err(Unbalanced));
    }

    proptest! {
        #[test]
        fn what_is_quoted_splits_into_itself(words in prop::collection::vec("\\PC*|[ \t\n\"'\\\\a]*", 0..4)) {
            let line = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(split(&line), Ok(words));
        }
    }
}
