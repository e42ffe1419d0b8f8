//! Commands that are refused because of the state of the server, whatever they are about: there is no memory left, or
//! fewer replicas than `min-replicas-to-write` asks for.
//!
//! Without such a limit nothing is looked at. EXEC counts as what it would run; and while there is no memory, nothing more is
//! queued, because what is queued needs some. A command whose keys are served elsewhere is not refused, so that its client
//! hears where they are. What a transaction runs is not looked at again; what a script runs is, where it calls it.

use nuthatch_proto::command_table::{CommandSpec, Flags, Handler, NodeCommand, TransactionCommand};
use nuthatch_proto::resp::{Args, ReplyWriter};
use nuthatch_proto::slot::Slot;

use super::Batch;
use crate::memory;

/// No memory is left.
pub(super) const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";
/// There are too few replicas.
pub(super) const TOO_FEW_REPLICAS: &str = "NOREPLICAS Not enough good replicas to write.";

impl Batch<'_> {
    /// Refuses the command if the state of the server asks for it; whether it did.
    #[cold]
    pub(super) fn is_guarded_against(
        &mut self,
        spec: &'static CommandSpec,
        args: Args<'_>,
        slot: Slot,
        reply: &mut ReplyWriter<'_>,
    ) -> bool {
        let Some(error) = self.objection(spec) else { return false };
        if matches!(spec.handler, Handler::Data(_)) {
            let asking = self.session.asking;
            let elsewhere = self.check_route(spec, args, slot).is_err();
            self.session.asking = asking;
            if elsewhere {
                return false;
            }
        }
        self.reject(Some(spec), error, reply);
        true
    }

    /// Whether fewer replicas follow than writes ask for.
    pub(super) fn lacks_replicas(&self) -> bool {
        let settings = &self.engine.settings;
        let (wanted, max_lag) = (settings.min_replicas, settings.replication.max_lag);
        let node = &self.thread.node;
        let heard = || {
            let copies =
                node.cluster.as_ref().map_or(0, |cluster| cluster.replication().heard_within(max_lag));
            node.feed.heard_within(max_lag, self.now).saturating_add(copies)
        };
        wanted > 0 && max_lag > 0 && heard() < wanted
    }

    /// What speaks against the command.
    fn objection(&self, spec: &CommandSpec) -> Option<&'static [u8]> {
        let settings = &self.engine.settings;
        let queue = self.session.queue.as_deref();
        let flags = match (spec.handler, queue) {
            (Handler::Transaction(TransactionCommand::Exec), Some(queue)) => queue.flags(),
            _ => spec.flags,
        };
        let needs_memory = flags.contains(Flags::DENYOOM) || (queue.is_some() && !ends_transaction(spec));
        if needs_memory && memory::is_full(settings) {
            return Some(OUT_OF_MEMORY.as_bytes());
        }
        (flags.contains(Flags::WRITE) && self.lacks_replicas()).then_some(TOO_FEW_REPLICAS.as_bytes())
    }
}

/// Whether a transaction may be over after the command.
fn ends_transaction(spec: &CommandSpec) -> bool {
    matches!(
        spec.handler,
        Handler::Transaction(TransactionCommand::Exec | TransactionCommand::Discard)
            | Handler::Node(NodeCommand::Quit | NodeCommand::Reset)
    )
}
