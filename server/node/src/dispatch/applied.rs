//! The commands of the server that is followed: they are run, and nobody asks whether they may be.
//!
//! They were decided elsewhere: no limit of this server refuses them, no pause holds them back, nobody gets a reply. But a
//! primary sends changes, not questions, and nothing that could wait: whatever else comes is not run. A command that fails
//! here succeeded there, so the data is not the same any more, or the command does not exist here; who applies them is told
//! of the first such one and goes no further, unless it is to be passed over.
//!
//! Keys are there for these commands until they are deleted, whatever their deadlines
//! ([`nuthatch_engine::Context::sees_expired`]): the primary says when they go.

use nuthatch_engine::Engine;
use nuthatch_proto::command_table::{
    CommandSpec, DataCommand, Flags, Handler, NodeCommand, TransactionCommand, keys,
};
use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::{Args, Decoder, ProtocolError, ReplyWriter};
use nuthatch_proto::slot::Slot;

use super::window::{Filled, Request, Window};
use super::{Batch, prefetch, refuse, transaction};
use crate::admin::{Flow, text};
use crate::clock;
use crate::net::connection::EngineSide;
use crate::net::io_thread::Thread;
use crate::net::session::Session;

/// How much of an error of ours is kept.
const REASON_MAX: usize = 300;

/// What became of the commands that were there.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Behind the last one after which no transaction is open, if there is one.
    pub(crate) settled: Option<usize>,
    /// The primary wants to know how far we are.
    pub(crate) asked: bool,
    /// How many were passed over.
    pub(crate) passed_over: u64,
}

/// A command that cannot be applied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unapplied {
    pub(crate) command: String,
    pub(crate) key: Option<String>,
    pub(crate) reason: String,
}

impl std::fmt::Display for Unapplied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, key, reason } = self;
        match key {
            Some(key) => write!(f, "{command} of the key '{key}': {reason}"),
            None => write!(f, "{command}: {reason}"),
        }
    }
}

/// Why the stream ends here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stuck {
    /// A command of it.
    #[error("the primary's stream has a command that cannot be applied: {0}")]
    Command(Unapplied),
    /// Its form.
    #[error("the primary's stream is no stream of commands: {0}")]
    Form(ProtocolError),
}

impl<'a> Batch<'a> {
    /// A run over what the server that is followed has sent. Waits for the thread's turn.
    pub(crate) fn of_primary(
        thread: &'a Thread,
        session: &'a mut Session,
        decoder: &'a mut Decoder,
        engine: &'a mut EngineSide,
    ) -> Self {
        engine.refresh(&thread.node);
        engine.sees_expired = true;
        let turn = Some(thread.seat.turn());
        let started = clock::since_epoch();
        Self {
            limited: false,
            thread,
            session,
            decoder,
            engine,
            now: clock::timestamp(started),
            started,
            view: None,
            turn,
            busy: false,
            counted: false,
            error_counted: false,
        }
    }

    /// Runs the commands that begin at `buffer[*start..]`, and moves `start` behind those that were run. `known_only`: what
    /// cannot be applied is passed over.
    pub(crate) fn apply(
        &mut self,
        buffer: &mut [u8],
        start: &mut usize,
        window: &mut Window,
        known_only: bool,
    ) -> Result<Applied, Stuck> {
        let (mut applied, mut replies) = (Applied::default(), Vec::new());
        loop {
            let (limits, engine, db) = (self.limits(), &self.thread.node.engine, self.session.db);
            let filled = window.fill(buffer, *start, self.decoder, &limits, |slot| engine.prefetch(db, slot));
            prefetch(engine, db, buffer, window);
            for request in window.requests() {
                let args = window.args(buffer, request);
                *start = request.end;
                replies.clear();
                match self.apply_one(request, args, &mut replies) {
                    Ok(asked) => applied.asked |= asked,
                    Err(unapplied) if known_only => {
                        applied.passed_over += 1;
                        tracing::warn!("Passed over what the primary sent: {unapplied}");
                    }
                    Err(unapplied) => return Err(Stuck::Command(unapplied)),
                }
                if self.session.queue.is_none() {
                    applied.settled = Some(*start);
                }
            }
            match filled {
                Filled::More => {}
                Filled::Incomplete { end } => {
                    *start = end;
                    if self.session.queue.is_none() {
                        applied.settled = Some(end);
                    }
                    break;
                }
                Filled::Broken(error) => return Err(Stuck::Form(error)),
            }
        }
        self.thread.counters.publish(&self.engine.stats);
        Ok(applied)
    }

    /// Runs one command; whether it asks how far we are.
    fn apply_one(
        &mut self,
        request: &Request,
        args: Args<'_>,
        replies: &mut Vec<u8>,
    ) -> Result<bool, Unapplied> {
        let spec =
            refuse::resolve(request.spec, args).map_err(|error| unapplied(request.spec, args, &error))?;
        if spec.handler == Handler::Node(NodeCommand::ReplConf) {
            return Ok(args.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"getack")));
        }
        if !belongs_in_stream(spec) {
            return Err(unapplied(Some(spec), args, b"it is not one that changes data"));
        }
        let own;
        let (args, slot) = if self.thread.node.in_cluster() {
            match share(&self.thread.node.engine, spec, args)
                .map_err(|text| unapplied(Some(spec), args, text))?
            {
                Share::All => (args, request.slot),
                Share::None => return Ok(false),
                Share::Some(words) => {
                    own = words;
                    (own.as_args(), Slot::of_key(own.as_args().get(1).unwrap_or_default()))
                }
            }
        } else {
            (args, request.slot)
        };
        let errors = self.thread.counters.error_replies.get();
        let flow = if self.session.queue.is_some() && transaction::waits(spec) {
            let protocol = self.session.protocol();
            self.enqueue(spec, args, &mut ReplyWriter::new(replies, protocol))
        } else {
            self.perform(spec, slot, args, replies)
        };
        if flow == Flow::Close {
            return Err(unapplied(Some(spec), args, b"it belongs to a transaction that is too long"));
        }
        // Of a transaction, a command within it may have failed.
        let runs = spec.handler == Handler::Transaction(TransactionCommand::Exec);
        let failed = runs && self.thread.counters.error_replies.get() != errors;
        if failed || replies.first() == Some(&b'-') {
            let begin = replies.iter().position(|&byte| byte == b'-').unwrap_or(0);
            let line = replies[begin..].split(|&byte| byte == b'\r').next().unwrap_or_default();
            return Err(unapplied(Some(spec), args, line.strip_prefix(b"-").unwrap_or(line)));
        }
        Ok(false)
    }
}

/// What of a command is for this node, which takes the keys of its own slots.
enum Share {
    All,
    None,
    /// This command in its place.
    Some(OwnedArgs),
}

/// What of a command is for a node of a cluster. What combines keys of several nodes is nobody's: a cluster has no such
/// commands, whoever sends them.
fn share(engine: &Engine, spec: &CommandSpec, args: Args<'_>) -> Result<Share, &'static [u8]> {
    // Messages would come once from each node that takes part.
    if matches!(spec.handler, Handler::Node(NodeCommand::Publish | NodeCommand::SPublish)) {
        return Ok(Share::None);
    }
    let places: Vec<usize> = keys(spec, args).map(Iterator::collect).unwrap_or_default();
    let is_ours = |&&place: &&usize| args.get(place).is_some_and(|key| engine.serves(Slot::of_key(key)));
    let ours = places.iter().filter(is_ours).count();
    let width = match spec.handler {
        Handler::Data(DataCommand::Del | DataCommand::Unlink) => 1,
        Handler::Data(DataCommand::MSet) => 2,
        Handler::Data(_)
        | Handler::Keyspace(_)
        | Handler::Node(_)
        | Handler::Transaction(_)
        | Handler::Script(_)
        | Handler::Container => 0,
    };
    if ours == places.len() {
        Ok(Share::All)
    } else if ours == 0 {
        Ok(Share::None)
    } else if width == 0 {
        Err(b"its keys are in slots of several nodes")
    } else {
        let words = places.iter().filter(is_ours).flat_map(|&place| args.skip(place).take(width).iter());
        Ok(Share::Some(args.take(1).iter().chain(words).collect()))
    }
}

/// Whether a primary sends such commands: those that change something, and what is said around them. None of them waits.
fn belongs_in_stream(spec: &CommandSpec) -> bool {
    let changes = spec.flags.intersects(Flags::WRITE.union(Flags::MAY_REPLICATE));
    match spec.handler {
        Handler::Data(_) | Handler::Keyspace(_) => changes && !spec.flags.contains(Flags::BLOCKING),
        Handler::Script(_) | Handler::Transaction(_) => true,
        Handler::Node(command) => matches!(
            command,
            NodeCommand::Ping
                | NodeCommand::Select
                | NodeCommand::Publish
                | NodeCommand::SPublish
                | NodeCommand::ScriptFlush
        ),
        Handler::Container => false,
    }
}

fn unapplied(spec: Option<&CommandSpec>, args: Args<'_>, reason: &[u8]) -> Unapplied {
    let key = match spec {
        Some(spec) => spec.first_key().or_else(|| keys(spec, args).ok()?.next()).and_then(|at| args.get(at)),
        // Of a command that does not exist here the key is most probably the first word.
        None => args.get(1),
    };
    let short = |bytes: &[u8]| text(&bytes[..bytes.len().min(REASON_MAX)]);
    Unapplied {
        command: short(args.get(0).unwrap_or_default()).to_uppercase(),
        key: key.map(short),
        reason: short(reason),
    }
}
