//! Integers in text, as strictly as Redis reads them: one spelling per number.
//!
//! Redis accepts as an integer only what it would itself have written: no `+`, no leading zero, no blank, no `-0`, and
//! nothing beyond 64 bits. Protocol headers, counters' values and integer options are all read so; who wants a laxer
//! reading does not want this module.

/// Reads the whole of `text` as an integer; `None` unless it is exactly what [`itoa`] writes for one.
#[inline]
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'0'] => return Some(0),
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    // The largest has nineteen digits, and no number of nineteen digits overflows 64 bits without a sign.
    if !matches!(digits, [b'1'..=b'9', ..]) || digits.len() > 19 {
        return None;
    }
    let mut magnitude: u64 = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_an_integer() {
        for text in [
            "",
            "-",
            "+1",
            "01",
            "00",
            "-0",
            "-01",
            " 1",
            "1 ",
            "1.0",
            "0x1",
            "1e3",
            "--1",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "99999999999999999999",
            "100000000000000000000",
        ] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_integer_is_read_back(number: i64) {
            prop_assert_eq!(parse_integer(number.to_string().as_bytes()), Some(number));
        }

        #[test]
        fn what_is_read_is_written_the_same(text in "[-+]?[0-9]{1,21}") {
            if let Some(number) = parse_integer(text.as_bytes()) {
                prop_assert_eq!(number.to_string(), text);
            }
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        for number in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX] {
            assert_eq!(parse_integer(number.to_string().as_bytes()), Some(number));
        }
    }
}
