//! Decimal fixed-point numbers for INCRBYFLOAT.
//!
//! Redis adds in the x87's extended precision and prints seventeen digits after the point. Adding the decimals
//! themselves, with those seventeen digits, gives what a user expects of that (0.1 + 0.2 = 0.3) and the same on every
//! machine, which an effect needs. Numbers that do not fit are left to doubles.

use std::fmt;

/// Digits kept after the point.
const FRACTION: i32 = 17;

/// A number as multiples of 10^-17.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal(i128);

impl Decimal {
    /// Reads `[+-]digits[.digits][e[+-]digits]`; `None` if it is anything else, too large, or finer than is kept.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().ok().filter(|e: &i32| e.abs() < 64)?;
        let negative = mantissa.starts_with('-');
        let digits = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.len() + fraction.len() > 36 {
            return None;
        }
        let mut value: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            let digit = char::from(digit).to_digit(10)?;
            value = value * 10 + i128::from(digit);
        }
        let shift = FRACTION + exponent - i32::try_from(fraction.len()).ok()?;
        let power = 10i128.checked_pow(shift.unsigned_abs())?;
        let value = if shift >= 0 {
            value.checked_mul(power)?
        } else if value % power == 0 {
            value / power
        } else {
            return None;
        };
        Some(Self(if negative { -value } else { value }))
    }

    pub(super) fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10u128.pow(FRACTION.unsigned_abs());
        let magnitude = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", magnitude / unit)?;
        let fraction = format!("{:017}", magnitude % unit);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { Ok(()) } else { write!(f, ".{fraction}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_and_written() {
        for (text, value) in [
            ("3", Some("3")),
            ("-3.250", Some("-3.25")),
            ("+0.1", Some("0.1")),
            ("5.0e3", Some("5000")),
            ("12e-2", Some("0.12")),
            (".5", Some("0.5")),
            ("-0", Some("0")),
            ("1e-18", None),
            ("1e40", None),
            ("1e9999999999", None),
            ("0x10", None),
            ("inf", None),
            ("1 ", None),
        ] {
            assert_eq!(Decimal::parse(text.as_bytes()).map(|d| d.to_string()).as_deref(), value, "{text}");
        }
    }
}
