//! The commands that took long: the last ones, with what was asked and by whom (SLOWLOG).
//!
//! An entry is written when a command has run longer than `slowlog-log-slower-than`. Long requests are kept in part and
//! secrets not at all, so that an entry is a few kilobytes at most; how many there are, `slowlog-max-len` says.
//!
//! Commands that ran together share their time ([`crate::dispatch`]), but those whose time grows with the data are timed
//! alone: only they can be slow.

use std::collections::VecDeque;

use nuthatch_proto::resp::Args;
use parking_lot::Mutex;

/// How many words of a request are kept.
const WORDS_MAX: usize = 32;

/// How many bytes of a word are kept.
const WORD_MAX: usize = 128;

/// One slow command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlowCommand {
    /// Its number, never given twice.
    pub(crate) id: u64,
    /// When it ended, in seconds since the epoch.
    pub(crate) time: u64,
    /// How long it took.
    pub(crate) microseconds: u64,
    /// What was asked, in part.
    pub(crate) words: Vec<Vec<u8>>,
    /// By whom.
    pub(crate) address: String,
    /// What that client calls itself.
    pub(crate) name: String,
}

#[derive(Debug, Default)]
struct Entries {
    newest_first: VecDeque<SlowCommand>,
    next_id: u64,
}

/// The slow commands of the node.
#[derive(Debug, Default)]
pub(crate) struct Slowlog(Mutex<Entries>);

impl Slowlog {
    /// Keeps a command, and of all commands the newest `max_len`.
    pub(crate) fn add(&self, mut command: SlowCommand, max_len: usize) {
        let mut entries = self.0.lock();
        command.id = entries.next_id;
        entries.next_id += 1;
        entries.newest_first.push_front(command);
        entries.newest_first.truncate(max_len);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().newest_first.len()
    }

    /// The newest ones.
    pub(crate) fn newest(&self, count: usize) -> Vec<SlowCommand> {
        self.0.lock().newest_first.iter().take(count).cloned().collect()
    }

    /// Forgets all of them.
    pub(crate) fn reset(&self) {
        self.0.lock().newest_first.clear();
    }
}

/// The part of a request that is kept; `is_secret` says which words are not.
pub(crate) fn abridged(args: Args<'_>, is_secret: impl Fn(usize) -> bool) -> Vec<Vec<u8>> {
    let whole = args.len() <= WORDS_MAX;
    let shown = if whole { args.len() } else { WORDS_MAX - 1 };
    let word = |(index, word): (usize, &[u8])| {
        if is_secret(index) {
            return b"(redacted)".to_vec();
        }
        match word.len().checked_sub(WORD_MAX) {
            None | Some(0) => word.to_vec(),
            Some(more) => [&word[..WORD_MAX], format!("... ({more} more bytes)").as_bytes()].concat(),
        }
    };
    let mut words: Vec<_> = args.iter().take(shown).enumerate().map(word).collect();
    if !whole {
        words.push(format!("... ({} more arguments)", args.len() - shown).into_bytes());
    }
    words
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::args::OwnedArgs;

    use super::*;

    fn command(microseconds: u64) -> SlowCommand {
        let (address, name) = (String::new(), String::new());
        SlowCommand { id: 0, time: 1, microseconds, words: Vec::new(), address, name }
    }

    #[test]
    fn the_newest_are_kept_and_numbers_go_on() {
        let log = Slowlog::default();
        (0..5).for_each(|n| log.add(command(n), 3));
        let ids = |log: &Slowlog| log.newest(10).iter().map(|c| (c.id, c.microseconds)).collect::<Vec<_>>();
        assert_eq!(ids(&log), [(4, 4), (3, 3), (2, 2)]);
        assert_eq!((log.len(), log.newest(1).len()), (3, 1));
        log.reset();
        log.add(command(9), 3);
        assert_eq!(ids(&log), [(5, 9)]);
        log.add(command(9), 0);
        assert_eq!(log.len(), 0);
    }

    #[test]
    fn long_requests_are_kept_in_part_and_secrets_not_at_all() {
        let kept = |words: &[String], secret: usize| {
            let args: OwnedArgs = words.iter().collect();
            abridged(args.as_args(), |index| index == secret)
        };
        let words: Vec<_> = (0..33).map(|n| n.to_string()).collect();
        let many = kept(&words, 1);
        assert_eq!(
            (many.len(), &many[1][..], &many[31][..]),
            (32, &b"(redacted)"[..], &b"... (2 more arguments)"[..])
        );
        assert_eq!(kept(&words[..32], 99).last().map(Vec::as_slice), Some(&b"31"[..]));
        let long = kept(&["A".repeat(129), "A".repeat(128)], 99);
        assert_eq!((long[0].len(), long[1].len()), (128 + 18, 128));
        assert!(long[0].ends_with(b"A... (1 more bytes)"));
    }
}
