//! Runs requests on an engine in this process: no socket, no parser, no reply sent.
//!
//! What is left is the engine alone, under one lock per slot, as the threads of a node call it. Requests are prepared
//! beforehand, so that nothing but execution is measured.

use nuthatch_engine::{Context, Engine, EngineOptions, NoEffects, Rng, Stats};
use nuthatch_proto::command_table::{DataCommand, Handler, lookup};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::{Protocol, ReplyWriter};
use nuthatch_proto::slot::Slot;

/// A request that is parsed, looked up and routed already.
#[derive(Debug, Clone)]
pub struct Request {
    command: DataCommand,
    args: OwnedArgs,
    slot: Slot,
}

impl Request {
    /// A request of these words, the command's name first and its first key second.
    ///
    /// # Panics
    /// If the first word is no command on keys, or there is no second.
    pub fn new(words: &[&[u8]]) -> Self {
        let spec = lookup(words[0]).expect("a command of the table");
        let Handler::Data(command) = spec.handler else { panic!("{} has no keys", spec.name) };
        Self { command, args: words.iter().collect(), slot: Slot::of_key(words[1]) }
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
    /// Runs requests as one batch; how many bytes their replies have.
    #[inline]
    pub fn run<'a>(&mut self, engine: &Engine, requests: impl IntoIterator<Item = &'a Request>) -> usize {
        self.replies.clear();
        let mut cx = Context {
            now: Timestamp(1_000),
            effects: &NoEffects,
            stats: &mut self.stats,
            rng: &mut self.rng,
        };
        for request in requests {
            let mut reply = ReplyWriter::new(&mut self.replies, Protocol::Resp2);
            let args = request.args.as_args();
            // All gates are open, so nothing is refused.
            let _ = engine.execute(&mut cx, 0, request.command, args, request.slot, &mut reply);
        }
        self.replies.len()
    }
}

/// An engine without data.
pub fn engine() -> Engine {
    Engine::new(EngineOptions { databases: 1, hash_seed: 0x005e_ed0f_be9c })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_run() {
        let (engine, mut thread) = (engine(), Thread::default());
        let requests = [Request::new(&[b"SET", b"k", b"v"]), Request::new(&[b"GET", b"k"])];
        assert_eq!(thread.run(&engine, &requests), b"+OK\r\n$1\r\nv\r\n".len());
    }
}
