//! Reading arguments: numbers as strictly as Redis reads them, and options without regard to case.
//!
//! What Redis accepts is narrow, and clients rely on what it refuses: spaces, NaN, integers with a plus sign. Two readings of floats are kept apart because Redis has two: commands refuse what a double cannot hold, bounds of
//! ranges take it as infinite. The parsers are pure; the errors they map to are Redis's texts.

use nuthatch_proto::resp::Args;

use super::CommandError;
pub(crate) use nuthatch_proto::resp::number::parse_integer;

/// The part of a client's word that an error repeats: what C takes for a text.
pub(crate) fn repeated(word: &[u8]) -> String {
    let text = word.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// An integer as Redis's `string2ll` takes it, or the error a command replies.
#[inline]
pub(crate) fn integer(text: &[u8]) -> Result<i64, CommandError> {
    parse_integer(text).ok_or(CommandError::NotInteger)
}

/// A number that Redis reads into a C `int`.
pub(crate) fn int(text: &[u8]) -> Result<i32, CommandError> {
    i32::try_from(integer(text)?).map_err(|_| CommandError::IntRange)
}

/// An integer whose negative is one too: all but the smallest.
pub(crate) fn negatable(text: &[u8]) -> Result<i64, CommandError> {
    let number = integer(text)?;
    if number == i64::MIN {
        return Err(CommandError::Other(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    Ok(number)
}

/// A float as Redis's `getLongDoubleFromObject` and `getDoubleFromObject` take it: no space, no NaN, not empty; what
/// is too large or too small for a double is refused.
pub(crate) fn parse_float(text: &[u8]) -> Option<f64> {
    // Most are short integers, which a double holds exactly.
    if text.len() < 16
        && let Some(number) = parse_integer(text)
    {
        return Some(number as f64);
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Some(value) = hexadecimal(text) {
        return value.is_finite().then_some(value);
    }
    let value: f64 = text.parse().ok()?;
    let digits = text.trim_start_matches(['+', '-']);
    let overflow = value.is_infinite() && !digits.starts_with(['i', 'I']);
    let underflow =
        value == 0.0 && digits.bytes().take_while(|b| !b.eq_ignore_ascii_case(&b'e')).any(|b| b > b'0');
    (!value.is_nan() && !overflow && !underflow).then_some(value)
}

/// A float as C's `strtod` takes it, which also reads hexadecimal digits, and says `inf` of what is too large.
pub(crate) fn strtod(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    hexadecimal(text).or_else(|| text.parse().ok())
}

/// A float in hexadecimal digits, as C reads and writes it: `0x1.8p3`.
fn hexadecimal(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"))?;
    let (mantissa, exponent) = match digits.split_once(['p', 'P']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let places = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(sign * value * 2_f64.powi(exponent.checked_sub(places)?))
}

/// The same, or the error a command replies.
pub(crate) fn float(text: &[u8]) -> Result<f64, CommandError> {
    parse_float(text).ok_or(CommandError::NotFloat)
}

/// A count that must be positive, zero included (`LPOP key count`).
pub(crate) fn count(text: &[u8]) -> Result<usize, CommandError> {
    let number = parse_integer(text).and_then(|number| usize::try_from(number).ok());
    number.ok_or(CommandError::NotPositive)
}

/// A count of at least one; everything else is the error with that text.
pub(crate) fn at_least_one(text: &[u8], error: &'static str) -> Result<usize, CommandError> {
    let number = parse_integer(text).and_then(|number| usize::try_from(number).ok()).filter(|&n| n > 0);
    number.ok_or(CommandError::Other(error))
}

/// The keys that follow the argument at `position`, which says how many there are, and what follows them.
pub(crate) fn counted_keys(args: Args<'_>, position: usize) -> Result<(Args<'_>, Args<'_>), CommandError> {
    let rest = args.skip(position + 1);
    let count = args.get(position).ok_or(CommandError::Syntax)?;
    let count = at_least_one(count, "ERR numkeys should be greater than 0")?;
    if count > rest.len() {
        return Err(CommandError::Syntax);
    }
    Ok((rest.take(count), rest.skip(count)))
}

/// What LMPOP and ZMPOP pop: `numkeys key [key ...] <first | last> [COUNT count]`.
pub(crate) struct MultiPop<'a> {
    /// The keys, of which the first that holds anything is popped from.
    pub(crate) keys: Args<'a>,
    /// Whether the second of the two ends was named.
    pub(crate) last: bool,
    /// How many elements at most.
    pub(crate) count: usize,
}

impl<'a> MultiPop<'a> {
    /// Reads it from the argument at `position` on; `ends` are the words for the two ends.
    pub(crate) fn parse(args: Args<'a>, position: usize, ends: [&str; 2]) -> Result<Self, CommandError> {
        let (keys, rest) = counted_keys(args, position)?;
        let end = rest.get(0).and_then(|word| ends.iter().position(|end| is(word, end)));
        let last = end.ok_or(CommandError::Syntax)? == 1;
        let count = match (rest.get(1), rest.get(2)) {
            (None, _) => 1,
            (Some(word), Some(count)) if is(word, "count") => {
                at_least_one(count, "ERR count should be greater than 0")?
            }
            (Some(_), _) => return Err(CommandError::Syntax),
        };
        if rest.len() > 3 {
            return Err(CommandError::Syntax);
        }
        Ok(Self { keys, last, count })
    }
}

/// Whether an argument is this option.
#[inline]
pub(crate) fn is(argument: &[u8], option: &str) -> bool {
    argument.eq_ignore_ascii_case(option.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_strictly_as_redis_reads_them() {
        for (text, value) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("18446744073709551616", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("+1", None),
            ("01", None),
            (" 1", None),
            ("1 ", None),
            ("1a", None),
        ] {
            assert_eq!(parse_integer(text.as_bytes()), value, "{text}");
        }
    }

    #[test]
    fn floats_beyond_a_double_are_refused() {
        for (text, value) in [
            ("1", Some(1.0)),
            ("-2.5", Some(-2.5)),
            ("+3", Some(3.0)),
            (".5", Some(0.5)),
            ("1e3", Some(1000.0)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("Infinity", Some(f64::INFINITY)),
            ("0e-999", Some(0.0)),
            ("0x10", Some(16.0)),
            ("-0X1.8p3", Some(-12.0)),
            ("0x", None),
            ("0x1p99999", None),
            ("123456789012345678", Some(123_456_789_012_345_680.0)),
            ("1e400", None),
            ("1e-400", None),
            ("nan", None),
            ("-NaN", None),
            ("", None),
            (" 1", None),
            ("1 ", None),
        ] {
            assert_eq!(parse_float(text.as_bytes()), value, "{text}");
        }
    }
}
