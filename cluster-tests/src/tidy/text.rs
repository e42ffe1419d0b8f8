//! Words: headers, reminders, error messages, and the documents that are generated.
//!
//! Readers meet a file through its header, an operator meets the server through its errors: neither is left to taste
//! alone. What a header says is for reviewers; that there is one is checked here.

use super::Finding;
use super::source::Source;
use nuthatch_proto::command_table;

/// Reminders that must not stay.
const REMINDERS: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];

/// Files without a header, left reminders, old module doors, and error messages that are not plain.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        header(source, &mut findings);
        reminders(source, &mut findings);
        messages(source, &mut findings);
        if source.path.ends_with("/mod.rs") {
            findings.push(Finding::new(&source.path, 0, "name the door after the room: x.rs beside x/"));
        }
    }
    findings
}

/// Whether docs/COMMANDS.md is what the command table says today.
pub fn commands_document(committed: &str) -> Vec<Finding> {
    if committed == command_table::markdown() {
        return Vec::new();
    }
    let mend = "stale: cargo run -p nuthatch-proto --example commands-md > docs/COMMANDS.md";
    vec![Finding::new("docs/COMMANDS.md", 0, mend)]
}

/// Every file begins with a `//!` header whose first paragraph is a sentence.
fn header(source: &Source, findings: &mut Vec<Finding>) {
    // Attributes of the whole file may stand before the header.
    let lines = source.text.lines().skip_while(|line| line.is_empty() || line.starts_with("#!"));
    let first: Vec<_> = lines.map_while(|line| line.strip_prefix("//! ")).collect();
    let begins = first.first().is_some_and(|line| line.starts_with(|c: char| c.is_uppercase() || c == '`'));
    let ends = first.last().is_some_and(|line| line.ends_with(['.', ':', '?']));
    if !(begins && ends) {
        let message = "no `//!` header that begins with a sentence: what is it, what is it not, why";
        findings.push(Finding::new(&source.path, 1, message));
    }
}

fn reminders(source: &Source, findings: &mut Vec<Finding>) {
    // The rules of this house name the words they look for.
    if source.path.starts_with("cluster-tests/src/tidy") {
        return;
    }
    for (number, line) in source.text.lines().enumerate() {
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        if let Some(word) = words.find(|word| REMINDERS.contains(word)) {
            findings.push(Finding::new(
                &source.path,
                number + 1,
                format!("{word}: do it, or write it into an issue"),
            ));
        }
    }
}

/// An error's text is read by people: it is not empty and does not print a value's innards.
fn messages(source: &Source, findings: &mut Vec<Finding>) {
    for (offset, mark) in source.code.match_indices("#[error(").filter(|&(offset, _)| !source.is_test(offset))
    {
        let rest = &source.text[offset + mark.len()..];
        let Some(message) = rest.trim_start().strip_prefix('"').and_then(literal) else { continue };
        if message.trim().is_empty() {
            findings.push(Finding::new(&source.path, source.line(offset), "an error without words"));
        }
        if message.contains(":?}") || message.contains(":#?}") {
            let message = "an error that prints a value for debugging: say it in words";
            findings.push(Finding::new(&source.path, source.line(offset), message));
        }
    }
}

/// What stands before the closing quote.
fn literal(text: &str) -> Option<&str> {
    let mut escaped = false;
    let end = text.find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    })?;
    Some(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "//! What it is.\n//! What it is not.\n";

    #[track_caller]
    fn check_text(path: &str, text: &str, expected: &[usize]) {
        let findings = check(&[Source::new(path, text)]);
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), expected, "{findings:?}");
    }

    #[test]
    fn a_file_without_header_is_found() {
        check_text("a.rs", HEADER, &[]);
        check_text("a.rs", &format!("#![no_main]\n\n{HEADER}"), &[]);
        check_text("a.rs", "//! words\n", &[1]);
        check_text("a.rs", "//!\n", &[1]);
        check_text("a.rs", "use b;\n", &[1]);
    }

    #[test]
    fn reminders_are_found() {
        for word in REMINDERS {
            check_text("a.rs", &format!("{HEADER}// {word}: later\n"), &[3]);
        }
        check_text("a.rs", &format!("{HEADER}// a TODOLIST, todo\n"), &[]);
    }

    #[test]
    fn old_doors_are_found() {
        check_text("a/mod.rs", HEADER, &[0]);
    }

    #[test]
    fn debugging_in_error_messages_is_found() {
        check_text("a.rs", &format!("{HEADER}#[error(\"no such key\")]\n#[error(\"bad {{0:?}}\")]\n"), &[4]);
        check_text("a.rs", &format!("{HEADER}#[error(\"\")]\n"), &[3]);
        check_text(
            "a.rs",
            &format!("{HEADER}#[error(\"an escaped \\\" quote\")] struct A {{ x: \"{{:?}}\" }}\n"),
            &[],
        );
    }

    #[test]
    fn a_stale_document_is_found() {
        assert_eq!(commands_document(&command_table::markdown()), []);
        assert_eq!(commands_document("# Commands\n").len(), 1);
    }
}
