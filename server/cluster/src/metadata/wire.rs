//! Raft messages between the library's types and ours, field by field, both ways.
//!
//! What peers send is decoded by prost into the types of `cluster.proto`, checked here, and only then becomes a message
//! of the library; the protobuf crate that the library brings along never sees a peer's bytes. That includes changes of
//! members: in the library they are protobuf bytes inside an entry, on the wire and on our disk they are fields, and the
//! bytes are built again here (the wire message has the library's numbers, so prost's encoding of it is the library's).
//!
//! What does not fit is refused, not mended: kinds that our nodes never send each other (the local ones, forwarded
//! proposals and reads), fields that only those use, unknown enum values, the old one-change form. Whether a message that
//! fits makes sense to a node is `guard`'s question.
//!
//! Neighbours: `machine` for messages, `record` for what is on disk.

use nuthatch_proto::rpc::{
    RaftConfChange, RaftConfState, RaftEntry, RaftMessage, RaftMessageKind as Kind, RaftSnapshot,
    raft_entry::Payload,
};
use prost::Message as _;
use prost::bytes::Bytes;
use raft::eraftpb::{ConfState, Entry, EntryType, Message, MessageType, Snapshot};

use crate::topology::GroupId;

/// A founder's snapshot stands at this index: its Raft id, and no other member's, because those are indexes of entries.
pub(super) const FIRST_INDEX: u64 = 1;
/// The term that a founder's snapshot claims.
pub(super) const FIRST_TERM: u64 = 1;

/// A message has something in it that our nodes do not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The group id is not 16 bytes.
    #[error("the group id is not 16 bytes")]
    Group,
    /// A message of that kind never crosses the network.
    #[error("the kind of Raft message is unknown or never sent")]
    Kind,
    /// An entry is of an unknown kind, or carries what ours do not.
    #[error("a Raft entry has an unknown form")]
    Entry,
    /// A change of members does not have the form that ours have.
    #[error("a change of members has an unknown form")]
    ConfChange,
    /// A field is set that messages of ours leave empty.
    #[error("a field is set that is never used")]
    Field,
}

/// For sending.
pub fn message_to_wire(group: GroupId, message: Message) -> Result<RaftMessage, Unfit> {
    let kind = kind_to_wire(message.get_msg_type())?;
    if message.deprecated_priority != 0 {
        return Err(Unfit::Field);
    }
    let entries: Result<Vec<_>, _> = message.entries.iter().map(entry_to_wire).collect();
    Ok(RaftMessage {
        group_id: group.0.to_vec().into(),
        kind: kind.into(),
        to: message.to,
        from: message.from,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        entries: entries?,
        commit: message.commit,
        commit_term: message.commit_term,
        snapshot: message.snapshot.as_ref().map(snapshot_to_wire),
        request_snapshot: message.request_snapshot,
        reject: message.reject,
        reject_hint: message.reject_hint,
        context: message.context,
        priority: message.priority,
    })
}

/// What was received.
pub fn message_from_wire(wire: RaftMessage) -> Result<(GroupId, Message), Unfit> {
    let group = wire.group_id[..].try_into().map_err(|_| Unfit::Group)?;
    let kind = Kind::try_from(wire.kind).map_err(|_| Unfit::Kind)?;
    let entries: Result<Vec<_>, _> = wire.entries.into_iter().map(entry_from_wire).collect();
    let mut message = Message {
        to: wire.to,
        from: wire.from,
        term: wire.term,
        log_term: wire.log_term,
        index: wire.index,
        entries: entries?.into(),
        commit: wire.commit,
        commit_term: wire.commit_term,
        request_snapshot: wire.request_snapshot,
        reject: wire.reject,
        reject_hint: wire.reject_hint,
        context: wire.context,
        priority: wire.priority,
        ..Message::default()
    };
    message.set_msg_type(kind_from_wire(kind)?);
    if let Some(snapshot) = wire.snapshot {
        message.set_snapshot(snapshot_from_wire(snapshot));
    }
    Ok((GroupId(group), message))
}

fn kind_to_wire(kind: MessageType) -> Result<Kind, Unfit> {
    match kind {
        MessageType::MsgAppend => Ok(Kind::Append),
        MessageType::MsgAppendResponse => Ok(Kind::AppendResponse),
        MessageType::MsgRequestVote => Ok(Kind::Vote),
        MessageType::MsgRequestVoteResponse => Ok(Kind::VoteResponse),
        MessageType::MsgSnapshot => Ok(Kind::Snapshot),
        MessageType::MsgHeartbeat => Ok(Kind::Heartbeat),
        MessageType::MsgHeartbeatResponse => Ok(Kind::HeartbeatResponse),
        MessageType::MsgTimeoutNow => Ok(Kind::TimeoutNow),
        MessageType::MsgRequestPreVote => Ok(Kind::PreVote),
        MessageType::MsgRequestPreVoteResponse => Ok(Kind::PreVoteResponse),
        MessageType::MsgHup
        | MessageType::MsgBeat
        | MessageType::MsgPropose
        | MessageType::MsgUnreachable
        | MessageType::MsgSnapStatus
        | MessageType::MsgCheckQuorum
        | MessageType::MsgTransferLeader
        | MessageType::MsgReadIndex
        | MessageType::MsgReadIndexResp => Err(Unfit::Kind),
    }
}

fn kind_from_wire(kind: Kind) -> Result<MessageType, Unfit> {
    match kind {
        Kind::Append => Ok(MessageType::MsgAppend),
        Kind::AppendResponse => Ok(MessageType::MsgAppendResponse),
        Kind::Vote => Ok(MessageType::MsgRequestVote),
        Kind::VoteResponse => Ok(MessageType::MsgRequestVoteResponse),
        Kind::Snapshot => Ok(MessageType::MsgSnapshot),
        Kind::Heartbeat => Ok(MessageType::MsgHeartbeat),
        Kind::HeartbeatResponse => Ok(MessageType::MsgHeartbeatResponse),
        Kind::TimeoutNow => Ok(MessageType::MsgTimeoutNow),
        Kind::PreVote => Ok(MessageType::MsgRequestPreVote),
        Kind::PreVoteResponse => Ok(MessageType::MsgRequestPreVoteResponse),
        Kind::Unspecified => Err(Unfit::Kind),
    }
}

pub(super) fn entry_to_wire(entry: &Entry) -> Result<RaftEntry, Unfit> {
    if entry.sync_log || !entry.context.is_empty() {
        return Err(Unfit::Entry);
    }
    let payload = match entry.get_entry_type() {
        EntryType::EntryNormal if entry.data.is_empty() => None,
        EntryType::EntryNormal => Some(Payload::Proposal(entry.data.clone())),
        EntryType::EntryConfChangeV2 => Some(Payload::ConfChange(decode_conf_change(&entry.data)?)),
        EntryType::EntryConfChange => return Err(Unfit::Entry),
    };
    Ok(RaftEntry { term: entry.term, index: entry.index, payload })
}

pub(super) fn entry_from_wire(wire: RaftEntry) -> Result<Entry, Unfit> {
    let (kind, data) = match wire.payload {
        None => (EntryType::EntryNormal, Bytes::new()),
        Some(Payload::Proposal(data)) if data.is_empty() => return Err(Unfit::Entry),
        // A copy, so that a small entry does not pin the frame it came in for as long as it is in the log.
        Some(Payload::Proposal(data)) => (EntryType::EntryNormal, Bytes::copy_from_slice(&data)),
        Some(Payload::ConfChange(change)) => {
            check_conf_change(&change)?;
            (EntryType::EntryConfChangeV2, change.encode_to_vec().into())
        }
    };
    let mut entry = Entry { term: wire.term, index: wire.index, data, ..Entry::default() };
    entry.set_entry_type(kind);
    Ok(entry)
}

/// The change of members in an entry's data: bytes that this process encoded, here or in the library.
pub(super) fn decode_conf_change(data: &[u8]) -> Result<RaftConfChange, Unfit> {
    let change = RaftConfChange::decode(data).map_err(|_| Unfit::ConfChange)?;
    check_conf_change(&change)?;
    Ok(change)
}

/// Our groups change one member at a time, and never by a joint configuration, so nothing else is understood.
fn check_conf_change(change: &RaftConfChange) -> Result<(), Unfit> {
    let [single] = &change.changes[..] else { return Err(Unfit::ConfChange) };
    let known = single.raft_id != 0 && nuthatch_proto::rpc::RaftConfChangeKind::try_from(single.kind).is_ok();
    match known && change.transition == 0 && change.context.is_empty() {
        true => Ok(()),
        false => Err(Unfit::ConfChange),
    }
}

pub(super) fn snapshot_to_wire(snapshot: &Snapshot) -> RaftSnapshot {
    let metadata = snapshot.get_metadata();
    RaftSnapshot {
        data: snapshot.data.clone(),
        conf_state: Some(conf_state_to_wire(metadata.get_conf_state())),
        index: metadata.index,
        term: metadata.term,
    }
}

pub(super) fn snapshot_from_wire(wire: RaftSnapshot) -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.set_data(wire.data);
    let metadata = snapshot.mut_metadata();
    metadata.index = wire.index;
    metadata.term = wire.term;
    metadata.set_conf_state(conf_state_from_wire(wire.conf_state.unwrap_or_default()));
    snapshot
}

fn conf_state_to_wire(state: &ConfState) -> RaftConfState {
    RaftConfState {
        voters: state.voters.clone(),
        learners: state.learners.clone(),
        voters_outgoing: state.voters_outgoing.clone(),
        learners_next: state.learners_next.clone(),
        auto_leave: state.auto_leave,
    }
}

fn conf_state_from_wire(wire: RaftConfState) -> ConfState {
    ConfState {
        voters: wire.voters,
        learners: wire.learners,
        voters_outgoing: wire.voters_outgoing,
        learners_next: wire.learners_next,
        auto_leave: wire.auto_leave,
        ..ConfState::default()
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::rpc::RaftConfChangeSingle;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2};
    use raft::{Config, RawNode, storage::MemStorage};

    use super::*;

    const KINDS: [MessageType; 19] = [
        MessageType::MsgHup,
        MessageType::MsgBeat,
        MessageType::MsgPropose,
        MessageType::MsgAppend,
        MessageType::MsgAppendResponse,
        MessageType::MsgRequestVote,
        MessageType::MsgRequestVoteResponse,
        MessageType::MsgSnapshot,
        MessageType::MsgHeartbeat,
        MessageType::MsgHeartbeatResponse,
        MessageType::MsgUnreachable,
        MessageType::MsgSnapStatus,
        MessageType::MsgCheckQuorum,
        MessageType::MsgTransferLeader,
        MessageType::MsgTimeoutNow,
        MessageType::MsgReadIndex,
        MessageType::MsgReadIndexResp,
        MessageType::MsgRequestPreVote,
        MessageType::MsgRequestPreVoteResponse,
    ];

    fn group() -> GroupId {
        GroupId([7; 16])
    }

    fn bytes() -> impl Strategy<Value = Bytes> {
        vec(any::<u8>(), 0..20).prop_map(Bytes::from)
    }

    fn change() -> impl Strategy<Value = RaftConfChange> {
        (0..3i32, 1..u64::MAX).prop_map(|(kind, raft_id)| RaftConfChange {
            changes: vec![RaftConfChangeSingle { kind, raft_id }],
            ..RaftConfChange::default()
        })
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let payload = prop_oneof![
            bytes().prop_map(|data| (EntryType::EntryNormal, data)),
            change().prop_map(|change| (EntryType::EntryConfChangeV2, change.encode_to_vec().into())),
        ];
        (any::<u64>(), any::<u64>(), payload).prop_map(|(term, index, (kind, data))| {
            let mut entry = Entry { term, index, data, ..Entry::default() };
            entry.set_entry_type(kind);
            entry
        })
    }

    fn snapshot() -> impl Strategy<Value = Snapshot> {
        let ids = || vec(any::<u64>(), 0..4);
        let members = (ids(), ids(), ids(), ids(), any::<bool>());
        (bytes(), any::<u64>(), any::<u64>(), members).prop_map(|(data, index, term, members)| {
            let (voters, learners, voters_outgoing, learners_next, auto_leave) = members;
            let mut snapshot = Snapshot::default();
            snapshot.set_data(data);
            snapshot.mut_metadata().index = index;
            snapshot.mut_metadata().term = term;
            snapshot.mut_metadata().set_conf_state(ConfState {
                voters,
                learners,
                voters_outgoing,
                learners_next,
                auto_leave,
                ..ConfState::default()
            });
            snapshot
        })
    }

    fn message() -> impl Strategy<Value = Message> {
        let numbers = any::<[u64; 9]>();
        let rest = (any::<bool>(), bytes(), any::<i64>());
        let parts = (vec(entry(), 0..4), prop::option::of(snapshot()));
        (0..KINDS.len(), numbers, rest, parts).prop_map(|(kind, numbers, rest, (entries, snapshot))| {
            let [to, from, term, log_term, index, commit, commit_term, request_snapshot, reject_hint] =
                numbers;
            let (reject, context, priority) = rest;
            let mut message = Message {
                to,
                from,
                term,
                log_term,
                index,
                entries: entries.into(),
                commit,
                commit_term,
                snapshot: snapshot.into(),
                request_snapshot,
                reject,
                reject_hint,
                context,
                priority,
                ..Message::default()
            };
            message.set_msg_type(KINDS[kind]);
            message
        })
    }

    proptest! {
        #[test]
        fn messages_round_trip_through_bytes_or_are_of_a_kind_that_is_never_sent(message in message()) {
            match message_to_wire(group(), message.clone()) {
                Ok(wire) => {
                    let received = RaftMessage::decode(&wire.encode_to_vec()[..]).expect("just encoded");
                    prop_assert_eq!(message_from_wire(received), Ok((group(), message)));
                }
                Err(unfit) => {
                    prop_assert_eq!(unfit, Unfit::Kind);
                    prop_assert!(kind_to_wire(message.get_msg_type()).is_err());
                }
            }
        }

        #[test]
        fn whatever_arrives_is_refused_or_means_the_same_when_sent_on(bytes in vec(any::<u8>(), 0..200)) {
            let Ok(wire) = RaftMessage::decode(&bytes[..]) else { return Ok(()) };
            let Ok((group, message)) = message_from_wire(wire) else { return Ok(()) };
            let sent_on = message_to_wire(group, message.clone()).expect("what was taken can be sent");
            prop_assert_eq!(message_from_wire(sent_on), Ok((group, message)));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let good = Message { term: 1, ..Message::default() };
        let sendable = |change: fn(&mut Message)| {
            let mut message = good.clone();
            message.set_msg_type(MessageType::MsgHeartbeat);
            change(&mut message);
            message_to_wire(group(), message).map(|_| ())
        };
        assert_eq!(sendable(|_| ()), Ok(()));
        assert_eq!(sendable(|m| m.deprecated_priority = 1), Err(Unfit::Field));
        assert_eq!(sendable(|m| m.set_msg_type(MessageType::MsgPropose)), Err(Unfit::Kind));
        assert_eq!(
            sendable(|m| m.mut_entries().push(Entry { sync_log: true, ..Entry::default() })),
            Err(Unfit::Entry)
        );
        assert_eq!(
            sendable(|m| m.mut_entries().push(Entry { context: vec![1].into(), ..Entry::default() })),
            Err(Unfit::Entry)
        );
        let mut old_form = Entry::default();
        old_form.set_entry_type(EntryType::EntryConfChange);
        assert_eq!(entry_to_wire(&old_form), Err(Unfit::Entry));
    }

    fn check_change_refused(spoil: impl Fn(&mut RaftConfChange)) {
        let single = RaftConfChangeSingle { kind: 0, raft_id: 3 };
        let mut change = RaftConfChange { changes: vec![single], ..RaftConfChange::default() };
        assert_eq!(check_conf_change(&change), Ok(()));
        spoil(&mut change);
        let wire = RaftEntry { term: 1, index: 1, payload: Some(Payload::ConfChange(change)) };
        assert_eq!(entry_from_wire(wire), Err(Unfit::ConfChange));
    }

    #[test]
    fn changes_of_members_of_another_form_are_refused() {
        check_change_refused(|change| change.changes.clear());
        check_change_refused(|change| change.changes.push(change.changes[0]));
        check_change_refused(|change| change.changes[0].raft_id = 0);
        check_change_refused(|change| change.changes[0].kind = 3);
        check_change_refused(|change| change.transition = 1);
        check_change_refused(|change| change.context = vec![1].into());
    }

    /// Our message stands for the library's bytes only as long as both encode alike.
    #[test]
    fn a_change_of_members_has_the_librarys_own_bytes() {
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let storage = MemStorage::new_with_conf_state((vec![1], vec![]));
        let mut node = RawNode::new(&Config::new(1), storage, &logger).expect("a group of one");
        node.campaign().expect("nobody else votes");
        for (kind, number) in [
            (ConfChangeType::AddNode, 0),
            (ConfChangeType::RemoveNode, 1),
            (ConfChangeType::AddLearnerNode, 2),
        ] {
            let mut single = ConfChangeSingle { node_id: 300, ..ConfChangeSingle::default() };
            single.set_change_type(kind);
            let library = ConfChangeV2 { changes: vec![single].into(), ..ConfChangeV2::default() };
            node.raft.pending_conf_index = 0;
            node.propose_conf_change(Vec::new(), library).expect("the leader takes it");
            let entry = node.raft.raft_log.all_entries().pop().expect("the proposal");
            let ours = decode_conf_change(&entry.data).expect("the form that we use");
            assert_eq!(ours.changes, [RaftConfChangeSingle { kind: number, raft_id: 300 }]);
            assert_eq!(ours.encode_to_vec(), entry.data);
        }
    }
}
