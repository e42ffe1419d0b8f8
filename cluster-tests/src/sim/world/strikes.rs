//! What a fault does to the world, and how it is healed.
//!
//! A fault strikes only where the promises survive it: at most one voter's disk is lost until the group has replaced it,
//! because with a majority of disks gone nothing can be promised.

use nuthatch_cluster::topology::RaftId;

use super::{Client, Fault, Happening, Input, Mutation, Place, Purpose, World};

impl World {
    pub(super) fn strike(&mut self, fault: Fault) {
        if self.options.trace {
            self.trace_line(format!("{:>6} {fault:?}", self.now));
        }
        let places = self.nodes.len();
        match fault {
            Fault::Crash(place, ms) => self.crash(place, ms),
            Fault::CrashAll(ms) => (0..places).for_each(|place| self.crash(place, ms + place as u64)),
            Fault::Stop(place, ms) => {
                let life = self.nodes[place].life;
                self.nodes[place].set_stopped(true);
                self.after(ms, Happening::Resume(place, life));
            }
            Fault::Split(sides) => self.network.split(|place| sides >> place & 1 == 1, places),
            Fault::CutLeader { mute, deaf } => {
                let Some(leader) = self.leader() else { return };
                for other in (0..places).filter(|other| *other != leader) {
                    if mute {
                        self.network.cut(leader, other);
                    }
                    if deaf {
                        self.network.cut(other, leader);
                    }
                }
            }
            Fault::Rivals(ms) => {
                let Some(leader) = self.leader() else { return };
                for rival in (0..places).filter(|rival| *rival != leader) {
                    (0..places)
                        .filter(|other| *other != leader)
                        .for_each(|other| self.network.cut(rival, other));
                }
                self.crash(leader, ms);
            }
            Fault::CutLink(from, to) => self.network.cut(from, to),
            Fault::Mend => self.network.mend(),
            Fault::Transfer(place) => {
                let Some(leader) = self.leader() else { return };
                let (life, to) = (self.nodes[leader].life, self.nodes[place].raft_id);
                self.after(0, Happening::Input(leader, life, Input::Transfer(to)));
            }
            Fault::Wipe(place) => self.wipe(place),
            Fault::Forget(place) => self.forget(place),
        }
    }

    pub(super) fn crash(&mut self, place: Place, ms: u64) {
        if self.nodes[place].process.is_some() {
            self.report.crashes += 1;
            self.nodes[place].crash(&mut self.random);
            self.after(ms, Happening::Restart(place));
        }
    }

    /// A voter dies just after it has given its vote, and is back at once; perhaps it does not hear whom it elected.
    pub(super) fn crash_after_vote(&mut self, place: Place, elected: RaftId) {
        self.crash(place, 3);
        let elected = self.numbers.get(&(self.ledger.group(), elected)).copied();
        if let Some(elected) = elected.filter(|_| self.random.chance(500)) {
            self.network.cut(elected, place);
        }
    }

    /// Whether every voter runs and has applied the last change of voters. The library votes by the members that it has
    /// applied, so a voter that was removed may be needed until the others know it.
    pub(super) fn voters_agree(&self) -> bool {
        let voters = self.ledger.voters();
        let knows = |id: &RaftId| {
            let place = self.numbers.get(&(self.ledger.group(), *id))?;
            let process =
                self.nodes[*place].process.as_ref().filter(|_| self.nodes[*place].raft_id == *id)?;
            Some(process.machine.status().voters == *voters)
        };
        voters.iter().all(|id| knows(id) == Some(true))
    }

    /// Whether a voter may be lost for good: a majority of the voters' disks must live, now and until it is replaced.
    pub(super) fn can_lose_a_voter(&self) -> bool {
        let voters = self.ledger.voters();
        let members = (0..self.nodes.len()).filter(|place| self.is_member(*place)).count();
        let forgetting = |client: &Client| {
            client.request.as_ref().is_some_and(|request| matches!(request.purpose, Purpose::Forget(_)))
        };
        voters.len() >= 3
            && members >= 3
            && self.lost.is_disjoint(voters)
            && self.leaving.is_empty()
            && self.voters_agree()
            && !self.clients.iter().any(forgetting)
    }

    pub(super) fn wipe(&mut self, place: Place) {
        if self.nodes[place].process.is_some() && self.is_member(place) && self.can_lose_a_voter() {
            self.lost.insert(self.nodes[place].raft_id);
            self.nodes[place].wipe(&mut self.random, self.options.mutation);
            self.nodes[place].raft_id = RaftId(0);
            self.strangers.insert(place);
            if self.options.mutation == Some(Mutation::KeepRaftId) {
                self.strangers.remove(&place);
            }
            let ms = self.random.within(50..1_000);
            self.after(ms, Happening::Restart(place));
        }
    }

    pub(super) fn forget(&mut self, place: Place) {
        let number = self.writers + place;
        let idle = self.clients[number].request.is_none() && self.all_in_reach();
        if self.is_member(place) && self.can_lose_a_voter() && idle {
            self.ask_to_forget(place);
            let attempt = self.clients[number].attempt;
            self.after(0, Happening::Wake(number, attempt));
            // It may be made the leader while it is on its way out.
            if let Some(leader) = self.leader() {
                let (life, to) = (self.nodes[leader].life, self.nodes[place].raft_id);
                for ms in [50, 150, 250, 350] {
                    let ms = ms + self.random.within(0..100);
                    self.after(ms, Happening::Input(leader, life, Input::Transfer(to)));
                }
            }
        }
    }

    pub(super) fn heal(&mut self) -> Result<(), String> {
        self.network.heal();
        for place in 0..self.nodes.len() {
            self.start(place)?;
            self.nodes[place].set_stopped(false);
            let effects = self.nodes[place].work(&mut self.random, self.options.mutation);
            self.take_effect(place, effects)?;
        }
        self.healed_at = Some(self.now);
        Ok(())
    }
}
