//! The options for people: the text of `--help`, and docs/OPTIONS.md.
//!
//! Both are written from the table alone. The file is checked by a test, which also writes it anew when it is run with
//! `NUTHATCH_UPDATE_DOCS=1`.

use super::kind::Kind;
use super::options::{self, Change, Effect, OptionId, OptionSpec};

fn works(spec: &OptionSpec) -> bool {
    spec.effect == Effect::Works
}

/// The options that do something, for `--help`.
#[must_use]
pub fn help() -> String {
    let lines = options::all().map(OptionId::spec).filter(|spec| works(spec)).map(|spec| {
        let default = if spec.default.is_empty() { "\"\"" } else { spec.default };
        format!("  --{} (default: {default})\n        {}\n", spec.name, spec.doc)
    });
    lines.collect()
}

fn in_quotes(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The values of an option, in words.
pub(super) fn values(kind: Kind) -> String {
    match kind {
        Kind::Bool => "`yes`, `no`".to_owned(),
        Kind::Integer(min, max) if max >= i64::MAX as u64 => format!("a number from {min}"),
        Kind::Integer(min, max) => format!("a number, {min} to {max}"),
        Kind::Memory(_) => "bytes, with `kb`, `mb`, `gb`".to_owned(),
        Kind::Word(words) => in_quotes(words),
        Kind::Text => "text".to_owned(),
        Kind::FileName => "the name of a file".to_owned(),
        Kind::Directory => "a directory that exists".to_owned(),
        Kind::Words => "words".to_owned(),
        Kind::Addresses => "addresses".to_owned(),
        Kind::Flags(words) => format!("one or more of {}", in_quotes(words)),
        Kind::MemoryOrPercent => "bytes, or a percentage".to_owned(),
        Kind::Percentiles => "numbers, 0 to 100".to_owned(),
        Kind::OomScores => "three numbers, -2000 to 2000".to_owned(),
        Kind::Save => "`seconds changes` ...".to_owned(),
        Kind::NoticeClasses => "letters".to_owned(),
        Kind::OutputLimits => "`class hard soft seconds` ...".to_owned(),
        Kind::Title => "text with variables such as `{port}`".to_owned(),
    }
}

/// All options, as docs/OPTIONS.md has them.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "# Options\n\n<!-- Generated from server/node/src/config/options. `NUTHATCH_UPDATE_DOCS=1 cargo test -p nuthatch-node \
         options_md` writes it anew. -->\n\nEach is a line `option value` of the configuration file (the syntax is \
         redis.conf's) or `--option value` on the command line, which wins. \"At start\" means that `CONFIG SET` does not \
         change it.\n\n| Option | Values | Default | Changes | What it is for |\n|---|---|---|---|---|\n",
    );
    for spec in options::all().map(OptionId::spec).filter(|spec| works(spec)) {
        let default = if spec.default.is_empty() { String::new() } else { format!("`{}`", spec.default) };
        let change = match spec.change {
            Change::Anytime => "any time",
            Change::Protected => "any time, protected",
            Change::Restart | Change::AtStart => "at start",
        };
        let (name, values, doc) = (spec.name, values(spec.kind), spec.doc);
        text.push_str(&format!("| `{name}` | {values} | {default} | {change} | {doc} |\n"));
    }
    let names = |is: fn(Effect) -> bool| {
        let named = options::all().map(OptionId::spec).filter(|spec| is(spec.effect));
        named.map(|spec| format!("`{}`", spec.name)).collect::<Vec<_>>().join(", ")
    };
    text.push_str("\n## Known from Redis, without an effect here\n\nTaken, kept, shown by `CONFIG GET`, and named in the log \
                   when they are set: ");
    text.push_str(&names(|effect| effect == Effect::Kept));
    text.push_str(
        ".\n\n## Known from Redis, and refused\n\nWho sets one of these relies on being protected by it, which this server does \
         not do yet. So the node does not start with any value but Redis's default, and says what to do instead: ",
    );
    text.push_str(&names(|effect| matches!(effect, Effect::Withheld(_))));
    text.push_str(".\n");
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn options_md_is_what_the_table_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPTIONS.md");
        if std::env::var_os("NUTHATCH_UPDATE_DOCS").is_some() {
            std::fs::write(&path, markdown()).expect("written");
        }
        let text = std::fs::read_to_string(&path).expect("docs/OPTIONS.md");
        assert!(text == markdown(), "docs/OPTIONS.md is out of date: see its first lines");
    }

    #[test]
    fn help_names_what_works() {
        assert!(help().contains("--maxclients (default: 10000)") && !help().contains("hz"));
    }
}
