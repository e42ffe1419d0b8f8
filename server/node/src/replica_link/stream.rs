//! The primary's stream: commands that are applied in their order, and counted.
//!
//! Position is counted in bytes. What was applied is told to the primary each second and when it asks; after a break the
//! stream goes on behind it. A transaction counts when it is whole: of one that was cut off nothing was done, and all of it
//! comes again.
//!
//! What was selected stays selected over a break: the primary does not say it again.

use std::net::SocketAddr;
use std::time::Duration;

use nuthatch_proto::resp::{Decoder, encode_request};

use nuthatch_proto::slot::Slot;

use super::handshake::Position;
use super::pulse::{Beat, Pulse};
use super::slots_of;
use super::wire::{Broken, Wire};
use crate::clock;
use crate::dispatch::applied::Stuck;
use crate::dispatch::{Batch, Window};
use crate::net::io_thread::Thread;
use crate::net::session::Session;
use crate::role::Phase;

/// Why the stream is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Over {
    /// The connection.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// What it brings.
    #[error(transparent)]
    Stuck(#[from] Stuck),
    /// A command that does not end.
    #[error("the primary sends a command longer than client-query-buffer-limit")]
    TooLong,
    /// The node has other slots than when it took all data over.
    #[error("this node has got or lost slots")]
    OtherSlots,
}

/// Where the stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: Position,
    /// The database that is selected.
    pub(super) db: usize,
    /// The slots whose keys are taken.
    pub(super) slots: Vec<Slot>,
}

/// Follows the stream until that ends; `place` says where it is.
pub(super) fn follow(thread: &Thread, wire: &mut Wire<'_>, place: &mut Place) -> Result<(), Over> {
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let stream = wire.stream();
    let (addr, laddr) = (stream.peer_addr().unwrap_or(nowhere), stream.local_addr().unwrap_or(nowhere));
    let client = thread.node.clients.unregistered(addr, laddr, -1, clock::now());
    let mut session = Session::new(client, true);
    session.db = place.db;
    let mut reading = Reading {
        thread,
        wire,
        place,
        session,
        decoder: Decoder::default(),
        window: Window::default(),
        open: 0,
    };
    let over = reading.run();
    reading.session.end(&thread.node.engine);
    over
}

struct Reading<'t, 'w, 'r> {
    thread: &'t Thread,
    wire: &'w mut Wire<'r>,
    place: &'w mut Place,
    session: Session,
    decoder: Decoder,
    window: Window,
    /// How many bytes were run that belong to a transaction which is not whole.
    open: u64,
}

impl Reading<'_, '_, '_> {
    fn run(&mut self) -> Result<(), Over> {
        let mut pulse = Pulse::new(clock::monotonic());
        // The primary counts us in when it first hears of us.
        self.acknowledge(&mut pulse)?;
        loop {
            self.apply(&mut pulse)?;
            let patience = self.patience();
            match pulse.beat(clock::monotonic(), patience) {
                Beat::Gone => return Err(Broken::Silent(patience).into()),
                Beat::Speak => {
                    if self.thread.node.in_cluster() && slots_of(&self.thread.node) != self.place.slots {
                        return Err(Over::OtherSlots);
                    }
                    self.acknowledge(&mut pulse)?;
                }
                Beat::Wait(pause) => {
                    if self.wire.fill(pause)? {
                        pulse.heard(clock::monotonic());
                    }
                }
            }
        }
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.thread.node.config.settings().replication.timeout)
    }

    fn acknowledge(&mut self, pulse: &mut Pulse) -> Result<(), Broken> {
        let mut request = Vec::new();
        encode_request(&mut request, &["REPLCONF", "ACK", &self.place.position.offset.to_string()]);
        self.wire.send(&request, self.patience())?;
        pulse.spoke(clock::monotonic());
        Ok(())
    }

    /// Runs what is there.
    fn apply(&mut self, pulse: &mut Pulse) -> Result<(), Over> {
        if self.wire.unused().is_empty() {
            return Ok(());
        }
        let Self { thread, wire, place, session, decoder, window, open } = self;
        let known_only = thread.node.config.settings().replication.skip_unsupported;
        let (buffer, from) = wire.unused_mut();
        let mut start = from;
        let applied = {
            let mut scratch = thread.scratch.borrow_mut();
            let mut batch = Batch::of_primary(thread, session, decoder, &mut scratch.engine);
            batch.apply(buffer, &mut start, window, known_only)?
        };
        let ran = (start - from) as u64;
        wire.used(start - from);
        *open += ran;
        if let Some(settled) = applied.settled {
            let behind = (start - settled) as u64;
            place.position.offset += *open - behind;
            place.db = session.db;
            *open = behind;
        }
        let left = wire.unused().len() as u64;
        thread.node.role.note(Phase::Connected, |standing| {
            standing.heard = Some(clock::now());
            standing.applied = place.position.offset;
            standing.read = place.position.offset + *open + left;
            standing.passed_over += applied.passed_over;
        });
        if left > thread.node.config.settings().query_buffer_limit {
            return Err(Over::TooLong);
        }
        if applied.asked {
            self.acknowledge(pulse)?;
        }
        Ok(())
    }
}
