//! Calls that the inner crates may not make, and words that no crate may contain.
//!
//! The engine and the cluster crate receive time, seeds and bytes and return outputs; a clock, a die, a socket, a file
//! or a thread inside would make their tests luck. Clippy bans most of these calls by path (`clippy.toml` beside each
//! crate); this finds what hides behind an alias or a macro, and needs no compiler.

use super::Finding;
use super::source::Source;

/// A word and what to use instead.
type Ban = (&'static str, &'static str);

/// Not in the code of the engine and the cluster crate, their tests excepted.
const INNER: [Ban; 18] = [
    ("Instant::now", "take the time as a parameter"),
    ("SystemTime::now", "take the time as a parameter"),
    ("thread_rng", "take a seed as a parameter"),
    ("rand", "take a seed as a parameter"),
    ("getrandom", "take a seed as a parameter"),
    ("RandomState", "use a hasher with a given seed"),
    ("thread::spawn", "return an output that the node acts on"),
    ("thread::sleep", "return a deadline that the node waits for"),
    ("println!", "return an event that the node reports"),
    ("eprintln!", "return an event that the node reports"),
    ("print!", "return an event that the node reports"),
    ("std::net", "take bytes, return bytes"),
    ("std::fs", "return what is to be persisted"),
    ("std::env", "take the setting as a parameter"),
    ("std::process", "return an error"),
    ("tokio", "stay synchronous; the node owns the runtime"),
    ("tracing", "return an event that the node reports"),
    ("static mut", "keep state in a value with one owner"),
];

/// Not in the cluster crate besides, for every node must compute the same.
const CLUSTER: [Ban; 2] = [
    ("HashMap", "use BTreeMap: its order is the same everywhere"),
    ("HashSet", "use BTreeSet: its order is the same everywhere"),
];

/// Not in any code.
const EVERYWHERE: [Ban; 5] = [
    ("todo!", "finish it, or return an error that says what is missing"),
    ("unimplemented!", "finish it, or return an error that says what is missing"),
    ("dbg!", "remove it"),
    ("#[ignore", "mend the test or remove it"),
    ("#[allow(", "use #[expect(..., reason = \"...\")]"),
];

/// The files that may contain `unsafe`, each for a reason that its header argues.
const UNSAFE_FILES: [&str; 4] = [
    // One allocation per key, with its value and its deadline.
    "server/engine/src/store/entry.rs",
    // Hints to the processor.
    "server/engine/src/store/prefetch.rs",
    // The allocator's interface is unsafe.
    "server/node/src/allocator.rs",
    // What runs before `main`.
    "server/node/src/before_main.rs",
];

/// All bans over all sources.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        let inner =
            ["server/engine/src/", "server/cluster/src/"].iter().any(|room| source.path.starts_with(room));
        if inner {
            search(source, &INNER, false, &mut findings);
        }
        if source.path.starts_with("server/cluster/src/") {
            search(source, &CLUSTER, false, &mut findings);
        }
        search(source, &EVERYWHERE, true, &mut findings);
        search(
            source,
            &[("#![allow(", "use #[expect(..., reason = \"...\")] where it is needed")],
            true,
            &mut findings,
        );
        if !UNSAFE_FILES.contains(&source.path.as_str()) {
            search(
                source,
                &[("unsafe", "do without, or name the file here with a reason")],
                true,
                &mut findings,
            );
        }
    }
    findings
}

fn search(source: &Source, bans: &[Ban], in_tests: bool, findings: &mut Vec<Finding>) {
    for (word, instead) in bans {
        for offset in source.words(word).filter(|&offset| in_tests || !source.is_test(offset)) {
            findings.push(Finding::new(&source.path, source.line(offset), format!("`{word}`: {instead}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(path: &str, text: &str, expected: &[(usize, &str)]) {
        let findings = check(&[Source::new(path, text)]);
        let found: Vec<_> =
            findings.iter().map(|f| (f.line, f.message.split('`').nth(1).unwrap_or(""))).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_clock_is_found_in_the_inner_crates_only() {
        let text = "fn a() {\n    let t = std::time::Instant::now();\n}";
        check_text("server/engine/src/a.rs", text, &[(2, "Instant::now")]);
        check_text("server/cluster/src/a.rs", text, &[(2, "Instant::now")]);
        check_text("server/node/src/a.rs", text, &[]);
    }

    #[test]
    fn every_inner_ban_can_fail() {
        for (word, _) in INNER {
            check_text("server/engine/src/a.rs", &format!("{word}(x)"), &[(1, word)]);
        }
        for (word, _) in CLUSTER {
            check_text("server/cluster/src/a.rs", &format!("let x: {word}<u8>;"), &[(1, word)]);
        }
    }

    #[test]
    fn every_general_ban_can_fail_even_in_tests() {
        for (word, _) in EVERYWHERE {
            let text = format!("#[cfg(test)]\nmod tests {{\n    {word}(x)]\n}}");
            check_text("client/src/a.rs", &text, &[(3, word)]);
        }
        check_text("client/src/a.rs", "#![allow(unused)]", &[(1, "#![allow(")]);
        check_text("server/engine/src/store/other.rs", "unsafe { x() }", &[(1, "unsafe")]);
    }

    #[test]
    fn words_in_texts_and_tests_are_no_calls() {
        check_text(
            "server/engine/src/a.rs",
            "// Instant::now()\nlet s = \"SystemTime::now\"; operand(brand);",
            &[],
        );
        check_text("server/engine/src/a.rs", "#[cfg(test)]\nmod tests { fn a() { thread::spawn(b); } }", &[]);
    }
}
