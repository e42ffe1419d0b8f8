//! What can be wrong with a configuration, at the start and later.
//!
//! At the start an error ends the process, so it is one line that names the place, the option and the mend. Later it is a
//! reply, in Redis's words where Redis has some.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::words::Unbalanced;

/// Where a line of configuration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File {
        /// Which.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// In what came in from the standard input.
    Stdin {
        /// Its line, from 1.
        line: usize,
    },
    /// Among the arguments.
    Arguments,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Stdin { line } => write!(f, "the standard input, line {line}"),
            Self::Arguments => f.write_str("the command line"),
        }
    }
}

/// The node cannot start with this configuration. `Display` is one line that names the option and the mend.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such option.
    #[error("{place}: there is no option '{name}': see `nuthatch server --help` for those there are")]
    Unknown {
        /// Its name.
        name: String,
        /// Where it stands.
        place: Place,
    },
    /// The option does not take that value.
    #[error("{place}: option '{name}' does not take '{value}': {reason}")]
    Invalid {
        /// The option.
        name: String,
        /// The value.
        value: String,
        /// What is wrong with it, and what it should be.
        reason: String,
        /// Where it stands.
        place: Place,
    },
    /// The option protects in Redis, and would not here.
    #[error("{place}: option '{name}' would protect nothing here: {mend}")]
    Withheld {
        /// The option.
        name: String,
        /// What to do instead.
        mend: &'static str,
        /// Where it stands.
        place: Place,
    },
    /// The option has too few words or too many.
    #[error(
        "{place}: option '{name}' takes one value: put it in quotes if it has spaces, or \"\" if it is empty"
    )]
    Words {
        /// The option.
        name: String,
        /// Where it stands.
        place: Place,
    },
    /// A word where an option should be.
    #[error(
        "the command line: '{word}' is no option: write options as --name value, after the file if there is one"
    )]
    Stray {
        /// The word.
        word: String,
    },
    /// The quotes of a line do not match.
    #[error("{place}: {source}")]
    Quotes {
        /// Where.
        place: Place,
        /// What is wrong.
        source: Unbalanced,
    },
    /// A file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file that another names cannot be read.
    #[error("{place}: cannot include {}: {source}", path.display())]
    Included {
        /// Which.
        path: PathBuf,
        /// Where it is named.
        place: Place,
        /// Why not.
        source: io::Error,
    },
    /// The standard input cannot be read.
    #[error("cannot read the configuration from the standard input: {source}")]
    Stdin {
        /// Why not.
        source: io::Error,
    },
    /// A line is no text.
    #[error("{place}: the value of '{name}' is no UTF-8: write the file in that encoding")]
    Encoding {
        /// The option.
        name: String,
        /// Where it stands.
        place: Place,
    },
    /// Files include each other without end.
    #[error("{place}: files are included too deep: does one include itself?")]
    TooDeep {
        /// Where.
        place: Place,
    },
    /// Two options do not go together, or one is not possible here.
    #[error("option '{name}': {reason}")]
    Conflict {
        /// The option.
        name: &'static str,
        /// What is wrong and how to mend it.
        reason: String,
    },
}

/// CONFIG SET or CONFIG REWRITE failed. `Display` is the error's text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetError {
    /// There is no such option.
    #[error("ERR Unknown option or number of arguments for CONFIG SET - '{name}'")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// It cannot be changed so.
    #[error("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")]
    Refused {
        /// The option.
        name: String,
        /// Why not.
        reason: String,
    },
    /// There is no file to write to.
    #[error("ERR The server is running without a config file")]
    NoFile,
    /// The file cannot be written.
    #[error("ERR Rewriting config file: {source}")]
    Rewrite {
        /// Why not.
        source: io::Error,
    },
}
