//! A machine alone and in a group of three, on disks that do not fail and a network that loses nothing; what happens
//! when they do is the simulator's business.

use std::collections::BTreeMap;

use raft::eraftpb::Snapshot;

use super::super::record::{PersistBatch, ValueKey};
use super::super::{Event, TICK_MS};
use super::*;
use crate::topology::arbitrary::{joiner, node_id};
use crate::topology::{Outcome, TopologyChange};

const GROUP: GroupId = GroupId([9; 16]);

/// Two maps that never fail.
#[derive(Default)]
struct Disk {
    entries: BTreeMap<u64, Vec<u8>>,
    values: BTreeMap<ValueKey, Vec<u8>>,
}

impl Disk {
    fn write(&mut self, batch: PersistBatch) {
        for range in batch.delete {
            self.entries.retain(|index, _| !range.contains(index));
        }
        self.entries.extend(batch.put);
        for (key, value) in batch.values {
            match value {
                Some(value) => _ = self.values.insert(key, value),
                None => _ = self.values.remove(&key),
            }
        }
    }

    fn start(&self, seed: u64) -> Machine {
        let entries = self.entries.iter().map(|(index, bytes)| (*index, bytes.clone()));
        let restored = Restored::read(|key| self.values.get(&key).cloned(), entries);
        let restored = restored.expect("the disk is whole").expect("the disk is not blank");
        Machine::new(restored, MetadataConfig::with_seed(seed)).expect("the records are a start")
    }
}

/// Nodes by Raft id, what they said, and the messages on their way.
#[derive(Default)]
struct Group {
    nodes: BTreeMap<u64, (Disk, Machine)>,
    events: Vec<(u64, Event)>,
    mail: Vec<RaftMessage>,
    /// Messages from and to these are lost.
    cut: BTreeSet<u64>,
    sequence: u64,
}

impl Group {
    fn founded() -> Self {
        let mut group = Self::default();
        group.add(PersistBatch::found(GROUP, joiner(1, Vec::new())), 1);
        group
    }

    fn add(&mut self, batch: PersistBatch, id: u64) {
        let mut disk = Disk::default();
        disk.write(batch);
        let machine = disk.start(id);
        self.nodes.insert(id, (disk, machine));
        self.run();
    }

    fn restart(&mut self, id: u64) {
        let (disk, _) = self.nodes.remove(&id).expect("a node");
        let machine = disk.start(id);
        self.nodes.insert(id, (disk, machine));
        self.run();
    }

    /// Rounds and mail until nobody has anything to do.
    fn run(&mut self) {
        loop {
            for (id, (disk, machine)) in &mut self.nodes {
                while let Some(ready) = machine.ready() {
                    self.mail.extend(ready.messages);
                    disk.write(ready.persist);
                    let done = machine.persisted(ready.after);
                    self.mail.extend(done.messages);
                    self.events.extend(done.events.into_iter().map(|event| (*id, event)));
                }
            }
            if self.mail.is_empty() {
                return;
            }
            for message in std::mem::take(&mut self.mail) {
                if self.cut.contains(&message.from) || self.cut.contains(&message.to) {
                    continue;
                }
                let kind = message.kind();
                let (from, to) = (message.from, message.to);
                if let Some((_, machine)) = self.nodes.get_mut(&to) {
                    _ = machine.step(message);
                    if kind == nuthatch_proto::rpc::RaftMessageKind::Snapshot {
                        self.nodes.get_mut(&from).expect("the sender").1.report_snapshot(RaftId(to), true);
                    }
                }
            }
        }
    }

    fn tick(&mut self, times: u64) {
        for _ in 0..times {
            self.nodes.values_mut().for_each(|(_, machine)| machine.tick());
            self.run();
        }
    }

    fn at(&mut self, id: u64) -> &mut Machine {
        &mut self.nodes.get_mut(&id).expect("a node").1
    }

    fn leader(&self) -> u64 {
        let leads = |(id, (_, machine)): (&u64, &(Disk, Machine))| {
            (machine.is_leader() && !self.cut.contains(id)).then_some(*id)
        };
        self.nodes.iter().find_map(leads).expect("somebody leads")
    }

    fn propose(&mut self, at: u64, changes: Vec<TopologyChange>) -> Result<ProposalId, ProposeError> {
        self.sequence += 1;
        let id = ProposalId { node: node_id(1), seq: self.sequence };
        self.at(at).propose(&Proposal { id, changes })?;
        Ok(id)
    }

    fn outcome(&self, id: ProposalId) -> Option<&Outcome> {
        self.events.iter().find_map(|(_, event)| match event {
            Event::Applied { id: applied, outcome } if *applied == id => Some(outcome),
            Event::Applied { .. } | Event::Lost(_) | Event::ReadReady { .. } | Event::ReadLost(_) => None,
        })
    }

    /// A node joins and starts as a blank member; it is the group's to make more of it.
    fn join(&mut self, number: u8) -> u64 {
        let leader = self.leader();
        let join = TopologyChange::Join { joiner: joiner(number, Vec::new()), role: Role::Watcher };
        let id = self.propose(leader, vec![join]).expect("the leader takes it");
        self.run();
        let Some(Outcome::Applied(index)) = self.outcome(id) else { panic!("the join was refused") };
        let raft_id = index.0;
        self.add(PersistBatch::join(GROUP, RaftId(raft_id)), raft_id);
        raft_id
    }

    /// Three nodes, three voters.
    fn of_three() -> (Self, [u64; 3]) {
        let mut group = Self::founded();
        let ids = [1, group.join(2), group.join(3)];
        group.tick(60);
        let voters = ids.map(RaftId).into();
        assert_eq!(group.at(1).status().voters, voters);
        (group, ids)
    }
}

fn setting(value: &str) -> Vec<TopologyChange> {
    vec![TopologyChange::Config { key: "test".to_owned(), value: Some(value.to_owned()) }]
}

#[test]
fn a_founder_leads_at_once_and_goes_on_after_a_restart() {
    let mut group = Group::founded();
    assert!(group.at(1).is_leader());
    let id = group.propose(1, setting("a")).expect("it leads");
    group.run();
    assert_eq!(group.outcome(id), Some(&Outcome::Applied(LogIndex(3))));
    group.restart(1);
    assert!(group.at(1).is_leader());
    assert_eq!(group.at(1).topology().expect("restored").setting("test"), Some("a"));
}

#[test]
fn a_proposal_waits_for_the_disk() {
    let mut group = Group::founded();
    let machine = group.at(1);
    let proposal = Proposal { id: ProposalId { node: node_id(1), seq: 1 }, changes: setting("a") };
    machine.propose(&proposal).expect("it leads");
    let ready = machine.ready().expect("something to persist");
    assert!(ready.persist.must_sync && !ready.persist.put.is_empty());
    assert_eq!(machine.topology().expect("the founder's").setting("test"), None);
    let done = machine.persisted(ready.after);
    assert_eq!(done.topology.expect("it changed").setting("test"), Some("a"));
    assert!(matches!(done.events[..], [Event::Applied { outcome: Outcome::Applied(_), .. }]));
    let settled = machine.ready().expect("the applied state goes to disk");
    assert!(!settled.persist.must_sync, "a restart would find it out again");
    let _ = machine.persisted(settled.after);
    assert!(machine.ready().is_none());
}

#[test]
fn nodes_that_join_become_voters_and_the_topology_shows_it() {
    let (mut group, ids) = Group::of_three();
    for id in ids {
        let status = group.at(id).status();
        assert_eq!((status.voters.len(), status.learners.len()), (3, 0));
        let topology = group.at(id).topology().expect("caught up").clone();
        assert_eq!(topology.nodes_in_role(Role::Voter).count(), 3);
    }
    let fourth = group.join(4);
    group.tick(40);
    assert_eq!(group.at(fourth).status().role, Role::Watcher);
    assert_eq!(group.at(fourth).topology(), None);
}

#[test]
fn a_follower_takes_no_proposals_and_names_the_leader() {
    let (mut group, [leader, follower, _]) = Group::of_three();
    let expected = ProposeError::NotLeader { leader: Some(RaftId(leader)) };
    assert_eq!(group.propose(follower, setting("a")), Err(expected));
    let expected = ReadError::NotLeader { leader: Some(RaftId(leader)) };
    assert_eq!(group.at(follower).read_index(), Err(expected));
}

#[test]
fn a_leader_that_is_cut_off_gives_up_and_says_so() {
    let (mut group, [leader, second, third]) = Group::of_three();
    group.cut.insert(leader);
    let id = group.propose(leader, setting("lost")).expect("it does not know yet");
    let read = group.at(leader).read_index().expect("it does not know yet");
    group.tick(4 * ELECTION_TICKS as u64);
    assert!(!group.at(leader).is_leader());
    assert!(group.events.contains(&(leader, Event::Lost(id))));
    assert!(group.events.contains(&(leader, Event::ReadLost(read))));
    let next = group.leader();
    assert!([second, third].contains(&next));
    // The same proposal, under the same id, goes to the next leader; then the first copy's log comes back.
    group.at(next).propose(&Proposal { id, changes: setting("kept") }).expect("it leads");
    group.run();
    group.cut.clear();
    group.tick(40);
    for node in [leader, second, third] {
        assert_eq!(group.at(node).topology().expect("a voter").setting("test"), Some("kept"));
    }
}

#[test]
fn a_change_is_committed_within_two_seconds_of_the_leaders_death() {
    for round in 0..20 {
        let (mut group, [leader, ..]) = Group::of_three();
        group.tick(round);
        group.cut.insert(leader);
        let mut ticks = 0;
        let others = |group: &Group| group.nodes.iter().any(|(id, (_, m))| *id != leader && m.is_leader());
        while !others(&group) {
            group.tick(1);
            ticks += 1;
        }
        let next = group.leader();
        let id = group.propose(next, setting("after")).expect("it leads");
        group.run();
        assert!(matches!(group.outcome(id), Some(Outcome::Applied(_))));
        assert!(ticks * TICK_MS <= 2_000, "{} ms", ticks * TICK_MS);
    }
}

#[test]
fn a_read_is_answered_by_a_state_that_has_all_before_it() {
    let (mut group, [leader, ..]) = Group::of_three();
    let id = group.propose(leader, setting("seen")).expect("it leads");
    group.run();
    let Some(Outcome::Applied(index)) = group.outcome(id).cloned() else { panic!("applied") };
    let read = group.at(leader).read_index().expect("it leads");
    group.run();
    let answer = group.events.iter().find_map(|(_, event)| match event {
        Event::ReadReady { id, index } if *id == read => Some(*index),
        Event::ReadReady { .. } | Event::Applied { .. } | Event::Lost(_) | Event::ReadLost(_) => None,
    });
    assert!(answer.expect("answered") >= index);
}

#[test]
fn leadership_can_be_handed_over_to_voters_only() {
    let (mut group, [leader, second, _]) = Group::of_three();
    assert_eq!(group.at(second).transfer_leader(RaftId(leader)), Err(TransferError::NotLeader));
    assert_eq!(group.at(leader).transfer_leader(RaftId(77)), Err(TransferError::NotVoter(RaftId(77))));
    assert_eq!(group.at(leader).transfer_leader(RaftId(second)), Ok(()));
    group.run();
    assert_eq!(group.leader(), second);
}

#[test]
fn a_long_log_is_cut_off_and_who_lags_gets_the_state() {
    let (mut group, [leader, second, third]) = Group::of_three();
    group.cut.insert(third);
    for number in 0..1_700 {
        group.propose(leader, setting(&number.to_string())).expect("it leads");
        group.run();
    }
    let (disk, _) = &group.nodes[&leader];
    assert!(disk.entries.len() < 1_600, "{} entries are kept", disk.entries.len());
    group.restart(second);
    group.cut.clear();
    group.tick(60);
    let topology = group.at(third).topology().expect("a voter").clone();
    assert_eq!(topology.setting("test"), Some("1699"));
    group.restart(third);
    assert_eq!(group.at(third).topology().expect("restored").setting("test"), Some("1699"));
}

#[test]
fn a_leader_that_its_own_change_removes_steps_down() {
    let (mut group, [leader, second, third]) = Group::of_three();
    group.at(leader).propose_change(RaftConfChangeKind::Remove, RaftId(leader));
    group.run();
    assert!(!group.at(leader).is_leader());
    group.cut.insert(leader);
    group.tick(4 * ELECTION_TICKS as u64);
    assert!([second, third].contains(&group.leader()));
}

#[test]
fn messages_of_others_are_refused() {
    let (mut group, [leader, second, _]) = Group::of_three();
    group.at(leader).tick();
    group.at(leader).tick();
    let ready = group.at(leader).ready().expect("heartbeats");
    let heartbeat = ready.messages.iter().find(|message| message.to == second).expect("to each").clone();
    let _ = group.at(leader).persisted(ready.after);
    let other_group = RaftMessage { group_id: vec![1; 16].into(), ..heartbeat.clone() };
    assert!(matches!(group.at(second).step(other_group), Err(StepError::OtherGroup)));
    let other_node = RaftMessage { to: 77, ..heartbeat.clone() };
    assert!(matches!(group.at(second).step(other_node), Err(StepError::OtherNode(RaftId(77)))));
    let local = RaftMessage { term: 0, ..heartbeat.clone() };
    assert!(matches!(group.at(second).step(local), Err(StepError::Implausible(Implausible::Number))));
    let ahead = RaftMessage { commit: 1_000, ..heartbeat.clone() };
    assert!(matches!(group.at(second).step(ahead), Err(StepError::Implausible(Implausible::Commit))));
    group.at(second).step(heartbeat).expect("the real one");
}

#[test]
fn a_group_whose_members_on_disk_cannot_be_does_not_start() {
    let mut disk = Disk::default();
    disk.write(PersistBatch::found(GROUP, joiner(1, Vec::new())));
    let entries: [(u64, Vec<u8>); 0] = [];
    let restored = Restored::read(|key| disk.values.get(&key).cloned(), entries).expect("whole");
    let mut restored = restored.expect("not blank");
    let mut applied: Snapshot = restored.applied.clone();
    applied.mut_metadata().mut_conf_state().voters.clear();
    restored.applied = applied;
    let started = Machine::new(restored, MetadataConfig::with_seed(1));
    assert!(matches!(started, Err(StartError::Members)));
}

/// In a short log everybody is close to the end: that must not count as having caught up.
#[test]
fn a_learner_that_was_never_heard_of_is_not_made_a_voter() {
    let mut group = Group::founded();
    for number in [2, 3] {
        let join = TopologyChange::Join { joiner: joiner(number, Vec::new()), role: Role::Watcher };
        group.propose(1, vec![join]).expect("it leads");
        group.run();
    }
    group.tick(60);
    let status = group.at(1).status();
    assert_eq!((status.voters.len(), status.learners.len()), (1, 1));
}

fn leave(group: &mut Group, number: u8) {
    let leader = group.leader();
    let id = group.propose(leader, vec![TopologyChange::Leave { node: node_id(number) }]).expect("it leads");
    group.run();
    assert!(matches!(group.outcome(id), Some(Outcome::Applied(_))));
}

#[test]
fn a_second_voter_goes_only_when_all_that_are_there_have_heard_of_the_first() {
    let (mut group, [leader, second, third]) = Group::of_three();
    let (fourth, fifth) = (group.join(4), group.join(5));
    for id in [fourth, fifth] {
        group.at(leader).heard_from(RaftId(id));
    }
    group.tick(60);
    assert_eq!(group.at(leader).status().voters.len(), 5);
    // One voter is cut off, but not for so long that it would count as dead.
    group.cut.insert(second);
    leave(&mut group, 4);
    leave(&mut group, 5);
    group.tick(60);
    let left = |group: &mut Group, id: u64| group.at(id).status().role;
    assert_eq!((left(&mut group, fourth), left(&mut group, fifth)), (Role::Learner, Role::Voter));
    assert!(group.at(second).status().voters.contains(&RaftId(fourth)), "it has not heard of it");
    group.cut.clear();
    group.tick(60);
    assert_eq!((left(&mut group, fourth), left(&mut group, fifth)), (Role::Watcher, Role::Watcher));
    assert_eq!(group.at(second).status().voters, [leader, second, third].map(RaftId).into());
}

#[test]
fn a_voter_that_is_gone_holds_up_no_removal() {
    let (mut group, [leader, second, third]) = Group::of_three();
    group.cut.insert(second);
    leave(&mut group, 2);
    group.tick(2 * 30_000 / TICK_MS);
    let status = group.at(leader).status();
    assert_eq!((status.voters.len(), status.learners.len()), (1, 0), "one votes of two nodes");
    assert!(!status.voters.contains(&RaftId(second)));
    assert_eq!(group.at(third).status().role == Role::Voter, !status.voters.contains(&RaftId(leader)));
}

#[test]
fn the_only_voter_of_two_nodes_leaves_when_the_other_has_taken_over() {
    let mut group = Group::founded();
    let second = group.join(2);
    group.tick(10);
    leave(&mut group, 1);
    assert!(group.at(1).is_leader(), "who else");
    group.tick(120);
    assert_eq!(group.leader(), second);
    assert_eq!(group.at(second).status().voters, [RaftId(second)].into());
    assert_eq!(group.at(1).status().role, Role::Watcher, "it was told");
    let id = group.propose(second, setting("after")).expect("it leads");
    group.run();
    assert!(matches!(group.outcome(id), Some(Outcome::Applied(_))));
}
