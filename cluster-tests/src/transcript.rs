//! Transcripts: text files of commands and the answers expected to them, readable without the program.
//!
//! A line that begins with `> ` is a command; the lines below it, up to the next command, comment or empty line, are its
//! answer. A line that begins with `#` is a comment. Replaying a transcript gives the same text with the answers that
//! really came; a transcript holds if both are equal. With the environment variable `NUTHATCH_REWRITE` set, the files
//! are rewritten instead, for a human to read the difference.

use std::path::Path;
use std::{env, fs, io};

/// What a transcript's commands are put to.
pub trait Subject {
    /// The answer, without a line end after its last line; empty for none.
    fn answer(&mut self, command: &str) -> String;
}

/// Replays the transcript's commands: the text as it should be.
pub fn replay(transcript: &str, subject: &mut impl Subject) -> String {
    let mut replayed = String::new();
    let mut in_answer = false;
    for line in transcript.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            replayed.push_str(line);
            replayed.push('\n');
            let answer = subject.answer(command.trim());
            for line in answer.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
                replayed.push_str(line);
                replayed.push('\n');
            }
            in_answer = true;
        } else if line.is_empty() || line.starts_with('#') || !in_answer {
            replayed.push_str(line);
            replayed.push('\n');
            in_answer = false;
        }
    }
    replayed
}

/// Replays a file, and rewrites it if that was asked for; else the first difference, in words.
pub fn check_file(path: &Path, subject: &mut impl Subject) -> io::Result<Result<(), String>> {
    let expected = fs::read_to_string(path)?;
    let replayed = replay(&expected, subject);
    if env::var_os("NUTHATCH_REWRITE").is_some() {
        fs::write(path, replayed)?;
        return Ok(Ok(()));
    }
    Ok(first_difference(&expected, &replayed).map_or(Ok(()), |difference| {
        Err(format!("{}: {difference}\n(NUTHATCH_REWRITE=1 rewrites the expected answers)", path.display()))
    }))
}

fn first_difference(expected: &str, replayed: &str) -> Option<String> {
    if expected == replayed {
        return None;
    }
    let (mut expected, mut replayed) = (expected.lines(), replayed.lines());
    for number in 1.. {
        let (want, got) = (expected.next(), replayed.next());
        if want != got || want.is_none() {
            let show = |line: Option<&str>| line.map_or("the end".to_owned(), |line| format!("`{line}`"));
            return Some(format!("line {number}: expected {}, got {}", show(want), show(got)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shout;

    impl Subject for Shout {
        fn answer(&mut self, command: &str) -> String {
            command.to_uppercase().replace(' ', "\n")
        }
    }

    #[test]
    fn answers_are_replaced_and_the_rest_stays() {
        let transcript = "# Title.\n\nprose\n> one two\nold\nanswer\n\n> three\n# end\n> x\nX\n";
        let replayed = "# Title.\n\nprose\n> one two\nONE\nTWO\n\n> three\nTHREE\n# end\n> x\nX\n";
        assert_eq!(replay(transcript, &mut Shout), replayed);
        assert_eq!(replay(replayed, &mut Shout), replayed);
        let difference = first_difference(transcript, replayed).expect("they differ");
        assert_eq!(difference, "line 5: expected `old`, got `ONE`");
        assert!(first_difference("a\n", "a").is_some(), "a missing line end is a difference");
    }
}
