//! MULTI, EXEC, DISCARD, WATCH and UNWATCH: commands that decide when other commands run.
//!
//! Between MULTI and EXEC a connection's commands are checked as far as that is possible without running them, and kept
//! ([`Queue`]). EXEC runs them so that nobody sees what is between them, in one of two ways:
//!
//! - commands on keys, and those that touch no data, under the locks of all their slots ([`Engine::begin`]);
//! - if there is anything else among them, while all other threads stand still ([`Engine::stand_still`]).
//!
//! A command that cannot be queued spoils the transaction, and so does a redirection: EXEC then does nothing. A command
//! that fails when it runs stops nothing. What a connection may queue is limited as a request is.
//!
//! [`Engine::begin`]: nuthatch_engine::Engine::begin
//! [`Engine::stand_still`]: nuthatch_engine::Engine::stand_still

use std::mem;

use nuthatch_cluster::routing::Access;
use nuthatch_engine::{Engine, HeldBack, Places, Refused, Transaction, Watching};
use nuthatch_proto::command_table::{CommandSpec, Flags, Handler, NodeCommand, TransactionCommand, keys};
use nuthatch_proto::redirect::Redirect;
use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::{Args, Mark, ReplyWriter};
use nuthatch_proto::slot::Slot;

use super::window::NO_SLOT;
use super::{Batch, REROUTES_MAX, route};
use crate::admin::{self, Call, Deferral, Flow, pubsub};
use crate::clock;
use crate::driver::MetadataHandle;
use crate::monitors::Sender;
use crate::net::session::Replies;
use crate::telemetry::counters;

const EXEC_ABORT: &str = "EXECABORT Transaction discarded because of previous errors.";
const NOT_ALLOWED: &str = "ERR Command not allowed inside a transaction";

/// The commands of a connection that wait for EXEC.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    commands: Vec<Queued>,
    /// How many bytes they hold.
    bytes: usize,
    /// One of them was refused: EXEC runs none.
    spoilt: bool,
}

/// A command that waits for EXEC.
#[derive(Debug)]
struct Queued {
    spec: &'static CommandSpec,
    /// The slot of its first key, or of its first channel of a shard, if it has any.
    slot: Option<Slot>,
    args: OwnedArgs,
}

/// A command that runs among others.
pub(super) struct Nested<'a> {
    pub(super) spec: &'static CommandSpec,
    pub(super) args: Args<'a>,
    /// The slot of its first key.
    pub(super) slot: Slot,
    pub(super) sender: Sender,
}

impl Queue {
    /// How many commands there are.
    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }

    /// The commands' rows.
    pub(crate) fn specs(&self) -> impl Iterator<Item = &'static CommandSpec> + Clone {
        self.commands.iter().map(|queued| queued.spec)
    }

    /// The commands' rows, each with its arguments.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&'static CommandSpec, Args<'_>)> {
        self.commands.iter().map(|queued| (queued.spec, queued.args.as_args()))
    }

    /// All that any of them does.
    pub(super) fn flags(&self) -> Flags {
        self.specs().fold(Flags::empty(), |flags, spec| flags.union(spec.flags))
    }

    /// How many bytes they hold.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// EXEC is to run none of them.
    pub(crate) fn spoil(&mut self) {
        self.spoilt = true;
        self.commands.clear();
    }

    fn push(&mut self, spec: &'static CommandSpec, slot: Option<Slot>, args: Args<'_>) {
        self.bytes += size_of::<Queued>() + args.iter().map(|arg| arg.len() + 8).sum::<usize>();
        self.commands.push(Queued { spec, slot, args: args.iter().collect() });
    }

    /// Whether all of them can run under the locks of their keys' slots: no other one looks at the data.
    fn fits_under_locks(&self) -> bool {
        self.commands.iter().all(|queued| {
            matches!(
                queued.spec.handler,
                Handler::Data(_)
                    | Handler::Node(
                        NodeCommand::Ping | NodeCommand::Echo | NodeCommand::Publish | NodeCommand::SPublish
                    )
            )
        })
    }

    /// The slot of all their keys, and what is asked of it. `None` if they have no keys.
    fn slot(&self) -> Result<Option<(Slot, Flags)>, Redirect> {
        let mut found = None;
        for (own, spec) in self.commands.iter().filter_map(|queued| Some((queued.slot?, queued.spec))) {
            let (slot, flags) = found.get_or_insert((own, Flags::empty()));
            if *slot != own {
                return Err(Redirect::CrossSlot);
            }
            *flags = flags.union(spec.flags);
        }
        Ok(found)
    }

    fn places(&self, engine: &Engine, db: usize) -> Places {
        let mut places = Places::default();
        for queued in &self.commands {
            if let Handler::Data(command) = queued.spec.handler {
                engine.add_places(
                    &mut places,
                    db,
                    command,
                    queued.args.as_args(),
                    queued.slot.unwrap_or(NO_SLOT),
                );
            }
        }
        places
    }
}

/// Whether the command waits for EXEC if a transaction has begun.
pub(super) fn waits(spec: &CommandSpec) -> bool {
    !matches!(
        spec.handler,
        Handler::Transaction(
            TransactionCommand::Multi
                | TransactionCommand::Exec
                | TransactionCommand::Discard
                | TransactionCommand::Watch
        ) | Handler::Node(NodeCommand::Quit | NodeCommand::Reset)
    )
}

/// The slot of a command's first key.
pub(super) fn first_slot(spec: &CommandSpec, args: Args<'_>) -> Option<Slot> {
    let index = spec.first_key().or_else(|| keys(spec, args).ok()?.next())?;
    args.get(index).map(Slot::of_key)
}

impl Batch<'_> {
    /// Keeps a command for EXEC, or refuses it.
    #[cold]
    pub(super) fn enqueue(
        &mut self,
        spec: &'static CommandSpec,
        args: Args<'_>,
        reply: &mut ReplyWriter<'_>,
    ) -> Flow {
        if spec.flags.contains(Flags::NO_MULTI) {
            self.reject(Some(spec), NOT_ALLOWED.as_bytes(), reply);
            return Flow::Done;
        }
        let slot = match self.slot_here(spec, args) {
            Ok(slot) => slot,
            Err(redirect) => {
                self.reject(Some(spec), redirect.to_string().as_bytes(), reply);
                return Flow::Done;
            }
        };
        let limit = self.thread.node.config.settings().query_buffer_limit;
        let hopeless = self.session.watching.as_ref().is_some_and(|watching| watching.is_touched());
        let Some(queue) = &mut self.session.queue else { return Flow::Done };
        // What will not run need not be kept.
        if !queue.spoilt && !hopeless {
            queue.push(spec, slot, args);
        }
        if queue.bytes as u64 > limit {
            tracing::warn!("Client id={} closed: its transaction is too long", self.session.client.id);
            return Flow::Close;
        }
        self.session.show_transaction();
        reply.simple("QUEUED");
        Flow::Done
    }

    /// The slot of a command's keys or channels of a shard, if it has any and they are served here.
    fn slot_here(&mut self, spec: &CommandSpec, args: Args<'_>) -> Result<Option<Slot>, Redirect> {
        if let Some(channels) = pubsub::shard_channels(spec, args) {
            pubsub::served(&self.thread.node, self.session, channels)?;
            return Ok(channels.get(0).map(Slot::of_key));
        }
        let slot = first_slot(spec, args);
        if let Some(slot) = slot {
            self.check_route(spec, args, slot)?;
        }
        Ok(slot)
    }

    /// Whether the keys of a command are served here, in cluster mode.
    pub(super) fn check_route(
        &mut self,
        spec: &CommandSpec,
        args: Args<'_>,
        slot: Slot,
    ) -> Result<(), Redirect> {
        let Some(view) = &self.view else { return Ok(()) };
        let access = route::access(spec, self.session);
        self.session.asking = false;
        route::check(view, spec, args, slot, access)
    }

    /// Runs one of the commands that are never queued, or UNWATCH.
    #[cold]
    pub(super) fn transact(
        &mut self,
        command: TransactionCommand,
        spec: &CommandSpec,
        args: Args<'_>,
        reply: &mut ReplyWriter<'_>,
    ) -> Flow {
        let flow = match command {
            TransactionCommand::Multi if self.session.queue.is_some() => {
                reply.error("ERR MULTI calls can not be nested");
                Flow::Done
            }
            TransactionCommand::Multi => {
                self.session.queue = Some(Box::default());
                reply.ok();
                Flow::Done
            }
            TransactionCommand::Discard if self.session.queue.is_none() => {
                reply.error("ERR DISCARD without MULTI");
                Flow::Done
            }
            TransactionCommand::Discard => {
                self.session.end_transaction(&self.thread.node.engine);
                reply.ok();
                Flow::Done
            }
            TransactionCommand::Watch => self.watch(spec, args, reply),
            TransactionCommand::Unwatch => {
                self.session.unwatch(&self.thread.node.engine);
                reply.ok();
                Flow::Done
            }
            TransactionCommand::Exec => self.exec(reply),
        };
        self.session.show_transaction();
        flow
    }

    fn watch(&mut self, spec: &CommandSpec, args: Args<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
        if self.session.queue.is_some() {
            reply.error("ERR WATCH inside MULTI is not allowed");
            return Flow::Done;
        }
        for _ in 0..REROUTES_MAX {
            if let Err(redirect) = self.check_route(spec, args, Slot::of_key(args.at(1))) {
                reply.error(&redirect.to_string());
                return Flow::Done;
            }
            match self.watch_keys(args) {
                Ok(()) => {
                    let bytes = self.session.watching.as_ref().map_or(0, |watching| watching.bytes());
                    reply.ok();
                    let limit = self.thread.node.config.settings().query_buffer_limit;
                    return if bytes as u64 > limit { Flow::Close } else { Flow::Done };
                }
                Err(_refused) => self.look_again(),
            }
        }
        reply.error(&Redirect::TryAgain.to_string());
        Flow::Done
    }

    fn watch_keys(&mut self, args: Args<'_>) -> Result<(), Refused> {
        let engine = &self.thread.node.engine;
        let mut watching = match self.session.watching.take() {
            Some(watching) => watching,
            None => Box::new(engine.watching()),
        };
        let db = self.session.db;
        let mut cx = self.engine.context(self.thread, self.now);
        let done = args
            .skip(1)
            .iter()
            .try_for_each(|key| engine.watch(&mut cx, &mut watching, db, Slot::of_key(key), key));
        self.session.watching = Some(watching);
        done
    }

    /// Takes the newest topology: the one that the batch began with has been overtaken.
    pub(super) fn look_again(&mut self) {
        self.view = self.thread.node.cluster.as_ref().map(MetadataHandle::view);
    }

    fn exec(&mut self, reply: &mut ReplyWriter<'_>) -> Flow {
        let Some(mut queue) = self.session.queue.take() else {
            reply.error("ERR EXEC without MULTI");
            return Flow::Done;
        };
        let flow = if queue.spoilt {
            reply.error(EXEC_ABORT);
            Flow::Done
        } else {
            let start = reply.mark();
            self.session.executing = true;
            let ran = self.run_queue(&mut queue, reply);
            self.session.executing = false;
            // What is silenced by parts need not be as a whole, as long as it is not: that is asked only of the silent.
            self.session.decides_in_parts &= self.session.replies != Replies::On;
            match ran {
                Ok(flow) => flow,
                Err(redirect) => {
                    reply.rewind(start);
                    reply.error(&redirect.to_string());
                    Flow::Done
                }
            }
        };
        self.session.unwatch(&self.thread.node.engine);
        flow
    }

    /// Runs all of the queue, or nothing of it.
    fn run_queue(&mut self, queue: &mut Queue, reply: &mut ReplyWriter<'_>) -> Result<Flow, Redirect> {
        let watching = self.session.watching.take();
        let mut done = Err(Redirect::TryAgain);
        for _ in 0..REROUTES_MAX {
            done = match self.check_slot(queue) {
                Err(redirect) => Err(redirect),
                Ok(()) => {
                    let ran = if queue.fits_under_locks() {
                        self.run_under_locks(queue, watching.as_deref(), reply)
                    } else {
                        self.run_alone(queue, watching.as_deref(), reply)
                    };
                    match ran {
                        Ok(flow) => Ok(flow),
                        Err(_refused) => {
                            self.look_again();
                            continue;
                        }
                    }
                }
            };
            break;
        }
        self.session.watching = watching;
        done
    }

    /// Whether the keys of all commands are in one slot that is served here, in cluster mode.
    fn check_slot(&mut self, queue: &Queue) -> Result<(), Redirect> {
        let Some(view) = &self.view else { return Ok(()) };
        let Some((slot, flags)) = queue.slot()? else { return Ok(()) };
        let access = Access {
            write: flags.contains(Flags::WRITE),
            readonly: self.session.readonly,
            asking: mem::take(&mut self.session.asking),
        };
        match nuthatch_cluster::routing::route(&view.topology, &view.standing, slot, access).refusal() {
            None => Ok(()),
            Some(redirect) => Err(redirect),
        }
    }

    /// Begins the reply of EXEC. From here on each command decides whether what it writes is sent (`CLIENT REPLY`).
    fn open_reply(&mut self, len: usize, reply: &mut ReplyWriter<'_>) {
        let begin = reply.mark();
        reply.array(len);
        self.session.decides_in_parts = true;
        self.silence_part(begin, reply);
    }

    /// Takes back what was written since then, if the client does not want it.
    fn silence_part(&self, begin: Mark, reply: &mut ReplyWriter<'_>) {
        if matches!(self.session.replies, Replies::Off | Replies::SkipOne) {
            reply.rewind(begin);
        }
    }

    fn run_under_locks(
        &mut self,
        queue: &Queue,
        watching: Option<&Watching>,
        reply: &mut ReplyWriter<'_>,
    ) -> Result<Flow, Refused> {
        let thread = self.thread;
        let engine = &thread.node.engine;
        let places = queue.places(engine, self.session.db);
        let mut cx = self.engine.context(self.thread, self.now);
        let Some(mut transaction) = engine.begin(&mut cx, &places, watching)? else {
            reply.null_array();
            return Ok(Flow::Done);
        };
        drop(cx);
        self.open_reply(queue.len(), reply);
        let mut flow = Flow::Done;
        for queued in &queue.commands {
            flow = worse(flow, self.run_queued(queued, Some(&mut transaction), None, reply));
        }
        transaction.end(&mut self.engine.context(self.thread, self.now));
        Ok(flow)
    }

    /// Runs commands that lock slots themselves, or may do so, while no other thread runs any.
    fn run_alone(
        &mut self,
        queue: &Queue,
        watching: Option<&Watching>,
        reply: &mut ReplyWriter<'_>,
    ) -> Result<Flow, Refused> {
        let thread = self.thread;
        let node = &*thread.node;
        // Whoever waits for the others to stand still must not be waited for.
        self.turn = None;
        let ran = node.engine.stand_still(|| {
            let places = queue.places(&node.engine, self.session.db);
            let mut cx = self.engine.context(self.thread, self.now);
            if node.engine.begin(&mut cx, &places, watching)?.is_none() {
                reply.null_array();
                return Ok(Flow::Done);
            }
            drop(cx);
            self.open_reply(queue.len(), reply);
            let held = HeldBack::default();
            let mut flow = Flow::Done;
            for queued in &queue.commands {
                flow = worse(flow, self.run_queued(queued, None, Some(&held), reply));
            }
            node.engine.release(&mut self.engine.context(self.thread, self.now), held);
            Ok(flow)
        });
        self.turn = Some(self.thread.seat.turn());
        ran
    }

    /// Runs one command of a transaction and counts it.
    fn run_queued(
        &mut self,
        queued: &Queued,
        transaction: Option<&mut Transaction<'_>>,
        held: Option<&HeldBack>,
        reply: &mut ReplyWriter<'_>,
    ) -> Flow {
        let (spec, args) = (queued.spec, queued.args.as_args());
        if let (Handler::Script(command), Some(held)) = (spec.handler, held) {
            return self.script_in_transaction(command, spec, args, held, reply);
        }
        let nested = Nested { spec, args, slot: queued.slot.unwrap_or(NO_SLOT), sender: Sender::Client };
        self.run_nested(nested, transaction, held, reply)
    }

    /// Runs one command of several that run together, and counts it.
    pub(super) fn run_nested(
        &mut self,
        Nested { spec, args, slot, sender }: Nested<'_>,
        transaction: Option<&mut Transaction<'_>>,
        held: Option<&HeldBack>,
        reply: &mut ReplyWriter<'_>,
    ) -> Flow {
        let (begin, started) = (reply.mark(), clock::since_epoch());
        let node = &*self.thread.node;
        let db = self.session.db;
        let keep_expired = self.keeps_expired(spec);
        let mut flow = Flow::Done;
        match spec.handler {
            Handler::Data(command) => {
                let mut cx = self.engine.context(self.thread, self.now);
                cx.hold_back(held);
                cx.keep_expired = keep_expired;
                cx.for_script = sender == Sender::Script;
                match transaction {
                    Some(transaction) => transaction.run(&mut cx, db, command, args, reply),
                    None => {
                        if node.engine.execute(&mut cx, db, command, args, slot, reply).is_err() {
                            reply.error(&Redirect::TryAgain.to_string());
                        }
                    }
                }
            }
            Handler::Keyspace(command) => {
                let mut cx = self.engine.context(self.thread, self.now);
                cx.hold_back(held);
                cx.keep_expired = keep_expired;
                node.engine.execute_keyspace(&mut cx, db, command, args, reply);
            }
            Handler::Node(command) => {
                flow = admin::run(command, Call { node, session: self.session, now: self.now, args }, reply);
                self.pass_on(command, args);
            }
            // UNWATCH: EXEC has ended the watch already.
            Handler::Transaction(_) => reply.ok(),
            // Scripts run no scripts, and those of a transaction have been run elsewhere.
            Handler::Script(_) | Handler::Container => {}
        }
        if flow == Flow::Defer(Deferral::DebugSleep) {
            // All stand still for this transaction: a sleep within it is one of the whole server, as in Redis.
            admin::debug::sleep_here(args, reply);
            // For a script time stands still.
            if sender == Sender::Client {
                self.now = clock::now();
            }
            flow = Flow::Done;
        }
        if flow == Flow::Defer(Deferral::Wait) {
            // In a transaction WAIT says how many replicas there are now.
            reply.count(admin::wait::ready(node));
            flow = Flow::Done;
        }
        if flow == Flow::Defer(Deferral::WaitAof) {
            admin::wait::none_in_file(reply);
            flow = Flow::Done;
        }
        if let Flow::Defer(_) | Flow::Block = flow {
            // It would have to wait, and nothing waits while the others do.
            reply.rewind(begin);
            reply.error(NOT_ALLOWED);
            flow = Flow::Done;
        }
        let elapsed = clock::since_epoch().saturating_sub(started).as_nanos();
        self.took(spec, args, u64::try_from(elapsed).unwrap_or(u64::MAX));
        if sender == Sender::Client {
            self.session.last_command = counters::place(spec.handler);
        }
        self.count(spec, reply.since(begin));
        self.silence_part(begin, reply);
        self.show(spec, args, sender);
        flow
    }
}

/// What is to happen after two commands: the connection is closed if one of them says so.
fn worse(one: Flow, other: Flow) -> Flow {
    if one == Flow::Close { one } else { other }
}
