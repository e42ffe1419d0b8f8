//! The engine's gates, kept in step with the topology.
//!
//! Routing may be stale, a gate may not. So a slot that moves away is shut before the topology that says so is
//! published, and one that arrives is opened after: whoever routes by the new topology finds the gate as it says, and
//! whoever still routes by the old one is refused and routes again.
//!
//! A slot that became another shard's takes its keys with it, in the cluster's eyes: what lies here is removed, so that
//! it can never come back as stale data. They are out of the slot before the topology that says so is published, which
//! takes no time; freeing them does, and is left to `reclaim`. The keys of a slot without an owner stay, as in Redis, and so
//! do those of a primary that becomes a replica: they are the copy that it goes on with.
//!
//! A primary of a shard that has replicas opens its gates when it serves, which is later than when it is granted the
//! shard; a replica opens them for those who read, when its engine is a copy ([`Replication::is_ready`]).
//!
//! Invariants: a gate is open only while this life of this node is granted the slot or copies it, and nobody holds it;
//! shutting returns when no command runs on the slot any more.

use std::io;
use std::sync::Arc;

use nuthatch_cluster::routing::Standing;
use nuthatch_cluster::topology::Topology;
use nuthatch_engine::{Context, EffectSink, Engine, Gate, Removed, Rng, Seat, Stats};
use nuthatch_proto::ids::{Epoch, ShardId};
use nuthatch_proto::slot::{SLOT_COUNT, Slot};

use super::reclaim::Reclaimer;
use crate::clock;
use crate::replication::Replication;

/// One slot's gate.
#[derive(Debug, Default, Clone, Copy)]
struct State {
    open: bool,
    /// Shut although it is ours, because a proposal counts on the slot's being empty.
    held: bool,
    /// It has been open since it was last swept, so there may be keys.
    used: bool,
    /// It was shut, and clients may still wait for elements in it.
    deserted: bool,
}

/// Who hears of keys that go with their slot.
pub(crate) type Departures = Arc<dyn EffectSink + Send + Sync>;

/// Which gates are open.
pub(crate) struct Gates {
    engine: Arc<Engine>,
    departures: Departures,
    reclaimer: Reclaimer<Removed>,
    replication: Arc<Replication>,
    /// The shard and the epoch in which gates are open, if any was opened in it.
    opened: Option<(ShardId, Epoch)>,
    states: Box<[State]>,
    seat: Seat,
}

impl Gates {
    /// Shuts all gates: a process that has just started owns nothing. `departures` hears of keys that go with their slot. An
    /// error is the system's refusal of a thread.
    pub(crate) fn new(
        engine: Arc<Engine>,
        departures: Departures,
        replication: Arc<Replication>,
    ) -> io::Result<Self> {
        Slot::all().for_each(|slot| engine.set_gate(slot, Gate::Shut));
        let states = vec![State::default(); usize::from(SLOT_COUNT)].into();
        let seat = engine.seat();
        Ok(Self {
            engine,
            departures,
            reclaimer: Reclaimer::start()?,
            replication,
            opened: None,
            seat,
            states,
        })
    }

    /// Whether this node may run commands on a slot: those of everybody, or those of who reads from a copy.
    fn may_open(&self, topology: &Topology, standing: &Standing, slot: Slot) -> bool {
        let (Some(grant), Some(shard)) = (standing.grant(), topology.owner(slot)) else { return false };
        let ready = self.opened == Some((shard.id, shard.epoch)) || self.replication.is_ready(shard.epoch);
        match shard.is_served_by(grant) {
            true => ready || (shard.replicas.is_empty() && !self.engine.is_passive()),
            false => ready && shard.has_replica(grant.node),
        }
    }

    /// Shuts the gates of slots that are not this node's in that topology: before it is published.
    pub(crate) fn shut_lost(&mut self, topology: &Topology, standing: &Standing) {
        let mine = topology.node(standing.me()).map(|node| node.shard);
        for slot in Slot::all() {
            let stays = self.may_open(topology, standing, slot);
            let state = &mut self.states[slot.index()];
            if (state.open || state.used) && !stays {
                let _turn = self.seat.turn();
                self.engine.set_gate(slot, Gate::Shut);
                state.open = false;
                state.deserted = true;
                let moved = topology.owner(slot).is_some_and(|shard| Some(shard.id) != mine);
                if moved && state.used {
                    sweep(&self.engine, &*self.departures, &self.reclaimer, slot);
                    state.used = false;
                }
            }
        }
    }

    /// Opens the gates of slots that are this node's in that topology, and sends away the clients that wait in slots
    /// which are not: after it was published.
    pub(crate) fn open_gained(&mut self, topology: &Topology, standing: &Standing) {
        for slot in Slot::all() {
            let may_open = self.may_open(topology, standing, slot);
            let state = &mut self.states[slot.index()];
            if !state.open && !state.held && may_open {
                self.opened = topology.owner(slot).map(|shard| (shard.id, shard.epoch));
                *state = State { open: true, used: true, ..*state };
                let _turn = self.seat.turn();
                self.engine.set_gate(slot, Gate::Open);
            }
            if std::mem::take(&mut state.deserted) && !state.open {
                self.engine.dismiss(slot);
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
fn sweep(engine: &Engine, departures: &dyn EffectSink, reclaimer: &Reclaimer<Removed>, slot: Slot) {
    let (mut stats, mut rng) = (Stats::default(), Rng::new(0));
    let mut context = Context::new(clock::now(), departures, &mut stats, &mut rng);
    for db in 0..engine.databases() {
        if let Some(removed) = engine.flush_slot(&mut context, db, slot) {
            tracing::warn!(
                "slot {slot} is another node's now: {} keys that were left in it are removed",
                removed.keys()
            );
            reclaimer.free(removed);
        }
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_cluster::topology::{
        Address, Grant, GroupId, Joiner, ProcessId, Role, SlotRange, StorageId, TopologyChange,
    };
    use nuthatch_engine::{EngineOptions, NoEffects};
    use nuthatch_proto::command_table::DataCommand;
    use nuthatch_proto::ids::{LogIndex, NodeId};
    use nuthatch_proto::resp::args::OwnedArgs;
    use nuthatch_proto::resp::{Protocol, ReplyWriter};

    use super::*;

    const KEYS: usize = 100;

    fn joiner(number: u8, slots: Vec<SlotRange>) -> Joiner {
        Joiner {
            id: NodeId([number; 20]),
            shard: ShardId([number; 20]),
            storage: StorageId([number; 16]),
            process: ProcessId([number; 16]),
            address: Address { host: "h".to_owned(), port: 1, bus_port: 2, hostname: String::new() },
            slots,
        }
    }

    /// Node 1 with all slots, and node 2 with none.
    fn two_nodes() -> Topology {
        let one = Topology::singleton(GroupId([1; 16]), LogIndex(1), joiner(1, vec![SlotRange::ALL]));
        let join = TopologyChange::Join { joiner: joiner(2, Vec::new()), role: Role::Watcher };
        one.apply(LogIndex(2), &join).expect("it is new")
    }

    fn after(topology: &Topology, change: TopologyChange) -> Topology {
        topology.apply(LogIndex(topology.applied().0 + 1), &change).expect("it is legal")
    }

    /// What the driver does when that topology comes.
    fn publish(gates: &mut Gates, topology: &Topology) {
        let standing = Standing::new(topology, NodeId([1; 20]), ProcessId([1; 16]), false);
        gates.shut_lost(topology, &standing);
        gates.open_gained(topology, &standing);
    }

    fn fill(engine: &Engine) {
        let (mut stats, mut rng) = (Stats::default(), Rng::new(0));
        let mut context = Context::new(clock::now(), &NoEffects, &mut stats, &mut rng);
        for number in 0..KEYS {
            let key = format!("{{t}}{number}");
            let args = OwnedArgs::from_iter([&b"SET"[..], key.as_bytes(), b"v"]);
            let mut out = Vec::new();
            let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
            let slot = Slot::of_key(key.as_bytes());
            let done = engine.execute(&mut context, 0, DataCommand::Set, args.as_args(), slot, &mut reply);
            assert_eq!((done, &out[..]), (Ok(()), &b"+OK\r\n"[..]));
        }
    }

    #[test]
    fn the_keys_of_a_slot_that_moved_are_gone_at_once_and_do_not_come_back_with_it() {
        let engine = Arc::new(Engine::new(EngineOptions { databases: 1, in_cluster: true, hash_seed: 1 }));
        let mut gates = Gates::new(Arc::clone(&engine), Arc::new(NoEffects), Arc::new(Replication::new().0))
            .expect("a thread");
        let mut topology = two_nodes();
        publish(&mut gates, &topology);
        fill(&engine);
        let slot = Slot::of_key(b"{t}");
        let count = || engine.count_keys_in_slot(0, slot);
        let (one, two) = (NodeId([1; 20]), NodeId([2; 20]));
        let give = |node, from| TopologyChange::SetSlotNode { slot, node, expected: Some(ShardId(from)) };

        // Nobody's for a while: the keys are still what they were.
        let ranges = vec![SlotRange::single(slot)];
        let nobodys = after(&topology, TopologyChange::DelSlots { node: one, ranges: ranges.clone() });
        publish(&mut gates, &nobodys);
        assert_eq!(count(), KEYS);
        topology = after(&nobodys, TopologyChange::AddSlots { node: one, ranges });
        publish(&mut gates, &topology);
        assert_eq!(count(), KEYS);

        topology = after(&topology, give(two, [1; 20]));
        publish(&mut gates, &topology);
        assert_eq!(count(), 0);
        topology = after(&topology, give(one, [2; 20]));
        publish(&mut gates, &topology);
        assert_eq!(count(), 0, "what another node may have changed meanwhile");
    }

    #[test]
    fn a_primary_that_becomes_a_replica_keeps_its_copy_behind_shut_gates() {
        let engine = Arc::new(Engine::new(EngineOptions { databases: 1, in_cluster: true, hash_seed: 1 }));
        let replication = Arc::new(Replication::new().0);
        let mut gates =
            Gates::new(Arc::clone(&engine), Arc::new(NoEffects), Arc::clone(&replication)).expect("a thread");
        let (one, two) = (NodeId([1; 20]), NodeId([2; 20]));
        let topology = after(&two_nodes(), TopologyChange::Replicate { node: two, primary: one });
        let slot = Slot::of_key(b"{t}");
        publish(&mut gates, &topology);
        assert!(!gates.states[slot.index()].open, "it is granted the slot and does not serve yet");
        replication.set_ready(topology.owner(slot).map(|shard| shard.epoch));
        publish(&mut gates, &topology);
        fill(&engine);

        let shard = topology.owner(slot).expect("it has one").clone();
        let (id, epoch, isr_version, by) = (shard.id, shard.epoch, shard.isr_version, shard.primary);
        let member = Grant { node: two, incarnation: topology.node(two).expect("a member").incarnation };
        let grown = after(&topology, TopologyChange::GrowIsr { shard: id, epoch, isr_version, by, member });
        let promote = TopologyChange::Promote { shard: id, epoch, primary: member, fenced: vec![by] };
        let promoted = after(&grown, promote);
        publish(&mut gates, &promoted);
        assert_eq!(engine.count_keys_in_slot(0, slot), KEYS);
        assert!(!gates.states[slot.index()].open);
        replication.set_ready(promoted.owner(slot).map(|shard| shard.epoch));
        publish(&mut gates, &promoted);
        assert!(gates.states[slot.index()].open, "its readers are let in when it is a copy");
        assert_eq!(engine.count_keys_in_slot(0, slot), KEYS);
    }
}
