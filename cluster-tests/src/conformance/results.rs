//! What the cases came to, as lines of a file: one per case and side, tabs between the fields.
//!
//! Kept so that suites can be run one at a time and on other days, and the report made from all of them. A suite that is
//! run again replaces its own units' lines and leaves the others.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use super::{Case, Outcome, Side, Trouble};

/// Writes a case as a line.
fn line(case: &Case) -> String {
    let clean = |text: &str| text.replace(['\t', '\n', '\r'], " ");
    let fields = [
        clean(&case.suite),
        clean(&case.unit),
        case.side.name().to_owned(),
        case.outcome.name().to_owned(),
        clean(&case.name),
        clean(&case.detail),
    ];
    fields.join("\t")
}

/// Reads a line; nothing if it is not one of ours.
fn parse(line: &str) -> Option<Case> {
    let mut fields = line.split('\t');
    let (suite, unit) = (fields.next()?.to_owned(), fields.next()?.to_owned());
    let (side, outcome) = (fields.next()?, fields.next()?);
    let side = Side::ALL.into_iter().find(|known| known.name() == side)?;
    let outcome = Outcome::ALL.into_iter().find(|known| known.name() == outcome)?;
    let name = fields.next()?.to_owned();
    let detail = fields.next().unwrap_or_default().to_owned();
    Some(Case { suite, unit, name, side, outcome, detail })
}

/// All cases kept in a file; none if it is not there.
pub fn load(path: &Path) -> Vec<Case> {
    fs::read_to_string(path).unwrap_or_default().lines().filter_map(parse).collect()
}

/// Puts new cases in the place of those of the same suite, unit and side. Runs beside each other take turns, and who reads
/// meanwhile finds the file as it was.
pub fn store(path: &Path, new: Vec<Case>) -> Result<(), Trouble> {
    let replaced: BTreeSet<_> =
        new.iter().map(|case| (case.suite.clone(), case.unit.clone(), case.side)).collect();
    let turn = path.with_extension("lock");
    let lock = File::create(&turn).map_err(Trouble::when(format!("making {}", turn.display())))?;
    lock.lock().map_err(Trouble::when(format!("locking {}", turn.display())))?;
    let mut cases = load(path);
    cases.retain(|case| !replaced.contains(&(case.suite.clone(), case.unit.clone(), case.side)));
    cases.extend(new);
    cases.sort();
    let text: String = cases.iter().map(|case| line(case) + "\n").collect();
    let whole = path.with_extension("new");
    fs::write(&whole, text)
        .and_then(|()| fs::rename(&whole, path))
        .map_err(Trouble::when(format!("writing {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(unit: &str, name: &str, outcome: Outcome) -> Case {
        Case {
            suite: "tcl".to_owned(),
            unit: unit.to_owned(),
            name: name.to_owned(),
            side: Side::Nuthatch,
            outcome,
            detail: "said\tthis\nand that".to_owned(),
        }
    }

    #[test]
    fn runs_beside_each_other_keep_each_others_lines() {
        let path = std::env::temp_dir().join(format!("nuthatch-results-beside-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || store(path, vec![case(&number.to_string(), "one", Outcome::Passed)]));
            }
        });
        assert_eq!(load(&path).len(), 8);
        fs::remove_file(&path).expect("there");
    }

    #[test]
    fn a_unit_that_runs_again_replaces_its_own_lines() {
        let path = std::env::temp_dir().join(format!("nuthatch-results-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        store(&path, vec![case("a", "one", Outcome::Failed), case("a", "two", Outcome::Passed)])
            .expect("writable");
        store(&path, vec![case("b", "one", Outcome::Skipped)]).expect("writable");
        store(&path, vec![case("a", "one", Outcome::Passed)]).expect("writable");
        let kept = load(&path);
        let short: Vec<_> = kept.iter().map(|c| (c.unit.as_str(), c.name.as_str(), c.outcome)).collect();
        assert_eq!(short, [("a", "one", Outcome::Passed), ("b", "one", Outcome::Skipped)]);
        assert_eq!(kept[0].detail, "said this and that");
        fs::remove_file(&path).expect("it was written");
    }
}
