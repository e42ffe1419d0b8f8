//! The engine's gates, kept in step with the topology.
//!
//! Routing may be stale, a gate may not. So a slot that moves away is shut before the topology that says so is
//! published, and one that arrives is opened after: whoever routes by the new topology finds the gate as it says, and
//! whoever still routes by the old one is refused and routes again.
//!
//! Invariants: a gate is open only while this life of this node is granted the slot; shutting returns when no command
//! runs on the slot any more.

use std::sync::Arc;

use nuthatch_cluster::routing::Standing;
use nuthatch_cluster::topology::Topology;
use nuthatch_engine::{Engine, Gate};
use nuthatch_proto::slot::{SLOT_COUNT, Slot};

/// Which gates are open.
pub(crate) struct Gates {
    engine: Arc<Engine>,
    open: Box<[bool]>,
}

impl Gates {
    /// Shuts all gates: a process that has just started owns nothing.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Slot::all().for_each(|slot| engine.set_gate(slot, Gate::Shut));
        Self { engine, open: vec![false; usize::from(SLOT_COUNT)].into() }
    }

    /// Shuts the gates of slots that are not this node's in that topology: before it is published.
    pub(crate) fn shut_lost(&mut self, topology: &Topology, standing: &Standing) {
        self.set(Gate::Shut, |slot| !standing.owns(topology, slot));
    }

    /// Opens the gates of slots that are this node's in that topology: after it was published.
    pub(crate) fn open_gained(&mut self, topology: &Topology, standing: &Standing) {
        self.set(Gate::Open, |slot| standing.owns(topology, slot));
    }

    fn set(&mut self, gate: Gate, concerns: impl Fn(Slot) -> bool) {
        let open = gate == Gate::Open;
        for slot in Slot::all() {
            let is_open = &mut self.open[slot.index()];
            if *is_open != open && concerns(slot) {
                self.engine.set_gate(slot, gate);
                *is_open = open;
            }
        }
    }
}
