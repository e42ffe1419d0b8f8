//! The data path on one screen: bytes to requests, requests to replies.
//!
//! A batch is what one read brought. It runs window by window: up to [`WINDOW`] requests are decoded and looked up,
//! their keys hashed and the memory they will touch asked for ([`nuthatch_engine::Engine::prefetch`]), then they run in
//! their order. Time, configuration and topology are read once for the whole batch.
//!
//! Routing may be stale, the engine's gates may not: a command that the engine refuses is routed again with the newest
//! topology.
//!
//! Neighbours: `decode` finds the requests, `window` holds them, `route` says where keys belong, `admin` runs what
//! is not about keys.

pub(crate) mod account;
pub(crate) mod applied;
mod block;
mod guard;
mod refuse;
mod route;
mod script;
pub(crate) mod transaction;
mod window;

use std::mem;
use std::sync::Arc;

use nuthatch_engine::Engine;
use nuthatch_proto::command_table::{
    CommandSpec, DataCommand, Flags, Handler, KeyspaceCommand, NodeCommand, TransactionCommand,
};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::{Args, Decoder, Limits, Protocol, ReplyWriter};
use nuthatch_proto::slot::Slot;

use account::{Span, is_quick};
pub(crate) use window::Window;
use window::{Filled, Request};

use crate::admin::client::command_name;
use crate::admin::{self, Call, Deferral, Flow, flush, pause, pubsub};
use crate::clock;
use crate::driver::{MetadataHandle, View};
use crate::monitors::{Occasion, Sender};
use crate::net::clients::Progress;
use crate::net::connection::{EngineSide, REPLIES_MAX};
use crate::net::io_thread::Thread;
use crate::net::session::{Replies, Session};
use crate::node::Node;
use crate::role::READ_ONLY;
use crate::telemetry::counters;

/// What a primary that is cut off answers to writes.
const CUT_OFF: &str = "CLUSTERDOWN The cluster is down";

/// How often a command is routed again because the topology moved under it.
const REROUTES_MAX: usize = 3;

/// How a batch ended.
pub(crate) enum Turn {
    /// Every request that is complete was run. `drained`: and the socket has no more.
    Done {
        /// Whether the socket was emptied.
        drained: bool,
    },
    /// The replies should be written before the rest runs.
    Flush,
    /// A command has to wait for something; the rest comes after it.
    Wait(Deferred),
    /// A command waits for an element; the rest comes after it. Its arguments, in case it has to run again.
    Block(OwnedArgs),
    /// The connection is to be closed once the replies are written.
    Close,
}

impl Turn {
    /// Whether requests may be left that are complete.
    pub(crate) fn is_interrupted(&self) -> bool {
        match self {
            Self::Flush | Self::Wait(_) | Self::Block(_) => true,
            Self::Done { .. } | Self::Close => false,
        }
    }
}

/// A command that has to wait for something.
#[derive(Debug)]
pub(crate) struct Deferred {
    /// The command.
    pub(crate) command: Deferral,
    /// Its arguments.
    pub(crate) args: OwnedArgs,
}

/// One run over the requests that one connection sent.
pub(crate) struct Batch<'a> {
    thread: &'a Thread,
    session: &'a mut Session,
    decoder: &'a mut Decoder,
    engine: &'a mut EngineSide,
    now: Timestamp,
    started: std::time::Duration,
    view: Option<Arc<View>>,
    /// The thread's turn, but while this batch has all others stand still, or none is to be had.
    turn: Option<nuthatch_engine::Turn<'a>>,
    /// A script takes long: only what may run beside it does.
    busy: bool,
    /// Whether the last request was counted as a command that ran, and is at its end.
    counted: bool,
    /// Whether the node was told to follow another one, so that commands may have to be refused.
    limited: bool,
    /// Whether the reply of the command that runs is an error which was counted where it came from.
    error_counted: bool,
}

impl<'a> Batch<'a> {
    /// Reads the clock and the topology.
    #[inline]
    pub(crate) fn new(
        thread: &'a Thread,
        session: &'a mut Session,
        decoder: &'a mut Decoder,
        engine: &'a mut EngineSide,
    ) -> Self {
        engine.refresh(&thread.node);
        engine.no_touch = session.no_touch;
        let started = clock::since_epoch();
        let now = clock::timestamp(started);
        let view = thread.node.cluster.as_ref().map(MetadataHandle::view);
        let turn = thread.seat.try_turn().or_else(|| script::wait_for_turn(thread, &engine.settings));
        let busy = turn.is_none();
        let limited = thread.node.role.is_replica() || is_limited_in_shard(&thread.node);
        Self {
            limited,
            thread,
            session,
            decoder,
            engine,
            now,
            started,
            view,
            turn,
            busy,
            counted: false,
            error_counted: false,
        }
    }

    /// Runs the requests that begin at `buffer[*start..]` and moves `start` behind those that were run.
    pub(crate) fn run(
        &mut self,
        buffer: &mut [u8],
        start: &mut usize,
        window: &mut Window,
        replies: &mut Vec<u8>,
    ) -> Turn {
        let turn = loop {
            let limits = self.limits();
            let engine = &self.thread.node.engine;
            let db = self.session.db;
            let filled = window.fill(buffer, *start, self.decoder, &limits, |slot| engine.prefetch(db, slot));
            prefetch(engine, db, buffer, window);
            if let Some(turn) = self.run_window(buffer, start, window, replies) {
                break turn;
            }
            match filled {
                Filled::More => {}
                Filled::Incomplete { end } => {
                    *start = end;
                    break Turn::Done { drained: true };
                }
                Filled::Broken(error) => {
                    ReplyWriter::new(replies, self.session.protocol()).error(&format!("ERR {error}"));
                    break Turn::Close;
                }
            }
        };
        self.session.client.report(Progress {
            now: self.now,
            db: self.session.db,
            last_command: self.session.last_command,
        });
        self.thread.counters.publish(&self.engine.stats);
        turn
    }

    fn limits(&self) -> Limits {
        let bulk_max = self.engine.settings.max_bulk_len;
        Limits { bulk_max, authenticated: self.session.authenticated(), ..Limits::default() }
    }

    /// Runs the window's requests; `Some` if the batch ends there.
    fn run_window(
        &mut self,
        buffer: &[u8],
        start: &mut usize,
        window: &Window,
        replies: &mut Vec<u8>,
    ) -> Option<Turn> {
        // The requests that ran and are not accounted for: where they begin, and a bit for each that was counted.
        let mut span = Span { first: 0, counted: 0 };
        for (run, request) in window.requests().iter().enumerate() {
            let args = window.args(buffer, request);
            *start = request.end;
            let alone = !request.spec.is_none_or(is_quick);
            if alone && run > span.first {
                self.account(span, window, buffer);
                span = Span { first: run, counted: 0 };
            }
            self.counted = false;
            let begin = replies.len();
            let flow = self.run_one(request, args, replies);
            if self.session.replies != Replies::On && !matches!(flow, Flow::Defer(_) | Flow::Block) {
                self.session.silence(replies, begin);
            }
            span.counted |= u32::from(self.counted) << (run - span.first);
            if alone {
                self.account(span, window, buffer);
                span = Span { first: run + 1, counted: 0 };
            }
            // What was pushed while a command ran stands behind its reply, the client's own messages among it.
            if self.session.client.is_pushed() {
                match flow {
                    Flow::Close => self.session.client.take_all_pushes(replies),
                    Flow::Done | Flow::Block | Flow::Defer(_) => self.session.client.take_pushes(replies),
                }
            }
            let turn = match flow {
                Flow::Done if replies.len() >= REPLIES_MAX => Turn::Flush,
                Flow::Done => continue,
                Flow::Close => Turn::Close,
                Flow::Block => Turn::Block(args.iter().collect()),
                Flow::Defer(command) => Turn::Wait(Deferred { command, args: args.iter().collect() }),
            };
            self.account(span, window, buffer);
            return Some(turn);
        }
        self.account(span, window, buffer);
        None
    }

    /// Runs a request that was held back, or that has to be routed again.
    pub(crate) fn run_again(&mut self, args: &OwnedArgs, replies: &mut Vec<u8>) -> Turn {
        let request = Request::alone(args.as_args());
        let (begin, args) = (replies.len(), args.as_args());
        self.counted = false;
        let flow = self.run_one(&request, args, replies);
        if self.counted
            && let Ok(spec) = refuse::resolve(request.spec, args)
        {
            let elapsed = clock::since_epoch().saturating_sub(self.started).as_nanos();
            self.took(spec, args, u64::try_from(elapsed).unwrap_or(u64::MAX));
        }
        match flow {
            Flow::Block => Turn::Block(args.iter().collect()),
            Flow::Defer(command) => Turn::Wait(Deferred { command, args: args.iter().collect() }),
            flow @ (Flow::Done | Flow::Close) => {
                self.session.silence(replies, begin);
                if flow == Flow::Close { Turn::Close } else { Turn::Flush }
            }
        }
    }

    /// Whether a pause that is on concerns the command.
    #[cold]
    fn is_held_back(&self, spec: &CommandSpec, args: Args<'_>) -> bool {
        let node = &self.thread.node;
        node.pause.holds(self.now, pause::concerned(spec, args, self.session, &node.scripts))
    }

    /// Whether the command only passes over keys whose time has come: while there is a pause, data stays as it is, and a
    /// replica's until its primary says so.
    #[inline]
    fn keeps_expired(&self, spec: &CommandSpec) -> bool {
        (self.limited || self.thread.node.pause.is_on(self.now)) && !spec.flags.contains(Flags::WRITE)
    }

    #[cold]
    fn tell_of_attack(&self) {
        if self.thread.node.telemetry.tells_of_attack(self.now) {
            let client = &self.session.client;
            tracing::warn!(
                "Possible SECURITY ATTACK detected: client id={} addr={} speaks HTTP, and is disconnected; others that do \
                 are not named for a minute",
                client.id,
                client.addr
            );
        }
    }

    /// Runs one request.
    #[inline]
    fn run_one(&mut self, request: &Request, args: Args<'_>, replies: &mut Vec<u8>) -> Flow {
        let mut reply = ReplyWriter::new(replies, self.session.protocol());
        let spec = match refuse::resolve(request.spec, args) {
            Ok(spec) => spec,
            Err(_) if refuse::is_http(args) => {
                self.tell_of_attack();
                return Flow::Close;
            }
            Err(error) => {
                self.reject(request.spec, &error, &mut reply);
                return Flow::Done;
            }
        };
        if !self.session.authenticated() && !spec.flags.contains(Flags::NO_AUTH) {
            self.reject(Some(spec), b"NOAUTH Authentication required.", &mut reply);
            return Flow::Done;
        }
        if self.session.client.is_restricted() && self.is_refused_in_mode(spec, &mut reply) {
            return Flow::Done;
        }
        if self.busy && script::waits_for_scripts(spec) {
            self.reject(Some(spec), script::BUSY, &mut reply);
            return Flow::Done;
        }
        if self.engine.settings.is_guarded && self.is_guarded_against(spec, args, request.slot, &mut reply) {
            return Flow::Done;
        }
        if self.limited && self.is_refused_in_role(spec, &mut reply) {
            return Flow::Done;
        }
        if self.thread.node.pause.is_on(self.now) && self.is_held_back(spec, args) {
            return Flow::Defer(Deferral::Paused);
        }
        if self.session.queue.is_some() && transaction::waits(spec) {
            return self.enqueue(spec, args, &mut reply);
        }
        self.perform(spec, request.slot, args, replies)
    }

    /// Runs a command that nothing speaks against.
    #[inline]
    fn perform(
        &mut self,
        spec: &'static CommandSpec,
        slot: Slot,
        args: Args<'_>,
        replies: &mut Vec<u8>,
    ) -> Flow {
        let begin = replies.len();
        let mut reply = ReplyWriter::new(replies, self.session.protocol());
        let flow = match spec.handler {
            Handler::Data(command) if spec.flags.contains(Flags::BLOCKING) => {
                self.data_or_wait(command, spec, slot, args, &mut reply)
            }
            Handler::Data(command) => {
                self.data(command, spec, slot, args, &mut reply);
                Flow::Done
            }
            Handler::Keyspace(command) => {
                self.keyspace(command, spec, args, &mut reply);
                self.after_keyspace(command, args, begin, replies)
            }
            Handler::Node(command) => {
                let node = &*self.thread.node;
                let call = Call { node, session: self.session, now: self.now, args };
                let flow = admin::run(command, call, &mut reply);
                self.pass_on(command, args);
                // It may have changed what this batch goes by.
                self.engine.no_touch = self.session.no_touch;
                if command == NodeCommand::ConfigSet {
                    self.engine.refresh(node);
                }
                self.limited =
                    !self.engine.sees_expired && (node.role.is_replica() || is_limited_in_shard(node));
                flow
            }
            Handler::Transaction(command) => self.transact(command, spec, args, &mut reply),
            // It is run elsewhere, and counted there.
            Handler::Script(_) if self.thread.scripts.is_some() => {
                self.session.last_command = counters::place(spec.handler);
                return Flow::Defer(Deferral::Script);
            }
            Handler::Script(command) => self.run_script(command, spec, args, &mut reply),
            Handler::Container => Flow::Done,
        };
        self.session.last_command = counters::place(spec.handler);
        self.count(spec, &replies[begin..]);
        // How long a command took that waits is told when it no longer does.
        self.counted &= flow != Flow::Block;
        self.show(spec, args, Sender::Client);
        flow
    }

    /// Shows a command that was run to those in MONITOR mode.
    #[inline]
    fn show(&self, spec: &CommandSpec, args: Args<'_>, sender: Sender) {
        let monitors = &self.thread.node.monitors;
        if monitors.any() {
            monitors.show(spec, args, self.occasion(sender));
        }
    }

    #[cold]
    fn occasion(&self, sender: Sender) -> Occasion {
        let addr = (sender == Sender::Client).then_some(self.session.client.addr);
        Occasion { time: clock::since_epoch(), db: self.session.db, addr }
    }

    /// Counts a command that was run, by its reply.
    #[inline]
    fn count(&mut self, spec: &CommandSpec, reply: &[u8]) {
        let counted = self.thread.counters.command(spec.handler);
        counted.calls.add(1);
        self.counted = true;
        self.thread.counters.commands.add(1);
        if reply.first() == Some(&b'-') {
            counted.failed.add(1);
            if !mem::take(&mut self.error_counted) {
                self.count_error(reply);
            }
        }
    }

    /// A command on keys: to whom they belong, then the engine.
    #[inline]
    fn data(
        &mut self,
        command: DataCommand,
        spec: &CommandSpec,
        slot: Slot,
        args: Args<'_>,
        reply: &mut ReplyWriter<'_>,
    ) {
        for _ in 0..REROUTES_MAX {
            if let Some(view) = &self.view {
                let access = route::access(spec, self.session);
                self.session.asking = false;
                if let Err(redirect) = route::check(view, spec, args, slot, access) {
                    reply.error(&redirect.to_string());
                    return;
                }
            }
            let keep_expired = self.keeps_expired(spec);
            let mut cx = self.engine.context(self.thread, self.now);
            cx.keep_expired = keep_expired;
            match self.thread.node.engine.execute(&mut cx, self.session.db, command, args, slot, reply) {
                Ok(()) => return,
                Err(_refused) => self.view = self.thread.node.cluster.as_ref().map(MetadataHandle::view),
            }
        }
        // The gate is shut while the topology still says that the slot is ours: it is about to leave.
        reply.error(&nuthatch_proto::redirect::Redirect::TryAgain.to_string());
    }

    /// A command on whole databases.
    fn keyspace(
        &mut self,
        command: KeyspaceCommand,
        spec: &CommandSpec,
        args: Args<'_>,
        reply: &mut ReplyWriter<'_>,
    ) {
        let (thread, db, now) = (self.thread, self.session.db, self.now);
        let (engine, keep_expired) = (&thread.node.engine, self.keeps_expired(spec));
        let run = |side: &mut EngineSide, reply: &mut ReplyWriter<'_>| {
            let mut cx = side.context(thread, now);
            cx.keep_expired = keep_expired;
            engine.execute_keyspace(&mut cx, db, command, args, reply);
        };
        if !spec.flags.contains(Flags::WRITE) || !engine.is_followed() {
            return run(self.engine, reply);
        }
        // A replica sees it at one moment: nobody else is to change anything meanwhile.
        self.turn = None;
        engine.stand_still(|| run(self.engine, reply));
        self.turn = Some(thread.seat.turn());
    }

    /// Whether the answer that begins at `begin` waits until the memory of what was flushed is free.
    fn after_keyspace(
        &self,
        command: KeyspaceCommand,
        args: Args<'_>,
        begin: usize,
        replies: &mut Vec<u8>,
    ) -> Flow {
        let refused = replies.get(begin) == Some(&b'-');
        if refused || !flush::waits(command, args, &self.engine.settings, &self.thread.node.engine) {
            return Flow::Done;
        }
        replies.truncate(begin);
        Flow::Defer(Deferral::Flush)
    }

    /// Tells those who follow of a command that changes no data and is theirs too.
    #[inline]
    fn pass_on(&self, command: NodeCommand, args: Args<'_>) {
        let feed = &self.thread.node.feed;
        if command == NodeCommand::Publish && feed.is_on() {
            feed.say(self.session.db, &args.iter().collect::<Vec<_>>());
        }
    }

    /// Whether the command is refused because the client is in MONITOR mode or a replica, or in subscribe mode of RESP2.
    #[cold]
    fn is_refused_in_mode(&mut self, spec: &'static CommandSpec, reply: &mut ReplyWriter<'_>) -> bool {
        let about_data = Flags::WRITE.union(Flags::READONLY).union(Flags::MAY_REPLICATE);
        let allowed =
            matches!(spec.handler, Handler::Node(command) if pubsub::allowed_when_subscribed(command));
        let client = &self.session.client;
        if client.is_subscribed() && self.session.protocol() == Protocol::Resp2 && !allowed {
            let name = command_name(counters::place(spec.handler));
            let error = format!(
                "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                 allowed in this context"
            );
            self.reject(Some(spec), error.as_bytes(), reply);
            return true;
        }
        // Redis counts a monitor among its replicas.
        let refused = (client.is_monitor() || client.is_follower()) && spec.flags.intersects(about_data);
        if refused {
            self.reject(Some(spec), b"ERR Replica can't interact with the keyspace", reply);
        }
        refused
    }

    /// Whether the command is refused because the node was told to follow another one.
    #[cold]
    fn is_refused_in_role(&mut self, spec: &'static CommandSpec, reply: &mut ReplyWriter<'_>) -> bool {
        let node = &self.thread.node;
        let refusal = match node.engine.is_passive() {
            // A copy of a node of a cluster. What names keys is sent to where they are instead.
            true => is_about_all_keys(spec).then_some(READ_ONLY),
            false if self.is_write(spec) && is_cut_off(node) => Some(CUT_OFF),
            false => {
                let queued = self.session.queue.iter().flat_map(|queue| queue.specs());
                node.role.refusal(spec, queued, &self.engine.settings.replication)
            }
        };
        if let Some(error) = refusal {
            self.reject(Some(spec), error.as_bytes(), reply);
        }
        refusal.is_some()
    }

    /// Whether the command writes, or has others run that do.
    fn is_write(&self, spec: &CommandSpec) -> bool {
        let runs = spec.handler == Handler::Transaction(TransactionCommand::Exec);
        let mut queued = self.session.queue.iter().filter(|_| runs).flat_map(|queue| queue.specs());
        spec.flags.contains(Flags::WRITE) || queued.any(|spec| spec.flags.contains(Flags::WRITE))
    }

    #[cold]
    fn reject(&mut self, spec: Option<&CommandSpec>, error: &[u8], reply: &mut ReplyWriter<'_>) {
        if let Some(spec) = spec {
            self.thread.counters.command(spec.handler).rejected.add(1);
        }
        let mut text = error.to_vec();
        if let Some(queue) = &mut self.session.queue {
            queue.spoil();
            if spec.is_some_and(|spec| spec.handler == Handler::Transaction(TransactionCommand::Exec)) {
                let error = error.strip_prefix(b"ERR ").unwrap_or(error);
                text = [b"EXECABORT Transaction discarded because of: ", error].concat();
                self.session.end_transaction(&self.thread.node.engine);
            }
            self.session.show_transaction();
        }
        reply.error_bytes(&text);
        self.count_error(&text);
    }

    #[cold]
    fn count_error(&self, reply: &[u8]) {
        self.thread.counters.error_replies.add(1);
        self.thread.node.telemetry.error(reply);
    }
}

/// Brings what a window's commands will touch closer, one level for all of them before the next. A command alone has
/// nothing to wait beside and is better run at once.
#[inline]
fn prefetch(engine: &Engine, db: usize, buffer: &[u8], window: &Window) {
    if window.requests().len() > 1 {
        window.keys(buffer).for_each(|(slot, key)| engine.prefetch_bucket(db, slot, key));
        window.keys(buffer).for_each(|(slot, key)| engine.prefetch_entry(db, slot, key));
        if window.has_elements() {
            engine.prefetch_elements(db, window.elements(buffer));
        }
    }
}

/// Whether the node's part in its shard is such that commands may have to be refused: it copies another one, or is a primary
/// that is cut off.
#[inline]
fn is_limited_in_shard(node: &Node) -> bool {
    node.engine.is_passive() || is_cut_off(node)
}

#[inline]
fn is_cut_off(node: &Node) -> bool {
    node.cluster.as_ref().is_some_and(|cluster| cluster.replication().is_cut_off())
}

/// Whether a command changes keys without naming any.
fn is_about_all_keys(spec: &CommandSpec) -> bool {
    spec.flags.contains(Flags::WRITE) && matches!(spec.handler, Handler::Keyspace(_))
}
