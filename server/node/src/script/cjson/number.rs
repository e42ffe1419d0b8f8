//! Numbers as text with so many digits, and from text as C reads them: `%.14g` and `strtod`.
//!
//! What C reads is more than JSON has: leading zeros, hexadecimal digits, infinity and NaN. Whether that is wanted is the
//! caller's to say.

use std::io::Write;

/// Appends a number with at most so many digits, in the shorter of its two forms.
pub(super) fn write(out: &mut Vec<u8>, number: f64, digits: usize) {
    let whole = number as i64;
    if whole as f64 == number && number.abs() < 1e6 && digits > 6 && whole != 0 {
        return text(out, format_args!("{whole}"));
    }
    if !number.is_finite() || number == 0.0 {
        let sign = if number.is_sign_negative() { "-" } else { "" };
        let word = if number.is_nan() {
            "nan"
        } else if number == 0.0 {
            "0"
        } else {
            "inf"
        };
        return text(out, format_args!("{sign}{word}"));
    }
    // The exponent is that of the rounded number.
    let scientific = format!("{number:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let begin = out.len();
    if let Ok(power) = usize::try_from(exponent)
        && power < digits
    {
        text(out, format_args!("{number:.*}", digits - 1 - power));
        trim(out, begin);
    } else if (-4..0).contains(&exponent) {
        text(out, format_args!("{number:.*}", digits - 1 + exponent.unsigned_abs() as usize));
        trim(out, begin);
    } else {
        text(out, format_args!("{mantissa}"));
        trim(out, begin);
        let sign = if exponent < 0 { '-' } else { '+' };
        text(out, format_args!("e{sign}{:02}", exponent.unsigned_abs()));
    }
}

fn text(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes everything");
}

/// Takes away zeros behind the point, and a point with nothing behind it.
fn trim(out: &mut Vec<u8>, begin: usize) {
    if out[begin..].contains(&b'.') {
        let zeros = out.iter().rev().take_while(|&&byte| byte == b'0').count();
        out.truncate(out.len() - zeros);
        if out.last() == Some(&b'.') {
            out.pop();
        }
    }
}

/// Reads the number that a text begins with, and how long that is.
pub(super) fn read(text: &[u8]) -> Option<(f64, usize)> {
    let negative = text.first() == Some(&b'-');
    let begin = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let (number, len) = magnitude(&text[begin..])?;
    Some((if negative { -number } else { number }, begin + len))
}

fn magnitude(text: &[u8]) -> Option<(f64, usize)> {
    if begins(text, b"infinity") {
        return Some((f64::INFINITY, 8));
    } else if begins(text, b"inf") {
        return Some((f64::INFINITY, 3));
    } else if begins(text, b"nan") {
        return Some((f64::NAN, 3 + payload(&text[3..])));
    } else if begins(text, b"0x")
        && let Some((number, len)) = hexadecimal(&text[2..])
    {
        return Some((number, 2 + len));
    }
    let whole = digits(text);
    let point = usize::from(text.get(whole) == Some(&b'.'));
    let fraction = if point == 1 { digits(&text[whole + 1..]) } else { 0 };
    if whole + fraction == 0 {
        return None;
    }
    let end = whole + point + fraction;
    let len = end + exponent_len(&text[end..], b'e');
    let number = str::from_utf8(&text[..len]).ok()?.parse().ok()?;
    Some((number, len))
}

fn begins(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word))
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// What may stand behind NaN: letters, digits and lines in parentheses.
fn payload(text: &[u8]) -> usize {
    let Some((b'(', rest)) = text.split_first() else { return 0 };
    let len = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    if rest.get(len) == Some(&b')') { len + 2 } else { 0 }
}

/// How long an exponent is, if there is one.
fn exponent_len(text: &[u8], letter: u8) -> usize {
    if !text.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&letter)) {
        return 0;
    }
    let sign = usize::from(matches!(text.get(1), Some(b'-' | b'+')));
    match digits(&text[1 + sign..]) {
        0 => 0,
        digits => 1 + sign + digits,
    }
}

fn hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    let (mut mantissa, mut power, mut any, mut point, mut len) = (0_u64, 0_i32, false, false, 0);
    for &byte in text {
        match char::from(byte).to_digit(16) {
            // There is room for every digit that a double has; of those behind them only whether one is not zero matters.
            Some(digit) if mantissa >> 58 == 0 => {
                mantissa = mantissa << 4 | u64::from(digit);
                power -= if point { 4 } else { 0 };
                any = true;
            }
            Some(digit) => {
                mantissa |= u64::from(digit != 0);
                power = power.saturating_add(if point { 0 } else { 4 });
            }
            None if byte == b'.' && !point => point = true,
            None => break,
        }
        len += 1;
    }
    if !any {
        return None;
    }
    let exponent = exponent_len(&text[len..], b'p');
    if exponent > 0 {
        let digits = str::from_utf8(&text[len + 1..len + exponent]).ok()?;
        power = power.saturating_add(digits.parse().unwrap_or(if digits.starts_with('-') {
            -100_000
        } else {
            100_000
        }));
    }
    Some((scaled(mantissa as f64, power), len + exponent))
}

/// A number times a power of two, in steps that each fit.
fn scaled(mut number: f64, power: i32) -> f64 {
    let mut left = power.clamp(-5000, 5000);
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        number *= 2_f64.powi(step);
        left -= step;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_so_many_digits() {
        let check = |number: f64, digits: usize, expected: &str| {
            let mut out = Vec::new();
            write(&mut out, number, digits);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{number}");
        };
        check(1.0, 14, "1");
        check(-5000.0, 14, "-5000");
        check(0.1, 14, "0.1");
        check(0.0003, 14, "0.0003");
        check(0.00003, 14, "3e-05");
        check(1e14, 14, "1e+14");
        check(12_345_678_901_234.0, 14, "12345678901234");
        check(99_999_999_999_999.9, 14, "1e+14");
        check(1.0 / 3.0, 14, "0.33333333333333");
        check(1.0 / 3.0, 3, "0.333");
        check(1234.5, 3, "1.23e+03");
        check(-0.0, 14, "-0");
        check(f64::MAX, 14, "1.7976931348623e+308");
        check(f64::NEG_INFINITY, 14, "-inf");
    }

    #[test]
    fn numbers_are_read_as_far_as_they_go() {
        let check = |text: &str, expected: Option<(f64, usize)>| {
            assert_eq!(read(text.as_bytes()), expected, "{text}");
        };
        check("1,", Some((1.0, 1)));
        check("-5e3]", Some((-5000.0, 4)));
        check("0.3e-3", Some((0.0003, 6)));
        check("007", Some((7.0, 3)));
        check("1.", Some((1.0, 2)));
        check("1e", Some((1.0, 1)));
        check("1e+x", Some((1.0, 1)));
        check("0x1F.8p1", Some((63.0, 8)));
        check("0x", Some((0.0, 1)));
        check("0x1p-99999999999", Some((0.0, 16)));
        check("1e999", Some((f64::INFINITY, 5)));
        check("+Infinity", Some((f64::INFINITY, 9)));
        check("-infx", Some((f64::NEG_INFINITY, 4)));
        check("-", None);
        check("", None);
        check(".", None);
        assert!(read(b"nan(12)").is_some_and(|(number, len)| number.is_nan() && len == 7));
    }
}
