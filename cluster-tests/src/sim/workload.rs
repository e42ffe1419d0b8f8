//! Clients: each has one request at a time, and repeats it under the same id until somebody answers.
//!
//! A writer counts up a setting of its own, often together with a change of slots or of copies that may be refused: then
//! the number must not be seen either, because a proposal is all or nothing. A node that wants to join is a client too, and so is
//! the operator who forgets nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use nuthatch_cluster::topology::proposal::OUTCOMES_PER_NODE;
use nuthatch_cluster::topology::{Proposal, ProposalId, SlotRange, TopologyChange};
use nuthatch_proto::ids::NodeId;
use nuthatch_proto::slot::{SLOT_COUNT, Slot};

use super::invariants::setting_of;
use super::network::Place;
use super::random::Random;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A writer's number.
    Write(u64),
    /// The node of that place becomes a member.
    Join(Place),
    /// The node of that place is forgotten.
    Forget(Place),
}

/// A request that is not answered yet.
#[derive(Debug, Clone)]
pub struct Request {
    /// What for.
    pub purpose: Purpose,
    /// What is proposed.
    pub proposal: Arc<Proposal>,
}

/// Each node's numbers for proposals: one counter, whoever it proposes for.
#[derive(Debug, Clone)]
pub struct Numbers {
    first: u64,
    next: BTreeMap<NodeId, u64>,
}

impl Numbers {
    /// Counters that begin somewhere, so that some of them wrap.
    pub fn new(random: &mut Random) -> Self {
        let first = if random.chance(100) { u64::MAX - 20 } else { random.bits() };
        Self { first, next: BTreeMap::new() }
    }

    /// The node's next id.
    pub fn next(&mut self, node: NodeId) -> ProposalId {
        let next = self.next.entry(node).or_insert(self.first);
        *next = next.wrapping_add(1);
        ProposalId { node, seq: *next }
    }

    /// Whether the node may begin another proposal while that one of its own is not answered.
    pub fn is_near(&self, open: ProposalId) -> bool {
        let last = self.next.get(&open.node).copied().unwrap_or(open.seq);
        last.wrapping_sub(open.seq) < OUTCOMES_PER_NODE as u64 - 1
    }
}

/// A client.
#[derive(Debug, Clone)]
pub struct Client {
    /// The node that it is attached to: its messages come from there.
    pub gateway: Place,
    /// The node in whose name it proposes.
    pub name: NodeId,
    /// Its request.
    pub request: Option<Request>,
    /// Counts attempts over all requests.
    pub attempt: u64,
    /// Whom it asks next; anybody if none.
    pub target: Option<Place>,
    number: u64,
}

impl Client {
    /// A client without a request.
    pub fn new(gateway: Place, name: NodeId) -> Self {
        Self { gateway, name, request: None, attempt: 0, target: None, number: 0 }
    }

    /// Begins a request.
    pub fn ask(&mut self, purpose: Purpose, changes: Vec<TopologyChange>, numbers: &mut Numbers) {
        let proposal = Arc::new(Proposal { id: numbers.next(self.name), changes });
        self.request = Some(Request { purpose, proposal });
    }

    /// The next number, and perhaps something about slots, or about `copies`.
    pub fn write(
        &mut self,
        client: usize,
        nodes: &[NodeId],
        copies: Option<TopologyChange>,
        random: &mut Random,
        numbers: &mut Numbers,
    ) {
        self.number += 1;
        let value = Some(self.number.to_string());
        let mut changes = vec![TopologyChange::Config { key: setting_of(client), value }];
        if let Some(node) = random.pick(nodes).filter(|_| random.chance(500)) {
            changes.push(slot_change(node, random));
        }
        if let Some(change) = copies {
            changes.truncate(1);
            changes.push(change);
        }
        self.ask(Purpose::Write(self.number), changes, numbers);
    }

    /// The same changes under another id: what a client must not do.
    pub fn forget_id(&mut self, numbers: &mut Numbers) {
        let id = numbers.next(self.name);
        if let Some(request) = &mut self.request {
            request.proposal = Arc::new(Proposal { id, changes: request.proposal.changes.clone() });
        }
    }
}

fn slot_change(node: NodeId, random: &mut Random) -> TopologyChange {
    let count = u64::from(SLOT_COUNT);
    let slot = |number: u64| Slot::new(u16::try_from(number % count).expect("below")).expect("below");
    let first = random.within(0..count - 100);
    let ranges = vec![SlotRange::new(slot(first), slot(first + random.within(0..100))).expect("in order")];
    match random.below(8) {
        0..4 => TopologyChange::AddSlots { node, ranges },
        4 | 5 => TopologyChange::DelSlots { node, ranges },
        6 => TopologyChange::SetSlotNode { slot: slot(first), node, expected: None },
        _ => TopologyChange::FlushSlots { node },
    }
}
