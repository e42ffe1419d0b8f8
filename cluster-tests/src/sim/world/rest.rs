//! When the world is at rest: everybody is a member, the group has the voters that it should have, nobody waits for an
//! answer, and all voters have applied the same.

use nuthatch_cluster::metadata::membership::voters_for;

use super::{Node, Place, World};

impl World {
    pub(super) fn at_rest(&self) -> Result<bool, String> {
        if !self.unrest().is_empty() {
            return Ok(false);
        }
        let states =
            self.nodes.iter().filter_map(|node| Some((node, node.process.as_ref()?.machine.topology()?)));
        let voters: Vec<_> =
            states.filter(|(node, _)| self.ledger.voters().contains(&node.raft_id)).collect();
        let alike = voters.windows(2).all(|pair| pair[0].1 == pair[1].1);
        alike
            .then_some(true)
            .ok_or_else(|| "state machine safety: the voters rest at different topologies".to_owned())
    }

    /// All nodes, for a person to read.
    pub(super) fn describe(&self) -> String {
        let line = |node: &Node| {
            let status = node.process.as_ref().map(|process| process.machine.status());
            format!("\n  node {} (member: {}): {status:?}", node.place, self.is_member(node.place))
        };
        self.nodes.iter().map(line).collect()
    }

    /// What is still to happen, or nothing.
    pub(super) fn unrest(&self) -> String {
        let places = 0..self.nodes.len();
        if let Some(client) = self.clients.iter().position(|client| client.request.is_some()) {
            return format!("client {client} waits for {:?}", self.clients[client].request);
        }
        if let Some(place) = places.clone().find(|place| !self.is_member(*place)) {
            return format!("node {place} is no member");
        }
        if !self.leaving.is_empty() {
            return format!("{:?} were forgotten and are in the group", self.leaving);
        }
        let Some(leader) = self.leader() else { return "no leader".to_owned() };
        let voters = self.ledger.voters();
        if voters.len() != voters_for(self.nodes.len()) || !self.ledger.learners().is_empty() {
            return format!("voters {voters:?}, learners {:?}", self.ledger.learners());
        }
        let applied =
            |place: Place| self.nodes[place].process.as_ref().map(|process| process.machine.status().applied);
        let behind = |place: &Place| {
            voters.contains(&self.nodes[*place].raft_id) && applied(*place) != applied(leader)
        };
        match places.clone().find(behind) {
            Some(place) => {
                format!("voter {place} is at {:?}, the leader at {:?}", applied(place), applied(leader))
            }
            None => String::new(),
        }
    }
}
