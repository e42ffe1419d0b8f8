//! What values an option takes: checked, and brought into the form that CONFIG GET prints.
//!
//! The error texts are those of Redis 7.2's CONFIG SET (`config.c`).

use std::fs;

use super::classes;
use super::settings::OutputLimit;

/// The values of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A whole number in a range, both ends included.
    Integer(i64, u64),
    /// A number of bytes, perhaps with a unit (`64mb`), and at least so many.
    Memory(u64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
    /// The name of a file, without a directory.
    FileName,
    /// A directory that exists.
    Directory,
    /// Any number of words, none of them meaning anything to this node.
    Words,
    /// Host names and addresses.
    Addresses,
    /// Points of `seconds changes`.
    Save,
    /// One or more of these words, the first of which stands alone and means none of the others.
    Flags(&'static [&'static str]),
    /// A number of bytes, or a part of `maxmemory` (`5%`).
    MemoryOrPercent,
    /// Numbers from 0 to 100.
    Percentiles,
    /// Three whole numbers from -2000 to 2000.
    OomScores,
    /// Letters of classes of keyspace notices.
    NoticeClasses,
    /// `class hard soft seconds` of one or more classes.
    OutputLimits,
    /// A process's title, with variables in braces.
    Title,
}

/// Bytes in a text like `64mb`: `k`, `m`, `g` are powers of 1000, `kb`, `mb`, `gb` powers of 1024.
pub(crate) fn parse_memory(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    // Rust would take a sign here.
    let digits = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

impl Kind {
    /// Whether a value may have several words.
    pub(crate) fn has_words(self) -> bool {
        match self {
            Self::Words | Self::Addresses | Self::Save | Self::OutputLimits => true,
            Self::Flags(_) | Self::Percentiles | Self::OomScores => true,
            Self::Bool | Self::Integer(..) | Self::Memory(_) | Self::MemoryOrPercent => false,
            Self::Word(_) | Self::Text | Self::FileName | Self::Directory => false,
            Self::NoticeClasses | Self::Title => false,
        }
    }

    /// The value in the form it is kept in; `current` is what stands there now. The error says what is wrong.
    pub(crate) fn normalize(self, value: &str, current: &str) -> Result<String, String> {
        match self {
            Self::Bool => match value.to_ascii_lowercase().as_str() {
                word @ ("yes" | "no") => Ok(word.to_owned()),
                _ => Err("argument must be 'yes' or 'no'".to_owned()),
            },
            Self::Integer(min, max) => integer(value, min, max),
            Self::Memory(min) => memory(value, min),
            Self::Word(words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(value))
                .map(|&word| word.to_owned())
                .ok_or_else(|| none_of(words)),
            Self::Text => Ok(value.to_owned()),
            Self::FileName if value.is_empty() || value.contains('/') || value == ".." || value == "." => {
                Err("dbfilename can't be a path, just a filename".to_owned())
            }
            Self::FileName => Ok(value.to_owned()),
            Self::Directory => directory(value),
            Self::Words | Self::Addresses => Ok(value.split_whitespace().collect::<Vec<_>>().join(" ")),
            Self::Save => save_points(value),
            Self::Flags(words) => flags(value, words),
            Self::MemoryOrPercent => memory_or_percent(value),
            Self::Percentiles => percentiles(value),
            Self::OomScores => oom_scores(value),
            Self::NoticeClasses => {
                classes::parse(value).map(classes::letters).ok_or_else(|| classes::INVALID.to_owned())
            }
            Self::OutputLimits => change_output_limits(value, current),
            Self::Title if is_title(value) => Ok(value.to_owned()),
            Self::Title => Err("template format is invalid or contains unknown variables".to_owned()),
        }
    }
}

fn none_of(words: &[&str]) -> String {
    format!("argument(s) must be one of the following: {}", words.join(", "))
}

/// What may stand in braces in a title; the text is whether it always has a value.
const TITLE_VARIABLES: [(&str, bool); 7] = [
    ("title", false),
    ("listen-addr", true),
    ("server-mode", false),
    ("port", true),
    ("tls-port", true),
    ("unixsocket", false),
    ("config-file", true),
];

/// Whether that is a title: known variables, `{{` for a brace, and something to be seen without those that may be empty.
fn is_title(template: &str) -> bool {
    let (mut rest, mut shows) = (template, false);
    while let Some((before, after)) = rest.split_once('{') {
        shows |= !before.trim_matches(' ').is_empty();
        if let Some(after) = after.strip_prefix('{') {
            (rest, shows) = (after, true);
            continue;
        }
        let Some((name, after)) = after.split_once('}') else { return false };
        let Some((_, has_value)) = TITLE_VARIABLES.iter().find(|(known, _)| known == &name) else {
            return false;
        };
        shows |= has_value;
        rest = after;
    }
    shows || !rest.trim_matches(' ').is_empty()
}

/// A directory that is absent is not made: what is kept in it would be looked for elsewhere after a slip of the pen.
fn directory(value: &str) -> Result<String, String> {
    let found = fs::read_dir(value).map(drop);
    // The system's words, without its number for them.
    found.map(|()| value.to_owned()).map_err(|error| {
        let text = error.to_string();
        text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
    })
}

fn flags(value: &str, words: &[&str]) -> Result<String, String> {
    let given: Vec<_> = value.split_whitespace().collect();
    let is_given = |word: &str| given.iter().any(|given| given.eq_ignore_ascii_case(word));
    let known = |given: &&str| words.iter().any(|word| word.eq_ignore_ascii_case(given));
    if given.is_empty() || !given.iter().all(known) {
        return Err(none_of(words));
    }
    let chosen: Vec<_> = words[1..].iter().copied().filter(|word| is_given(word)).collect();
    Ok(if chosen.is_empty() { words[0].to_owned() } else { chosen.join(" ") })
}

fn memory_or_percent(value: &str) -> Result<String, String> {
    let Some(percent) = value.strip_suffix('%') else {
        return parse_memory(value)
            .map(|bytes| bytes.to_string())
            .ok_or_else(|| "argument must be a memory or percent value".to_owned());
    };
    match percent.parse::<u64>() {
        Ok(0) => Ok("0".to_owned()),
        Ok(percent @ ..=100) => Ok(format!("{percent}%")),
        Ok(_) => Err("percentage argument must be less or equal to 100".to_owned()),
        Err(_) => Err("argument must be a memory or percent value".to_owned()),
    }
}

fn percentiles(value: &str) -> Result<String, String> {
    let mut texts = Vec::new();
    for word in value.split_whitespace() {
        let Ok(percentile) = word.parse::<f64>() else {
            return Err("Invalid latency-tracking-info-percentiles parameters".to_owned());
        };
        if !(0.0..=100.0).contains(&percentile) {
            return Err(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".to_owned()
            );
        }
        texts.push(percentile.to_string());
    }
    Ok(texts.join(" "))
}

fn oom_scores(value: &str) -> Result<String, String> {
    let words: Vec<_> = value.split_whitespace().collect();
    if words.len() != 3 {
        return Err("wrong number of arguments".to_owned());
    }
    let scores: Option<Vec<i32>> =
        words.iter().map(|word| word.parse().ok().filter(|score| (-2000..=2000).contains(score))).collect();
    match scores {
        Some(scores) if scores.is_sorted() => Ok(words.join(" ")),
        Some(_) => Err("Invalid oom-score-adj-values, elements must be monotonically increasing".to_owned()),
        None => Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".to_owned()),
    }
}

fn memory(value: &str, min: u64) -> Result<String, String> {
    match parse_memory(value) {
        Some(bytes) if bytes >= min => Ok(bytes.to_string()),
        Some(_) => Err(format!("argument must be between {min} and {} inclusive", i64::MAX)),
        None => Err("argument must be a memory value".to_owned()),
    }
}

fn integer(value: &str, min: i64, max: u64) -> Result<String, String> {
    // As Redis writes numbers: with no sign but a minus, and no zero before another digit.
    let number = value.parse::<i128>().ok().filter(|number| number.to_string() == value);
    let Some(number) = number else {
        return Err("argument couldn't be parsed into an integer".to_owned());
    };
    if number < i128::from(min) || number > i128::from(max) {
        return Err(format!("argument must be between {min} and {max} inclusive"));
    }
    Ok(number.to_string())
}

fn save_points(value: &str) -> Result<String, String> {
    let words: Vec<_> = value.split_whitespace().collect();
    let valid = |(place, word): (usize, &&str)| {
        word.parse::<i64>().is_ok_and(|n| if place % 2 == 0 { n >= 1 } else { n >= 0 })
    };
    if words.len() % 2 == 0 && words.iter().enumerate().all(valid) {
        Ok(words.join(" "))
    } else {
        Err("Invalid save parameters".to_owned())
    }
}

/// The classes of `client-output-buffer-limit`, as Redis prints them.
const CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

fn change_output_limits(value: &str, current: &str) -> Result<String, String> {
    let words: Vec<_> = value.split_whitespace().collect();
    if words.is_empty() || words.len() % 4 != 0 {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    let mut limits = output_limits(current);
    for part in words.chunks_exact(4) {
        let class = if part[0].eq_ignore_ascii_case("replica") { "slave" } else { part[0] };
        let Some(place) = CLASSES.iter().position(|known| known.eq_ignore_ascii_case(class)) else {
            return Err("Invalid client class specified in buffer limit configuration.".to_owned());
        };
        let (Some(hard), Some(soft), Ok(soft_seconds)) =
            (parse_memory(part[1]), parse_memory(part[2]), part[3].parse())
        else {
            return Err(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.".to_owned()
            );
        };
        limits[place] = OutputLimit { hard, soft, soft_seconds };
    }
    let texts = CLASSES
        .iter()
        .zip(limits)
        .map(|(class, limit)| format!("{class} {} {} {}", limit.hard, limit.soft, limit.soft_seconds));
    Ok(texts.collect::<Vec<_>>().join(" "))
}

/// The parts of a normalised `client-output-buffer-limit`: ordinary clients, replicas, subscribers.
pub(crate) fn output_limits(value: &str) -> [OutputLimit; 3] {
    let words: Vec<_> = value.split_whitespace().collect();
    let number = |word: &str| word.parse().unwrap_or(0);
    CLASSES.map(|class| {
        words.chunks_exact(4).find(|part| part[0] == class).map_or_else(OutputLimit::default, |part| {
            OutputLimit { hard: number(part[1]), soft: number(part[2]), soft_seconds: number(part[3]) }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, value: &str, expected: Result<&str, &str>) {
        let current = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        let normalized = kind.normalize(value, current);
        assert_eq!(normalized.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn values_take_their_printed_form() {
        check(Kind::Bool, "YES", Ok("yes"));
        check(Kind::Integer(0, 65535), "7001", Ok("7001"));
        check(Kind::Integer(-1, 65535), "-1", Ok("-1"));
        check(Kind::Memory(0), "064mb", Ok("67108864"));
        check(Kind::Memory(0), "64mb", Ok("67108864"));
        check(Kind::Memory(0), "1G", Ok("1000000000"));
        check(Kind::Word(&["notice", "debug"]), "Debug", Ok("debug"));
        check(Kind::Addresses, "127.0.0.1  -::1", Ok("127.0.0.1 -::1"));
        check(Kind::Save, "900 1  60 10000", Ok("900 1 60 10000"));
        check(Kind::Save, "", Ok(""));
        check(Kind::Directory, "/", Ok("/"));
        check(Kind::Flags(&["default", "now", "force"]), "force NOW", Ok("now force"));
        check(Kind::Flags(&["default", "now", "force"]), "default", Ok("default"));
        check(Kind::MemoryOrPercent, "5%", Ok("5%"));
        check(Kind::MemoryOrPercent, "1kb", Ok("1024"));
        check(Kind::Percentiles, "50.0 99  99.9", Ok("50 99 99.9"));
        check(Kind::OomScores, "-1 0  800", Ok("-1 0 800"));
        for title in ["{title} {listen-addr} {server-mode}", "x{port}", "{{", "a}", "{title}{{port}"] {
            check(Kind::Title, title, Ok(title));
        }
        check(
            Kind::OutputLimits,
            "normal 1mb 512kb 30 replica 0 0 0",
            Ok("normal 1048576 524288 30 slave 0 0 0 pubsub 33554432 8388608 60"),
        );
    }

    #[test]
    fn wrong_values_are_refused_in_the_words_of_redis() {
        check(Kind::Bool, "1", Err("argument must be 'yes' or 'no'"));
        check(Kind::Integer(1, 9), "x", Err("argument couldn't be parsed into an integer"));
        for number in ["+5", "05", "-0", "00", ""] {
            check(Kind::Integer(0, 9), number, Err("argument couldn't be parsed into an integer"));
        }
        check(Kind::Memory(0), "+5", Err("argument must be a memory value"));
        check(Kind::MemoryOrPercent, "+5", Err("argument must be a memory or percent value"));
        check(Kind::Integer(1, 9), "10", Err("argument must be between 1 and 9 inclusive"));
        check(Kind::Integer(-1, 9), "-2", Err("argument must be between -1 and 9 inclusive"));
        let least = "argument must be between 1048576 and 9223372036854775807 inclusive";
        check(Kind::Memory(1 << 20), "1mb", Ok("1048576"));
        check(Kind::Memory(1 << 20), "10", Err(least));
        check(Kind::Memory(0), "1x", Err("argument must be a memory value"));
        check(Kind::Memory(0), "99999999999gb", Err("argument must be a memory value"));
        check(Kind::Word(&["a", "b"]), "c", Err("argument(s) must be one of the following: a, b"));
        check(Kind::Directory, "/nowhere/at/all", Err("No such file or directory"));
        check(Kind::Directory, "/dev/null", Err("Not a directory"));
        check(Kind::Save, "900", Err("Invalid save parameters"));
        check(Kind::Flags(&["a", "b"]), "a c", Err("argument(s) must be one of the following: a, b"));
        check(Kind::MemoryOrPercent, "200%", Err("percentage argument must be less or equal to 100"));
        check(Kind::MemoryOrPercent, "x", Err("argument must be a memory or percent value"));
        check(Kind::Percentiles, "x", Err("Invalid latency-tracking-info-percentiles parameters"));
        check(Kind::OomScores, "1 2", Err("wrong number of arguments"));
        for title in ["{bad}", "x {", "x {port", "{}", "", " ", "{title} ", "{Port}"] {
            check(Kind::Title, title, Err("template format is invalid or contains unknown variables"));
        }
        check(
            Kind::OutputLimits,
            "foo 1 2 3",
            Err("Invalid client class specified in buffer limit configuration."),
        );
        check(
            Kind::OutputLimits,
            "normal 1 2 x",
            Err("Error in hard, soft or soft_seconds setting in buffer limit configuration."),
        );
        check(
            Kind::OutputLimits,
            "normal 1 2",
            Err("Wrong number of arguments in buffer limit configuration."),
        );
    }
}
