//! A primary's side of a conversation with a replica: the log as it grows, and before that copies of slots if it needs them.
//!
//! What a replica is sent is one stream, and its order says what belongs together: the copy of a slot comes after the records
//! up to the moment at which it was made, so the replica passes over records of slots that it does not have yet, and applies
//! those of slots that it has. So slots are copied one after the other while clients go on, and what is kept here at a time
//! is one slot.
//!
//! Nothing is sent before there is room for it on the way. A replica that takes it too slowly finds one day that the log has
//! gone on without it (`repl-backlog-size`); then the conversation ends and it begins anew.
//!
//! Invariants: frames are whole and in order; one conversation for each life, the newest; the memory of one is bounded by
//! the largest slot, or the longest record, and the queue.

use std::collections::VecDeque;

use bytes::Bytes;
use nuthatch_cluster::replication::message::{Ack, Append, Session, Sync, SyncKind};
use nuthatch_cluster::topology::Grant;
use nuthatch_proto::ids::ReplicationOffset;
use nuthatch_proto::rpc::primary_frame::Frame;
use nuthatch_proto::rpc::{CopyEnd, PrimaryFrame, SlotPiece, SlotsCopied};
use nuthatch_proto::slot::Slot;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::driver::{Core, Shares, now};
use super::log::Found;
use super::wire;
use crate::clock;

/// How many frames wait on their way to a replica.
pub(crate) const FRAMES_MAX: usize = 16;

/// Longer records are sent in parts.
const PART: usize = 1024 * 1024;

/// How many slots are looked at before others have their turn.
const SLOTS_PER_TURN: usize = 512;

/// How long to wait for a turn to copy a slot in.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(1);

/// What it is about.
#[derive(Debug)]
enum Stage {
    /// The machine has not said how it goes on.
    Greeted,
    /// The replica is about to say which slots it wants.
    Asking,
    /// These are still to be copied.
    Copying(VecDeque<Slot>),
    /// The log, as it grows.
    Streaming,
}

/// A conversation with one life of a replica.
#[derive(Debug)]
pub(super) struct Conversation {
    session: Session,
    out: mpsc::Sender<PrimaryFrame>,
    kind: Option<SyncKind>,
    stage: Stage,
    /// Up to where it was sent the log.
    cursor: ReplicationOffset,
    /// Frames that are ready.
    ready: VecDeque<Frame>,
    acked: ReplicationOffset,
    heard: u64,
    task: Option<AbortHandle>,
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What a conversation has to say next.
enum Next {
    Frame(Frame),
    /// Nothing before something happens.
    Nothing,
    /// Something, in a moment.
    Soon,
    /// It is over.
    Over,
}

impl Conversation {
    /// Sends the log from there on.
    pub(super) fn stream(core: &Shares, to: Grant, session: Session, from: ReplicationOffset) {
        Self::begin(core, to, session, |conversation, _| {
            conversation.cursor = from;
            conversation.stage = Stage::Streaming;
        });
    }

    /// Copies slots, when the replica has said which, and sends the log from there on.
    pub(super) fn serve(core: &Shares, to: Grant, session: Session) {
        Self::begin(core, to, session, |conversation, end| {
            conversation.cursor = match conversation.kind {
                Some(SyncKind::Slots { after }) => after,
                Some(SyncKind::Partial | SyncKind::Full) | None => end,
            };
            conversation.stage = Stage::Asking;
        });
    }

    fn begin(core: &Shares, to: Grant, session: Session, set: impl FnOnce(&mut Self, ReplicationOffset)) {
        let shares = core.clone();
        let core = &mut *core.borrow_mut();
        let end = core.feed.log.end();
        let Some(conversation) = core.conversations.get_mut(&to).filter(|known| known.session == session)
        else {
            return;
        };
        set(conversation, end);
        let task = tokio::task::spawn_local(send(shares, to, session, conversation.out.clone()));
        conversation.task = Some(task.abort_handle());
    }

    /// Whether it takes appends, what it holds, and when it was heard; none before it is served.
    pub(super) fn standing(&self) -> Option<(bool, ReplicationOffset, u64)> {
        match self.stage {
            Stage::Greeted => None,
            Stage::Asking | Stage::Copying(_) => Some((false, self.acked, self.heard)),
            Stage::Streaming => Some((true, self.acked, self.heard)),
        }
    }

    /// Frames for an append with these records.
    fn append(&mut self, append: &Append, records: Vec<u8>) {
        let mut records = Bytes::from(records);
        while records.len() > PART {
            self.ready.push_back(Frame::Part(records.split_to(PART)));
        }
        self.ready.push_back(Frame::Append(wire::append_out(append, records)));
    }
}

/// Sends what there is to say, until the conversation is over.
async fn send(core: Shares, to: Grant, session: Session, out: mpsc::Sender<PrimaryFrame>) {
    let mut stirred = core.borrow().stirred.subscribe();
    loop {
        let Ok(room) = out.reserve().await else { break };
        stirred.mark_unchanged();
        let next = core.borrow_mut().next(to, session);
        match next {
            Next::Frame(frame) => room.send(PrimaryFrame { frame: Some(frame) }),
            Next::Soon => {
                drop(room);
                tokio::time::sleep(PAUSE).await;
            }
            Next::Nothing => {
                drop(room);
                let more = tokio::select! {
                    changed = stirred.changed() => changed.is_ok(),
                    () = out.closed() => false,
                };
                if !more {
                    break;
                }
            }
            Next::Over => break,
        }
        // Acknowledgements and ticks are for the same thread.
        tokio::task::yield_now().await;
    }
    let core = &mut *core.borrow_mut();
    if let Some(conversation) = core.conversations.get_mut(&to).filter(|known| known.session == session) {
        // This is the task that would be ended.
        conversation.task = None;
        core.conversations.remove(&to);
    }
}

impl Core {
    /// A replica has greeted: what the machine says to that goes there.
    pub(super) fn converse(&mut self, with: Grant, session: Session, out: mpsc::Sender<PrimaryFrame>) {
        if self.conversations.get(&with).is_some_and(|known| known.session >= session) {
            return;
        }
        let conversation = Conversation {
            session,
            out,
            kind: None,
            stage: Stage::Greeted,
            cursor: ReplicationOffset(0),
            ready: VecDeque::new(),
            acked: ReplicationOffset(0),
            heard: clock::lease(),
            task: None,
        };
        self.conversations.insert(with, conversation);
    }

    /// Ends conversations that the machine does not want.
    pub(super) fn end_if_idle(&mut self) {
        self.conversations.retain(|_, conversation| !matches!(conversation.stage, Stage::Greeted));
    }

    /// Sends how the replica gets what it lacks: the first frame of the conversation.
    pub(super) fn answer(&mut self, to: Grant, sync: &Sync) {
        let conversation = self.conversations.get_mut(&to);
        if let Some(conversation) = conversation.filter(|known| known.session == sync.session) {
            tracing::info!("replica {} is synchronised: {:?}", to.node, sync.kind);
            conversation.kind = Some(sync.kind);
            conversation.ready.push_back(Frame::Sync(wire::sync_out(sync)));
        }
    }

    /// Sends a ping, if there is room: whatever else is on its way says as much.
    pub(super) fn ping(&mut self, to: Grant, session: Session) {
        let Some((_, member)) = &self.member else { return };
        let conversation = self.conversations.get_mut(&to).filter(|known| known.session == session);
        let Some(conversation) = conversation.filter(|known| !matches!(known.stage, Stage::Greeted)) else {
            return;
        };
        let at = conversation.cursor;
        // While slots are copied there is always something on its way, and the replica must hear of the primary all the same.
        if !matches!(conversation.ready.back(), Some(Frame::Append(_)))
            && let Some(header) = member.header(now(), to, session, at, at)
        {
            conversation.append(&header, Vec::new());
            self.stirred.send_replace(());
        }
    }

    pub(super) fn note_ack(&mut self, ack: &Ack) {
        let conversation = self.conversations.get_mut(&ack.member);
        if let Some(conversation) = conversation.filter(|known| known.session == ack.session) {
            conversation.heard = clock::lease();
            conversation.acked = conversation.acked.max(ack.offset.unwrap_or_default());
        }
    }

    /// The replica has said which slots it wants.
    pub(super) fn want(&mut self, member: Grant, session: Session, slots: Vec<Slot>) {
        let conversation = self.conversations.get_mut(&member);
        if let Some(conversation) = conversation.filter(|known| known.session == session)
            && matches!(conversation.stage, Stage::Asking)
        {
            conversation.stage = Stage::Copying(slots.into());
            self.stirred.send_replace(());
        }
    }

    pub(super) fn leave(&mut self, member: Grant, session: Session) {
        self.conversations.retain(|grant, known| *grant != member || known.session != session);
    }

    fn next(&mut self, to: Grant, session: Session) -> Next {
        let Some((_, member)) = &self.member else { return Next::Over };
        let Some(conversation) = self.conversations.get_mut(&to).filter(|known| known.session == session)
        else {
            return Next::Over;
        };
        if let Some(frame) = conversation.ready.pop_front() {
            return Next::Frame(frame);
        }
        match conversation.stage {
            Stage::Greeted | Stage::Asking => Next::Nothing,
            Stage::Copying(_) => self.copy_some(to),
            Stage::Streaming => match self.feed.log.read(conversation.cursor) {
                Found::End => Next::Nothing,
                Found::Gone => {
                    tracing::warn!("replica {} is too slow: it begins anew", to.node);
                    Next::Over
                }
                Found::Records(records) => {
                    let start = conversation.cursor;
                    let end = ReplicationOffset(start.0 + records.len() as u64);
                    let Some(header) = member.header(now(), to, session, start, end) else {
                        return Next::Over;
                    };
                    conversation.cursor = end;
                    conversation.append(&header, records);
                    conversation.ready.pop_front().map_or(Next::Nothing, Next::Frame)
                }
            },
        }
    }

    /// Makes ready the copy of the next slot, or word of empty ones, or of the end.
    fn copy_some(&mut self, to: Grant) -> Next {
        let Some(_turn) = self.seat.try_turn() else { return Next::Soon };
        let (engine, log) = (&self.engine, &self.feed.log);
        let Some((_, member)) = &self.member else { return Next::Over };
        let Some(conversation) = self.conversations.get_mut(&to) else { return Next::Over };
        let Stage::Copying(slots) = &mut conversation.stage else { return Next::Nothing };
        // A slot without keys that was not written to since is one without keys where the records end that were sent.
        let is_empty = |slot: Slot| {
            (0..engine.databases()).all(|db| engine.count_keys_in_slot(db, slot) == 0)
                && log.written(slot) <= conversation.cursor
        };
        let Some(&first) = slots.front() else {
            conversation.stage = Stage::Streaming;
            return Next::Frame(Frame::End(CopyEnd { end: conversation.cursor.0 }));
        };
        let mut last = None;
        for _ in 0..SLOTS_PER_TURN {
            let follows = |slot: &Slot| last.is_none_or(|last: Slot| last.number() + 1 == slot.number());
            let Some(slot) = slots.front().copied().filter(follows).filter(|slot| is_empty(*slot)) else {
                break;
            };
            last = Some(slot);
            slots.pop_front();
        }
        if let Some(last) = last {
            return Next::Frame(Frame::Copied(SlotsCopied { slots: Some(wire::span_out(first, last)) }));
        }
        slots.pop_front();
        let mut pieces = Vec::new();
        let at = engine.export_slot(
            first,
            || log.end(),
            |db, piece| {
                let database = u32::try_from(db).unwrap_or(u32::MAX);
                pieces.push(SlotPiece { slot: first.number().into(), database, keys: piece.to_vec().into() });
            },
        );
        // The records before it come first.
        while conversation.cursor < at {
            let Found::Records(mut records) = log.read(conversation.cursor) else { return Next::Over };
            let start = conversation.cursor;
            let room = usize::try_from(at.0 - start.0).unwrap_or(usize::MAX);
            records.truncate(room);
            let end = ReplicationOffset(start.0 + records.len() as u64);
            let session = conversation.session;
            let Some(header) = member.header(now(), to, session, start, end) else { return Next::Over };
            conversation.cursor = end;
            conversation.append(&header, records);
        }
        conversation.ready.extend(pieces.into_iter().map(Frame::Piece));
        conversation
            .ready
            .push_back(Frame::Copied(SlotsCopied { slots: Some(wire::span_out(first, first)) }));
        conversation.ready.pop_front().map_or(Next::Nothing, Next::Frame)
    }
}
