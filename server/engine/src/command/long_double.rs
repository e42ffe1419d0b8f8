//! Extended-precision numbers for INCRBYFLOAT and for timeouts: 64 bits of mantissa, as the x87 has them.
//!
//! Redis parses with `strtold`, adds `long double`s and prints with `%.17Lf`, and its replies show it: 0.1 and 0.2 make
//! 0.3, and 123456789.123 and 10 make 123456799.12299999999959255. The same three steps are done here in integers, so
//! that the reply is Redis's on every machine. Infinities are kept apart because they only ever lead to an error.
//! Numbers too small for the format's normal range are 0, which is how seventeen digits print them.

use std::cmp::Ordering;

/// The longest text Redis looks at.
const TEXT_MAX: usize = 5 * 1024 - 1;
/// How many digits are read at a time.
const DIGITS: usize = 7;
/// Beyond this a number is infinite; below the negative of it, nothing.
const EXPONENT_MAX: i64 = 16_384;
const FRACTION_DIGITS: u32 = 17;

/// A number of the x87's extended format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LongDouble {
    /// `mantissa * 2^exponent`; the mantissa's highest bit is set, or all of it is 0.
    Finite { negative: bool, mantissa: u64, exponent: i64 },
    /// Beyond all numbers.
    Infinite { negative: bool },
}

impl LongDouble {
    /// Reads what `strtold` reads, all of it; `None` for what it cannot read, what is not a number or out of range.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= TEXT_MAX)?;
        let negative = text.starts_with('-');
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.eq_ignore_ascii_case("inf") || digits.eq_ignore_ascii_case("infinity") {
            return Some(Self::Infinite { negative });
        }
        let hexadecimal = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
        let (radix, digits, mark) = match hexadecimal {
            Some(digits) => (16, digits, ['p', 'P']),
            None => (10, digits, ['e', 'E']),
        };
        let (digits, exponent) = match digits.split_once(mark) {
            Some((digits, exponent)) => (digits, parse_exponent(exponent)?),
            None => (digits, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let digits = whole.chars().chain(fraction.chars()).map(|digit| digit.to_digit(radix));
        let digits: Vec<u32> = digits.collect::<Option<_>>()?;
        let mut value = Big::default();
        for part in digits.chunks(DIGITS) {
            let (factor, addend) =
                part.iter().fold((1, 0), |(factor, addend), digit| (factor * radix, addend * radix + digit));
            value.multiply_add(factor, addend);
        }
        let places = i64::try_from(fraction.len()).ok()?;
        let (mantissa, exponent) = match radix {
            16 => value.rounded(exponent - 4 * places, false),
            _ => value.times_power_of_ten(exponent - places),
        };
        let was_zero = !whole.chars().chain(fraction.chars()).any(|digit| digit != '0');
        match Self::finite(negative, mantissa, exponent) {
            number @ Self::Finite { mantissa, .. } => (mantissa != 0 || was_zero).then_some(number),
            Self::Infinite { .. } => None,
        }
    }

    fn finite(negative: bool, mantissa: u64, exponent: i64) -> Self {
        if mantissa != 0 && exponent + 64 > EXPONENT_MAX {
            Self::Infinite { negative }
        } else if mantissa == 0 || exponent + 64 < -EXPONENT_MAX {
            Self::Finite { negative, mantissa: 0, exponent: 0 }
        } else {
            Self::Finite { negative, mantissa, exponent }
        }
    }

    /// About the same as a double: infinite beyond a double's range, and never 0 unless it is 0.
    pub(super) fn to_f64(self) -> f64 {
        let (negative, magnitude) = match self {
            Self::Infinite { negative } => (negative, f64::INFINITY),
            Self::Finite { negative, mantissa: 0, .. } => (negative, 0.0),
            Self::Finite { negative, mantissa, exponent } => {
                let power = 2_f64.powi(i32::try_from(exponent.clamp(-1_100, 1_100)).unwrap_or(0));
                (negative, (mantissa as f64 * power).max(f64::MIN_POSITIVE))
            }
        };
        if negative { -magnitude } else { magnitude }
    }

    /// The sum, rounded to the nearest, to the even one of two; `None` unless it is finite.
    pub(super) fn checked_add(self, other: Self) -> Option<Self> {
        let (Self::Finite { negative, mantissa, exponent }, Self::Finite { .. }) = (self, other) else {
            return None;
        };
        let Self::Finite { negative: other_negative, mantissa: other_mantissa, exponent: other_exponent } =
            other
        else {
            return None;
        };
        if mantissa == 0 {
            return Some(other);
        }
        if other_mantissa == 0 {
            return Some(self);
        }
        if (other_exponent, other_mantissa) > (exponent, mantissa) {
            return other.checked_add(self);
        }
        // 62 bits below the larger number's last keep enough of the smaller one; what falls off makes the lowest odd.
        let distance = u32::try_from(exponent - other_exponent).unwrap_or(u32::MAX);
        let larger = u128::from(mantissa) << 62;
        let smaller = shift_right_sticky(u128::from(other_mantissa) << 62, distance);
        let sum = if negative == other_negative { larger + smaller } else { larger - smaller };
        let (mantissa, exponent) = round(sum, exponent - 62, false);
        match Self::finite(negative && sum != 0, mantissa, exponent) {
            number @ Self::Finite { .. } => Some(number),
            Self::Infinite { .. } => None,
        }
    }

    /// As `%.17Lf` prints it, without zeros at the end, and without the sign of a zero.
    pub(super) fn text(self) -> String {
        let (negative, mantissa, exponent) = match self {
            Self::Finite { negative, mantissa, exponent } => (negative, mantissa, exponent),
            Self::Infinite { negative } => return if negative { "-inf" } else { "inf" }.to_owned(),
        };
        let unit = 10u128.pow(FRACTION_DIGITS);
        let (mut whole, mut fraction) = (Big::from(mantissa), 0);
        match u32::try_from(-exponent) {
            Err(_) | Ok(0) => whole.shift_left(u32::try_from(exponent).unwrap_or(0)),
            Ok(shift) => {
                let kept = mantissa.checked_shr(shift).unwrap_or(0);
                let rest = if shift < 64 { mantissa & ((1 << shift) - 1) } else { mantissa };
                whole = Big::from(kept);
                // Below 2^64 times 10^17, which is below 2^121.
                fraction = divide_by_power_of_two(u128::from(rest) * unit, shift);
            }
        }
        if fraction == unit {
            whole.multiply_add(1, 1);
            fraction = 0;
        }
        let mut text = whole.decimal();
        if fraction > 0 {
            let digits = format!("{fraction:017}");
            text = format!("{text}.{}", digits.trim_end_matches('0'));
        }
        if negative && text != "0" { format!("-{text}") } else { text }
    }
}

/// An exponent's digits; one that is out of all range stays so.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse().unwrap_or(i64::MAX).min(10 * EXPONENT_MAX);
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// Shifts out bits, and makes the lowest one odd if any of them was set.
fn shift_right_sticky(value: u128, shift: u32) -> u128 {
    match value.checked_shr(shift) {
        None => u128::from(value != 0),
        Some(shifted) => shifted | u128::from(shifted << shift != value),
    }
}

/// The nearest integer, the even one of two, of a division by a power of two.
fn divide_by_power_of_two(value: u128, shift: u32) -> u128 {
    if shift >= 127 {
        return 0;
    }
    let (quotient, rest) = (value >> shift, value & ((1 << shift) - 1));
    let up = match rest.cmp(&(1 << (shift - 1))) {
        Ordering::Less => false,
        Ordering::Equal => quotient % 2 == 1,
        Ordering::Greater => true,
    };
    quotient + u128::from(up)
}

/// `value * 2^exponent` with a mantissa of 64 bits, rounded; `more` if the value is a little larger than it says.
fn round(value: u128, exponent: i64, more: bool) -> (u64, i64) {
    if value == 0 {
        return (0, 0);
    }
    let shift = 64 - i64::from(value.leading_zeros());
    let Some(drop) = u32::try_from(shift).ok().filter(|&drop| drop > 0) else {
        return ((value << -shift) as u64, exponent + shift);
    };
    // A value that is a little larger than half rounds up, one a little larger than an integer does not.
    let rounded = divide_by_power_of_two(value | u128::from(more), drop);
    match u64::try_from(rounded) {
        Ok(mantissa) => (mantissa, exponent + shift),
        Err(_) => (1 << 63, exponent + shift + 1),
    }
}

/// A natural number of any size, its lowest 32 bits first.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Big(Vec<u32>);

impl From<u64> for Big {
    fn from(value: u64) -> Self {
        let mut big = Self(vec![value as u32, (value >> 32) as u32]);
        big.trim();
        big
    }
}

impl Big {
    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn bits(&self) -> u32 {
        self.0.last().map_or(0, |last| self.0.len() as u32 * 32 - last.leading_zeros())
    }

    fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for word in &mut self.0 {
            carry += u64::from(*word) * u64::from(factor);
            *word = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            self.0.push(carry as u32);
        }
    }

    fn multiply_by_power_of_ten(&mut self, power: u32) {
        (0..power / 9).for_each(|_| self.multiply_add(1_000_000_000, 0));
        self.multiply_add(10u32.pow(power % 9), 0);
    }

    fn shift_left(&mut self, shift: u32) {
        self.multiply_add(1 << (shift % 32), 0);
        self.0.splice(0..0, std::iter::repeat_n(0, shift as usize / 32));
        self.trim();
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Takes off a number that is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (index, word) in self.0.iter_mut().enumerate() {
            let (less, first) = word.overflowing_sub(other.0.get(index).copied().unwrap_or(0));
            let (less, second) = less.overflowing_sub(u32::from(borrow));
            (*word, borrow) = (less, first || second);
        }
        self.trim();
    }

    /// `self * 2^exponent` with a mantissa of 64 bits, rounded; `more` if there is a little more than that.
    fn rounded(&self, exponent: i64, more: bool) -> (u64, i64) {
        // The highest four words have at least 97 bits, and whatever lies below only says that there is more.
        let below = self.0.len().saturating_sub(4);
        let value = self.0[below..].iter().rev().fold(0, |value, &word| value << 32 | u128::from(word));
        let more = more || self.0[..below].iter().any(|&word| word != 0);
        round(value, exponent + 32 * below as i64, more)
    }

    /// `self * 10^power` with a mantissa of 64 bits, rounded.
    fn times_power_of_ten(mut self, power: i64) -> (u64, i64) {
        self.trim();
        let steps = u32::try_from(power.unsigned_abs().min(2 * EXPONENT_MAX.unsigned_abs())).unwrap_or(0);
        if self.0.is_empty() {
            return (0, 0);
        }
        // Far beyond the range either way: no digits need be worked out. 10^4933 is infinite, 10^-4960 nothing.
        let digits = i64::from(self.bits()) * 3 / 10;
        if power + digits > 5000 {
            return (1 << 63, EXPONENT_MAX);
        }
        if power + digits < -4960 {
            return (0, 0);
        }
        // Far too small to be seen in a sum of seventeen places: any such number stands for all.
        if power + digits < -60 {
            return (1 << 63, -400);
        }
        if power >= 0 {
            self.multiply_by_power_of_ten(steps);
            return self.rounded(0, false);
        }
        // Long division in base 2, until the quotient has enough bits; what remains only says that there is more.
        let mut divisor = Self::from(1);
        divisor.multiply_by_power_of_ten(steps);
        let shift = (divisor.bits() + 100).saturating_sub(self.bits());
        self.shift_left(shift);
        // Nor must it have more than there is room for.
        let excess = self.bits().saturating_sub(divisor.bits() + 100);
        divisor.shift_left(excess);
        let mut quotient: u128 = 0;
        let mut remainder = self;
        let places = remainder.bits() - divisor.bits();
        for place in (0..=places).rev() {
            let mut part = divisor.clone();
            part.shift_left(place);
            quotient <<= 1;
            if remainder.compare(&part) != Ordering::Less {
                remainder.subtract(&part);
                quotient |= 1;
            }
        }
        round(quotient, i64::from(excess) - i64::from(shift), !remainder.0.is_empty())
    }

    fn decimal(mut self) -> String {
        let mut groups = Vec::new();
        while !self.0.is_empty() {
            let mut rest: u64 = 0;
            for word in self.0.iter_mut().rev() {
                rest = rest << 32 | u64::from(*word);
                *word = (rest / 1_000_000_000) as u32;
                rest %= 1_000_000_000;
            }
            self.trim();
            groups.push(rest);
        }
        let Some(first) = groups.pop() else { return "0".to_owned() };
        groups.iter().rev().fold(first.to_string(), |text, group| format!("{text}{group:09}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(left: &str, right: &str) -> Option<String> {
        let parse = |text: &str| LongDouble::parse(text.as_bytes());
        parse(left)?.checked_add(parse(right)?).map(LongDouble::text)
    }

    #[test]
    fn long_texts_are_read_to_their_end() {
        let long = |digits: usize| format!("1{}.5", "0".repeat(digits));
        let sixty = format!("1{}.5", "0".repeat(60));
        let printed = "999999999999999999999373423426722168652130621984886772203520";
        assert_eq!(sum(&sixty, "0").as_deref(), Some(printed));
        for digits in [30, 200, 400, 4_900] {
            let value = sum(&long(digits), "0");
            assert_eq!(value, sum(&format!("1e{digits}"), "0"), "{digits}");
            assert_eq!(value.as_deref().map(|value| sum(value, "1")), Some(value.clone()), "{digits}");
        }
        assert_eq!(sum(&"9".repeat(5_200), "0"), None);
        assert_eq!(sum(&format!("0.{}1", "0".repeat(4_000)), "0").as_deref(), Some("0"));
        assert_eq!(sum(&"0".repeat(5_119), "1").as_deref(), Some("1"));
        assert_eq!(sum(&"0".repeat(5_120), "1"), None);
    }

    #[test]
    fn sums_are_those_that_redis_prints() {
        for (left, right, expected) in [
            ("0.1", "0.2", "0.3"),
            ("10", "123456789.123", "123456799.12299999999959255"),
            ("16", "123456789.123", "123456805.12299999999959255"),
            ("0", "1e20", "100000000000000000000"),
            ("0x10", "1e20", "100000000000000000016"),
            ("9223372036854775808", "1.5", "9223372036854775810"),
            ("9223372036854775808", "1e-7", "9223372036854775808"),
            ("5.0e3", "2.0e2", "5200"),
            ("3", "-3", "0"),
            ("-0", "-0", "0"),
            ("0x1.8p3", ".5", "12.5"),
            ("1e-18", "0", "0"),
            ("-1e-17", "0", "-0.00000000000000001"),
            ("0.99999999999999999999", "0", "1"),
        ] {
            assert_eq!(sum(left, right).as_deref(), Some(expected), "{left} + {right}");
        }
    }

    #[test]
    fn doubles_are_near() {
        for (text, expected) in [
            ("1.5", 1.5),
            ("-0.001", -0.001),
            ("0", 0.0),
            ("1e300", 1e300),
            ("1e400", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
        ] {
            let near = LongDouble::parse(text.as_bytes()).map(LongDouble::to_f64);
            assert_eq!(near, Some(expected), "{text}");
        }
        let tiny = LongDouble::parse(b"1e-400").map_or(0.0, LongDouble::to_f64);
        assert!((f64::MIN_POSITIVE..1e-60).contains(&tiny), "{tiny:e}");
    }

    #[test]
    fn what_is_not_finite_has_no_sum() {
        for (left, right) in [("inf", "1"), ("1", "-inf"), ("inf", "-inf"), ("1.1e4932", "1.1e4932")] {
            assert!(LongDouble::parse(left.as_bytes()).is_some(), "{left}");
            assert_eq!(sum(left, right), None, "{left} + {right}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let long = "1".repeat(5_120);
        for text in [
            "",
            "+",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "nan",
            "abc",
            " 1",
            "1 ",
            "1.2.3",
            "0x",
            "--1",
            "1e4933",
            "1e-9999",
            "1e99999999999999999999",
            &long,
        ] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        for text in ["0e99999", "1.", ".5", "+1", "0X1P+4", "INFINITY", "1e400", "1e-400", "00012"] {
            assert!(LongDouble::parse(text.as_bytes()).is_some(), "{text}");
        }
    }

    proptest! {
        /// Every double is also an extended number, and rounds to itself.
        #[test]
        fn doubles_are_read_exactly(bits in any::<u64>()) {
            let double = f64::from_bits(bits);
            prop_assume!(double.is_normal() && double.abs() > 1e-50);
            let parsed = LongDouble::parse(format!("{double:e}").as_bytes());
            let LongDouble::Finite { negative, mantissa, exponent } = parsed.expect("a number") else {
                panic!("it is finite")
            };
            // The shortest digits lie within half a unit of the double's last place, which is 2048 of ours.
            let fraction = bits & ((1 << 52) - 1) | 1 << 52;
            let expected = fraction << 11;
            let power = i64::from((bits >> 52 & 0x7ff) as u32) - 1075 - 11;
            prop_assert_eq!(negative, double.is_sign_negative());
            let difference = if exponent == power {
                mantissa.abs_diff(expected)
            } else {
                // Just below a power of two.
                prop_assert_eq!((exponent, fraction), (power - 1, 1 << 52));
                mantissa.wrapping_neg() / 2
            };
            prop_assert!(difference <= 1024, "{}", difference);
        }
    }
}
