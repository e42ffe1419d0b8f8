//! Effects as the commands of Redis that do the same: the stream that its replicas follow.
//!
//! What a command changed is told to a [`Unit`], which is written when the command, or the transaction it belongs to, is
//! done: alone if it is one command, between MULTI and EXEC if there are several. What expired on the way is not
//! counted, for nobody can tell whether it is still there.
//!
//! Most commands are written as what became of the data, with absolute deadlines and without dice
//! ([`render`]). Some are written as they came ([`told`]): those whose effect no command of Redis expresses, and those
//! whose effect is much longer than they are. Their outcome follows from the data and their words alone.
//!
//! Not here: where the stream goes, and since when; that is the node's.

mod render;
mod told;

pub(crate) use told::changes;

use nuthatch_proto::resp::encode_request;

use crate::effect::{Effect, Running};
use told::Told;

/// Commands that say the same of one key become one of at most so many words; Redis takes a million.
const WORDS_MAX: usize = 1 << 16;

/// A unit's memory beyond this is given back.
const KEPT_MAX: usize = 1 << 20;

/// A command of the unit; its words stand behind those of the one before.
#[derive(Debug)]
struct Command {
    db: usize,
    words: usize,
    end: usize,
    /// It says only that something's time had come.
    expiry: bool,
}

/// The last command, if words can be added to it: what it says of which key.
#[derive(Debug, Default)]
struct Open {
    verb: &'static str,
    key: Vec<u8>,
}

/// How the command that runs differs from others that have the same effects.
#[derive(Debug, Default, Clone, Copy)]
struct Manner {
    /// A string that is set keeps its deadline.
    keep_ttl: bool,
    /// Keys are deleted by UNLINK.
    unlink: bool,
}

/// What is told at once.
#[derive(Debug, Default)]
pub struct Unit {
    /// The words of all commands, as bulk strings.
    words: Vec<u8>,
    commands: Vec<Command>,
    open: Option<Open>,
    running: bool,
    manner: Manner,
    told: Option<Told>,
}

impl Unit {
    /// Whether something runs whose effects belong to it.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// See [`crate::EffectSink::begin`].
    pub fn begin(&mut self, db: usize, running: Running<'_>) {
        self.running = true;
        self.manner = Manner::of(running);
        self.told = Told::of(db, running);
        self.open = None;
    }

    /// An effect.
    pub fn tell(&mut self, db: usize, effect: Effect<'_>) {
        let expiry = matches!(effect, Effect::Expire { .. } | Effect::HashExpire { .. });
        if !expiry && self.told.as_mut().is_some_and(|told| told.covers(effect)) {
            return;
        }
        let from = self.commands.len();
        self.render(db, effect);
        self.commands[from..].iter_mut().for_each(|command| command.expiry = expiry);
        if expiry {
            self.open = None;
        }
    }

    /// See [`crate::EffectSink::done`].
    pub fn done(&mut self, succeeded: bool) {
        if let Some(told) = self.told.take().filter(|told| told.is_needed(succeeded)) {
            let words = told.words();
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            self.push(told.db(), &words);
        }
        (self.manner, self.open) = (Manner::default(), None);
    }

    /// A whole command.
    pub fn push(&mut self, db: usize, words: &[&[u8]]) {
        self.open = None;
        words.iter().for_each(|word| self.word(word));
        self.commands.push(Command { db, words: words.len(), end: self.words.len(), expiry: false });
    }

    fn word(&mut self, word: &[u8]) {
        let mut number = itoa::Buffer::new();
        self.words.reserve(word.len() + 16);
        self.words.push(b'$');
        self.words.extend_from_slice(number.format(word.len()).as_bytes());
        self.words.extend_from_slice(b"\r\n");
        self.words.extend_from_slice(word);
        self.words.extend_from_slice(b"\r\n");
    }

    /// Says something of a key, in one command with what was said of it just before if that was the same.
    fn say(&mut self, db: usize, verb: &'static str, key: Option<&[u8]>, words: &[&[u8]]) {
        let is_same = |open: &Open| open.verb == verb && open.key == key.unwrap_or_default();
        if self.open.as_ref().is_some_and(is_same)
            && let Some(last) = self.commands.pop_if(|last| last.db == db && last.words < WORDS_MAX)
        {
            words.iter().for_each(|word| self.word(word));
            let (words, end) = (last.words + words.len(), self.words.len());
            return self.commands.push(Command { words, end, ..last });
        }
        let all: Vec<&[u8]> = [verb.as_bytes()].into_iter().chain(key).chain(words.iter().copied()).collect();
        self.push(db, &all);
        self.open = Some(Open { verb, key: key.unwrap_or_default().to_vec() });
    }

    /// Whether nothing was told.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Writes it and begins anew. `selected` is the database that the stream has selected.
    pub fn write(&mut self, out: &mut Vec<u8>, selected: &mut Option<usize>) {
        let together = self.commands.iter().filter(|command| !command.expiry).count() > 1;
        let (mut begin, mut number) = (0, itoa::Buffer::new());
        for (index, command) in self.commands.iter().enumerate() {
            if *selected != Some(command.db) {
                encode_request(out, &["SELECT", number.format(command.db)]);
                *selected = Some(command.db);
            }
            if index == 0 && together {
                encode_request(out, &["MULTI"]);
            }
            out.push(b'*');
            out.extend_from_slice(number.format(command.words).as_bytes());
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(&self.words[begin..command.end]);
            begin = command.end;
        }
        if together {
            encode_request(out, &["EXEC"]);
        }
        self.clear();
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.words.clear();
        self.words.shrink_to(KEPT_MAX);
        self.commands.clear();
        self.commands.shrink_to(KEPT_MAX / size_of::<Command>());
        (self.running, self.open, self.told) = (false, None, None);
    }
}

#[cfg(test)]
mod tests;
