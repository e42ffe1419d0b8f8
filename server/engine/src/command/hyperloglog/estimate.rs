//! From registers to a number of elements, digit for digit as Redis estimates it.
//!
//! The estimator needs only how many registers have which value. It has no tables and no cases for small and large
//! numbers: what is missing at both ends is summed up by two series, which end when a double cannot tell a further term.
//!
//! Source: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284, algorithm 6.

use super::sketch::REGISTERS;

/// How many registers have each value.
pub(super) type Histogram = [u32; 64];

/// The highest value that a hash asks for.
const HIGHEST: usize = 51;

/// 1 / (2 ln 2)
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// The estimate. What does not fit the reply is the least integer, as in Redis: registers that no element sets.
pub(super) fn cardinality(histogram: &Histogram) -> i64 {
    let registers = REGISTERS as f64;
    let mut sum = registers * tau((registers - f64::from(histogram[HIGHEST])) / registers);
    for &number in histogram[1..HIGHEST].iter().rev() {
        sum = (sum + f64::from(number)) * 0.5;
    }
    sum += registers * sigma(f64::from(histogram[0]) / registers);
    let estimate = (ALPHA * registers * registers / sum).round();
    if estimate < i64::MAX as f64 { estimate as i64 } else { i64::MIN }
}

/// The share of registers that are zero, weighed: of all of them it is infinite.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if before == sum {
            return sum;
        }
    }
}

/// The share of registers that are not at their highest, weighed.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if before == sum {
            return sum / 3.0;
        }
    }
}
