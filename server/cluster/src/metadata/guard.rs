//! Which of a peer's messages the Raft library may see.
//!
//! The library takes it for a broken invariant, and panics, when a message contradicts what it knows; and it takes a
//! message without a term for one of its own. Peers are authenticated, but a peer may be of another version, restored
//! from a backup, or wrong; so what would make the library panic is refused here, one question per kind of message, and
//! the node lives on. What passes may still be stale or pointless: the library ignores that by itself.
//!
//! Two refusals mend the library rather than the peer: a rejection of an entry that its sender confirmed before is a
//! delayed message, which release 0.7 would take as progress lost; and a heartbeat that commits what this node does not
//! have means that the node lost what it promised, which must not pass for a restart.
//!
//! Neighbours: `wire` made the message, `machine` steps what passes.

use raft::eraftpb::{ConfState, Entry, Message, MessageType, Snapshot};
use raft::{RaftLog, RawNode};

use super::log::Log;
use crate::topology::{GroupId, Topology};
use nuthatch_proto::ids::LogIndex;

/// Terms and indexes are far below, so that sums of a few of them never wrap.
const NUMBER_MAX: u64 = 1 << 56;
/// A heartbeat's context is a [`super::reads`] context, a vote's a word of the library's.
const CONTEXT_MAX: usize = 64;

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Implausible {
    /// A number that cannot be, or a sender that is this node.
    #[error("a number in the message is out of range")]
    Number,
    /// The entries do not follow each other.
    #[error("the entries do not follow each other")]
    Entries,
    /// It commits what this node does not have.
    #[error("the leader believes that this node has entries which it has not")]
    Commit,
    /// A response about entries that this leader never had, or a delayed one.
    #[error("the response is about entries that are not, or no longer, in question")]
    Response,
    /// The snapshot is not one of this group.
    #[error("the snapshot is damaged or of another group")]
    Snapshot,
    /// A part of the message that its kind does not have.
    #[error("the message has parts that its kind does not have")]
    Shape,
}

/// Whether the library may see this message.
pub(super) fn check(node: &RawNode<Log>, group: GroupId, message: &Message) -> Result<(), Implausible> {
    check_numbers(message, node.raft.id)?;
    check_shape(message)?;
    let stale = message.term < node.raft.term;
    match message.get_msg_type() {
        MessageType::MsgAppend => check_entries(message),
        MessageType::MsgHeartbeat if stale => Ok(()),
        MessageType::MsgHeartbeat => check_commit(&node.raft.raft_log, message.commit),
        MessageType::MsgSnapshot => check_snapshot(message.get_snapshot(), group, message.term),
        MessageType::MsgAppendResponse => check_response(node, message),
        MessageType::MsgRequestVote
        | MessageType::MsgRequestVoteResponse
        | MessageType::MsgHeartbeatResponse
        | MessageType::MsgTimeoutNow
        | MessageType::MsgRequestPreVote
        | MessageType::MsgRequestPreVoteResponse => Ok(()),
        // `wire` refuses these.
        MessageType::MsgHup
        | MessageType::MsgBeat
        | MessageType::MsgPropose
        | MessageType::MsgUnreachable
        | MessageType::MsgSnapStatus
        | MessageType::MsgCheckQuorum
        | MessageType::MsgTransferLeader
        | MessageType::MsgReadIndex
        | MessageType::MsgReadIndexResp => Err(Implausible::Shape),
    }
}

fn check_numbers(message: &Message, own_id: u64) -> Result<(), Implausible> {
    let numbers = [message.log_term, message.index, message.commit, message.commit_term, message.reject_hint];
    let fit = message.from != 0
        && message.from != own_id
        && (1..NUMBER_MAX).contains(&message.term)
        && numbers.iter().all(|number| *number < NUMBER_MAX);
    fit.then_some(()).ok_or(Implausible::Number)
}

fn check_shape(message: &Message) -> Result<(), Implausible> {
    let kind = message.get_msg_type();
    let fit = message.context.len() <= CONTEXT_MAX
        && (message.entries.is_empty() || kind == MessageType::MsgAppend)
        && message.has_snapshot() == (kind == MessageType::MsgSnapshot)
        // Nodes of ours never ask for a snapshot: the leader sees that one is needed.
        && message.request_snapshot == 0
        && message.priority == 0;
    fit.then_some(()).ok_or(Implausible::Shape)
}

fn check_entries(message: &Message) -> Result<(), Implausible> {
    // A leader's log begins with its founder's snapshot, so an append always has an entry before it.
    if message.index == 0 {
        return Err(Implausible::Entries);
    }
    let mut last = (message.index, message.log_term);
    for Entry { index, term, .. } in message.entries.iter() {
        if *index != last.0 + 1 || *term < last.1 {
            return Err(Implausible::Entries);
        }
        last = (*index, *term);
    }
    (last.1 <= message.term).then_some(()).ok_or(Implausible::Entries)
}

fn check_commit(log: &RaftLog<Log>, commit: u64) -> Result<(), Implausible> {
    (commit <= log.last_index()).then_some(()).ok_or(Implausible::Commit)
}

fn check_snapshot(snapshot: &Snapshot, group: GroupId, term: u64) -> Result<(), Implausible> {
    let metadata = snapshot.get_metadata();
    let known = (1..NUMBER_MAX).contains(&metadata.index) && (1..=term).contains(&metadata.term);
    let topology = Topology::decode(&snapshot.data).map_err(|_| Implausible::Snapshot)?;
    let ours = topology.group() == group && topology.applied() == LogIndex(metadata.index);
    let fit = known && ours && conf_state_is_possible(metadata.get_conf_state());
    fit.then_some(()).ok_or(Implausible::Snapshot)
}

/// Whether a group of ours can have these members: at least one voter, nobody twice, not joint.
pub(super) fn conf_state_is_possible(state: &ConfState) -> bool {
    let mut ids: Vec<u64> = state.voters.iter().chain(&state.learners).copied().collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    let joint = !state.voters_outgoing.is_empty() || !state.learners_next.is_empty() || state.auto_leave;
    !state.voters.is_empty() && !ids.contains(&0) && ids.len() == count && !joint
}

fn check_response(node: &RawNode<Log>, message: &Message) -> Result<(), Implausible> {
    // A response of an earlier term only tells the term, or is ignored.
    if message.term != node.raft.term {
        return Ok(());
    }
    let Some(progress) = node.raft.prs().get(message.from) else { return Ok(()) };
    let delayed = message.reject && message.index <= progress.matched;
    match message.index > node.raft.raft_log.last_index() || delayed {
        true => Err(Implausible::Response),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{PersistBatch, Restored};
    use super::super::{Machine, MetadataConfig};
    use super::*;
    use crate::topology::arbitrary::joiner;

    const GROUP: GroupId = GroupId([9; 16]);

    /// The founder of a group of one: it leads, and has its snapshot and the first entry of its term.
    fn founder() -> Machine {
        let batch = PersistBatch::found(GROUP, joiner(1, Vec::new()));
        let value = |key| batch.values.iter().find(|(k, _)| *k == key)?.1.clone();
        let restored = Restored::read(value, []).expect("just made").expect("not blank");
        let mut machine = Machine::new(restored, MetadataConfig::with_seed(1)).expect("whole");
        while let Some(ready) = machine.ready() {
            let _ = machine.persisted(ready.after);
        }
        machine
    }

    fn message(kind: MessageType, change: impl FnOnce(&mut Message)) -> Message {
        let mut message = Message { to: 1, from: 2, term: 9, index: 2, log_term: 2, ..Message::default() };
        message.set_msg_type(kind);
        change(&mut message);
        message
    }

    fn check_message(
        kind: MessageType,
        change: impl FnOnce(&mut Message),
        expected: Result<(), Implausible>,
    ) {
        let machine = founder();
        assert_eq!(check(&machine.raw, GROUP, &message(kind, change)), expected, "{kind:?}");
    }

    #[test]
    fn numbers_that_cannot_be_are_refused() {
        let refused = Err(Implausible::Number);
        check_message(MessageType::MsgHeartbeat, |_| (), Ok(()));
        check_message(MessageType::MsgHeartbeat, |m| m.term = 0, refused);
        check_message(MessageType::MsgHeartbeat, |m| m.term = u64::MAX, refused);
        check_message(MessageType::MsgHeartbeat, |m| m.from = 1, refused);
        check_message(MessageType::MsgHeartbeat, |m| m.from = 0, refused);
        check_message(MessageType::MsgRequestVote, |m| m.index = u64::MAX, refused);
        check_message(MessageType::MsgAppendResponse, |m| m.reject_hint = u64::MAX, refused);
    }

    #[test]
    fn entries_follow_each_other() {
        let entry = |index, term| Entry { index, term, ..Entry::default() };
        let append = |entries: &[Entry], expected| {
            check_message(MessageType::MsgAppend, |m| m.entries = entries.to_vec().into(), expected);
        };
        let refused = Err(Implausible::Entries);
        append(&[], Ok(()));
        append(&[entry(3, 2), entry(4, 9)], Ok(()));
        append(&[entry(4, 2)], refused);
        append(&[entry(3, 2), entry(3, 2)], refused);
        append(&[entry(3, 3), entry(4, 2)], refused);
        append(&[entry(3, 10)], refused);
        check_message(MessageType::MsgAppend, |m| (m.index, m.log_term) = (0, 0), refused);
    }

    #[test]
    fn a_commit_that_this_node_cannot_make_is_refused_unless_it_is_stale() {
        check_message(MessageType::MsgHeartbeat, |m| m.commit = 2, Ok(()));
        check_message(MessageType::MsgHeartbeat, |m| m.commit = 3, Err(Implausible::Commit));
        check_message(MessageType::MsgHeartbeat, |m| (m.commit, m.term) = (3, 1), Ok(()));
    }

    #[test]
    fn parts_of_another_kind_are_refused() {
        let refused = Err(Implausible::Shape);
        check_message(MessageType::MsgHeartbeat, |m| m.mut_entries().push(Entry::default()), refused);
        check_message(MessageType::MsgSnapshot, |_| (), refused);
        check_message(MessageType::MsgAppend, |m| m.set_snapshot(Snapshot::default()), refused);
        check_message(MessageType::MsgAppendResponse, |m| m.request_snapshot = 1, refused);
        check_message(MessageType::MsgRequestVote, |m| m.priority = 1, refused);
        check_message(MessageType::MsgHeartbeat, |m| m.context = vec![0; CONTEXT_MAX + 1].into(), refused);
    }

    #[test]
    fn a_snapshot_is_of_this_group_and_of_its_own_index() {
        let with = |change: fn(&mut Snapshot), expected| {
            let topology = Topology::singleton(GROUP, LogIndex(7), joiner(1, Vec::new()));
            let mut snapshot = Snapshot::default();
            snapshot.set_data(topology.encode().into());
            (snapshot.mut_metadata().index, snapshot.mut_metadata().term) = (7, 3);
            snapshot.mut_metadata().set_conf_state(ConfState::from((vec![2], vec![1])));
            change(&mut snapshot);
            check_message(MessageType::MsgSnapshot, |m| m.set_snapshot(snapshot), expected);
        };
        let refused = Err(Implausible::Snapshot);
        with(|_| (), Ok(()));
        with(|s| s.mut_metadata().index = 8, refused);
        with(|s| s.mut_metadata().term = 10, refused);
        with(|s| s.set_data(vec![0xff].into()), refused);
        with(|s| s.mut_metadata().mut_conf_state().voters.clear(), refused);
        with(|s| s.mut_metadata().mut_conf_state().learners = vec![2], refused);
        with(|s| s.mut_metadata().mut_conf_state().voters_outgoing = vec![3], refused);
        with(
            |s| {
                let other = Topology::singleton(GroupId([1; 16]), LogIndex(7), joiner(1, Vec::new()));
                s.set_data(other.encode().into());
            },
            refused,
        );
    }
}
