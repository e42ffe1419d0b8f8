//! Whether this node serves a command's keys, in cluster mode.
//!
//! The control plane's [`View`] is read once per batch. All keys of a command must be in one slot; then
//! `nuthatch_cluster` says where that slot belongs.

use nuthatch_cluster::routing::{Access, route};
use nuthatch_proto::command_table::{CommandSpec, Flags, keys};
use nuthatch_proto::redirect::Redirect;
use nuthatch_proto::resp::Args;
use nuthatch_proto::slot::Slot;

use crate::driver::View;
use crate::net::session::Session;

/// What the command asks of its slot.
#[inline]
pub(crate) fn access(spec: &CommandSpec, session: &Session) -> Access {
    Access { write: spec.flags.contains(Flags::WRITE), readonly: session.readonly, asking: session.asking }
}

/// Whether the command is served here; `slot` is that of its first key.
#[inline]
pub(crate) fn check(
    view: &View,
    spec: &CommandSpec,
    args: Args<'_>,
    slot: Slot,
    access: Access,
) -> Result<(), Redirect> {
    if !spec.has_one_key() && !in_one_slot(spec, args, slot) {
        return Err(Redirect::CrossSlot);
    }
    match route(&view.topology, &view.standing, slot, access).refusal() {
        None => Ok(()),
        Some(redirect) => Err(redirect),
    }
}

#[cold]
fn in_one_slot(spec: &CommandSpec, args: Args<'_>, slot: Slot) -> bool {
    // A command whose keys cannot be told is refused by the engine, with the error that says why.
    keys(spec, args).is_ok_and(|mut keys| keys.all(|index| Slot::of_key(args.at(index)) == slot))
        || keys(spec, args).is_err()
}
