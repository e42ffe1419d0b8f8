//! FLUSHALL and FLUSHDB that are answered when the memory is free again.
//!
//! The keys are gone before anything here happens: the engine has put them aside, and a thread of its own
//! ([`freeing`](crate::node::freeing)) frees them, so that nobody's commands wait behind a million of them. Redis frees
//! them at once where it is told SYNC, and stands still meanwhile. Here only the client that asked waits.
//!
//! Within a transaction nothing waits: there the answer comes at once, and the memory a little later.

use std::time::Duration;

use nuthatch_engine::Engine;
use nuthatch_proto::command_table::KeyspaceCommand;
use nuthatch_proto::resp::Args;
use tokio::time::sleep;

use crate::config::Settings;
use crate::node::Node;

/// How often to look.
const PAUSE: Duration = Duration::from_millis(1);

/// Whether the answer to this command, which has just run, waits for memory.
pub(crate) fn waits(command: KeyspaceCommand, args: Args<'_>, settings: &Settings, engine: &Engine) -> bool {
    use KeyspaceCommand as C;
    let mode = args.get(1);
    let flushes = matches!(command, C::FlushAll | C::FlushDb);
    let sync = mode.map_or(!settings.lazy_user_flush, |mode| mode.eq_ignore_ascii_case(b"sync"));
    flushes && sync && engine.lazyfree().pending > 0
}

/// Waits until what waits now is free.
pub(super) async fn wait(node: &Node) {
    let debt = node.engine.debt();
    node.freeing.wake();
    while !node.engine.is_paid(debt) {
        sleep(PAUSE).await;
    }
}
