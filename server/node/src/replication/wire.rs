//! What the members of a shard say to each other, as messages of the node-to-node port: converted field by field.
//!
//! Nothing is believed for being well-formed protobuf: ids have their lengths, a log is one that can be, slots are slots.
//! What is not so ends the conversation.
//!
//! Neighbours: `nuthatch_cluster::replication::message` says what the messages mean; `serve` and `link` send them.

use nuthatch_cluster::replication::message::{
    Ack, Append, Fence, FenceAnswer, Hello, Pledge, Session, Suspect, Sync, SyncKind,
};
use nuthatch_cluster::replication::position::{EpochStart, History, Log, Position};
use nuthatch_cluster::replication::timing::Time;
use nuthatch_cluster::topology::{Grant, GroupId};
use nuthatch_proto::ids::{Epoch, Incarnation, LogIndex, NodeId, ReplicationOffset, ShardId};
use nuthatch_proto::rpc::{self, ReplicationPledge, ReplicationSyncKind};
use nuthatch_proto::slot::Slot;

/// How many spans of slots one request may have: every other slot.
const SPANS_MAX: usize = 8192;

/// A message that no member can have sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message has no sound {0}")]
pub(crate) struct Unsound(&'static str);

type Read<T> = Result<T, Unsound>;

pub(crate) fn group(bytes: &[u8]) -> Read<GroupId> {
    bytes.try_into().map(GroupId).map_err(|_| Unsound("group"))
}

pub(crate) fn shard(bytes: &[u8]) -> Read<ShardId> {
    bytes.try_into().map(ShardId).map_err(|_| Unsound("shard"))
}

pub(crate) fn node(bytes: &[u8]) -> Read<NodeId> {
    bytes.try_into().map(NodeId).map_err(|_| Unsound("node"))
}

pub(crate) fn grant(grant: Option<rpc::TopologyGrant>) -> Read<Grant> {
    let grant = grant.ok_or(Unsound("member"))?;
    Ok(Grant { node: node(&grant.node)?, incarnation: Incarnation(grant.incarnation) })
}

pub(crate) fn grant_out(grant: Grant) -> Option<rpc::TopologyGrant> {
    Some(rpc::TopologyGrant { node: grant.node.0.to_vec().into(), incarnation: grant.incarnation.0 })
}

fn log(log: Option<rpc::ReplicationLog>) -> Read<Log> {
    let log = log.ok_or(Unsound("log"))?;
    let entry = |entry: rpc::ReplicationEpoch| EpochStart {
        epoch: Epoch(entry.epoch),
        start: ReplicationOffset(entry.start),
    };
    let history = log.history.map(|index| History(LogIndex(index)));
    let table = log.epochs.into_iter().map(entry).collect();
    Log::from_parts(history, table, ReplicationOffset(log.end)).ok_or(Unsound("log"))
}

fn log_out(log: &Log) -> Option<rpc::ReplicationLog> {
    let entry = |entry: &EpochStart| rpc::ReplicationEpoch { epoch: entry.epoch.0, start: entry.start.0 };
    Some(rpc::ReplicationLog {
        history: log.history().map(|history| history.0.0),
        epochs: log.epochs().iter().map(entry).collect(),
        end: log.end().0,
    })
}

/// The shard and the greeting of a conversation.
pub(crate) fn hello(hello: rpc::ReplicationHello) -> Read<(GroupId, ShardId, Hello)> {
    let greeting = Hello {
        member: grant(hello.member)?,
        session: Session(hello.session),
        epoch: Epoch(hello.epoch),
        log: log(hello.log)?,
    };
    Ok((group(&hello.group_id)?, shard(&hello.shard)?, greeting))
}

pub(crate) fn hello_out(group: GroupId, shard: ShardId, hello: &Hello) -> rpc::ReplicationHello {
    rpc::ReplicationHello {
        group_id: group.0.to_vec().into(),
        shard: shard.0.to_vec().into(),
        member: grant_out(hello.member),
        session: hello.session.0,
        epoch: hello.epoch.0,
        log: log_out(&hello.log),
    }
}

pub(crate) fn sync(sync: rpc::ReplicationSync) -> Read<Sync> {
    let kind = match sync.kind() {
        ReplicationSyncKind::Partial => SyncKind::Partial,
        ReplicationSyncKind::Slots => SyncKind::Slots { after: ReplicationOffset(sync.after) },
        ReplicationSyncKind::Full => SyncKind::Full,
        ReplicationSyncKind::Unspecified => return Err(Unsound("kind of synchronisation")),
    };
    Ok(Sync { epoch: Epoch(sync.epoch), session: Session(sync.session), log: log(sync.log)?, kind })
}

pub(crate) fn sync_out(sync: &Sync) -> rpc::ReplicationSync {
    let (kind, after) = match sync.kind {
        SyncKind::Partial => (ReplicationSyncKind::Partial, 0),
        SyncKind::Slots { after } => (ReplicationSyncKind::Slots, after.0),
        SyncKind::Full => (ReplicationSyncKind::Full, 0),
    };
    rpc::ReplicationSync {
        epoch: sync.epoch.0,
        session: sync.session.0,
        log: log_out(&sync.log),
        kind: kind.into(),
        after,
    }
}

/// An append without its records.
pub(crate) fn append(append: &rpc::ReplicationAppend) -> Append {
    Append {
        epoch: Epoch(append.epoch),
        session: Session(append.session),
        start: ReplicationOffset(append.start),
        end: ReplicationOffset(append.end),
        commit: ReplicationOffset(append.commit),
        sent: Time(append.sent),
        heard: append.heard.map(Time),
        resigned: append.resigned,
    }
}

pub(crate) fn append_out(append: &Append, records: bytes::Bytes) -> rpc::ReplicationAppend {
    rpc::ReplicationAppend {
        epoch: append.epoch.0,
        session: append.session.0,
        start: append.start.0,
        end: append.end.0,
        commit: append.commit.0,
        sent: append.sent.0,
        heard: append.heard.map(|time| time.0),
        resigned: append.resigned,
        records,
    }
}

pub(crate) fn ack(ack: rpc::ReplicationAck) -> Read<Ack> {
    let pledge = match ack.pledge() {
        ReplicationPledge::Promise => Pledge::Promise(Time(ack.pledged)),
        ReplicationPledge::Release => Pledge::Release(Time(ack.pledged)),
        ReplicationPledge::Refusal => Pledge::Refusal,
        ReplicationPledge::Unspecified => Pledge::Nothing,
    };
    Ok(Ack {
        member: grant(ack.member)?,
        session: Session(ack.session),
        epoch: Epoch(ack.epoch),
        offset: ack.offset.map(ReplicationOffset),
        pledge,
        sent: Time(ack.sent),
    })
}

pub(crate) fn ack_out(ack: &Ack) -> rpc::ReplicationAck {
    let (pledge, pledged) = match ack.pledge {
        Pledge::Promise(sent) => (ReplicationPledge::Promise, sent.0),
        Pledge::Release(sent) => (ReplicationPledge::Release, sent.0),
        Pledge::Refusal => (ReplicationPledge::Refusal, 0),
        Pledge::Nothing => (ReplicationPledge::Unspecified, 0),
    };
    rpc::ReplicationAck {
        member: grant_out(ack.member),
        session: ack.session.0,
        epoch: ack.epoch.0,
        offset: ack.offset.map(|offset| offset.0),
        pledge: pledge.into(),
        pledged,
        sent: ack.sent.0,
    }
}

/// The shard of a suspicion, and the suspicion.
pub(crate) fn suspect(suspect: rpc::SuspectRequest) -> Read<(ShardId, Suspect)> {
    let member = grant(suspect.member)?;
    let (epoch, silence_ms) = (Epoch(suspect.epoch), suspect.silence_ms);
    Ok((shard(&suspect.shard)?, Suspect { member, epoch, silence_ms }))
}

/// The shard of a fence, and the fence.
pub(crate) fn fence(fence: rpc::FenceRequest) -> Read<(ShardId, Fence)> {
    let member = grant(fence.member)?;
    let (epoch, isr_version) = (Epoch(fence.epoch), fence.isr_version);
    Ok((shard(&fence.shard)?, Fence { member, epoch, isr_version }))
}

pub(crate) fn fence_answer(answer: Option<rpc::fence_response::Answer>) -> Option<FenceAnswer> {
    use rpc::fence_response::Answer;
    Some(match answer? {
        Answer::Fenced(at) => {
            FenceAnswer::Fenced(Position { epoch: Epoch(at.epoch), offset: ReplicationOffset(at.offset) })
        }
        Answer::PromisedMs(ends_in_ms) => FenceAnswer::Promised { ends_in_ms },
    })
}

pub(crate) fn fence_answer_out(answer: FenceAnswer) -> rpc::fence_response::Answer {
    use rpc::fence_response::Answer;
    match answer {
        FenceAnswer::Fenced(at) => {
            Answer::Fenced(rpc::ReplicationPosition { epoch: at.epoch.0, offset: at.offset.0 })
        }
        FenceAnswer::Promised { ends_in_ms } => Answer::PromisedMs(ends_in_ms),
    }
}

pub(crate) fn slot(number: u32) -> Read<Slot> {
    u16::try_from(number).ok().and_then(Slot::new).ok_or(Unsound("slot"))
}

/// The slots of a span, first and last.
pub(crate) fn span(span: &rpc::SlotSpan) -> Read<(Slot, Slot)> {
    let (first, last) = (slot(span.first)?, slot(span.last)?);
    if first <= last { Ok((first, last)) } else { Err(Unsound("span of slots")) }
}

pub(crate) fn span_out(first: Slot, last: Slot) -> rpc::SlotSpan {
    rpc::SlotSpan { first: first.number().into(), last: last.number().into() }
}

/// The slots that are asked for, ascending.
pub(crate) fn slots(request: &rpc::SlotsRequest) -> Read<Vec<Slot>> {
    if request.slots.len() > SPANS_MAX {
        return Err(Unsound("number of slots"));
    }
    let mut slots = Vec::new();
    for asked in &request.slots {
        let (first, last) = span(asked)?;
        if slots.last().is_some_and(|&before| first <= before) {
            return Err(Unsound("order of slots"));
        }
        slots.extend(Slot::all().filter(|slot| (first..=last).contains(slot)));
    }
    Ok(slots)
}

/// A request for those slots, which ascend.
pub(crate) fn slots_out(slots: &[Slot]) -> rpc::SlotsRequest {
    let runs = slots.chunk_by(|a, b| a.number() + 1 == b.number());
    let spans = runs.filter_map(|run| Some(span_out(*run.first()?, *run.last()?)));
    rpc::SlotsRequest { slots: spans.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: Grant = Grant { node: NodeId([7; 20]), incarnation: Incarnation(9) };

    fn sample_log() -> Log {
        let mut log = Log::blank();
        log.open(Epoch(3), History(LogIndex(8)));
        log.grow(ReplicationOffset(55));
        log.open(Epoch(5), History(LogIndex(8)));
        log.grow(ReplicationOffset(70));
        log
    }

    #[test]
    fn what_is_said_is_heard() {
        for log in [sample_log(), Log::blank()] {
            let said = Hello { member: MEMBER, session: Session(4), epoch: Epoch(5), log };
            let heard = hello(hello_out(GroupId([1; 16]), ShardId([2; 20]), &said));
            assert_eq!(heard, Ok((GroupId([1; 16]), ShardId([2; 20]), said)));
        }
        for kind in [SyncKind::Partial, SyncKind::Full, SyncKind::Slots { after: ReplicationOffset(6) }] {
            let said = Sync { epoch: Epoch(5), session: Session(4), log: sample_log(), kind };
            assert_eq!(sync(sync_out(&said)), Ok(said));
        }
        for pledge in [Pledge::Promise(Time(3)), Pledge::Release(Time(4)), Pledge::Nothing, Pledge::Refusal] {
            for offset in [None, Some(ReplicationOffset(0)), Some(ReplicationOffset(u64::MAX))] {
                let said = Ack {
                    member: MEMBER,
                    session: Session(1),
                    epoch: Epoch(2),
                    offset,
                    pledge,
                    sent: Time(9),
                };
                assert_eq!(ack(ack_out(&said)), Ok(said));
            }
        }
        let said = Append {
            epoch: Epoch(1),
            session: Session(2),
            start: ReplicationOffset(3),
            end: ReplicationOffset(4),
            commit: ReplicationOffset(5),
            sent: Time(6),
            heard: Some(Time(7)),
            resigned: true,
        };
        assert_eq!(append(&append_out(&said, bytes::Bytes::new())), said);
        let at = Position { epoch: Epoch(1), offset: ReplicationOffset(2) };
        for said in [FenceAnswer::Fenced(at), FenceAnswer::Promised { ends_in_ms: 3 }] {
            assert_eq!(fence_answer(Some(fence_answer_out(said))), Some(said));
        }
    }

    #[test]
    fn slots_are_asked_for_in_spans() {
        let numbers = |numbers: &[u16]| -> Vec<Slot> {
            numbers.iter().map(|&number| Slot::new(number).expect("a slot")).collect()
        };
        for asked in [numbers(&[]), numbers(&[0, 1, 2, 9, 16383]), Slot::all().collect()] {
            assert_eq!(slots(&slots_out(&asked)), Ok(asked));
        }
        let spans = |spans: &[(u32, u32)]| rpc::SlotsRequest {
            slots: spans.iter().map(|&(first, last)| rpc::SlotSpan { first, last }).collect(),
        };
        for unsound in [&[(5, 4)][..], &[(0, 16384)], &[(7, 9), (9, 12)], &[(9, 9), (3, 3)]] {
            assert!(slots(&spans(unsound)).is_err(), "{unsound:?}");
        }
        assert_eq!(slots(&spans(&vec![(0, 16383); SPANS_MAX + 1])), Err(Unsound("number of slots")));
    }

    #[test]
    fn what_nobody_can_have_said_is_unsound() {
        let sound = hello_out(
            GroupId([1; 16]),
            ShardId([2; 20]),
            &Hello { member: MEMBER, session: Session(4), epoch: Epoch(5), log: sample_log() },
        );
        let broken = |change: &dyn Fn(&mut rpc::ReplicationHello)| {
            let mut broken = sound.clone();
            change(&mut broken);
            hello(broken).map(|_| ())
        };
        assert_eq!(broken(&|_| ()), Ok(()));
        assert_eq!(broken(&|hello| hello.group_id = vec![1; 15].into()), Err(Unsound("group")));
        assert_eq!(broken(&|hello| hello.shard = vec![1; 21].into()), Err(Unsound("shard")));
        assert_eq!(broken(&|hello| hello.member = None), Err(Unsound("member")));
        assert_eq!(broken(&|hello| hello.log = None), Err(Unsound("log")));
        let falling = |hello: &mut rpc::ReplicationHello| {
            hello.log.as_mut().expect("there").epochs.reverse();
        };
        assert_eq!(broken(&falling), Err(Unsound("log")));
    }
}
