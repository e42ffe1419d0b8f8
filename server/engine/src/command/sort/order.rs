//! The order of SORT: what elements weigh, and how weights compare.
//!
//! Without BY an element is its own weight. A weight that is missing is 0 among numbers and before everything among
//! names. Elements of one weight are compared by their bytes, and where names do not decide, they stay as they were.

use std::cmp::Ordering;

use super::pattern::Pattern;
use crate::command::CommandError;
use crate::command::args::parse_float;
use crate::context::Context;
use crate::store::locked::LockedSlots;

/// By what elements are ordered.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) by: Option<Pattern<'a>>,
    pub(super) alpha: bool,
    pub(super) descending: bool,
}

impl Order<'_> {
    /// The elements in their order.
    pub(super) fn sort(
        self,
        cx: &mut Context<'_>,
        slots: &mut LockedSlots<'_>,
        elements: Vec<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, CommandError> {
        let mut weight_of = |element: &[u8]| self.by.map(|pattern| pattern.look_up(cx, slots, element));
        if self.alpha {
            let weigh = |element: Vec<u8>| (weight_of(&element), element);
            let weighed = elements.into_iter().map(weigh).collect();
            return Ok(self.by_weight(weighed, |a: &(Option<Option<Vec<u8>>>, Vec<u8>), b| {
                match (&a.0, &b.0) {
                    (Some(a), Some(b)) => a.cmp(b),
                    _ => a.1.cmp(&b.1),
                }
            }));
        }
        let weigh = |element: Vec<u8>| {
            let score = match weight_of(&element) {
                None => number(&element),
                Some(None) => Some(0.0),
                Some(Some(weight)) => number(&weight),
            };
            let error = CommandError::Other("ERR One or more scores can't be converted into double");
            Ok((score.ok_or(error)?, element))
        };
        let weighed = elements.into_iter().map(weigh).collect::<Result<_, CommandError>>()?;
        Ok(self.by_weight(weighed, |a: &(f64, Vec<u8>), b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1))))
    }

    fn by_weight<W>(
        self,
        mut weighed: Vec<(W, Vec<u8>)>,
        compare: impl Fn(&(W, Vec<u8>), &(W, Vec<u8>)) -> Ordering,
    ) -> Vec<Vec<u8>> {
        weighed.sort_by(|a, b| if self.descending { compare(a, b).reverse() } else { compare(a, b) });
        weighed.into_iter().map(|(_, element)| element).collect()
    }
}

/// A number as C's `strtod` reads it, which passes over spaces before it and takes nothing at all for 0.
fn number(text: &[u8]) -> Option<f64> {
    // C's strings end at the first zero.
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    // What is too small to be held in full is out of range here, unlike elsewhere.
    let number = parse_float(text.trim_ascii_start()).filter(|number| !number.is_subnormal())?;
    // Both zeros weigh the same.
    Some(if number == 0.0 { 0.0 } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, value) in [
            ("", Some(0.0)),
            ("\0x", Some(0.0)),
            (" 1.5", Some(1.5)),
            ("-0", Some(0.0)),
            ("0x10", Some(16.0)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("1 ", None),
            (" ", None),
            ("nan", None),
            ("1e999", None),
            ("1e-310", None),
            ("1e-300", Some(1e-300)),
            ("x", None),
        ] {
            assert_eq!(number(text.as_bytes()), value, "{text}");
        }
        assert!(number(b"-0").is_some_and(f64::is_sign_positive));
    }
}
