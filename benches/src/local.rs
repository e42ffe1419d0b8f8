//! Runs requests on an engine in this process: no socket, no parser, no reply sent.
//!
//! What is left is the engine alone, under one lock per slot, as the threads of a node call it. Requests are prepared
//! beforehand, so that nothing but execution is measured.

use std::ops::Range;

use nuthatch_engine::{Context, Engine, EngineOptions, NoEffects, Rng, Stats};
use nuthatch_proto::command_table::{DataCommand, Handler, lookup};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::{Args, Protocol, ReplyWriter, Span};
use nuthatch_proto::slot::Slot;

/// Requests that are parsed, looked up and routed already. Their bytes lie one after another, as a socket delivers them.
#[derive(Debug, Default, Clone)]
pub struct Requests {
    buffer: Vec<u8>,
    spans: Vec<Span>,
    list: Vec<Request>,
}

#[derive(Debug, Clone)]
struct Request {
    command: DataCommand,
    slot: Slot,
    spans: Range<usize>,
}

impl Requests {
    /// Appends a request of these words, the command's name first and its first key second.
    ///
    /// # Panics
    /// If the first word is no command on keys, or there is no second, or all requests together exceed 4 GiB.
    pub fn push(&mut self, words: &[&[u8]]) {
        let spec = lookup(words[0]).expect("a command of the table");
        let Handler::Data(command) = spec.handler else { panic!("{} has no keys", spec.name) };
        let first = self.spans.len();
        let place = |n: usize| u32::try_from(n).expect("requests of less than 4 GiB");
        for word in words {
            self.spans.push(Span { start: place(self.buffer.len()), len: place(word.len()) });
            self.buffer.extend_from_slice(word);
        }
        let spans = first..self.spans.len();
        self.list.push(Request { command, slot: Slot::of_key(words[1]), spans });
    }

    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The requests in batches of so many, over and over; what does not fill a batch is left out.
    pub fn batches(&self, size: usize) -> impl Iterator<Item = Range<usize>> {
        let count = self.len() / size;
        (0..count).cycle().map(move |batch| batch * size..(batch + 1) * size)
    }
}

/// What one thread needs to run requests.
pub struct Thread {
    stats: Stats,
    rng: Rng,
    replies: Vec<u8>,
}

impl Default for Thread {
    fn default() -> Self {
        Self { stats: Stats::default(), rng: Rng::new(1), replies: Vec::with_capacity(64 * 1024) }
    }
}

impl Thread {
    /// Runs some of the requests as one batch; how many bytes their replies have.
    #[inline]
    pub fn run(&mut self, engine: &Engine, requests: &Requests, batch: Range<usize>) -> usize {
        self.replies.clear();
        let mut cx = Context::new(Timestamp(1_000), &NoEffects, &mut self.stats, &mut self.rng);
        for request in &requests.list[batch] {
            let mut reply = ReplyWriter::new(&mut self.replies, Protocol::Resp2);
            let args = Args::new(&requests.buffer, &requests.spans[request.spans.clone()]);
            // All gates are open, so nothing is refused.
            let _ = engine.execute(&mut cx, 0, request.command, args, request.slot, &mut reply);
        }
        self.replies.len()
    }

    /// Runs all requests once.
    pub fn run_all(&mut self, engine: &Engine, requests: &Requests) {
        for first in 0..requests.len() {
            self.run(engine, requests, first..first + 1);
        }
    }
}

/// An engine without data.
pub fn engine() -> Engine {
    Engine::new(EngineOptions { databases: 1, in_cluster: true, hash_seed: 0x005e_ed0f_be9c })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_run() {
        let (engine, mut thread, mut requests) = (engine(), Thread::default(), Requests::default());
        requests.push(&[b"SET", b"k", b"v"]);
        requests.push(&[b"GET", b"k"]);
        assert_eq!(thread.run(&engine, &requests, 0..2), b"+OK\r\n$1\r\nv\r\n".len());
    }

    #[test]
    fn batches_begin_again() {
        let mut requests = Requests::default();
        (0..5).for_each(|_| requests.push(&[b"GET", b"k"]));
        assert_eq!(requests.batches(2).take(3).collect::<Vec<_>>(), [0..2, 2..4, 0..2]);
    }
}
