//! The repository's Rust files, in a form that rules can search.
//!
//! [`Source::code`] is the file's text with the contents of comments, strings and character literals replaced by
//! blanks, byte for byte: lines and columns stay what they were. Test code (below `#[cfg(test)]`, in a file that is
//! declared so, and in `tests/`) is known, because some rules are for the rest only.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// One Rust file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path from the root of the repository, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its text without comments and strings.
    pub code: String,
    tests: Vec<Range<usize>>,
}

impl Source {
    /// A file of that path and text.
    pub fn new(path: &str, text: &str) -> Self {
        let code = blank(text);
        let whole = path.contains("/tests/") || path.contains("/benches/");
        let tests = if whole { std::iter::once(0..text.len()).collect() } else { test_modules(&code) };
        Self { path: path.to_owned(), text: text.to_owned(), code, tests }
    }

    /// Whether the byte at that offset is in test code.
    pub fn is_test(&self, offset: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&offset))
    }

    /// The line of that offset, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }

    /// Where that word stands in the code, not as part of a longer one.
    pub fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let in_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let bytes = self.code.as_bytes();
        let open = in_word(word.as_bytes().first());
        let closed = in_word(word.as_bytes().last());
        self.code.match_indices(word).map(|(offset, _)| offset).filter(move |&offset| {
            let before = offset.checked_sub(1).and_then(|i| bytes.get(i));
            let part = (open && in_word(before)) || (closed && in_word(bytes.get(offset + word.len())));
            !part
        })
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files of the repository.
pub fn load() -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for top in ["proto", "server", "client", "cluster-tests", "benches"] {
        walk(&root().join(top), top, &mut sources)?;
    }
    mark_test_files(&mut sources);
    Ok(sources)
}

fn walk(folder: &Path, name: &str, sources: &mut Vec<Source>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let file_name = entry.file_name();
        let Some(file_name) = file_name.to_str() else { continue };
        let path = format!("{name}/{file_name}");
        if entry.file_type()?.is_dir() {
            if file_name != "target" && !file_name.starts_with('.') {
                walk(&entry.path(), &path, sources)?;
            }
        } else if file_name.ends_with(".rs") {
            sources.push(Source::new(&path, &fs::read_to_string(entry.path())?));
        }
    }
    Ok(())
}

/// Finds the files that are declared as `#[cfg(test)] mod name;`.
fn mark_test_files(sources: &mut [Source]) {
    let declared: Vec<String> = sources.iter().flat_map(declared_test_files).collect();
    for source in sources {
        if declared
            .iter()
            .any(|stem| source.path.strip_prefix(stem).is_some_and(|rest| rest.starts_with(['.', '/'])))
        {
            source.tests = std::iter::once(0..source.text.len()).collect();
        }
    }
}

/// The paths, without `.rs`, of the test modules that a file declares.
fn declared_test_files(source: &Source) -> Vec<String> {
    let stem = source.path.trim_end_matches(".rs");
    let folder = match stem.rsplit_once('/') {
        Some((folder, "lib" | "main")) => folder,
        _ => stem,
    };
    let behind =
        source.code.match_indices("#[cfg(test)]").map(|(offset, mark)| &source.code[offset + mark.len()..]);
    let names = behind.filter_map(|rest| {
        let (head, _) = rest.split_once([';', '{'])?;
        let declares = rest.as_bytes().get(head.len()) == Some(&b';');
        let name = head.trim().rsplit_once("mod ").filter(|_| declares)?.1;
        Some(format!("{folder}/{name}"))
    });
    names.collect()
}

/// The extents of the modules in braces under `#[cfg(test)]`.
fn test_modules(code: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    for (offset, _) in code.match_indices("#[cfg(test)]") {
        let head = code[offset..].find(['{', ';']).map(|at| offset + at);
        if let Some(open) = head.filter(|&at| code.as_bytes()[at] == b'{') {
            ranges.push(offset..closing_brace(code, open) + 1);
        }
    }
    ranges
}

/// Where the brace that opens at `open` closes; the end of the code if it never does.
pub(super) fn closing_brace(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return offset;
                }
            }
            _ => {}
        }
    }
    code.len().saturating_sub(1)
}

/// The text with comments, strings and characters blanked.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = at + opaque(&bytes[at..], at.checked_sub(1).map(|before| bytes[before]));
        if end == at {
            at += 1;
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    // Whole literals were blanked, so that what is left is whole characters.
    String::from_utf8_lossy(&out).into_owned()
}

/// How long the comment or literal is that begins here; 0 if none does.
fn opaque(rest: &[u8], before: Option<u8>) -> usize {
    let in_word = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'r', b'"' | b'#', ..] if !in_word => raw_string(rest, 1),
        [b'b', b'r', b'"' | b'#', ..] if !in_word => raw_string(rest, 2),
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        // A character is closed right behind it; what is not is a lifetime.
        [b'\'', first, ..] => {
            let len = match first {
                0..0xc0 => 1,
                0xc0..0xe0 => 2,
                0xe0..0xf0 => 3,
                0xf0.. => 4,
            };
            if rest.get(1 + len) == Some(&b'\'') { len + 2 } else { 0 }
        }
        _ => 0,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|&&b| b == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') {
        return 0;
    }
    let mut end = vec![b'"'];
    end.extend(std::iter::repeat_n(b'#', hashes));
    let body = prefix + hashes + 1;
    let found = rest[body..].windows(end.len()).position(|window| window == end.as_slice());
    found.map_or(rest.len(), |at| body + at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let text =
            "a(); // b()\nlet s = \"c() \\\" d\"; /* e /* f */ g */ 'x'; '\\''; r#\"h\" i\"#; j::<'a>('é')";
        let code = Source::new("x.rs", text).code;
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), "a(); let s = ; ; ; ; j::<'a>( )");
        assert_eq!(code.len(), text.len());
    }

    #[test]
    fn test_code_is_known() {
        let source = Source::new("x.rs", "fn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\nfn c() {}");
        let is_test = |name: &str| source.is_test(source.code.find(name).expect("there"));
        assert!(!is_test("a()") && is_test("b()") && !is_test("c()"));
        assert!(Source::new("server/node/tests/x.rs", "fn a() {}").is_test(0));
    }

    #[test]
    fn files_declared_for_tests_are_test_code() {
        let mut sources = [
            Source::new("c/src/lib.rs", "#[cfg(test)]\nmod bench;\nmod real;"),
            Source::new("c/src/bench.rs", "fn a() {}"),
            Source::new("c/src/real.rs", "#[cfg(test)] pub(crate) mod inner;"),
            Source::new("c/src/real/inner.rs", "fn a() {}"),
        ];
        mark_test_files(&mut sources);
        assert_eq!(sources.each_ref().map(|source| source.is_test(0)), [false, true, false, true]);
    }

    #[test]
    fn words_are_whole() {
        let source = Source::new("x.rs", "spawn(); respawn(); spawned(); std::spawn;");
        assert_eq!(source.words("spawn").count(), 2);
        assert_eq!(source.words("std::spawn").count(), 1);
    }
}
