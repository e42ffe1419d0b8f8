//! Who asks whom for what: writers, nodes that join, the operator who forgets them, readers.
//!
//! A client asks from the node that it is attached to, so a cut between that node and the leader is its cut too. What it
//! asks it asks again under the same id, of somebody else, until it is answered.

use std::sync::Arc;

use nuthatch_cluster::topology::{Outcome, RaftId, Role, Topology, TopologyChange};

use super::super::copies;
use super::{Answer, Asker, Client, Happening, Input, Mutation, Place, Purpose, World};

impl World {
    pub(super) fn wake(&mut self, number: usize) {
        let may_begin = number < self.writers && self.healed_at.is_none();
        let all_in_reach = self.all_in_reach();
        let client = &mut self.clients[number];
        client.attempt += 1;
        let attempt = client.attempt;
        if client.request.is_none() && may_begin && !all_in_reach {
            // A node that has too much in flight waits for the oldest.
            return self.after(100, Happening::Wake(number, attempt));
        }
        if client.request.is_none() {
            if !may_begin {
                return;
            }
            let nodes: Vec<_> = self.nodes.iter().map(|node| node.id).collect();
            let copies = self.change_of_copies(number);
            let client = &mut self.clients[number];
            client.write(number, &nodes, copies, &mut self.random, &mut self.proposals);
        } else if self.options.mutation == Some(Mutation::FreshProposalIds) {
            client.forget_id(&mut self.proposals);
        }
        let timeout = self.random.within(300..800);
        self.after(timeout, Happening::Wake(number, attempt));
        let gateway = self.clients[number].gateway;
        let Some(request) = self.clients[number].request.clone() else { return };
        let hint = self.clients[number].target.take().or_else(|| self.leader_as_seen_by(gateway));
        let target = hint.unwrap_or_else(|| self.random.below(self.nodes.len()));
        let input = Input::Request(Asker { client: number, attempt }, self.ledger.group(), request.proposal);
        for ms in self.arrivals(gateway, target) {
            self.after(ms, Happening::Arrive(target, input.clone()));
        }
    }

    /// Now and then, something about copies, as the client's node sees them.
    fn change_of_copies(&mut self, client: usize) -> Option<TopologyChange> {
        if !self.copies.chance(600) {
            return None;
        }
        let topology = self.topology_at(self.clients[client].gateway)?;
        copies::change(&topology, &mut self.copies)
    }

    fn topology_at(&self, place: Place) -> Option<Arc<Topology>> {
        let node = &self.nodes[place];
        let process = node.process.as_ref().filter(|_| node.group == self.ledger.group())?;
        process.machine.topology().cloned()
    }

    /// Whether another proposal may begin: a node keeps fewer in flight than are remembered.
    pub(super) fn all_in_reach(&self) -> bool {
        let in_reach = |client: &Client| {
            client.request.as_ref().is_none_or(|request| self.proposals.is_near(request.proposal.id))
        };
        self.clients.iter().all(in_reach)
    }

    pub(super) fn leader_as_seen_by(&self, place: Place) -> Option<Place> {
        let node = &self.nodes[place];
        let leader = node.process.as_ref()?.machine.leader()?;
        self.numbers.get(&(node.group, leader)).copied().filter(|_| node.group == self.ledger.group())
    }

    pub(super) fn answered(&mut self, asker: Asker, answer: Answer) -> Result<(), String> {
        let client = &mut self.clients[asker.client];
        let Some(request) = client.request.clone() else { return Ok(()) };
        match answer {
            Answer::Done(id, outcome, number) if request.proposal.id == id => {
                client.request = None;
                client.attempt += 1;
                self.report.answered += 1;
                self.done(asker.client, request.purpose, &outcome, number)
            }
            Answer::Done(..) => Ok(()),
            Answer::NotLeader(_) | Answer::Unknown if client.attempt != asker.attempt => Ok(()),
            Answer::NotLeader(hint) => {
                let group = self.ledger.group();
                client.target = hint.and_then(|leader| self.numbers.get(&(group, leader)).copied());
                self.wake_soon(asker)
            }
            Answer::Unknown => self.wake_soon(asker),
        }
    }

    pub(super) fn wake_soon(&mut self, asker: Asker) -> Result<(), String> {
        let ms = self.random.within(10..50);
        self.after(ms, Happening::Wake(asker.client, asker.attempt));
        Ok(())
    }

    pub(super) fn done(
        &mut self,
        client: usize,
        purpose: Purpose,
        outcome: &Outcome,
        number: Option<RaftId>,
    ) -> Result<(), String> {
        let attempt = self.clients[client].attempt;
        match (purpose, outcome) {
            (Purpose::Write(value), outcome) => {
                if let Outcome::Applied(index) = outcome {
                    self.ledger.acknowledge(client, *index, value);
                }
                let pause = self.random.within(5..150);
                self.after(pause, Happening::Wake(client, attempt));
            }
            (Purpose::Join(place), Outcome::Applied(_)) => {
                let Some(number) = number.filter(|_| !self.is_member(place)) else { return Ok(()) };
                let group = self.ledger.group();
                self.nodes[place].process = None;
                self.nodes[place].become_member(group, number);
                self.start(place)?;
            }
            // Known with another directory: its old self has to go first.
            (Purpose::Join(place), Outcome::Rejected { .. }) => _ = self.strangers.insert(place),
            (Purpose::Forget(place), Outcome::Applied(_)) => {
                let node = &self.nodes[place];
                if self.is_member(place) {
                    self.leaving.insert(place, node.raft_id);
                }
                self.strangers.remove(&place);
            }
            // It is the last voter at the moment, or was never known: upkeep tries again, or it joins.
            (Purpose::Forget(place), Outcome::Rejected { error, .. }) => {
                if error.contains("Unknown node") {
                    self.strangers.remove(&place);
                }
            }
        }
        Ok(())
    }

    /// Lets nodes join that are not in the group, forgotten ones start anew, and watchers be heard; and asks to read.
    pub(super) fn upkeep(&mut self) -> Result<(), String> {
        let floor = self.ledger.last_acknowledged();
        for place in 0..self.nodes.len() {
            self.input(place, Input::Read(floor))?;
        }
        for place in 0..self.nodes.len() {
            let out_of_group =
                |id| !self.ledger.voters().contains(id) && !self.ledger.learners().contains(id);
            if self.leaving.get(&place).is_some_and(out_of_group) && self.voters_agree() {
                self.leaving.remove(&place);
                self.nodes[place].process = None;
                self.nodes[place].disk = Default::default();
                self.start(place)?;
            }
            if self.nodes[place].process.is_some() && !self.is_member(place) {
                self.ask_to_join(place);
            }
        }
        let Some(leader) = self.leader() else { return Ok(()) };
        for place in (0..self.nodes.len()).filter(|place| *place != leader) {
            if self.is_member(place)
                && self.nodes[place].process.is_some()
                && !self.network.is_cut(place, leader)
            {
                self.input(leader, Input::Heard(self.nodes[place].raft_id))?;
            }
        }
        Ok(())
    }

    pub(super) fn ask_to_join(&mut self, place: Place) {
        let number = self.writers + place;
        if self.clients[number].request.is_some() || !self.all_in_reach() {
            return;
        }
        let node = self.nodes[place].id;
        match self.strangers.contains(&place) {
            true => self.ask_to_forget(place),
            false => {
                let joiner = self.nodes[place].joiner();
                self.clients[number].name = node;
                let join = TopologyChange::Join { joiner, role: Role::Watcher };
                self.clients[number].ask(Purpose::Join(place), vec![join], &mut self.proposals);
            }
        }
        let attempt = self.clients[number].attempt;
        self.after(0, Happening::Wake(number, attempt));
    }

    pub(super) fn ask_to_forget(&mut self, place: Place) {
        let number = self.writers + place;
        let node = self.nodes[place].id;
        // A member asks, as a node outside would not be heard: what is done for it would not be remembered either.
        let member = (0..self.nodes.len()).find(|other| *other != place && self.is_member(*other));
        let Some(by) = member.map(|member| self.nodes[member].id) else { return };
        let seen = self.leader().and_then(|leader| self.topology_at(leader));
        let Some(topology) = seen else { return };
        let changes = copies::farewell(&topology, node, by);
        self.clients[number].name = by;
        self.clients[number].ask(Purpose::Forget(place), changes, &mut self.proposals);
    }
}
