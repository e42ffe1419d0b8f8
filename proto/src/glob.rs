//! Redis's glob patterns: what KEYS, SCAN, CONFIG GET and COMMAND LIST match names against.
//!
//! `*` stands for any bytes, `?` for one, `[a-c]` and `[^a-c]` for one of a class or none of it, and a backslash takes
//! the next byte literally. A class that is never closed ends with the pattern. Patterns and texts are bytes.
//!
//! The time is bounded by the product of the two lengths: on a mismatch only the last star takes one more byte, which
//! is enough, for whatever an earlier star could have taken the last one can take as well. A pattern with more than
//! [`STARS_MAX`] stars before others matches nothing, because Redis, where each one costs a level of recursion, gives up
//! there.

/// Whether capital and small ASCII letters are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// They are.
    Sensitive,
    /// They are not.
    Insensitive,
}

/// How many stars, each with something behind it, a pattern may have.
const STARS_MAX: usize = 1000;

/// Whether the pattern matches the whole text.
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    let (mut rest, mut left) = (pattern, text);
    // The pattern behind the last star, and the text from where that star may take one more byte.
    let mut retry: Option<(&[u8], &[u8])> = None;
    let mut stars = 0;
    loop {
        if let [b'*', after @ ..] = rest {
            if after.is_empty() {
                return true;
            }
            // Stars in a row are one.
            stars += usize::from(after[0] != b'*');
            if stars > STARS_MAX {
                return false;
            }
            (rest, retry) = (after, Some((after, left)));
            continue;
        }
        let step = match left {
            [] if rest.is_empty() => return true,
            [] => return false,
            [byte, behind @ ..] => one(rest, *byte, case).map(|after| (after, behind)),
        };
        (rest, left) = match (step, retry) {
            (Some(next), _) => next,
            (None, Some((after, [_, behind @ ..]))) => {
                retry = Some((after, behind));
                (after, behind)
            }
            (None, _) => return false,
        };
    }
}

/// What remains of the pattern, if its first element, which is no star, matches the byte.
fn one(pattern: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    let (matched, rest) = match pattern {
        [] => (false, pattern),
        [b'?', rest @ ..] => (true, rest),
        [b'[', b'^', class @ ..] => {
            let (matched, rest) = in_class(class, byte, case);
            (!matched, rest)
        }
        [b'[', class @ ..] => in_class(class, byte, case),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (same(*literal, byte, case), rest),
    };
    matched.then_some(rest)
}

/// Whether the byte is in the class, and what remains of the pattern behind it.
fn in_class(class: &[u8], byte: u8, case: Case) -> (bool, &[u8]) {
    let (mut rest, mut matched) = (class, false);
    loop {
        rest = match rest {
            [] => return (matched, rest),
            [b'\\', literal, rest @ ..] => {
                matched |= *literal == byte;
                rest
            }
            [b']', rest @ ..] => return (matched, rest),
            [low, b'-', high, rest @ ..] => {
                matched |= in_range(*low, *high, byte, case);
                rest
            }
            [literal, rest @ ..] => {
                matched |= same(*literal, byte, case);
                rest
            }
        };
    }
}

fn in_range(low: u8, high: u8, byte: u8, case: Case) -> bool {
    let (low, high) = (low.min(high), low.max(high));
    match case {
        Case::Sensitive => (low..=high).contains(&byte),
        Case::Insensitive => {
            (low.to_ascii_lowercase()..=high.to_ascii_lowercase()).contains(&byte.to_ascii_lowercase())
        }
    }
}

fn same(a: u8, b: u8, case: Case) -> bool {
    match case {
        Case::Sensitive => a == b,
        Case::Insensitive => a.eq_ignore_ascii_case(&b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        for (texts, expected) in [(matching, true), (others, false)] {
            for text in texts {
                let found = matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive);
                assert_eq!(found, expected, "{pattern:?} and {text:?}");
            }
        }
    }

    #[test]
    fn each_element() {
        check("", &[""], &["a"]);
        check("abc", &["abc"], &["ab", "abcd", "ABC", ""]);
        check("*", &["", "anything"], &[]);
        check("h?llo", &["hello", "hallo"], &["hllo", "heello"]);
        check("h*llo", &["hllo", "heeello", "hllollo"], &["hllo ", "ello"]);
        check("h[ae]llo", &["hello", "hallo"], &["hillo", "hllo"]);
        check("h[^e]llo", &["hallo", "hbllo"], &["hello", "hllo"]);
        check("h[a-c]llo", &["hallo", "hbllo", "hcllo"], &["hdllo"]);
        check("h[c-a]llo", &["hallo", "hbllo"], &["hdllo"]);
        check(r"a\*b", &["a*b"], &["axb", r"a\*b"]);
        check(r"[\]]", &["]"], &["\\", "a"]);
        check("[abc", &["a", "c"], &["d", "[abc"]);
        check("[]a", &[], &["a", "]a"]);
        check(r"a\", &[r"a\"], &["a"]);
        check("**a**b**", &["ab", "xaxbx"], &["ba"]);
        check("a*b*c", &["abc", "aXbXbYc"], &["acb", "abcd"]);
    }

    #[test]
    fn case_may_be_ignored() {
        assert!(matches(b"GE[T-u]*", b"getset", Case::Insensitive));
        assert!(!matches(b"GE[T-u]*", b"getset", Case::Sensitive));
    }

    #[test]
    fn too_many_stars_match_nothing() {
        let text = [b'a'; 2000];
        for (stars, expected) in [(1000, true), (1001, false)] {
            let pattern = "*?".repeat(stars);
            assert_eq!(matches(pattern.as_bytes(), &text, Case::Sensitive), expected, "{stars}");
        }
        assert!(matches("*".repeat(5000).as_bytes(), &text, Case::Sensitive));
        assert!(matches(("*?".repeat(1000) + "**").as_bytes(), &text, Case::Sensitive));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "a*".repeat(200) + "b";
        assert!(!matches(pattern.as_bytes(), &[b'a'; 2000], Case::Sensitive));
    }

    /// The definition, tried in all ways: for short patterns without classes.
    fn by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|taken| by_definition(rest, &text[taken..])),
            ([b'?', rest @ ..], [_, behind @ ..]) => by_definition(rest, behind),
            ([literal, rest @ ..], [byte, behind @ ..]) => literal == byte && by_definition(rest, behind),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let expected = by_definition(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive), expected);
        }

        #[test]
        fn never_panics(pattern: Vec<u8>, text: Vec<u8>) {
            matches(&pattern, &text, Case::Insensitive);
        }
    }
}
