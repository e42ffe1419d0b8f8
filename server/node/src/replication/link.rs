//! A replica's side of a conversation with its primary.
//!
//! The machine greets, and each greeting is a conversation of its own: the link of the one before ends. What arrives is
//! taken in its order: appends go to the machine, which says what of them to apply and acknowledge; copies of slots are built
//! aside and put in their place when they are whole. While slots are copied, records of slots that are not here yet are
//! passed over, and the others applied.
//!
//! Invariants: the frames of one conversation never touch what another one built; records are kept up to the longest that
//! may be; what does not fit (a gap, a piece that is none) ends the conversation, and the machine begins the next.
//!
//! Neighbours: `serve` is the other side, `driver` owns the machine.

use std::rc::Rc;
use std::time::Duration;

use nuthatch_cluster::replication::Input;
use nuthatch_cluster::replication::message::{Ack, Append, Hello, Message, Session, SyncKind};
use nuthatch_cluster::topology::Grant;
use nuthatch_engine::effect::record::{RECORD_MAX, Record};
use nuthatch_engine::{Context, NoEffects, Rng, SlotCopy, Stats};
use nuthatch_proto::ids::ReplicationOffset;
use nuthatch_proto::rpc::primary_frame::Frame;
use nuthatch_proto::rpc::replica_frame::Frame as Said;
use nuthatch_proto::rpc::{PrimaryFrame, ReplicaFrame, ReplicationAppend, SlotPiece};
use nuthatch_proto::slot::{SLOT_COUNT, Slot};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::driver::{Core, Shares, give_up, step};
use super::wire;
use crate::clock;
use crate::rpc::peers::PeerAddress;

/// How many acknowledgements wait on their way; each says all that those before it said.
const ACKS_MAX: usize = 64;

/// How long the primary may take to take the call.
const BEGIN_DEADLINE: Duration = Duration::from_secs(1);

/// Slots on their way here.
#[derive(Debug)]
struct Copying {
    /// Which slots are here: their records are applied.
    held: Box<[bool]>,
    /// Where the records begin; none before the first comes, if nothing was here.
    placed: bool,
    building: Option<SlotCopy>,
    /// The last ping.
    ping: Option<Append>,
}

/// The conversation with the primary.
#[derive(Debug)]
pub(super) struct Link {
    session: Session,
    out: mpsc::Sender<ReplicaFrame>,
    copying: Option<Copying>,
    /// It takes appends.
    whole: bool,
    /// The lease clock when something last came.
    heard: u64,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Call(String),
    #[error(transparent)]
    Unsound(#[from] wire::Unsound),
    #[error("a frame that does not fit: {0}")]
    Misfit(&'static str),
    #[error("a piece of a slot is none: {0}")]
    Piece(#[from] nuthatch_engine::BadPiece),
}

impl Link {
    /// Greets the primary, in a conversation of its own.
    pub(super) fn dial(core: &Shares, to: Grant, hello: Hello) {
        let session = hello.session;
        let (out, said) = mpsc::channel(ACKS_MAX);
        let link = {
            let borrowed = core.borrow();
            let Some((place, _)) = &borrowed.member else { return };
            let view = borrowed.shared.view();
            let Some(node) = view.topology.node(to.node) else { return };
            let address = borrowed.shared.address_of(node);
            let greeting = wire::hello_out(place.group, place.shard, &hello);
            // The queue is new: there is room.
            let _ = out.try_send(ReplicaFrame { frame: Some(Said::Hello(greeting)) });
            let task = tokio::task::spawn_local(converse(Rc::clone(core), address, said, session));
            let (copying, whole, heard) = (None, false, 0);
            Self { session, out, copying, whole, heard, task: task.abort_handle() }
        };
        let before = core.borrow_mut().link.replace(link);
        // A task that is ended here may be the one that runs: then it ends at its next await.
        drop(before);
    }

    /// Whether it takes appends.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether slots are being copied.
    pub(super) fn is_copying(&self) -> bool {
        self.copying.is_some()
    }

    /// The lease clock when the primary was last heard.
    pub(super) fn heard(&self) -> u64 {
        self.heard
    }
}

async fn converse(core: Shares, address: PeerAddress, said: mpsc::Receiver<ReplicaFrame>, session: Session) {
    let ended = match begin(&core, &address, said).await {
        Ok(frames) => take_all(&core, session, frames).await,
        Err(ended) => Err(ended),
    };
    if let Err(ended) = ended {
        tracing::debug!("the conversation with the primary at {address} ended: {ended}");
    }
    // A primary that said nothing did not want the conversation, or is not there: the machine greets again in its time.
    let was_heard = core.borrow().link.as_ref().is_some_and(|link| link.session == session && link.heard > 0);
    if was_heard {
        step(&core, Input::LinkLost { session });
    }
}

async fn begin(
    core: &Shares,
    address: &PeerAddress,
    said: mpsc::Receiver<ReplicaFrame>,
) -> Result<Streaming<PrimaryFrame>, Ended> {
    let client = core.borrow().shared.peers.bulk_client(address);
    let mut client = client.map_err(|error| Ended::Call(error.to_string()))?;
    let begun = timeout(BEGIN_DEADLINE, client.replicate(ReceiverStream::new(said))).await;
    let begun = begun.map_err(|_| Ended::Call("no answer in time".to_owned()))?;
    Ok(begun.map_err(|status| Ended::Call(status.message().to_owned()))?.into_inner())
}

async fn take_all(core: &Shares, session: Session, mut frames: Streaming<PrimaryFrame>) -> Result<(), Ended> {
    let mut parts = Vec::new();
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|status| Ended::Call(status.message().to_owned()))?;
        let frame = frame.frame.ok_or(Ended::Misfit("an empty one"))?;
        let ours = match &mut core.borrow_mut().link {
            Some(link) if link.session == session => {
                link.heard = clock::lease();
                true
            }
            Some(_) | None => false,
        };
        if !ours {
            return Ok(());
        }
        match frame {
            Frame::Sync(sync) => step(core, Input::Message(Message::Sync(wire::sync(sync)?))),
            Frame::Part(part) => {
                if (parts.len() + part.len()) as u64 > RECORD_MAX {
                    return Err(Ended::Misfit("a record longer than any"));
                }
                parts.extend_from_slice(&part);
            }
            Frame::Append(append) => take_append(core, std::mem::take(&mut parts), append)?,
            Frame::Piece(piece) => {
                core.borrow_mut().take_piece(&piece)?;
                repeat_ping(core);
            }
            Frame::Copied(copied) => {
                let (first, last) = wire::span(&copied.slots.ok_or(Ended::Misfit("no slots"))?)?;
                core.borrow_mut().put_in_place(first, last)?;
                repeat_ping(core);
            }
            Frame::End(end) => {
                let end = ReplicationOffset(end.end);
                core.borrow_mut().end_copy(end)?;
                step(core, Input::Copied { session, end });
            }
        }
        // The machine's other inputs are for the same thread.
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Slots take time, and pings wait behind them: that slots come says as much as a ping that is late, so the last one is taken
/// once more.
fn repeat_ping(core: &Shares) {
    let ping = core.borrow().link.as_ref().and_then(|link| link.copying.as_ref()?.ping);
    if let Some(ping) = ping {
        step(core, Input::Message(Message::Append(ping)));
    }
}

fn take_append(core: &Shares, mut records: Vec<u8>, append: ReplicationAppend) -> Result<(), Ended> {
    let header = wire::append(&append);
    if records.is_empty() {
        records = append.records.into();
    } else {
        records.extend_from_slice(&append.records);
    }
    if header.end.0.checked_sub(header.start.0) != Some(records.len() as u64) {
        return Err(Ended::Misfit("an append that is not as long as it says"));
    }
    let whole = {
        let core = &mut *core.borrow_mut();
        let Some(link) = &mut core.link else { return Ok(()) };
        match &mut link.copying {
            Some(copying) => {
                copying.ping = Some(header);
                core.follow_meanwhile(header.start, &records)?;
            }
            None => core.records = (header.start, records),
        }
        core.link.as_ref().is_some_and(|link| link.copying.is_none())
    };
    step(core, Input::Message(Message::Append(header)));
    let core = &mut *core.borrow_mut();
    core.records.1 = Vec::new();
    if let Some(link) = &mut core.link {
        link.whole |= whole;
    }
    Ok(())
}

impl Core {
    /// Sends an acknowledgement, if there is room: the next one says as much.
    pub(super) fn acknowledge(&mut self, ack: &Ack) {
        if let Some(link) = self.link.as_ref().filter(|link| link.session == ack.session) {
            let _ = link.out.try_send(ReplicaFrame { frame: Some(Said::Ack(wire::ack_out(ack))) });
        }
    }

    /// Asks for the slots that are to be copied.
    pub(super) fn begin_copy(&mut self, session: Session, kind: SyncKind) {
        let log = &self.feed.log;
        let Some(link) = self.link.as_mut().filter(|link| link.session == session) else { return };
        let (wanted, placed) = match kind {
            SyncKind::Slots { after } => (log.cut(after), true),
            SyncKind::Partial | SyncKind::Full => (Slot::all().collect(), false),
        };
        tracing::info!("copying {} slots from the primary", wanted.len());
        let mut held: Box<[bool]> = vec![true; usize::from(SLOT_COUNT)].into();
        wanted.iter().for_each(|slot| held[slot.index()] = false);
        link.copying = Some(Copying { held, placed, building: None, ping: None });
        link.whole = false;
        let request = wire::slots_out(&wanted);
        // Nothing but the greeting and a few acknowledgements went before it.
        if link.out.try_send(ReplicaFrame { frame: Some(Said::Slots(request)) }).is_err() {
            self.link = None;
        }
    }

    /// Takes records that come while slots are copied.
    fn follow_meanwhile(&mut self, start: ReplicationOffset, records: &[u8]) -> Result<(), Ended> {
        let log = &self.feed.log;
        let Some(copying) = self.link.as_mut().and_then(|link| link.copying.as_mut()) else { return Ok(()) };
        if records.is_empty() {
            return Ok(());
        }
        if !std::mem::replace(&mut copying.placed, true) {
            log.restart(start);
        }
        if log.end() != start {
            return Err(Ended::Misfit("a gap in the records"));
        }
        let (mut stats, mut rng) = (Stats::default(), Rng::new(0));
        let mut cx = Context::new(clock::now(), &NoEffects, &mut stats, &mut rng);
        let _turn = self.seat.turn();
        let mut at = 0;
        while at < records.len() {
            let Ok(Some((record, taken))) = Record::read(&records[at..]) else {
                return Err(Ended::Misfit("what is no record"));
            };
            if copying.held[record.slot.index()]
                && let Err(why) = self.engine.apply_record(&mut cx, &record)
            {
                give_up(&format!("a record of slot {} does not fit its copy: {why}", record.slot));
            }
            at += taken;
        }
        log.extend(records);
        Ok(())
    }

    fn take_piece(&mut self, piece: &SlotPiece) -> Result<(), Ended> {
        let Some(copying) = self.link.as_mut().and_then(|link| link.copying.as_mut()) else {
            return Err(Ended::Misfit("a piece of a slot that was not asked for"));
        };
        let slot = wire::slot(piece.slot)?;
        if copying.held[slot.index()] || copying.building.as_ref().is_some_and(|copy| copy.slot() != slot) {
            return Err(Ended::Misfit("a piece of another slot"));
        }
        let copy = copying.building.get_or_insert_with(|| SlotCopy::new(slot));
        let (mut stats, mut rng) = (Stats::default(), Rng::new(0));
        let cx = Context::new(clock::now(), &NoEffects, &mut stats, &mut rng);
        let db = usize::try_from(piece.database).unwrap_or(usize::MAX);
        Ok(self.engine.import_piece(&cx, copy, db, &piece.keys)?)
    }

    fn put_in_place(&mut self, first: Slot, last: Slot) -> Result<(), Ended> {
        let Some(copying) = self.link.as_mut().and_then(|link| link.copying.as_mut()) else {
            return Err(Ended::Misfit("slots that were not asked for"));
        };
        let (mut stats, mut rng) = (Stats::default(), Rng::new(0));
        let cx = Context::new(clock::now(), &NoEffects, &mut stats, &mut rng);
        let _turn = self.seat.turn();
        let mut copy = copying.building.take();
        if copy.as_ref().is_some_and(|copy| copy.slot() != first || first != last) {
            return Err(Ended::Misfit("the end of another slot"));
        }
        for slot in Slot::all().filter(|slot| (first..=last).contains(slot)) {
            if std::mem::replace(&mut copying.held[slot.index()], true) {
                return Err(Ended::Misfit("a slot that was not asked for"));
            }
            let copy = copy.take();
            let has_keys =
                || (0..self.engine.databases()).any(|db| self.engine.count_keys_in_slot(db, slot) > 0);
            if copy.is_some() || has_keys() {
                self.engine.replace_slot(&cx, copy.unwrap_or_else(|| SlotCopy::new(slot)));
            }
            self.feed.log.note_copied(slot);
        }
        Ok(())
    }

    fn end_copy(&mut self, end: ReplicationOffset) -> Result<(), Ended> {
        let Some(link) = &mut self.link else { return Ok(()) };
        let Some(copying) = link.copying.take() else { return Err(Ended::Misfit("the end of no copy")) };
        if !copying.placed {
            self.feed.log.restart(end);
        }
        if self.feed.log.end() != end || copying.building.is_some() || copying.held.iter().any(|held| !held) {
            return Err(Ended::Misfit("the end of a copy that is not whole"));
        }
        tracing::info!("the copy is whole, up to {end}");
        link.whole = true;
        Ok(())
    }
}
