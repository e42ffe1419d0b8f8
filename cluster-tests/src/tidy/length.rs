//! How long files and functions may be.
//!
//! A file that has outgrown a few screens holds more than one idea; a function that has outgrown one cannot be checked
//! at a glance. The hard limits are here; what one should aim at is half of them.
//!
//! A closed match over all commands (`use DataCommand as C`) has a line for each of them. It is a table that happens to be
//! code, and read as one: its arms are not counted.

use super::Finding;
use super::source::{Source, closing_brace};

/// The most lines a file may have.
pub const FILE_LINES_MAX: usize = 800;
/// Nine files in ten must be shorter than this.
pub const FILE_LINES_P90: usize = 500;
/// The most lines a function may have, from its `fn` to its closing brace.
pub const FUNCTION_LINES_MAX: usize = 100;

/// Files and functions that are too long, and too many long files.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut lengths: Vec<usize> = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        lengths.push(lines);
        if lines > FILE_LINES_MAX {
            let message = format!("{lines} lines: split it, {FILE_LINES_MAX} is the limit");
            findings.push(Finding::new(&source.path, lines, message));
        }
        for (line, lines) in functions(source) {
            if lines > FUNCTION_LINES_MAX {
                let message = format!("a function of {lines} lines: {FUNCTION_LINES_MAX} is the limit");
                findings.push(Finding::new(&source.path, line, message));
            }
        }
    }
    lengths.sort_unstable();
    let p90 = lengths.get((lengths.len() * 9).div_ceil(10).saturating_sub(1)).copied().unwrap_or(0);
    if p90 >= FILE_LINES_P90 {
        let message = format!("a tenth of the files have {p90} lines or more: {FILE_LINES_P90} is the limit");
        findings.push(Finding::new("the repository", 0, message));
    }
    findings
}

/// Where the functions with a body begin, and how many lines each has.
fn functions(source: &Source) -> Vec<(usize, usize)> {
    let starts = source.words("fn ");
    let bodies = starts.filter_map(|start| body(&source.code, start).map(|open| (start, open)));
    bodies
        .map(|(start, open)| {
            let first = source.line(start);
            let last = source.line(closing_brace(&source.code, open));
            let lines = source.code.lines().skip(first - 1).take(last - first + 1);
            (first, lines.filter(|line| !names_a_command(line)).count())
        })
        .collect()
}

/// Whether a line is, or continues, the pattern of an arm that names a command.
fn names_a_command(line: &str) -> bool {
    line.trim_start().trim_start_matches("| ").starts_with("C::")
}

/// Where the body of the function that begins at `start` opens; nothing if it has none.
fn body(code: &str, start: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (offset, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(offset),
            b';' if depth == 0 => return None,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("x.rs", text)
    }

    #[test]
    fn the_arms_of_a_match_over_commands_are_no_lines() {
        let arms = "        C::Get => a(),\n        | C::Set\n".repeat(80);
        let text = format!("fn f() {{\n    match c {{\n{arms}        other => b(),\n    }}\n}}\n");
        assert_eq!(functions(&source(&text)), [(1, 5)]);
    }

    #[test]
    fn functions_are_measured() {
        let text = "fn a() -> [u8; 2] {\n    b(\"}\");\n}\ntrait T {\n    fn c();\n    fn d() {\n        if x {\n        }\n    }\n}";
        assert_eq!(functions(&source(text)), [(1, 3), (6, 4)]);
    }

    #[test]
    fn a_long_function_is_found() {
        let text = format!("fn a() {{\n{}}}", "    b();\n".repeat(FUNCTION_LINES_MAX));
        let findings = check(&[source(&text)]);
        assert_eq!((findings.len(), findings[0].line), (1, 1), "{findings:?}");
    }

    #[test]
    fn a_long_file_is_found() {
        let findings = check(&[source(&"// x\n".repeat(FILE_LINES_MAX + 1))]);
        assert_eq!(findings.len(), 2, "too long, and a tenth of all: {findings:?}");
    }

    #[test]
    fn too_many_long_files_are_found() {
        let long = source(&"// x\n".repeat(FILE_LINES_P90));
        let short = source("// x\n");
        let mut sources = vec![short; 18];
        sources.extend([long.clone(), long.clone()]);
        assert_eq!(check(&sources), []);
        sources.push(long);
        assert_eq!(check(&sources).len(), 1);
    }
}
