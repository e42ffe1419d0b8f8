//! The engine's gates, kept in step with the topology.
//!
//! Routing may be stale, a gate may not. So a slot that moves away is shut before the topology that says so is
//! published, and one that arrives is opened after: whoever routes by the new topology finds the gate as it says, and
//! whoever still routes by the old one is refused and routes again.
//!
//! A slot that became another shard's takes its keys with it, in the cluster's eyes: what lies here is removed, so that
//! it can never come back as stale data. The keys of a slot without an owner stay, as in Redis.
//!
//! Invariants: a gate is open only while this life of this node is granted the slot and nobody holds it; shutting returns
//! when no command runs on the slot any more.

use std::sync::Arc;

use nuthatch_cluster::routing::Standing;
use nuthatch_cluster::topology::Topology;
use nuthatch_engine::{Context, Engine, Gate, NoEffects, Rng, Seat, Stats};
use nuthatch_proto::slot::{SLOT_COUNT, Slot};

use crate::clock;

/// One slot's gate.
#[derive(Debug, Default, Clone, Copy)]
struct State {
    open: bool,
    /// Shut although it is ours, because a proposal counts on the slot's being empty.
    held: bool,
    /// It has been open since it was last swept, so there may be keys.
    used: bool,
}

/// Which gates are open.
pub(crate) struct Gates {
    engine: Arc<Engine>,
    states: Box<[State]>,
    seat: Seat,
}

impl Gates {
    /// Shuts all gates: a process that has just started owns nothing.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Slot::all().for_each(|slot| engine.set_gate(slot, Gate::Shut));
        let seat = engine.seat();
        Self { engine, seat, states: vec![State::default(); usize::from(SLOT_COUNT)].into() }
    }

    /// Shuts the gates of slots that are not this node's in that topology: before it is published.
    pub(crate) fn shut_lost(&mut self, topology: &Topology, standing: &Standing) {
        for slot in Slot::all() {
            let state = &mut self.states[slot.index()];
            if (state.open || state.used) && !standing.owns(topology, slot) {
                let _turn = self.seat.turn();
                self.engine.set_gate(slot, Gate::Shut);
                state.open = false;
                let moved = topology.owner(slot).is_some_and(|shard| shard.primary.node != standing.me());
                if moved && state.used {
                    sweep(&self.engine, slot);
                    state.used = false;
                }
            }
        }
    }

    /// Opens the gates of slots that are this node's in that topology: after it was published.
    pub(crate) fn open_gained(&mut self, topology: &Topology, standing: &Standing) {
        for slot in Slot::all() {
            let state = &mut self.states[slot.index()];
            if !state.open && !state.held && standing.owns(topology, slot) {
                *state = State { open: true, used: true, ..*state };
                let _turn = self.seat.turn();
                self.engine.set_gate(slot, Gate::Open);
            }
        }
    }

    /// Shuts a gate for as long as it is held; `true` if the slot has no keys.
    pub(crate) fn hold(&mut self, slot: Slot) -> bool {
        let state = &mut self.states[slot.index()];
        *state = State { open: false, held: true, ..*state };
        let _turn = self.seat.turn();
        self.engine.set_gate(slot, Gate::Shut);
        (0..self.engine.databases()).all(|db| self.engine.count_keys_in_slot(db, slot) == 0)
    }

    /// The proposal has an outcome: the gate follows the topology again, with [`Gates::open_gained`].
    pub(crate) fn release(&mut self, slot: Slot) {
        self.states[slot.index()].held = false;
    }
}

/// Removes the keys of a slot whose gate is shut.
fn sweep(engine: &Engine, slot: Slot) {
    let (mut stats, mut rng) = (Stats::default(), Rng::new(0));
    let mut context = Context::new(clock::now(), &NoEffects, &mut stats, &mut rng);
    for db in 0..engine.databases() {
        let removed = engine.flush_slot(&mut context, db, slot);
        if removed > 0 {
            tracing::warn!(
                "slot {slot} is another node's now: {removed} keys that were left in it are removed"
            );
        }
    }
}
