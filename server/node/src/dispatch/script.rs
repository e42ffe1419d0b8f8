//! EVAL and its kin: scripts, and the commands that they run.
//!
//! A script runs while all other threads stand still ([`Engine::stand_still`]): what it touches cannot be told beforehand,
//! and nobody is to see it half done. The commands it runs go the way of those of a transaction, each under the locks of
//! its own slots; what they change is shown to those who watch or wait when the script is done.
//!
//! In cluster mode the keys that are declared decide where the script runs, and its commands may touch what is served
//! here. A gate that was shut before the threads stood still sends the client on.
//!
//! [`Engine::stand_still`]: nuthatch_engine::Engine::stand_still

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nuthatch_cluster::routing::Access;
use nuthatch_engine::{HeldBack, Places, Refused, Turn};
use nuthatch_proto::command_table::{
    CommandSpec, DataCommand, Flags, Handler, ScriptCommand, TransactionCommand, lookup,
};
use nuthatch_proto::redirect::Redirect;
use nuthatch_proto::resp::number::parse_integer;
use nuthatch_proto::resp::{Args, Protocol, ReplyWriter};
use nuthatch_proto::slot::Slot;

use super::guard::{OUT_OF_MEMORY, TOO_FEW_REPLICAS};
use super::transaction::{Nested, first_slot};
use super::window::NO_SLOT;
use super::{Batch, REROUTES_MAX, route};
use crate::admin::{Flow, NOT_INTEGER};
use crate::clock;
use crate::config::Settings;
use crate::memory;
use crate::monitors::Sender;
use crate::net::io_thread::Thread;
use crate::role::READ_ONLY;
use crate::script::{Digest, Host, Invocation, Rejected, Script, ScriptFlags, Source, Vm};

/// How often a thread that waits for its turn looks whether a script is in the way.
const LOOK_EVERY: Duration = Duration::from_millis(5);

const NOT_DECLARED: &[u8] =
    b"OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";

const NO_SCRIPT: &str = "NOSCRIPT No matching script. Please use EVAL.";

/// What a client is told while a script takes long.
pub(super) const BUSY: &[u8] =
    b"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";

/// Waits for a turn; none if a script takes so long that clients are to be told.
#[cold]
pub(super) fn wait_for_turn<'a>(thread: &'a Thread, settings: &Settings) -> Option<Turn<'a>> {
    loop {
        if let Some(turn) = thread.seat.turn_within(LOOK_EVERY) {
            return Some(turn);
        }
        if thread.node.scripts.running.is_busy(clock::now(), settings.busy_reply_threshold) {
            return None;
        }
    }
}

/// Whether the command cannot run beside a script. WATCH looks at keys, which only Redis can do there.
#[cold]
pub(super) fn waits_for_scripts(spec: &CommandSpec) -> bool {
    let watches = spec.handler == Handler::Transaction(TransactionCommand::Watch);
    watches || !spec.flags.contains(Flags::ALLOW_BUSY)
}

/// A script that is ready to run.
struct Prepared {
    script: Script,
    /// How many of the arguments are keys.
    keys: usize,
    /// It may not write.
    read_only: bool,
}

impl Batch<'_> {
    /// Runs a script on its own.
    #[cold]
    pub(super) fn run_script(
        &mut self,
        command: ScriptCommand,
        spec: &'static CommandSpec,
        args: Args<'_>,
        reply: &mut ReplyWriter<'_>,
    ) -> Flow {
        if command == ScriptCommand::Load {
            self.load(args, reply);
            return Flow::Done;
        }
        for _ in 0..REROUTES_MAX {
            let slot = first_slot(spec, args);
            let asking = self.session.asking;
            if let Some(slot) = slot
                && let Err(redirect) = self.check_route(spec, args, slot)
            {
                reply.error(&redirect.to_string());
                return Flow::Done;
            }
            let prepared = match self.prepare(command, args) {
                Ok(prepared) => prepared,
                Err(error) => {
                    reply.error_bytes(&error);
                    return Flow::Done;
                }
            };
            self.session.asking = asking;
            let thread = self.thread;
            // Whoever waits for the others to stand still must not be waited for.
            self.turn = None;
            let ran = thread.node.engine.stand_still(|| self.run_alone_in(slot, &prepared, args, reply));
            self.turn = Some(thread.seat.turn());
            self.session.asking = false;
            match ran {
                Ok(()) => return Flow::Done,
                Err(_refused) => self.look_again(),
            }
        }
        reply.error(&Redirect::TryAgain.to_string());
        Flow::Done
    }

    /// Runs a script while nobody else runs anything, if the slot of its keys is still served here.
    fn run_alone_in(
        &mut self,
        slot: Option<Slot>,
        prepared: &Prepared,
        args: Args<'_>,
        reply: &mut ReplyWriter<'_>,
    ) -> Result<(), Refused> {
        let engine = &self.thread.node.engine;
        if let Some(slot) = slot.filter(|_| self.view.is_some()) {
            let mut places = Places::default();
            engine.add_places(&mut places, self.session.db, DataCommand::Get, args.skip(2), slot);
            engine.begin(&mut self.engine.context(self.thread, self.now), &places, None)?;
        }
        let held = HeldBack::default();
        let executing = mem::replace(&mut self.session.executing, true);
        self.interpret(prepared, args, &held, reply);
        self.session.executing = executing;
        engine.release(&mut self.engine.context(self.thread, self.now), held);
        Ok(())
    }

    /// Runs a script of a transaction, for which all others stand still already, and counts it.
    pub(super) fn script_in_transaction(
        &mut self,
        command: ScriptCommand,
        spec: &'static CommandSpec,
        args: Args<'_>,
        held: &HeldBack,
        reply: &mut ReplyWriter<'_>,
    ) -> Flow {
        let (begin, started) = (reply.mark(), clock::since_epoch());
        if command == ScriptCommand::Load {
            self.load(args, reply);
        } else {
            match self.prepare(command, args) {
                Ok(prepared) => self.interpret(&prepared, args, held, reply),
                Err(error) => reply.error_bytes(&error),
            }
            self.thread.vm.get().map(Vm::tidy);
        }
        let elapsed = clock::since_epoch().saturating_sub(started).as_nanos();
        self.took(spec, args, u64::try_from(elapsed).unwrap_or(u64::MAX));
        self.count(spec, reply.since(begin));
        Flow::Done
    }

    /// SCRIPT LOAD.
    fn load(&self, args: Args<'_>, reply: &mut ReplyWriter<'_>) {
        let text = args.at(2);
        let digest = Digest::of(text);
        let source = Source::new(digest, text).map_err(String::into_bytes);
        match source.and_then(|source| compile(self.thread, &Arc::new(source))) {
            Ok(_script) => reply.bulk(digest.to_string().as_bytes()),
            Err(error) => reply.error_bytes(&error),
        }
    }

    /// Finds and compiles the script, and sees whether it may run; an error is the reply.
    fn prepare(&mut self, command: ScriptCommand, args: Args<'_>) -> Result<Prepared, Vec<u8>> {
        let keys = count_keys(args).map_err(|error| error.as_bytes().to_vec())?;
        let text = args.at(1);
        let (source, read_only) = match command {
            ScriptCommand::Eval | ScriptCommand::EvalRo => {
                let digest = Digest::of(text);
                let scripts = &self.thread.node.scripts;
                let known =
                    scripts.get(digest).map_or_else(|| Source::new(digest, text).map(Arc::new), Ok)?;
                (known, command == ScriptCommand::EvalRo)
            }
            ScriptCommand::EvalSha | ScriptCommand::EvalShaRo | ScriptCommand::Load => {
                let known = Digest::parse(text).and_then(|digest| self.thread.node.scripts.get(digest));
                (known.ok_or(NO_SCRIPT)?, command == ScriptCommand::EvalShaRo)
            }
        };
        let script = compile(self.thread, &source)?;
        if let Some(flags) = source.flags {
            if flags.contains(ScriptFlags::NO_CLUSTER) && self.thread.node.in_cluster() {
                return Err(b"ERR Can not run script on cluster, 'no-cluster' flag is set.".to_vec());
            }
            if read_only && !flags.contains(ScriptFlags::NO_WRITES) {
                return Err(b"ERR Can not execute a script with write flag using *_ro command.".to_vec());
            }
            let settings = &self.engine.settings;
            let spares = flags.intersects(ScriptFlags::ALLOW_OOM.union(ScriptFlags::NO_WRITES));
            if settings.is_guarded && !spares && memory::is_full(settings) {
                return Err(NOT_DECLARED.to_vec());
            }
        }
        let read_only = read_only || source.flags.is_some_and(|flags| flags.contains(ScriptFlags::NO_WRITES));
        Ok(Prepared { script, keys, read_only })
    }

    fn interpret(
        &mut self,
        prepared: &Prepared,
        args: Args<'_>,
        held: &HeldBack,
        reply: &mut ReplyWriter<'_>,
    ) {
        let node = &self.thread.node;
        if node.monitors.any() {
            node.monitors.show_early(args, self.occasion(Sender::Client));
        }
        let rest = args.skip(3);
        let invocation = Invocation {
            script: &prepared.script,
            keys: rest.take(prepared.keys),
            args: rest.skip(prepared.keys),
        };
        let thread = self.thread;
        let Some(vm) = thread.vm.get() else { return };
        let flags = prepared.script.source.flags;
        let crosses = flags.is_none_or(|flags| flags.contains(ScriptFlags::ALLOW_CROSS_SLOT_KEYS));
        let (db, asking) = (self.session.db, self.session.asking);
        let mut host = Commands {
            held,
            read_only: prepared.read_only,
            crosses,
            allows_oom: flags.is_some_and(|flags| flags.contains(ScriptFlags::ALLOW_OOM)),
            slot: invocation.keys.get(0).map(Slot::of_key),
            asking,
            batch: self,
        };
        thread.node.scripts.running.begin(clock::now());
        let counted = vm.run(&invocation, &mut host, reply);
        thread.node.scripts.running.end();
        thread.node.scripts.set_interpreter(vm.memory());
        self.session.db = db;
        self.error_counted = counted;
    }
}

/// Compiles a script, unless this thread has done so before, and keeps it.
fn compile(thread: &Thread, source: &Arc<Source>) -> Result<Script, Vec<u8>> {
    let scripts = &thread.node.scripts;
    let vm = match thread.vm.get() {
        Some(vm) => vm,
        None => {
            let node = Arc::clone(&thread.node);
            let vm = Vm::new(move || node.scripts.running.is_killed())
                .map_err(|error| format!("ERR the interpreter cannot start: {error}").into_bytes())?;
            thread.vm.get_or_init(|| vm)
        }
    };
    if let Some(script) = vm.compiled(source, scripts.flushed())
        && scripts.knows(source.digest)
    {
        return Ok(script);
    }
    let script = vm.compile(source)?;
    scripts.keep(source);
    Ok(script)
}

/// How many of a script's arguments are keys.
fn count_keys(args: Args<'_>) -> Result<usize, &'static str> {
    let count = parse_integer(args.at(2)).ok_or(NOT_INTEGER)?;
    match usize::try_from(count) {
        Err(_) => Err("ERR Number of keys can't be negative"),
        Ok(count) if count > args.len() - 3 => Err("ERR Number of keys can't be greater than number of args"),
        Ok(count) => Ok(count),
    }
}

/// What runs the commands of a script.
struct Commands<'h, 'b, 'a> {
    batch: &'b mut Batch<'a>,
    held: &'h HeldBack,
    read_only: bool,
    /// It may use keys of several slots.
    crosses: bool,
    /// It may write when there is no memory left.
    allows_oom: bool,
    /// The slot of its keys so far.
    slot: Option<Slot>,
    /// ASKING was said before it.
    asking: bool,
}

/// The command that a script means.
fn resolve(args: Args<'_>) -> Result<&'static CommandSpec, Rejected> {
    let reject = |text: &str| Rejected(text.as_bytes().to_vec());
    let spec = args.get(0).and_then(lookup);
    let spec = match (spec, args.get(1)) {
        (Some(container), Some(name)) if !container.subcommands.is_empty() => container.subcommand(name),
        (spec, _) => spec,
    };
    let spec = spec.ok_or_else(|| reject("ERR Unknown Redis command called from script"))?;
    if spec.arity_ok(args.len()) {
        Ok(spec)
    } else {
        Err(reject("ERR Wrong number of args calling Redis command from script"))
    }
}

impl Commands<'_, '_, '_> {
    /// Whether the script may run the command.
    fn check(&mut self, spec: &CommandSpec, args: Args<'_>) -> Result<Option<Slot>, &'static str> {
        let undenied = &self.batch.thread.node.scripts.undenied;
        if spec.flags.contains(Flags::NOSCRIPT) && !undenied.load(Ordering::Relaxed) {
            return Err("ERR This Redis command is not allowed from script");
        }
        if self.read_only && spec.flags.intersects(Flags::WRITE.union(Flags::MAY_REPLICATE)) {
            return Err("ERR Write commands are not allowed from read-only scripts.");
        }
        if let Some(error) = self.objection(spec) {
            return Err(error);
        }
        let slot = first_slot(spec, args);
        let Some((view, slot)) = self.batch.view.as_ref().zip(slot) else { return Ok(slot) };
        let access = Access {
            write: spec.flags.contains(Flags::WRITE),
            readonly: self.batch.session.readonly,
            asking: self.asking,
        };
        if route::check(view, spec, args, slot, access).is_err() {
            return Err("ERR Script attempted to access a non local key in a cluster node");
        }
        if !self.crosses && *self.slot.get_or_insert(slot) != slot {
            return Err("ERR Script attempted to access keys that do not hash to the same slot");
        }
        Ok(Some(slot))
    }
}

impl Commands<'_, '_, '_> {
    /// What the state of the server has against the command; nothing once the script has written.
    fn objection(&self, spec: &CommandSpec) -> Option<&'static str> {
        let scripts = &self.batch.thread.node.scripts;
        let settings = &self.batch.engine.settings;
        if self.batch.engine.sees_expired {
            // It is the primary's, and has run there.
            return None;
        }
        if self.batch.limited && settings.replication.read_only && spec.flags.contains(Flags::WRITE) {
            return Some(READ_ONLY);
        }
        if !settings.is_guarded || scripts.running.has_written() {
            return None;
        }
        if spec.flags.contains(Flags::WRITE) && self.batch.lacks_replicas() {
            return Some(TOO_FEW_REPLICAS);
        }
        let full = spec.flags.contains(Flags::DENYOOM) && !self.allows_oom && memory::is_full(settings);
        full.then_some(OUT_OF_MEMORY)
    }
}

impl Host for Commands<'_, '_, '_> {
    fn call(&mut self, args: Args<'_>, protocol: Protocol, reply: &mut Vec<u8>) -> Result<(), Rejected> {
        let spec = match resolve(args) {
            Ok(spec) => spec,
            Err(rejected) => {
                self.batch.count_rejected(None, &rejected);
                return Err(rejected);
            }
        };
        let slot = self.check(spec, args).map_err(|text| {
            let rejected = Rejected(text.as_bytes().to_vec());
            self.batch.count_rejected(Some(spec), &rejected);
            rejected
        })?;
        if spec.flags.contains(Flags::WRITE) {
            self.batch.thread.node.scripts.running.writes();
        }
        let nested = Nested { spec, args, slot: slot.unwrap_or(NO_SLOT), sender: Sender::Script };
        let mut writer = ReplyWriter::new(reply, protocol);
        self.batch.run_nested(nested, None, Some(self.held), &mut writer);
        Ok(())
    }
}

impl Batch<'_> {
    fn count_rejected(&self, spec: Option<&CommandSpec>, Rejected(text): &Rejected) {
        if let Some(spec) = spec {
            self.thread.counters.command(spec.handler).rejected.add(1);
        }
        self.count_error(&[b"-", text.as_slice()].concat());
    }
}
