//! All data of the primary: it comes in, is decoded as it comes, and replaces what was here.
//!
//! Memory holds one key of it at a time. The old data goes when the new data begins to come, and clients are answered
//! LOADING from then until all of it is there. An attempt that fails leaves nothing behind: a part of the data would be
//! taken for all of it.
//!
//! The primary hears of us each second meanwhile, or it would take us for gone while we are at work.

use std::io::{self, Read};
use std::time::Duration;

use nuthatch_engine::{LoadError, Loaded, Wanted};

use super::framing::{Extent, NoData};
use super::pulse::{Beat, Pulse};
use super::wire::{Broken, Wire};
use crate::clock;
use crate::node::Node;
use crate::persistence::with_context;
use crate::role::{Phase, Transfer};

/// Why the data did not come in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The connection.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// What announces it.
    #[error(transparent)]
    NoData(#[from] NoData),
    /// The data itself.
    #[error("the primary's data cannot be taken over: {0}")]
    Data(#[from] LoadError),
}

/// The data as it comes in.
struct Incoming<'w, 'r> {
    node: &'w Node,
    wire: &'w mut Wire<'r>,
    extent: Extent,
    read: u64,
    pulse: Pulse,
    patience: Duration,
    /// Why nothing comes any more.
    broken: Option<Broken>,
}

impl Incoming<'_, '_> {
    /// Has some bytes of the data in the wire's buffer, unless it is at its end.
    fn await_some(&mut self) -> Result<usize, Broken> {
        loop {
            let within = self.extent.within(self.read, self.wire.unused().len());
            if within > 0 || self.extent.length() == Some(self.read) {
                return Ok(within);
            }
            match self.pulse.beat(clock::monotonic(), self.patience) {
                Beat::Gone => return Err(Broken::Silent(self.patience)),
                Beat::Speak => self.speak()?,
                Beat::Wait(pause) => {
                    if self.wire.fill(pause)? {
                        self.pulse.heard(clock::monotonic());
                        self.note();
                    }
                }
            }
        }
    }

    /// A newline is no command: it only says that we are there.
    fn speak(&mut self) -> Result<(), Broken> {
        self.wire.send(b"\n", self.patience)?;
        self.pulse.spoke(clock::monotonic());
        Ok(())
    }

    fn note(&self) {
        let (total, read) = (self.extent.length(), self.read);
        let transfer = Transfer { total, read, heard: clock::now() };
        self.node.role.note(Phase::Transfer, |standing| standing.transfer = transfer);
    }
}

impl Read for Incoming<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // Also when bytes come so fast that nobody waits for them.
        let spoken = match self.pulse.beat(clock::monotonic(), Duration::MAX) {
            Beat::Speak => self.speak(),
            Beat::Wait(_) | Beat::Gone => Ok(()),
        };
        match spoken.and_then(|()| self.await_some()) {
            Ok(within) => {
                let len = within.min(out.len());
                out[..len].copy_from_slice(&self.wire.unused()[..len]);
                self.wire.used(len);
                self.read += len as u64;
                Ok(len)
            }
            Err(broken) => {
                self.broken = Some(broken);
                Err(io::Error::other("the connection is over"))
            }
        }
    }
}

/// Takes the primary's data in place of our own.
pub(super) fn receive(node: &Node, wire: &mut Wire<'_>, wanted: Wanted) -> Result<Loaded, Failed> {
    let patience = Duration::from_secs(node.config.settings().replication.timeout);
    let extent = loop {
        if let Some(extent) = Extent::announced(&wire.line(patience)?)? {
            break extent;
        }
    };
    // A snapshot of the old data ends first, and none is taken of a part of the new.
    let _none = node.snapshots.lock();
    node.engine.stand_still(|| {
        node.role.set_loading(true);
        // Whoever follows would miss what comes now.
        node.feed.followers().iter().for_each(|follower| follower.client.kill());
        with_context(|cx| node.engine.clear(cx));
    });
    node.freeing.wake();
    let received = load(node, wire, extent, patience, wanted);
    node.engine.stand_still(|| {
        if received.is_err() {
            with_context(|cx| node.engine.clear(cx));
        }
        node.role.set_loading(false);
    });
    received
}

fn load(
    node: &Node,
    wire: &mut Wire<'_>,
    extent: Extent,
    patience: Duration,
    wanted: Wanted,
) -> Result<Loaded, Failed> {
    let pulse = Pulse::new(clock::monotonic());
    let mut incoming = Incoming { node, wire, extent, read: 0, pulse, patience, broken: None };
    incoming.note();
    let loaded = with_context(|cx| node.engine.load_some(cx, &mut incoming, wanted));
    if let Some(broken) = incoming.broken.take() {
        return Err(broken.into());
    }
    let loaded = loaded?;
    let read = incoming.read;
    while wire.unused().len() < extent.tail() {
        if !wire.fill(patience)? {
            return Err(Broken::Silent(patience).into());
        }
    }
    extent.check(read, &wire.unused()[..extent.tail()])?;
    wire.used(extent.tail());
    Ok(loaded)
}
