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
    Access {
        write: spec.flags.contains(Flags::WRITE),
        readonly: session.readonly,
        asking: session.asking || spec.flags.contains(Flags::ASKING),
    }
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
    if !spec.has_one_key() {
        match placement(spec, args, slot) {
            Placement::One => {}
            Placement::None => return Ok(()),
            Placement::Several => return Err(Redirect::CrossSlot),
        }
    }
    // Who reads from a copy that is none at the moment, or an old one, is sent to the primary.
    let readonly = access.readonly && view.replication.is_readable();
    let access = Access { readonly, ..access };
    match route(&view.topology, &view.standing, slot, access).refusal() {
        None => Ok(()),
        Some(redirect) => Err(redirect),
    }
}

/// In how many slots a command's keys are.
enum Placement {
    /// It names none. The engine runs it, which mostly means that it says what is wrong.
    None,
    /// All in that of the first.
    One,
    /// They are scattered.
    Several,
}

fn placement(spec: &CommandSpec, args: Args<'_>, slot: Slot) -> Placement {
    let Ok(mut keys) = keys(spec, args).map(Iterator::peekable) else { return Placement::None };
    if keys.peek().is_none() {
        Placement::None
    } else if keys.all(|index| Slot::of_key(args.at(index)) == slot) {
        Placement::One
    } else {
        Placement::Several
    }
}
