//! A double's text as Redis 7.2 writes it: scores, and everything else that is a double to RESP.
//!
//! Integers of up to 2^62 are written as integers. Everything else is written with the fewest digits that read back the
//! same, positional while that is short and with an exponent otherwise. The bounds look arbitrary because they count
//! from the last digit and not from the first; clients have seen exactly these texts, so they are kept.
//!
//! Source: `util.c`, `d2string` and `double2ll`; `fpconv_dtoa.c`, `emit_digits`. Redis finds its digits with Grisu2,
//! which in one case of a thousand misses the shortest or the nearest ones; the digits here are always those.

/// Up to this magnitude a whole number is written as an integer.
const INTEGER_MAX: f64 = (1i64 << 62) as f64;

/// The most significant digits that a double needs.
const DIGITS_MAX: usize = 17;

/// A place to write a double's text to.
#[derive(Debug, Default)]
pub struct DoubleText {
    /// A sign, and then at most 24 characters.
    text: [u8; 32],
    len: usize,
}

impl DoubleText {
    /// The double's text; it replaces what was written before.
    pub fn format(&mut self, value: f64) -> &str {
        self.len = 0;
        if value.is_nan() {
            self.push(b"nan");
        } else if value == f64::INFINITY {
            self.push(b"inf");
        } else if value == f64::NEG_INFINITY {
            self.push(b"-inf");
        } else if value == 0.0 {
            self.push(if value.is_sign_negative() { b"-0" } else { b"0" });
        } else if value.abs() <= INTEGER_MAX && value == value.trunc() {
            // Whole and within 62 bits: the conversion is exact.
            self.push(itoa::Buffer::new().format(value as i64).as_bytes());
        } else {
            self.shortest(value);
        }
        str::from_utf8(&self.text[..self.len]).expect("only ASCII is written")
    }

    /// The double's text in C's `%.17g`, which Redis still prints here and there: seventeen digits, without the zeros at
    /// their end.
    pub fn format_17_digits(&mut self, value: f64) -> &str {
        if !value.is_finite() || value == 0.0 {
            return self.format(value);
        }
        self.len = 0;
        let text = std::format!("{:.16e}", value.abs());
        let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
        let power: i32 = power.parse().unwrap_or_default();
        let digits = mantissa.replace('.', "");
        let digits = digits.trim_end_matches('0').as_bytes();
        if value < 0.0 {
            self.push(b"-");
        }
        if (-4..DIGITS_MAX as i32).contains(&power) {
            self.positional(digits, power);
        } else {
            self.scientific(digits, power, 2);
        }
        str::from_utf8(&self.text[..self.len]).expect("only ASCII is written")
    }

    fn shortest(&mut self, value: f64) {
        let Digits { digits, len, exponent } = Digits::of(value.abs());
        let digits = &digits[..len];
        if value < 0.0 {
            self.push(b"-");
        }
        let count = len as i32;
        // The power of ten of the first digit.
        let power = exponent + count - 1;
        let many_zeros = exponent >= 0 && power >= count + 7;
        if many_zeros || (exponent <= -7 && power.abs() >= 4) {
            self.scientific(digits, power, 1);
        } else {
            self.positional(digits, power);
        }
    }

    /// Digits, of which the first counts ten to the `power`, and a point among them where there is a fraction.
    fn positional(&mut self, digits: &[u8], power: i32) {
        let whole = usize::try_from(power + 1).unwrap_or(0);
        if whole == 0 {
            self.push(b"0.");
            self.zeros(-power - 1);
            self.push(digits);
        } else if whole < digits.len() {
            let (whole, fraction) = digits.split_at(whole);
            self.push(whole);
            self.push(b".");
            self.push(fraction);
        } else {
            self.push(digits);
            self.zeros(power + 1 - digits.len() as i32);
        }
    }

    /// Digits with a point behind the first, and the power of ten in at least so many digits.
    fn scientific(&mut self, digits: &[u8], power: i32, width: usize) {
        self.push(&digits[..1]);
        if digits.len() > 1 {
            self.push(b".");
            self.push(&digits[1..]);
        }
        self.push(if power < 0 { b"e-" } else { b"e+" });
        let mut buffer = itoa::Buffer::new();
        let power = buffer.format(power.unsigned_abs());
        self.zeros(width.saturating_sub(power.len()) as i32);
        self.push(power.as_bytes());
    }

    fn zeros(&mut self, count: i32) {
        (0..count).for_each(|_| self.push(b"0"));
    }

    fn push(&mut self, bytes: &[u8]) {
        self.text[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

/// A positive number as `digits` (no zero first or last) times ten to the `exponent`.
struct Digits {
    digits: [u8; DIGITS_MAX],
    len: usize,
    exponent: i32,
}

impl Digits {
    /// The fewest digits that read back as `value`.
    fn of(value: f64) -> Self {
        let mut buffer = ryu::Buffer::new();
        let text = buffer.format_finite(value);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let mut found =
            Self { digits: [0; DIGITS_MAX], len: 0, exponent: exponent.parse().unwrap_or_default() };
        let mut in_fraction = false;
        // Zeros count once a digit that is none follows.
        let mut zeros = 0;
        for byte in mantissa.bytes() {
            if byte == b'.' {
                in_fraction = true;
                continue;
            }
            found.exponent -= i32::from(in_fraction);
            if byte == b'0' {
                zeros += usize::from(found.len > 0);
                continue;
            }
            found.len += zeros;
            zeros = 0;
            found.digits[found.len] = byte;
            found.len += 1;
        }
        found.digits[..found.len].iter_mut().filter(|digit| **digit == 0).for_each(|digit| *digit = b'0');
        found.exponent += zeros as i32;
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_read_as_redis_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-3.25, "-3.25"),
            (0.1, "0.1"),
            (2.348_592_653_589_793, "2.348592653589793"),
            (17_179_869_184.5, "17179869184.5"),
            (f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            // Small numbers: by the place of the last digit, or else of the first.
            (0.000_001, "0.000001"),
            (0.000_001_2, "1.2e-6"),
            (0.000_12, "0.00012"),
            (0.001_234_567_89, "0.00123456789"),
            (0.000_123_456_789, "1.23456789e-4"),
            (1e-7, "1e-7"),
            (1e-100, "1e-100"),
            (-5e-324, "-5e-324"),
            // Large ones: integers up to 2^62, then positional while few zeros are needed.
            (1e17, "100000000000000000"),
            (4_611_686_018_427_387_904.0, "4611686018427387904"),
            (4_611_686_018_427_388_928.0, "4611686018427389000"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (1e19, "1e+19"),
            (123_456_789_012e10, "1.23456789012e+21"),
            (1.234_567_890_123_456_7e20, "123456789012345670000"),
            (1.5e300, "1.5e+300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN, "-1.7976931348623157e+308"),
            (1234.5, "1234.5"),
            (1_234.567_890_123_456_7, "1234.5678901234567"),
            (12_345.678_901_234_567, "1.2345678901234567e+4"),
        ] {
            assert_eq!(DoubleText::default().format(value), text);
        }
    }

    #[test]
    fn seventeen_digits_read_as_c_prints_them() {
        for (value, text) in [
            (0.1, "0.10000000000000001"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-2.5, "-2.5"),
            (1e-7, "9.9999999999999995e-08"),
            (0.000_123_4, "0.00012339999999999999"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (123_456_789_012_345_678.0, "1.2345678901234568e+17"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(DoubleText::default().format_17_digits(value), text);
        }
    }

    proptest! {
        #[test]
        fn the_text_reads_back_as_the_same_double(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            let mut text = DoubleText::default();
            let read = text.format(value).parse::<f64>();
            prop_assert_eq!(read.map(f64::to_bits), Ok(bits), "{}", text.format(value));
        }

        #[test]
        fn so_do_the_texts_of_everyday_numbers(whole in -1_000_000i64..1_000_000, scale in 0i32..12) {
            let value = whole as f64 / 10f64.powi(scale);
            let mut text = DoubleText::default();
            prop_assert_eq!(text.format(value).parse::<f64>(), Ok(value), "{}", text.format(value));
        }
    }
}
