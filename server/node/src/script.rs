//! Lua scripts: what the node knows of them, and the interpreter that runs them.
//!
//! Nothing here runs a command or locks a key: a script asks its [`Host`], which is the dispatch of commands
//! (`dispatch/script`). So all of it is tested without a socket or a key.
//!
//! Scripts stay until somebody forgets them all, as in Redis. They are shared by all threads; compiled they belong to a
//! thread's interpreter ([`Vm`]), which is bounded in memory and outlives no script's effects: what scripts see of it
//! they cannot change.

mod api;
mod arguments;
mod bit;
mod cjson;
mod cmsgpack;
mod failure;
mod packing;
mod running;
mod source;
pub(crate) mod thread;
mod values;
mod vm;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dashmap::DashMap;
use nuthatch_proto::command_table::{Handler, ScriptCommand};
use nuthatch_proto::resp::Args;

pub(crate) use running::{Kill, Running};
pub(crate) use source::{Digest, ScriptFlags, Source};
pub(crate) use vm::{Host, Invocation, Rejected, Script, Vm};

/// The scripts that the node knows.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    sources: DashMap<Digest, Arc<Source>>,
    /// How often all were forgotten: interpreters forget what they have compiled by it.
    flushed: AtomicU64,
    /// How many bytes the interpreter takes that runs most of them.
    interpreter: AtomicU64,
    /// The script that runs.
    pub(crate) running: Running,
    /// Whether scripts may run what they may not (DEBUG SET-DISABLE-DENY-SCRIPTS).
    pub(crate) undenied: AtomicBool,
}

impl Scripts {
    /// A script, if it is known.
    pub(crate) fn get(&self, digest: Digest) -> Option<Arc<Source>> {
        self.sources.get(&digest).map(|source| Arc::clone(&source))
    }

    /// What the script declares that a command runs, if it runs one and that declares something.
    pub(crate) fn declared(&self, handler: Handler, args: Args<'_>) -> Option<ScriptFlags> {
        let Handler::Script(command) = handler else { return None };
        match command {
            ScriptCommand::Eval | ScriptCommand::EvalRo => source::declared(args.get(1)?),
            ScriptCommand::EvalSha | ScriptCommand::EvalShaRo => {
                self.get(Digest::parse(args.get(1)?)?)?.flags
            }
            ScriptCommand::Load => None,
        }
    }

    /// Keeps a script.
    pub(crate) fn keep(&self, source: &Arc<Source>) {
        self.sources.insert(source.digest, Arc::clone(source));
    }

    /// Whether a script is known.
    pub(crate) fn knows(&self, digest: Digest) -> bool {
        self.sources.contains_key(&digest)
    }

    /// Forgets all of them.
    pub(crate) fn flush(&self) {
        self.sources.clear();
        self.flushed.fetch_add(1, Ordering::AcqRel);
    }

    /// How often all were forgotten.
    pub(crate) fn flushed(&self) -> u64 {
        self.flushed.load(Ordering::Acquire)
    }

    /// How many bytes the interpreter took when it had last run one.
    pub(crate) fn interpreter(&self) -> u64 {
        self.interpreter.load(Ordering::Relaxed)
    }

    /// Keeps how many bytes an interpreter takes.
    pub(crate) fn set_interpreter(&self, bytes: usize) {
        self.interpreter.store(bytes as u64, Ordering::Relaxed);
    }

    /// How many there are, and how many bytes they take.
    pub(crate) fn size(&self) -> (usize, usize) {
        self.sources.iter().fold((0, 0), |(count, bytes), source| (count + 1, bytes + source.bytes()))
    }
}

#[cfg(test)]
mod tests;
