//! Whether this node serves a command's keys, in cluster mode.
//!
//! [`Routing`] is what one topology means for this node, worked out when the topology is published and read once per
//! batch. All keys of a command must be in one slot; then `nuthatch_cluster` says where that slot belongs.

use std::sync::Arc;

use nuthatch_cluster::routing::{Access, Standing, route};
use nuthatch_cluster::topology::Topology;
use nuthatch_proto::command_table::{CommandSpec, Flags, keys};
use nuthatch_proto::redirect::Redirect;
use nuthatch_proto::resp::Args;
use nuthatch_proto::slot::Slot;

use crate::net::session::Session;

/// A topology and what this node is in it.
#[derive(Debug)]
pub(crate) struct Routing {
    /// The topology.
    pub(crate) topology: Arc<Topology>,
    /// What this node is in it.
    pub(crate) standing: Standing,
}

impl Routing {
    /// What the command asks of its slot.
    #[inline]
    pub(crate) fn access(&self, spec: &CommandSpec, session: &Session) -> Access {
        Access {
            write: spec.flags.contains(Flags::WRITE),
            readonly: session.readonly,
            asking: session.asking,
        }
    }

    /// Whether the command is served here; `slot` is that of its first key.
    #[inline]
    pub(crate) fn check(
        &self,
        spec: &CommandSpec,
        args: Args<'_>,
        slot: Slot,
        access: Access,
    ) -> Result<(), Redirect> {
        if !spec.has_one_key() && !in_one_slot(spec, args, slot) {
            return Err(Redirect::CrossSlot);
        }
        match route(&self.topology, &self.standing, slot, access).refusal() {
            None => Ok(()),
            Some(redirect) => Err(redirect),
        }
    }
}

#[cold]
fn in_one_slot(spec: &CommandSpec, args: Args<'_>, slot: Slot) -> bool {
    // A command whose keys cannot be told is refused by the engine, with the error that says why.
    keys(spec, args).is_ok_and(|mut keys| keys.all(|index| Slot::of_key(args.at(index)) == slot))
        || keys(spec, args).is_err()
}
