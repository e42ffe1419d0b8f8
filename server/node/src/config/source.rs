//! Lines of configuration from the command line and from files, before anybody asks what they mean.
//!
//! `nuthatch server [file] [--option value ...]`, as redis-server: a word that begins with `--` begins a line; the
//! lines of the command line come after the file's, so that they win.

use std::path::{Path, PathBuf};

use super::error::{ConfigError, Place};
use super::words::split;

/// How deep files may include each other.
const INCLUDE_DEPTH_MAX: usize = 16;

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
    let (file, options) = match arguments.split_first() {
        Some((file, options)) if !file.starts_with("--") => (Some(PathBuf::from(file)), options),
        Some(_) | None => (None, arguments),
    };
    let mut lines = Vec::new();
    let file = match file {
        Some(path) => {
            read_file(&path, 0, &Place::Arguments, &mut lines)?;
            Some(std::path::absolute(&path).unwrap_or(path))
        }
        None => None,
    };
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
            None => match lines.last_mut().filter(|line| line.place == Place::Arguments) {
                Some(line) => line.words.push(word.clone()),
                None => return Err(ConfigError::Stray { word: word.clone() }),
            },
        }
    }
    Ok(Asked::Run { file, lines })
}

fn read_file(path: &Path, depth: usize, from: &Place, lines: &mut Vec<Line>) -> Result<(), ConfigError> {
    if depth > INCLUDE_DEPTH_MAX {
        return Err(ConfigError::TooDeep { place: from.clone() });
    }
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
    for (number, text) in text.lines().enumerate() {
        let place = Place::File { path: path.to_owned(), line: number + 1 };
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let words = split(text).map_err(|source| ConfigError::Quotes { place: place.clone(), source })?;
        let Some((name, words)) = words.split_first() else { continue };
        if name.eq_ignore_ascii_case("include") {
            for included in words {
                read_file(Path::new(included), depth + 1, &place, lines)?;
            }
        } else {
            lines.push(Line { name: name.clone(), words: words.to_vec(), place });
        }
    }
    Ok(())
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
    fn what_cannot_be_read_is_named() {
        let error = lines(&["/nowhere/x.conf"]).expect_err("no such file");
        assert!(error.starts_with("cannot read the configuration file /nowhere/x.conf: "), "{error}");
        let error = lines(&["--port"]).expect("a line without words");
        assert_eq!(error, ["port="]);
    }
}
