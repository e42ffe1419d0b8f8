//! The machines with each other, one rule at a time: a group of members in one place, messages arrive at once, and the
//! metadata does as it is told. What delays, losses and crashes make of it is for the simulator.

use std::collections::{BTreeMap, BTreeSet};

use nuthatch_proto::ids::{Epoch, Incarnation, LogIndex, NodeId, ReplicationOffset, ShardId};

use super::message::{
    Ack, Append, Change, Fence, FenceAnswer, Fenced, Hello, Message, Pledge, Session, Suspect, Sync, SyncKind,
};
use super::position::{EpochStart, History, Log, Position};
use super::timing::{Time, Timings};
use super::*;
use crate::topology::{Grant, Shard, ShardState};

fn grant(number: u8) -> Grant {
    Grant { node: NodeId([number; 20]), incarnation: Incarnation(u64::from(number)) }
}

fn shard(epoch: u64, primary: u8, isr: &[u8], isr_version: u64) -> Shard {
    Shard {
        id: ShardId([7; 20]),
        history: LogIndex(1),
        slot_epoch: LogIndex(1),
        epoch: Epoch(epoch),
        primary: grant(primary),
        isr: isr.iter().map(|number| grant(*number)).collect(),
        isr_version,
        replicas: [1, 2, 3]
            .into_iter()
            .filter(|number| *number != primary)
            .map(|n| NodeId([n; 20]))
            .collect(),
        state: ShardState::Active,
    }
}

/// Members 1 to 3 of a shard that begins with 1 alone.
struct Group {
    now: u64,
    shard: Shard,
    members: BTreeMap<u8, Member>,
    /// Whom nobody hears, and who hears nobody.
    cut: BTreeSet<u8>,
    /// What went to the driver or the metadata, by member.
    seen: Vec<(u8, Output)>,
    /// Proposals that wait for the metadata.
    proposed: Vec<(u8, u64, Change)>,
}

impl Group {
    fn new() -> Self {
        let shard = shard(1, 1, &[1], 0);
        let (members, cut) = (BTreeMap::new(), BTreeSet::new());
        let mut group = Self { now: 0, shard, members, cut, seen: Vec::new(), proposed: Vec::new() };
        for number in 1..=3 {
            let mut out = Vec::new();
            let settings = Settings::default();
            let member = Member::new(Time(0), grant(number), settings, group.shard.clone(), &mut out);
            group.members.insert(number, member);
            group.perform(number, out);
        }
        group
    }

    /// All three in sync, with ten bytes of effects.
    fn in_sync() -> Self {
        let mut group = Self::new();
        group.append(1, 10);
        group.pass(300);
        group.decide();
        group.pass(300);
        group.decide();
        group.pass(100);
        assert_eq!(group.shard.isr, [grant(1), grant(2), grant(3)]);
        assert_eq!(group.standing(1).commit, ReplicationOffset(10));
        group.seen.clear();
        group
    }

    fn step(&mut self, number: u8, input: Input) {
        let mut out = Vec::new();
        let member = self.members.get_mut(&number).expect("a member");
        member.step(Time(self.now), input, &mut out);
        self.perform(number, out);
    }

    fn perform(&mut self, number: u8, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { to, message } => {
                    let target = to.node.0[0];
                    let reaches = !self.cut.contains(&number) && !self.cut.contains(&target);
                    let lives = self.members.get(&target).is_some_and(|member| member.me() == to);
                    if reaches && lives {
                        self.step(target, Input::Message(message));
                    }
                }
                Output::Stream { to, session, from } => {
                    let end = self.members[&number].log().end();
                    self.send_range(number, to, session, from, end);
                }
                Output::Ping { to, session } => {
                    let end = self.members[&number].log().end();
                    self.send_range(number, to, session, end, end);
                }
                Output::Serve { .. } | Output::Apply { .. } | Output::Clear => {}
                Output::Copy { session, .. } => {
                    let end = self.members[&self.shard.primary.node.0[0]].log().end();
                    self.seen.push((number, output));
                    self.step(number, Input::Copied { session, end });
                }
                Output::Propose(proposed) => self.proposed.push((number, proposed.number, proposed.change)),
                Output::Became(_)
                | Output::Committed(_)
                | Output::Released(_)
                | Output::Pause
                | Output::Resume
                | Output::Suspect(_)
                | Output::Fenced(_) => self.seen.push((number, output)),
            }
        }
    }

    fn send_range(
        &mut self,
        number: u8,
        to: Grant,
        session: Session,
        start: ReplicationOffset,
        end: ReplicationOffset,
    ) {
        let header = self.members[&number].header(Time(self.now), to, session, start, end);
        if let Some(append) = header {
            self.perform(number, vec![Output::Send { to, message: Message::Append(append) }]);
        }
    }

    fn append(&mut self, number: u8, bytes: u64) {
        let start = self.members[&number].log().end();
        let end = ReplicationOffset(start.0 + bytes);
        self.step(number, Input::Log { end, backlog_start: ReplicationOffset(0) });
        for target in (1..=3).filter(|target| *target != number) {
            for session in 0..100 {
                self.send_range(number, grant(target), Session(session), start, end);
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.now += 10;
            for number in 1..=3 {
                self.step(number, Input::Tick);
            }
        }
    }

    /// The metadata decides what was proposed, and everybody who is not cut off learns of it.
    fn decide(&mut self) {
        for (by, number, change) in std::mem::take(&mut self.proposed) {
            let shard = &mut self.shard;
            match change {
                Change::Shrink { isr_version, out, .. } if isr_version == shard.isr_version => {
                    shard.isr.retain(|member| *member != out);
                }
                Change::Grow { isr_version, member, .. } if isr_version == shard.isr_version => {
                    shard.isr.push(member);
                    shard.isr.sort_unstable();
                }
                Change::Promote { epoch, primary, fenced } if epoch == shard.epoch => {
                    let isr: Vec<u8> = fenced.iter().map(|member| member.node.0[0]).collect();
                    *shard = self::shard(epoch.0 + 1, primary.node.0[0], &isr, shard.isr_version);
                }
                Change::Shrink { .. } | Change::Grow { .. } | Change::Promote { .. } => {
                    self.step(by, Input::Decided { number, outcome: Outcome::Refused });
                    continue;
                }
            }
            self.shard.isr_version += 1;
            self.step(by, Input::Decided { number, outcome: Outcome::Applied });
        }
        for number in (1..=3).filter(|number| !self.cut.contains(number)).collect::<Vec<_>>() {
            self.step(number, Input::View(self.shard.clone()));
        }
    }

    fn standing(&self, number: u8) -> Standing {
        self.members[&number].standing().expect("a primary")
    }

    fn committed(&self, number: u8) -> u64 {
        self.members[&number].commit().0
    }

    fn fence(&mut self, number: u8, epoch: u64) -> Option<FenceAnswer> {
        self.seen.clear();
        let fence = Fence { member: grant(number), epoch: Epoch(epoch), isr_version: self.shard.isr_version };
        self.step(number, Input::Fence(fence));
        self.seen.iter().find_map(|(_, output)| {
            if let Output::Fenced(fenced) = output { Some(fenced.answer) } else { None }
        })
    }
}

#[test]
fn replicas_copy_and_join_one_after_the_other() {
    let mut group = Group::new();
    group.append(1, 10);
    assert_eq!(group.committed(1), 10, "alone, it commits by itself");
    group.pass(400);
    assert_eq!(group.proposed.len(), 1, "one proposal at a time: {:?}", group.proposed);
    group.decide();
    group.pass(100);
    group.decide();
    assert_eq!(group.shard.isr.len(), 3);
    let copies = group.seen.iter().filter(|(_, output)| matches!(output, Output::Copy { .. }));
    assert_eq!(copies.count(), 2);
}

#[test]
fn nothing_is_committed_without_every_member() {
    let mut group = Group::in_sync();
    group.append(1, 5);
    assert_eq!(group.committed(1), 15);
    group.cut.insert(3);
    group.append(1, 5);
    assert_eq!(group.committed(1), 15);
    group.pass(310);
    assert!(
        matches!(group.proposed.as_slice(), [(1, _, Change::Shrink { out, .. })] if *out == grant(3)),
        "{:?}",
        group.proposed
    );
    assert_eq!(group.committed(1), 15, "R3: proposed is not committed");
    group.decide();
    assert_eq!(group.committed(1), 20);
    assert!(group.standing(1).lease_until > Time(group.now), "who has left owes no promise");
}

#[test]
fn a_member_that_is_about_to_join_is_required() {
    let mut group = Group::new();
    group.pass(400);
    assert!(matches!(group.proposed[0].2, Change::Grow { .. }));
    group.cut = BTreeSet::from([2, 3]);
    group.append(1, 5);
    assert_eq!(group.committed(1), 0);
    assert!(group.standing(1).lease_until < Time::NEVER);
    let (by, number, _) = group.proposed.remove(0);
    group.step(by, Input::Decided { number, outcome: Outcome::Refused });
    assert_eq!(group.committed(1), 5, "what is refused will never be");
}

#[test]
fn a_lease_ends_before_the_promise_that_it_rests_on() {
    let mut group = Group::in_sync();
    assert!(group.standing(1).lease_until > Time(group.now + 400));
    group.cut.insert(1);
    let Some(FenceAnswer::Promised { ends_in_ms }) = group.fence(2, 2) else { panic!("it has promised") };
    assert!(group.standing(1).lease_until < Time(group.now + ends_in_ms));
    group.pass(ends_in_ms.next_multiple_of(10));
    assert!(group.standing(1).lease_until < Time(group.now));
    assert!(group.standing(1).async_until < Time(group.now));
    let at = Position { epoch: Epoch(1), offset: ReplicationOffset(10) };
    assert_eq!(group.fence(2, 2), Some(FenceAnswer::Fenced(at)));
    assert_eq!(group.fence(2, 2), Some(FenceAnswer::Fenced(at)), "the answer may be lost");
}

#[test]
fn a_fence_is_for_one_life_and_for_whoever_holds_something() {
    let mut group = Group::in_sync();
    group.cut.insert(1);
    group.pass(600);
    let other = Grant { incarnation: Incarnation(99), ..grant(2) };
    group.seen.clear();
    group.step(2, Input::Fence(Fence { member: other, epoch: Epoch(2), isr_version: 9 }));
    assert_eq!(group.seen, []);
    assert_eq!(group.fence(2, 1), None, "the epoch that is");
    let mut blank = Group::new();
    blank.cut.insert(1);
    blank
        .members
        .insert(2, Member::new(Time(0), grant(2), Settings::default(), blank.shard.clone(), &mut Vec::new()));
    assert_eq!(blank.fence(2, 2), None, "it holds nothing");
}

#[test]
fn who_is_fenced_takes_nothing_of_the_epoch_and_says_so() {
    let mut group = Group::in_sync();
    group.cut.insert(1);
    group.pass(600);
    assert!(matches!(group.fence(2, 2), Some(FenceAnswer::Fenced(_))));
    group.cut.clear();
    group.pass(250);
    group.append(1, 5);
    assert_eq!(group.members[&2].log().end(), ReplicationOffset(10));
    assert_eq!(group.members[&3].log().end(), ReplicationOffset(15));
    assert_eq!(group.committed(1), 10);
    assert_eq!(group.standing(1).lease_until, Time(0), "its promise is over");
}

#[test]
fn a_fence_without_a_promotion_ends_when_the_member_has_left() {
    let mut group = Group::in_sync();
    group.cut.insert(1);
    group.pass(600);
    group.fence(2, 2);
    group.cut = BTreeSet::from([2]);
    group.pass(300);
    group.cut.clear();
    group.decide();
    assert!(!group.shard.isr.contains(&grant(2)));
    group.pass(500);
    group.decide();
    assert!(group.shard.isr.contains(&grant(2)), "it follows again, and joins");
}

/// 1 is cut off with five more bytes that nobody else has; 2 takes over with 3.
fn after_failover() -> Group {
    let mut group = Group::in_sync();
    group.cut.insert(1);
    group.append(1, 5);
    group.pass(600);
    for number in [2, 3] {
        assert!(matches!(group.fence(number, 2), Some(FenceAnswer::Fenced(_))));
    }
    group.proposed.clear();
    let change = Change::Promote { epoch: Epoch(1), primary: grant(2), fenced: vec![grant(2), grant(3)] };
    group.proposed.push((2, 0, change));
    group
}

#[test]
fn a_new_primary_serves_when_its_log_is_on_its_in_sync_set() {
    let mut group = after_failover();
    let (_, _, change) = group.proposed[0].clone();
    group.proposed.clear();
    let Change::Promote { primary, fenced, .. } = change else { panic!("a promotion") };
    group.shard = Shard { epoch: Epoch(2), primary, isr: fenced, isr_version: 9, ..group.shard.clone() };
    group.step(2, Input::View(group.shard.clone()));
    assert_eq!(group.members[&2].role(), Role::Primary);
    assert!(!group.standing(2).serving, "3 has not acknowledged anything in this epoch");
    group.step(3, Input::View(group.shard.clone()));
    group.pass(100);
    assert!(group.standing(2).serving);
    assert_eq!(group.committed(2), 10);
}

#[test]
fn an_old_primary_gets_the_slots_anew_that_it_wrote_to() {
    let mut group = after_failover();
    group.decide();
    group.pass(100);
    group.append(2, 7);
    assert_eq!(group.committed(2), 17);
    group.seen.clear();
    group.cut.clear();
    group.decide();
    group.pass(50);
    let kinds: Vec<_> = group
        .seen
        .iter()
        .filter_map(
            |(number, output)| {
                if let Output::Copy { kind, .. } = output { Some((*number, *kind)) } else { None }
            },
        )
        .collect();
    assert_eq!(kinds, [(1, SyncKind::Slots { after: ReplicationOffset(10) })]);
    assert!(group.seen.contains(&(1, Output::Became(Role::Replica))));
    group.pass(400);
    group.decide();
    assert_eq!(group.shard.isr, [grant(1), grant(2), grant(3)]);
    assert_eq!(group.members[&1].log().epochs().len(), 2);
}

#[test]
fn a_planned_switch_waits_for_no_lease() {
    let mut group = Group::in_sync();
    group.step(1, Input::HandOver { to: Some(grant(3).node) });
    assert!(group.seen.contains(&(1, Output::Pause)));
    assert!(!group.standing(1).serving, "it has resigned");
    let (_, _, change) = group.proposed.last().cloned().expect("a promotion");
    let fenced = vec![grant(1), grant(2), grant(3)];
    assert_eq!(change, Change::Promote { epoch: Epoch(1), primary: grant(3), fenced });
    group.decide();
    group.pass(20);
    assert!(group.standing(3).serving);
    assert_eq!(group.members[&1].role(), Role::Replica);
}

#[test]
fn a_switch_that_is_refused_gives_back_writes_and_a_new_lease() {
    let mut group = Group::in_sync();
    group.step(1, Input::HandOver { to: None });
    let (by, number, _) = group.proposed.pop().expect("a promotion");
    group.step(by, Input::Decided { number, outcome: Outcome::Refused });
    assert!(group.seen.contains(&(1, Output::Resume)));
    assert!(group.standing(1).serving);
    assert_eq!(group.standing(1).lease_until, Time(0), "the promises were given back");
    group.pass(60);
    assert!(group.standing(1).lease_until > Time(group.now));
    assert!(matches!(group.fence(3, 2), Some(FenceAnswer::Promised { .. })));
}

#[test]
fn a_switch_to_nobody_fit_is_none() {
    let mut group = Group::new();
    group.step(1, Input::HandOver { to: Some(NodeId([9; 20])) });
    assert_eq!(group.seen.last(), Some(&(1, Output::Resume)));
    assert!(!group.standing(1).paused);
}

#[test]
fn insync_writes_are_answered_with_enough_members_only() {
    let mut group = Group::in_sync();
    group.step(1, Input::MinInsync(3));
    group.append(1, 5);
    assert_eq!(group.standing(1).released, ReplicationOffset(15));
    group.cut.insert(3);
    group.append(1, 5);
    group.pass(310);
    group.decide();
    assert_eq!((group.committed(1), group.standing(1).released.0), (20, 15));
    group.step(1, Input::MinInsync(2));
    assert_eq!(group.standing(1).released, ReplicationOffset(20));
}

#[test]
fn a_replica_suspects_a_primary_that_does_not_hear_it() {
    let mut group = Group::in_sync();
    for _ in 0..50 {
        group.now += 10;
        group.step(2, Input::Tick);
        let me = &group.members[&2];
        let (epoch, session, end) = (Epoch(1), Session(1), me.log().end());
        let ping = Append {
            epoch,
            session,
            start: end,
            end,
            commit: end,
            sent: Time(group.now),
            heard: None,
            resigned: false,
        };
        let mut out = Vec::new();
        let now = Time(group.now);
        for session in 1..9 {
            let ping = Append { session: Session(session), ..ping };
            let input = Input::Message(Message::Append(ping));
            group.members.get_mut(&2).expect("a member").step(now, input, &mut out);
        }
    }
    assert!(group.seen.iter().any(|(number, output)| *number == 2 && matches!(output, Output::Suspect(_))));
}

/// Whatever a peer says: nothing panics, and nothing of it counts.
#[test]
fn absurd_messages_change_nothing() {
    let max = u64::MAX;
    let (offset, time, session, epoch) = (ReplicationOffset(max), Time(max), Session(max), Epoch(max));
    let start = EpochStart { epoch, start: offset };
    let log = Log::from_parts(Some(History(LogIndex(1))), vec![start], offset).expect("a log");
    let stranger = Grant { node: NodeId([9; 20]), incarnation: Incarnation(max) };
    let mut group = Group::in_sync();
    for epoch in [Epoch(0), Epoch(1), epoch] {
        for member in [grant(1), grant(2), stranger] {
            for number in 1..=3 {
                let ends = [ReplicationOffset(0), ReplicationOffset(10), offset];
                for (end, kind) in ends.map(|end| (end, SyncKind::Slots { after: end })) {
                    let ack = Ack {
                        member,
                        session: Session(1),
                        epoch,
                        offset: Some(end),
                        pledge: Pledge::Promise(time),
                        sent: time,
                    };
                    group.step(number, Input::Message(Message::Ack(ack)));
                    let ack = Ack { session, pledge: Pledge::Release(time), ..ack };
                    group.step(number, Input::Message(Message::Ack(ack)));
                    let sync = Sync { epoch, session, log: log.clone(), kind };
                    group.step(number, Input::Message(Message::Sync(sync)));
                    let append = Append {
                        epoch,
                        session,
                        start: end,
                        end: offset,
                        commit: offset,
                        sent: time,
                        heard: Some(time),
                        resigned: true,
                    };
                    group.step(number, Input::Message(Message::Append(append)));
                    group.step(number, Input::Copied { session, end });
                    group.step(number, Input::Fence(Fence { member: stranger, epoch, isr_version: max }));
                }
            }
        }
        let hello = Hello { member: stranger, session, epoch, log: log.clone() };
        group.step(1, Input::Message(Message::Hello(hello)));
    }
    assert_eq!(group.committed(1), 10);
    assert!(group.standing(1).lease_until <= Time(group.now + 500));
    group.append(1, 5);
    assert_eq!(group.committed(1), 15);
}

struct Leader {
    failover: Failover,
    now: u64,
    out: Vec<FailoverOutput>,
}

impl Leader {
    fn new() -> Self {
        let failover = Failover::new(Time(0), Timings::default(), shard(1, 1, &[1, 2, 3], 4), true);
        Self { failover, now: 0, out: Vec::new() }
    }

    fn at(&mut self, ms: u64, input: FailoverInput) -> Vec<FailoverOutput> {
        self.now = ms;
        self.failover.step(Time(ms), input, &mut self.out);
        std::mem::take(&mut self.out)
    }

    fn suspect(&mut self, ms: u64, by: u8) -> Vec<FailoverOutput> {
        let suspect = Suspect { member: grant(by), epoch: Epoch(1), silence_ms: 400 };
        self.at(ms, FailoverInput::Suspect(suspect))
    }

    fn answer(&mut self, ms: u64, by: u8, answer: FenceAnswer) -> Vec<FailoverOutput> {
        self.at(ms, FailoverInput::Fenced(Fenced { member: grant(by), epoch: Epoch(2), answer }))
    }
}

fn fence(member: u8) -> FailoverOutput {
    FailoverOutput::Fence(Fence { member: grant(member), epoch: Epoch(2), isr_version: 4 })
}

fn fenced(epoch: u64, offset: u64) -> FenceAnswer {
    FenceAnswer::Fenced(Position { epoch: Epoch(epoch), offset: ReplicationOffset(offset) })
}

fn promoted(out: &[FailoverOutput]) -> Option<(Grant, Vec<Grant>)> {
    out.iter().find_map(|output| match output {
        FailoverOutput::Propose(proposed) => match &proposed.change {
            Change::Promote { primary, fenced, .. } => Some((*primary, fenced.clone())),
            Change::Shrink { .. } | Change::Grow { .. } => None,
        },
        FailoverOutput::Fence(_) => None,
    })
}

#[test]
fn the_furthest_of_the_fenced_is_promoted() {
    let mut leader = Leader::new();
    assert_eq!(leader.suspect(410, 2), [fence(2), fence(3)]);
    assert_eq!(leader.answer(412, 2, FenceAnswer::Promised { ends_in_ms: 80 }), []);
    assert_eq!(leader.answer(412, 3, fenced(1, 90)), []);
    assert_eq!(leader.at(493, FailoverInput::Tick), [fence(2)]);
    let out = leader.answer(495, 2, fenced(1, 91));
    assert_eq!(promoted(&out), Some((grant(2), vec![grant(2), grant(3)])));
}

#[test]
fn an_epoch_counts_more_than_an_offset_and_the_late_are_left_behind() {
    let mut leader = Leader::new();
    leader.suspect(410, 2);
    assert_eq!(promoted(&leader.answer(420, 3, fenced(1, 5))), None);
    let out = leader.at(520, FailoverInput::Tick);
    assert_eq!(promoted(&out), Some((grant(3), vec![grant(3)])));
    let mut leader = Leader::new();
    leader.suspect(410, 2);
    leader.answer(420, 2, fenced(0, 900));
    let out = leader.answer(420, 3, fenced(1, 5));
    assert_eq!(promoted(&out), Some((grant(3), vec![grant(2), grant(3)])));
}

#[test]
fn a_primary_that_is_heard_gets_the_time_to_shrink() {
    let mut leader = Leader::new();
    leader.at(400, FailoverInput::Heard);
    assert_eq!(leader.suspect(410, 2), []);
    leader.at(500, FailoverInput::Heard);
    assert_eq!(leader.suspect(510, 2), []);
    leader.at(700, FailoverInput::Heard);
    assert_eq!(leader.suspect(710, 2), [fence(2), fence(3)], "it had it");
    let mut leader = Leader::new();
    leader.at(400, FailoverInput::Heard);
    leader.suspect(410, 2);
    let left = FailoverInput::View { shard: shard(1, 1, &[1, 3], 5), primary_lives: true };
    leader.at(420, left);
    assert_eq!(leader.suspect(710, 2), [], "it has left");
}

#[test]
fn a_life_that_is_over_is_replaced_at_once_and_a_live_one_ends_the_round() {
    let mut leader = Leader::new();
    let view = FailoverInput::View { shard: shard(1, 1, &[1, 2], 4), primary_lives: false };
    assert_eq!(leader.at(10, view), [fence(2)]);
    let mut leader = Leader::new();
    leader.suspect(410, 2);
    for ms in (420..2_500).step_by(10) {
        leader.answer(ms, 2, FenceAnswer::Promised { ends_in_ms: 500 });
    }
    assert!(!leader.failover.is_under_way());
}

#[test]
fn a_refused_promotion_is_tried_with_who_is_left() {
    let mut leader = Leader::new();
    leader.suspect(410, 2);
    leader.answer(420, 2, fenced(1, 9));
    assert!(promoted(&leader.answer(420, 3, fenced(1, 5))).is_some());
    leader.at(430, FailoverInput::View { shard: shard(1, 1, &[1, 3], 5), primary_lives: true });
    let out = leader.at(440, FailoverInput::Decided { number: 1, outcome: Outcome::Refused });
    assert_eq!(promoted(&out), Some((grant(3), vec![grant(3)])));
    assert_eq!(leader.at(450, FailoverInput::Decided { number: 1, outcome: Outcome::Refused }), []);
}

#[test]
fn an_order_prefers_whom_it_names() {
    let mut leader = Leader::new();
    leader.at(10, FailoverInput::Order { to: Some(grant(2).node) });
    leader.answer(20, 2, fenced(1, 5));
    let out = leader.answer(20, 3, fenced(1, 9));
    assert_eq!(promoted(&out), Some((grant(2), vec![grant(2), grant(3)])));
}

#[test]
fn a_round_goes_on_with_who_is_in_sync_now() {
    let mut leader = Leader::new();
    leader.at(400, FailoverInput::View { shard: shard(1, 1, &[1, 3], 5), primary_lives: true });
    leader.suspect(410, 3);
    leader.answer(415, 3, fenced(1, 9));
    // 3 has come back empty, and 2 had joined meanwhile.
    leader.at(416, FailoverInput::View { shard: shard(1, 1, &[1, 2], 7), primary_lives: false });
    let out = leader.answer(420, 2, fenced(1, 5));
    assert!(promoted(&out).is_none_or(|(primary, _)| primary == grant(2)), "{out:?}");
    leader.at(530, FailoverInput::Tick);
    leader.at(600, FailoverInput::View { shard: shard(1, 1, &[1], 9), primary_lives: false });
    assert!(!leader.failover.is_under_way(), "nobody is left to be asked");
}
