//! CLIENT PAUSE and UNPAUSE: commands of all clients wait until a time, or until somebody says that they may go on.
//!
//! Nothing here holds a command back: the data path asks before it runs one ([`Pause::holds`]) and leaves it to its
//! connection, which sleeps until the pause should be over, or is ended, and tries again. A pause of writes lets everything
//! else through. While there is a pause, no key is removed because its time has come: whoever reads it is told that it is
//! gone. Fields of hashes do go, because a hash cannot be read without them.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use nuthatch_proto::command_table::{CommandSpec, Flags, Handler, TransactionCommand, lookup};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::number::parse_integer;
use nuthatch_proto::resp::{Args, ReplyWriter};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Call, SYNTAX_ERROR};
use crate::clock;
use crate::net::session::Session;
use crate::node::Node;
use crate::script::{ScriptFlags, Scripts};

/// Until when commands wait, and which.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    /// In milliseconds since the epoch; 0 if there is no pause.
    until: AtomicU64,
    /// Whether all commands wait, not only those that write.
    all: AtomicBool,
    /// How many commands wait.
    waiting: AtomicUsize,
    /// Wakes them when the pause is ended.
    ended: Notify,
}

impl Pause {
    /// Whether there is a pause.
    #[inline]
    pub(crate) fn is_on(&self, now: Timestamp) -> bool {
        self.until.load(Ordering::Relaxed) > now.0
    }

    /// How many commands wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether the command has to wait; `writes`: it changes data, or commands in it do.
    #[cold]
    pub(crate) fn holds(&self, now: Timestamp, writes: bool) -> bool {
        self.is_on(now) && (writes || self.all.load(Ordering::Relaxed))
    }

    /// When it ends by itself, in milliseconds since the epoch.
    fn until(&self) -> u64 {
        self.until.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.until.store(0, Ordering::Relaxed);
        self.ended.notify_waiters();
    }

    fn start(&self, until: u64, all: bool, now: Timestamp) {
        // A second pause makes the first longer or stricter, never the other way round.
        let before = if self.is_on(now) { self.until.load(Ordering::Relaxed) } else { 0 };
        let all = all || (before > 0 && self.all.load(Ordering::Relaxed));
        self.all.store(all, Ordering::Relaxed);
        self.until.store(until.max(before), Ordering::Relaxed);
    }
}

/// Whether the command changes data, or sends what replicas would have to hear. A script that declares that it does not
/// is taken at its word, to which it is held.
fn writes(spec: &CommandSpec, args: Args<'_>, scripts: &Scripts) -> bool {
    let may = spec.flags.contains(Flags::WRITE) || spec.flags.contains(Flags::MAY_REPLICATE);
    may && !scripts.declared(spec.handler, args).is_some_and(|flags| flags.contains(ScriptFlags::NO_WRITES))
}

/// Waits until the command is not held back any more.
pub(super) async fn wait(node: &Node, session: &Session, args: Args<'_>) {
    let spec = args.get(0).and_then(lookup);
    let writes = spec.is_some_and(|spec| concerned(spec, args, session, &node.scripts));
    let _counted = Waiting::new(&node.pause);
    loop {
        // Listening begins before the look, so that an end between the two is heard.
        let ended = node.pause.ended.notified();
        let now = clock::now();
        if !node.pause.holds(now, writes) {
            return;
        }
        let left = Duration::from_millis(node.pause.until().saturating_sub(now.0));
        // Over by time or by word: either way there is another look.
        let _ = timeout(left, ended).await;
    }
}

/// A command that waits, counted until it does no more or its client is gone.
struct Waiting<'a>(&'a Pause);

impl<'a> Waiting<'a> {
    fn new(pause: &'a Pause) -> Self {
        pause.waiting.fetch_add(1, Ordering::Relaxed);
        Self(pause)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a pause of writes concerns the command: it changes data, or a transaction that does is to be run.
pub(crate) fn concerned(spec: &CommandSpec, args: Args<'_>, session: &Session, scripts: &Scripts) -> bool {
    let exec = spec.handler == Handler::Transaction(TransactionCommand::Exec);
    let mut queued = session.queue.iter().filter(|_| exec).flat_map(|queue| queue.requests());
    writes(spec, args, scripts) || queued.any(|(spec, args)| writes(spec, args, scripts))
}

pub(super) fn pause(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let Some(length) = parse_integer(call.args.at(2)) else {
        return reply.error("ERR timeout is not an integer or out of range");
    };
    let Ok(length) = u64::try_from(length) else { return reply.error("ERR timeout is negative") };
    let all = match (call.args.len(), call.args.get(3)) {
        (3, _) => true,
        (4, Some(mode)) if mode.eq_ignore_ascii_case(b"ALL") => true,
        (4, Some(mode)) if mode.eq_ignore_ascii_case(b"WRITE") => false,
        (4, _) => return reply.error("ERR CLIENT PAUSE mode must be WRITE or ALL"),
        (_, _) => return reply.error(SYNTAX_ERROR),
    };
    let Some(until) = call.now.0.checked_add(length).filter(|&until| i64::try_from(until).is_ok()) else {
        return reply.error("ERR timeout is out of range");
    };
    call.node.pause.start(until, all, call.now);
    reply.ok();
}

pub(super) fn unpause(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    call.node.pause.end();
    reply.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_by_itself_and_only_grows() {
        let (pause, at) = (Pause::default(), Timestamp);
        assert!(!pause.holds(at(5), true));
        pause.start(10, false, at(5));
        assert!(pause.holds(at(9), true) && !pause.holds(at(9), false) && !pause.holds(at(10), true));
        pause.start(8, true, at(6));
        assert!(pause.holds(at(9), false), "it keeps its end and becomes stricter");
        pause.start(20, false, at(15));
        assert!(!pause.holds(at(16), false), "the first one was over");
    }
}
