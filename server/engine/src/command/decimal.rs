//! Sums of decimal texts, as INCRBYFLOAT makes them.
//!
//! Redis adds in `long double` and writes the sum with 17 places, trailing zeros cut off (`%.17Lf`), so that 0.1 and 0.2
//! make 0.3. A double is too coarse for that. So what people count with is added exactly, as an integer of 10^-19ths:
//! two places more than are written, and a range beyond that of a 64-bit integer. Only what is too large for this is
//! added as doubles.
//!
//! Against Redis: the sum of numbers with many digits differs in its last places (here it is the exact one), nothing
//! is larger than a double can be, and hexadecimal numbers are refused.
//!
//! Source: Redis 7.2 `util.c`, `ld2string` (`LD_STR_HUMAN`) and `string2ld`.

use std::fmt::Write;

use super::args::parse_float;

/// Decimal places that are kept.
const PLACES: usize = 19;
/// Decimal places that are written.
const PLACES_WRITTEN: usize = 17;
const ONE: i128 = 10i128.pow(PLACES as u32);

/// A number to be summed, finite or not, but never NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Decimal(Repr);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Repr {
    /// In units of 10^-19.
    Exact(i128),
    Double(f64),
}

impl Decimal {
    /// Reads a number as [`parse_float`] does; `None` where Redis says "value is not a valid float".
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let double = parse_float(text)?;
        let text = str::from_utf8(text).ok()?;
        Some(Self(exact(text).map_or(Repr::Double(double), Repr::Exact)))
    }

    /// The sum; `None` where Redis says "increment would produce NaN or Infinity".
    pub(super) fn checked_add(self, other: Self) -> Option<Self> {
        if let (Repr::Exact(a), Repr::Exact(b)) = (self.0, other.0)
            && let Some(sum) = a.checked_add(b)
        {
            return Some(Self(Repr::Exact(sum)));
        }
        let sum = self.as_double() + other.as_double();
        sum.is_finite().then_some(Self(Repr::Double(sum)))
    }

    fn as_double(self) -> f64 {
        match self.0 {
            Repr::Exact(units) => (units / ONE) as f64 + (units % ONE) as f64 / ONE as f64,
            Repr::Double(value) => value,
        }
    }

    /// The number's text: positional, 17 places at most, no zeros at the end, no negative zero.
    pub(super) fn to_text(self) -> String {
        let mut text = String::with_capacity(24);
        // Writing to a string cannot fail.
        let _ = match self.0 {
            Repr::Exact(units) => {
                let dropped = 10u128.pow((PLACES - PLACES_WRITTEN) as u32);
                let rounded = (units.unsigned_abs() + dropped / 2) / dropped;
                let one = 10u128.pow(PLACES_WRITTEN as u32);
                let sign = if units < 0 && rounded > 0 { "-" } else { "" };
                write!(text, "{sign}{}.{:0PLACES_WRITTEN$}", rounded / one, rounded % one)
            }
            Repr::Double(value) if value.is_finite() => write!(text, "{value:.PLACES_WRITTEN$}"),
            Repr::Double(value) => return if value > 0.0 { "inf".into() } else { "-inf".into() },
        };
        let kept = text.trim_end_matches('0').trim_end_matches('.').len();
        text.truncate(kept);
        text
    }
}

/// A text that is known to be a number, in units of 10^-19; `None` if that is too large. What lies beyond the last
/// place is rounded away.
fn exact(text: &str) -> Option<i128> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().ok()?;
    // The place value of the digit to come, counted in powers of ten above one unit.
    let mut place = exponent.checked_add(i64::try_from(whole.len() + PLACES).ok()?)?;
    let mut units: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        place -= 1;
        let digit = i128::from(byte.checked_sub(b'0').filter(|&digit| digit <= 9)?);
        if digit == 0 {
            continue;
        }
        match u32::try_from(place) {
            Ok(place) => {
                let value = 10i128.checked_pow(place)?.checked_mul(digit)?;
                units = units.checked_add(value)?;
            }
            Err(_) if place == -1 && digit >= 5 => units = units.checked_add(1)?,
            Err(_) => {}
        }
    }
    Some(if negative { -units } else { units })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The sum's text, or Redis's word for why there is none.
    #[track_caller]
    fn check(value: &str, increment: &str, expected: &str) {
        let parse = |text: &str| Decimal::parse(text.as_bytes()).ok_or("not a valid float");
        let sum = parse(value).and_then(|a| {
            parse(increment).and_then(|b| a.checked_add(b).ok_or("NaN or Infinity")).map(Decimal::to_text)
        });
        assert_eq!(sum.as_deref().unwrap_or_else(|error| error), expected, "{value} + {increment}");
    }

    #[test]
    fn the_examples_of_the_redis_documentation() {
        check("10.50", "0.1", "10.6");
        check("10.6", "-5", "5.6");
        check("5.0e3", "2.0e2", "5200");
        check("3.0e3", "0", "3000");
    }

    #[test]
    fn people_get_the_sum_they_expect() {
        check("0.1", "0.2", "0.3");
        check("1", "-1.1", "-0.1");
        check("17179869184", "1.5", "17179869185.5");
        check("0.024390243902439025", "-0.024390243902439025", "0");
        check("9223372036854775807", "0.5", "9223372036854775807.5");
        check("-0.0", "0", "0");
        check("-1e-18", "0", "0");
        check("0.000000000000000005", "0", "0.00000000000000001");
        check("5e-20", "5e-20", "0");
        check("+.5", "5.", "5.5");
        check("1E2", "1e-2", "100.01");
    }

    #[test]
    fn large_numbers_are_added_as_doubles() {
        check("1e22", "1", "10000000000000000000000");
        check("8000000000000000000", "8000000000000000000", "16000000000000000000");
        check("-9e18", "-9e18", "-18000000000000000000");
        check("1e308", "1e308", "NaN or Infinity");
        check("inf", "1", "NaN or Infinity");
        check("inf", "-Infinity", "NaN or Infinity");
        check("1e99", "-1e99", "0");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let long = format!("1{}", "0".repeat(6000));
        for text in [
            "", " 1", "1 ", "abc", "nan", "-nan", "1.2.3", "1e", "0x", "1\0", ".", "--1", "1e400", "1,5",
            &long,
        ] {
            check(text, "1", "not a valid float");
        }
    }

    proptest! {
        #[test]
        fn sums_of_hundredths_are_exact(a in -10i64.pow(15)..10i64.pow(15), b in -10i64.pow(15)..10i64.pow(15)) {
            let text = |n: i64| {
                let sign = if n < 0 { "-" } else { "" };
                format!("{sign}{}.{:02}", n.abs() / 100, n.abs() % 100)
            };
            let parse = |n: i64| Decimal::parse(text(n).as_bytes()).expect("a number");
            let sum = parse(a).checked_add(parse(b)).expect("finite").to_text();
            let expected = text(a + b);
            prop_assert_eq!(sum, expected.trim_end_matches('0').trim_end_matches('.'));
        }

        #[test]
        fn what_is_written_is_read_back_the_same(value in -1e30f64..1e30) {
            let decimal = Decimal::parse(format!("{value:e}").as_bytes()).expect("a number");
            let again = Decimal::parse(decimal.to_text().as_bytes()).expect("a number");
            prop_assert_eq!(again.to_text(), decimal.to_text());
        }

        #[test]
        fn no_text_panics(text in "[-+]?[0-9]{0,25}[.]?[0-9]{0,25}([eE][-+]?[0-9]{1,20})?") {
            if let Some(number) = Decimal::parse(text.as_bytes()) {
                number.checked_add(number).map(Decimal::to_text);
            }
        }
    }
}
