//! The connections that other nodes have opened to this one: CLUSTER LINKS shows them.
//!
//! A connection says with its first Probe which node it comes from, and is nobody's before. Each is known for as long
//! as it is open: it holds its own entry, and the registry only a weak reference to it. So the registry is as long as
//! the connections that [`incoming`](super::incoming) admits are many.
//!
//! What it is not: proof of who calls. That is shown, and nothing is decided by it.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};

use nuthatch_proto::ids::{NodeId, Timestamp};
use parking_lot::Mutex;

/// A connection that another node has opened.
#[derive(Debug)]
pub(crate) struct Caller {
    /// When it was opened.
    opened: Timestamp,
    /// Its address on this side.
    pub(crate) local: Option<SocketAddr>,
    /// Its address on the other side.
    pub(crate) remote: Option<SocketAddr>,
    /// Which node it says it comes from.
    node: OnceLock<NodeId>,
}

impl Caller {
    /// Notes which node it comes from; only the first word counts.
    pub(crate) fn introduce(&self, node: NodeId) {
        let _ = self.node.set(node);
    }
}

/// The open ones.
#[derive(Debug, Default)]
pub(crate) struct Callers(Mutex<Vec<Weak<Caller>>>);

impl Callers {
    /// Notes a connection, for as long as the answer is held.
    pub(crate) fn enter(
        &self,
        opened: Timestamp,
        local: Option<SocketAddr>,
        remote: Option<SocketAddr>,
    ) -> Arc<Caller> {
        let caller = Arc::new(Caller { opened, local, remote, node: OnceLock::new() });
        let mut callers = self.0.lock();
        callers.retain(|caller| caller.strong_count() > 0);
        callers.push(Arc::downgrade(&caller));
        caller
    }

    /// Which nodes have connections open, and since when.
    pub(crate) fn named(&self) -> Vec<(NodeId, Timestamp)> {
        let callers = self.0.lock();
        let named = |caller: &Weak<Caller>| {
            let caller = caller.upgrade()?;
            Some((*caller.node.get()?, caller.opened))
        };
        callers.iter().filter_map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_known_by_name_while_they_are_open() {
        let callers = Callers::default();
        let (one, other) = (callers.enter(Timestamp(1), None, None), callers.enter(Timestamp(2), None, None));
        assert_eq!(callers.named(), []);
        one.introduce(NodeId([1; 20]));
        other.introduce(NodeId([2; 20]));
        other.introduce(NodeId([3; 20]));
        assert_eq!(callers.named(), [(NodeId([1; 20]), Timestamp(1)), (NodeId([2; 20]), Timestamp(2))]);
        drop(one);
        assert_eq!(callers.named(), [(NodeId([2; 20]), Timestamp(2))]);
        let _third = callers.enter(Timestamp(3), None, None);
        assert_eq!(callers.0.lock().len(), 2, "closed ones are forgotten");
    }
}
