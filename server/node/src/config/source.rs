//! Lines of configuration from the command line and from files, before anybody asks what they mean.
//!
//! `nuthatch server [file] [-] [--option value ...]`, as redis-server: a word that begins with `--` begins a line; the
//! lines of the command line come after the file's and those of the standard input (`-`), so that they win. A line
//! `include` stands for the lines of other files, wherever it comes from.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use nuthatch_proto::glob::{Case, matches};

use super::error::{ConfigError, Place};
use super::words::split;

/// How deep files may include each other.
const INCLUDE_DEPTH_MAX: usize = 16;

/// The word that stands for the standard input.
const STDIN: &str = "-";

/// One line: an option's name and the words behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) words: Vec<String>,
    pub(crate) place: Place,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// To run.
    Run {
        /// The configuration file.
        file: Option<PathBuf>,
        /// All lines, in the order they count.
        lines: Vec<Line>,
    },
    /// The version.
    Version,
    /// The help.
    Help,
}

/// Reads the arguments, and the file they name.
pub(crate) fn from_arguments(arguments: &[String]) -> Result<Asked, ConfigError> {
    match arguments {
        [word] if word == "-v" || word == "--version" => return Ok(Asked::Version),
        [word, ..] if word == "-h" || word == "--help" => return Ok(Asked::Help),
        _ => {}
    }
    let (file, rest) = match arguments.split_first() {
        Some((file, rest)) if !file.starts_with('-') => (Some(PathBuf::from(file)), rest),
        Some(_) | None => (None, arguments),
    };
    let mut lines = Vec::new();
    let file = match file {
        Some(path) => {
            let failed = |source| ConfigError::File { path: path.clone(), source };
            let text = fs::read(&path).map_err(failed)?;
            read(&text, |line| Place::File { path: path.clone(), line }, 0, &mut lines)?;
            Some(std::path::absolute(&path).unwrap_or(path))
        }
        None => None,
    };
    // As the first word or the last one; what comes in counts after the file, and before the options.
    let options = match rest {
        [word, options @ ..] | [options @ .., word] if word == STDIN => {
            let mut text = Vec::new();
            io::stdin().lock().read_to_end(&mut text).map_err(|source| ConfigError::Stdin { source })?;
            read(&text, |line| Place::Stdin { line }, 0, &mut lines)?;
            options
        }
        options => options,
    };
    for line in option_lines(options)? {
        take(line, 0, &mut lines)?;
    }
    Ok(Asked::Run { file, lines })
}

/// The lines that the options of the command line stand for.
fn option_lines(options: &[String]) -> Result<Vec<Line>, ConfigError> {
    let mut lines: Vec<Line> = Vec::new();
    for word in options {
        match word.strip_prefix("--") {
            // Name and value may come as one word: `"--save 900 1"`.
            Some(line) => {
                let place = Place::Arguments;
                let mut words =
                    split(line).map_err(|source| ConfigError::Quotes { place: place.clone(), source })?;
                let name = if words.is_empty() { String::new() } else { words.remove(0) };
                lines.push(Line { name, words, place });
            }
            None => match lines.last_mut() {
                Some(line) => line.words.push(word.clone()),
                None => return Err(ConfigError::Stray { word: word.clone() }),
            },
        }
    }
    Ok(lines)
}

/// Reads the lines of a text. `place` says where a line of it stands.
fn read(
    text: &[u8],
    place: impl Fn(usize) -> Place,
    depth: usize,
    lines: &mut Vec<Line>,
) -> Result<(), ConfigError> {
    for (number, text) in text.split(|&byte| byte == b'\n').enumerate() {
        let place = place(number + 1);
        let text = text.trim_ascii();
        if text.is_empty() || text.starts_with(b"#") {
            continue;
        }
        let Ok(text) = std::str::from_utf8(text) else {
            let name = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            return Err(ConfigError::Encoding { name: String::from_utf8_lossy(name).into_owned(), place });
        };
        let words = split(text).map_err(|source| ConfigError::Quotes { place: place.clone(), source })?;
        if let Some((name, words)) = words.split_first() {
            take(Line { name: name.clone(), words: words.to_vec(), place }, depth, lines)?;
        }
    }
    Ok(())
}

/// Takes a line, or those of the files that it includes.
fn take(line: Line, depth: usize, lines: &mut Vec<Line>) -> Result<(), ConfigError> {
    if !line.name.eq_ignore_ascii_case("include") {
        lines.push(line);
        return Ok(());
    }
    let Line { words, place, .. } = line;
    if depth >= INCLUDE_DEPTH_MAX {
        return Err(ConfigError::TooDeep { place });
    }
    for word in &words {
        let failed = |path: &Path, source| ConfigError::Included {
            path: path.to_owned(),
            place: place.clone(),
            source,
        };
        for path in included(word).map_err(|source| failed(Path::new(word), source))? {
            let text = fs::read(&path).map_err(|source| failed(&path, source))?;
            read(&text, |line| Place::File { path: path.clone(), line }, depth + 1, lines)?;
        }
    }
    Ok(())
}

/// The files that a word of `include` stands for, in the order of their names: one, or whatever a pattern finds.
fn included(word: &str) -> io::Result<Vec<PathBuf>> {
    let is_pattern = |text: &str| text.contains(['*', '?', '[']);
    if !is_pattern(word) {
        return Ok(vec![PathBuf::from(word)]);
    }
    let mut found = vec![PathBuf::from(if word.starts_with('/') { "/" } else { "" })];
    for part in word.split('/').filter(|part| !part.is_empty()) {
        if is_pattern(part) {
            let mut inside = Vec::new();
            for directory in found {
                inside.extend(matching(&directory, part)?);
            }
            found = inside;
        } else {
            found.iter_mut().for_each(|path| path.push(part));
            found.retain(|path| path.exists());
        }
    }
    Ok(found)
}

/// What of a directory matches a pattern; nothing if there is no such directory. A leading dot must be asked for.
fn matching(directory: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let here = Path::new(".");
    let entries = match fs::read_dir(if directory.as_os_str().is_empty() { here } else { directory }) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let is_meant = pattern.starts_with('.') || !name.as_encoded_bytes().starts_with(b".");
        if is_meant && matches(pattern.as_bytes(), name.as_encoded_bytes(), Case::Sensitive) {
            found.push(directory.join(name));
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(arguments: &[&str]) -> Result<Vec<String>, String> {
        let arguments: Vec<_> = arguments.iter().map(|&a| a.to_owned()).collect();
        match from_arguments(&arguments) {
            Ok(Asked::Run { lines, .. }) => {
                Ok(lines.iter().map(|line| format!("{}={}", line.name, line.words.join(","))).collect())
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_double_dash_begins_an_option() {
        let given = ["--port", "7001", "--bind", "a", "-b", "--save", ""];
        assert_eq!(lines(&given), Ok(vec!["port=7001".into(), "bind=a,-b".into(), "save=".into()]));
        assert_eq!(lines(&["--save 900 1", "--dir"]), Ok(vec!["save=900,1".into(), "dir=".into()]));
        assert_eq!(lines(&[]), Ok(vec![]));
    }

    #[test]
    fn a_file_comes_first_and_may_include_others() {
        let dir = std::env::temp_dir().join(format!("nuthatch-source-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let (main, other) = (dir.join("main.conf"), dir.join("other.conf"));
        let text = format!("# a comment\n\nport 1\ninclude {}\ndir \"a b\"\n", other.display());
        std::fs::write(&main, text).expect("written");
        std::fs::write(&other, "timeout 5\n").expect("written");
        let main_name = main.to_str().expect("a name");
        let expected = ["port=1", "timeout=5", "dir=a b", "port=2"].map(str::to_owned).to_vec();
        assert_eq!(lines(&[main_name, "--port", "2"]), Ok(expected));

        std::fs::write(&other, format!("include {main_name}\n")).expect("written");
        let error = lines(&[main_name]).expect_err("an endless inclusion");
        assert!(error.contains("does one include itself"), "{error}");

        std::fs::write(&other, "dir 'x\n").expect("written");
        let error = lines(&[main_name]).expect_err("a broken line");
        assert!(
            error.ends_with(
                "other.conf, line 1: unbalanced quotes: close every quote and put a space behind it"
            ),
            "{error}"
        );
        std::fs::remove_dir_all(&dir).expect("removed");
    }

    #[test]
    fn a_pattern_includes_what_it_finds() {
        let dir = std::env::temp_dir().join(format!("nuthatch-included-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("inner")).expect("a directory");
        for (name, text) in
            [("b.conf", "port 2"), ("a.conf", "port 1"), (".c.conf", "port 3"), ("inner/d.conf", "port 4")]
        {
            std::fs::write(dir.join(name), text).expect("written");
        }
        let dir_name = dir.to_str().expect("a name");
        let found = |pattern: &str| lines(&["--include", &format!("{dir_name}/{pattern}"), "--timeout", "5"]);
        let expected = |ports: &[&str]| {
            let ports = ports.iter().map(|port| format!("port={port}"));
            Ok(ports.chain(["timeout=5".to_owned()]).collect::<Vec<_>>())
        };
        assert_eq!(found("*.conf"), expected(&["1", "2"]));
        assert_eq!(found("[b-z]?conf"), expected(&["2"]));
        assert_eq!(found("in*/d.conf"), expected(&["4"]));
        assert_eq!(found("none*.conf"), expected(&[]));
        assert_eq!(found("*/none/x.conf"), expected(&[]));
        std::fs::remove_dir_all(&dir).expect("removed");
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let dir = std::env::temp_dir().join(format!("nuthatch-unread-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let file = dir.join("main.conf");
        let name = file.to_str().expect("a name");
        std::fs::write(&file, b"port 1\nrequirepass \xff\xfe\n").expect("written");
        assert_eq!(
            lines(&[name]),
            Err(format!(
                "{name}, line 2: the value of 'requirepass' is no UTF-8: write the file in that encoding"
            ))
        );
        std::fs::write(&file, b"port 1\n\ninclude /nowhere/x.conf\n").expect("written");
        let error = lines(&[name]).expect_err("no such file");
        let expected = format!("{name}, line 3: cannot include /nowhere/x.conf: ");
        assert!(error.starts_with(&expected), "{error}");
        std::fs::remove_dir_all(&dir).expect("removed");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = lines(&["/nowhere/x.conf"]).expect_err("no such file");
        assert!(error.starts_with("cannot read the configuration file /nowhere/x.conf: "), "{error}");
        let error = lines(&["--port"]).expect("a line without words");
        assert_eq!(error, ["port="]);
    }
}
