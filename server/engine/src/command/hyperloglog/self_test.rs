//! PFSELFTEST: that registers are found where they were put, and that estimates are near what was added.
//!
//! Takes some milliseconds, so that a server can answer it in passing; the same properties are tested at length elsewhere.

use super::draft::Draft;
use super::estimate::cardinality;
use super::hash::place;
use super::sketch::{REGISTERS, Registers, Sketch};
use crate::command::CommandError;
use crate::context::Rng;
use crate::tuning::Tuning;

/// Up to how many elements are added.
const ELEMENTS: u64 = 100_000;

/// How often registers are put and found.
const ROUNDS: usize = 10;

/// The standard error of an estimate, of which six are borne.
const ERROR: f64 = 1.04 / 128.0;

/// Tests this implementation with numbers that follow from the seed; what is wrong, if something is.
pub fn self_test(seed: u64) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    for _ in 0..ROUNDS {
        registers_hold(&mut rng)?;
    }
    estimates_are_near(rng.next_u64())
}

fn dense() -> Result<Draft<'static>, String> {
    let mut draft = Draft::empty(0);
    draft.make_dense().map_err(failed)?;
    Ok(draft)
}

fn failed(error: CommandError) -> String {
    error.to_string()
}

fn registers_hold(rng: &mut Rng) -> Result<(), String> {
    let mut draft = dense()?;
    let values: Vec<u8> = (0..REGISTERS).map(|_| rng.below(64) as u8).collect();
    for (register, &value) in values.iter().enumerate() {
        draft.raise(register, value).map_err(failed)?;
    }
    let mut found = Registers::default();
    Sketch::of(draft.bytes()).and_then(|sketch| sketch.merge_into(&mut found)).map_err(failed)?;
    match found.values().iter().zip(&values).position(|(found, value)| found != value) {
        None => Ok(()),
        Some(at) => {
            let (value, found) = (values[at], found.values()[at]);
            Err(format!("TESTFAILED Register {at} should be {value} but is {found}"))
        }
    }
}

fn estimates_are_near(seed: u64) -> Result<(), String> {
    let sparse_max = Tuning::default().hll_sparse_max;
    let (mut dense, mut sparse) = (dense()?, Draft::empty(sparse_max));
    let count = |draft: &Draft<'_>| {
        let histogram = Sketch::of(draft.bytes()).and_then(Sketch::histogram);
        histogram.map(|histogram| cardinality(&histogram)).map_err(failed)
    };
    let mut checkpoint = 1;
    for number in 1..=ELEMENTS {
        let (register, value) = place(&(number ^ seed).to_le_bytes());
        for draft in [&mut dense, &mut sparse] {
            draft.raise(register, value).map_err(failed)?;
        }
        if number < checkpoint {
            continue;
        }
        let is_sparse = matches!(Sketch::of(sparse.bytes()).map_err(failed)?, Sketch::Sparse(_));
        if !is_sparse && number < sparse_max as u64 / 2 {
            return Err("TESTFAILED sparse encoding not used".to_owned());
        }
        let estimate = count(&dense)?;
        if estimate != count(&sparse)? {
            return Err("TESTFAILED dense/sparse disagree".to_owned());
        }
        let off = estimate.unsigned_abs().abs_diff(number);
        // Ten elements that share a register are rare, and still off by one then.
        let most = if number == 10 { 1 } else { (ERROR * 6.0 * number as f64).ceil() as u64 };
        if off > most {
            return Err(format!("TESTFAILED Too big error. card:{number} abserr:{off}"));
        }
        checkpoint *= 10;
    }
    Ok(())
}
