//! The report: per suite and unit what passed, failed and was skipped on either side, and why.
//!
//! Made from kept results and the file of reasons alone, so that it can be made again without running anything. A reason
//! is a line `suite | unit | case | text`; the case may end in `*`, and `*` alone stands for any suite or unit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{Case, Outcome, Side};

/// Why a case that passes on redis-server does not pass here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    suite: String,
    unit: String,
    case: String,
    text: String,
}

impl Reason {
    /// The reasons of a file; lines that begin with `#` are remarks.
    pub fn parse(file: &str) -> Vec<Self> {
        let lines = file.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| {
                let mut fields = line.splitn(4, " | ").map(|field| field.trim().to_owned());
                let (suite, unit, case) = (fields.next()?, fields.next()?, fields.next()?);
                Some(Self { suite, unit, case, text: fields.next()? })
            })
            .collect()
    }

    fn covers(&self, case: &Case) -> bool {
        let fits = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
            Some(start) => text.starts_with(start),
            None => pattern == text,
        };
        fits(&self.suite, &case.suite) && fits(&self.unit, &case.unit) && fits(&self.case, &case.name)
    }
}

/// One unit of one suite, both sides.
#[derive(Debug, Default)]
struct Unit {
    /// Passed, failed and skipped, by side.
    counts: BTreeMap<(Side, Outcome), usize>,
    /// What redis-server passes.
    reference: BTreeSet<String>,
    /// What passes here.
    ours: BTreeSet<String>,
    /// Ours, by name, for what the suite said of a failure.
    cases: BTreeMap<String, Case>,
}

impl Unit {
    fn count(&self, side: Side, outcome: Outcome) -> usize {
        self.counts.get(&(side, outcome)).copied().unwrap_or(0)
    }

    fn missing(&self) -> impl Iterator<Item = &String> {
        self.reference.difference(&self.ours)
    }
}

/// A suite in one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// How many cases redis-server passes.
    pub reference: usize,
    /// How many of those pass here.
    pub ours: usize,
    /// How many of the others have no reason written down.
    pub unexplained: usize,
}

impl Share {
    /// The share that passes here, in percent.
    pub fn percent(self) -> f64 {
        if self.reference == 0 { 100.0 } else { self.ours as f64 * 100.0 / self.reference as f64 }
    }
}

/// The text of the report, and each suite's share.
pub fn write(cases: &[Case], reasons: &[Reason], preamble: &str) -> (String, BTreeMap<String, Share>) {
    let mut suites: BTreeMap<&str, BTreeMap<&str, Unit>> = BTreeMap::new();
    for case in cases {
        let unit = suites.entry(&case.suite).or_default().entry(&case.unit).or_default();
        *unit.counts.entry((case.side, case.outcome)).or_default() += 1;
        match (case.side, case.outcome) {
            (Side::Redis, Outcome::Passed) => drop(unit.reference.insert(case.name.clone())),
            (Side::Nuthatch, Outcome::Passed) => drop(unit.ours.insert(case.name.clone())),
            (Side::Redis | Side::Nuthatch, Outcome::Failed | Outcome::Skipped) => {}
        }
        if case.side == Side::Nuthatch {
            unit.cases.insert(case.name.clone(), case.clone());
        }
    }
    let (mut text, mut shares) = (preamble.to_owned(), BTreeMap::new());
    let mut bodies = String::new();
    for (suite, units) in &suites {
        let share = suite_section(&mut bodies, suite, units, reasons);
        shares.insert((*suite).to_owned(), share);
    }
    text.push_str(
        "\n| suite | redis-server passes | of those, Nuthatch passes | share |\n|---|---|---|---|\n",
    );
    for (suite, share) in &shares {
        let _ =
            writeln!(text, "| {suite} | {} | {} | {:.1} % |", share.reference, share.ours, share.percent());
    }
    (text + &bodies, shares)
}

fn suite_section(out: &mut String, suite: &str, units: &BTreeMap<&str, Unit>, reasons: &[Reason]) -> Share {
    let mut share = Share { reference: 0, ours: 0, unexplained: 0 };
    let _ = writeln!(out, "\n## {suite}\n");
    out.push_str("| unit | redis-server: passed, failed, skipped | Nuthatch: passed, failed, skipped | missing |\n|---|---|---|---|\n");
    let mut differences = String::new();
    for (name, unit) in units {
        let missing: Vec<_> = unit.missing().collect();
        let row = |side| Outcome::ALL.map(|outcome| unit.count(side, outcome).to_string()).join(", ");
        let (redis, ours) = (row(Side::Redis), row(Side::Nuthatch));
        let _ = writeln!(out, "| {name} | {redis} | {ours} | {} |", missing.len());
        share.reference += unit.reference.len();
        share.ours += unit.reference.len() - missing.len();
        for case in missing {
            share.unexplained += usize::from(!difference(&mut differences, suite, name, case, unit, reasons));
        }
    }
    if !differences.is_empty() {
        let _ = write!(out, "\nWhat redis-server passes and Nuthatch does not:\n\n{differences}");
    }
    let skipped = skipped(units);
    if !skipped.is_empty() {
        let _ = write!(out, "\nWhat the suite skips here:\n\n{skipped}");
    }
    share
}

/// Writes one case that is missing; whether its reason is known.
fn difference(
    out: &mut String,
    suite: &str,
    unit_name: &str,
    name: &str,
    unit: &Unit,
    reasons: &[Reason],
) -> bool {
    let absent = Case {
        suite: suite.to_owned(),
        unit: unit_name.to_owned(),
        name: name.to_owned(),
        side: Side::Nuthatch,
        outcome: Outcome::Failed,
        detail: "it did not run".to_owned(),
    };
    let case = unit.cases.get(name).unwrap_or(&absent);
    let reason = reasons.iter().find(|reason| reason.covers(case));
    let said = reason
        .map_or_else(|| format!("**unexplained**: `{}`", case.detail.replace('`', "'")), |r| r.text.clone());
    let _ = writeln!(out, "- {unit_name}, {}: {said}", name.replace('|', "\\|"));
    reason.is_some()
}

/// The cases that the suite skipped here, by unit; the suite's names of them say why.
fn skipped(units: &BTreeMap<&str, Unit>) -> String {
    let mut out = String::new();
    for (name, unit) in units {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for case in unit.cases.values().filter(|case| case.outcome == Outcome::Skipped) {
            let why = if case.detail.is_empty() { case.name.as_str() } else { case.detail.as_str() };
            let why = why.rsplit_once(": ").map_or(why, |(_, why)| why);
            *reasons.entry(why.split(" #").next().unwrap_or(why)).or_default() += 1;
        }
        if !reasons.is_empty() {
            let list: Vec<_> = reasons.iter().map(|(why, count)| format!("{count} x {why}")).collect();
            let _ = writeln!(out, "- {name}: {}", list.join("; "));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, side: Side, outcome: Outcome) -> Case {
        Case {
            suite: "tcl".to_owned(),
            unit: "unit/x".to_owned(),
            name: name.to_owned(),
            side,
            outcome,
            detail: "Expected 1".to_owned(),
        }
    }

    #[test]
    fn what_redis_passes_is_the_measure_and_the_rest_needs_reasons() {
        let mut cases = Vec::new();
        for name in ["a", "b (1)", "b (2)", "c", "d"] {
            cases.push(case(name, Side::Redis, Outcome::Passed));
        }
        cases.push(case("e", Side::Redis, Outcome::Failed));
        cases.push(case("a", Side::Nuthatch, Outcome::Passed));
        cases.push(case("b (1)", Side::Nuthatch, Outcome::Failed));
        cases.push(case("c", Side::Nuthatch, Outcome::Failed));
        cases.push(case("e", Side::Nuthatch, Outcome::Passed));
        let reasons =
            Reason::parse("# remark\n* | unit/x | b* | no b here\ntcl | unit/y | c | not this unit\n");
        let (text, shares) = write(&cases, &reasons, "# Compatibility\n");
        assert_eq!(shares["tcl"], Share { reference: 5, ours: 1, unexplained: 2 });
        assert!(text.contains("| tcl | 5 | 1 | 20.0 % |"), "{text}");
        assert!(text.contains("- unit/x, b (2): no b here"), "{text}");
        assert!(text.contains("- unit/x, c: **unexplained**: `Expected 1`"), "{text}");
        assert!(text.contains("- unit/x, d: **unexplained**: `it did not run`"), "{text}");
    }
}
