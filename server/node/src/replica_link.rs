//! The link to the server that this node follows (`REPLICAOF`): a thread that introduces itself as a replica of Redis does,
//! takes over all data, and applies the stream of commands that comes after it.
//!
//! It does what the newest order of [`Role`](crate::role::Role) says, and nothing else of the node's: no connection of a client
//! lives here. A link that breaks is made again after a pause that grows, and goes on where it was if the primary still has
//! what came since; otherwise all data comes anew. What this server has not (streams, functions, modules' data), and a
//! command that fails here, end the link for good: going on would leave out something that nobody notices. With
//! `replica-skip-unsupported` such things are passed over and counted.
//!
//! In a cluster each node may take the keys of its own slots so (`CLUSTER IMPORT`). If its slots change meanwhile, all begins
//! anew: of a slot that it was given it has none of the keys.
//!
//! The parts: [`handshake`], [`framing`] and [`pulse`] decide and touch no socket; [`wire`] is the socket, [`transfer`] takes
//! all data over, [`stream`] follows the stream.

mod framing;
mod handshake;
mod pulse;
mod stream;
mod transfer;
mod wire;

use std::cell::{OnceCell, RefCell};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nuthatch_engine::{LoadError, Wanted};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::Slot;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::sleep;

use self::handshake::{Handshake, Heard, Introduction, Position, Unwilling};
use self::stream::{Over, Place};
use self::transfer::Failed;
use self::wire::{Broken, Duty, Wire};
use crate::clock;
use crate::dispatch::applied::Stuck;
use crate::feed::tap::Tap;
use crate::net::connection::Scratch;
use crate::net::io_thread::Thread;
use crate::node::{Node, random_id};
use crate::role::{Order, Phase, Primary, Standing, Transfer, Wish};

/// The pause before the next attempt: at first, and at most.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How long the primary may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How an attempt ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    Unwilling(#[from] Unwilling),
    #[error(transparent)]
    Failed(#[from] Failed),
    #[error(transparent)]
    Over(#[from] Over),
    #[error("the primary goes on where nobody was")]
    NoPlace,
}

/// The slots whose keys this node takes: all of them but in a cluster.
fn slots_of(node: &Node) -> Vec<Slot> {
    Slot::all().filter(|&slot| node.engine.serves(slot)).collect()
}

/// What is to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Another order is.
    Order,
    /// It may go better next time.
    Again,
    /// It will not until something changes.
    Halt,
}

impl Ended {
    fn next(&self) -> Next {
        match self {
            Self::Broken(broken)
            | Self::Failed(Failed::Broken(broken))
            | Self::Over(Over::Broken(broken)) => {
                if matches!(broken, Broken::Overruled) {
                    Next::Order
                } else {
                    Next::Again
                }
            }
            Self::Unwilling(_) | Self::NoPlace | Self::Failed(Failed::NoData(_)) => Next::Again,
            Self::Failed(Failed::Data(error)) => match error {
                LoadError::Unknown { .. } | LoadError::TooNew(_) | LoadError::NoDatabase(_) => Next::Halt,
                LoadError::Unreadable(_)
                | LoadError::NotRdb
                | LoadError::CutOff(_)
                | LoadError::Damaged { .. }
                | LoadError::Checksum => Next::Again,
            },
            Self::Over(Over::Stuck(Stuck::Command(_)) | Over::TooLong) => Next::Halt,
            Self::Over(Over::Stuck(Stuck::Form(_)) | Over::OtherSlots) => Next::Again,
        }
    }
}

/// Starts the thread. It ends when that is ordered.
pub(crate) fn start(node: Arc<Node>) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let seed = clock::seed()?;
    thread::Builder::new().name("replica-link".to_owned()).spawn(move || {
        let orders = node.role.orders();
        let mut link = Link { node, runtime, orders, seed, thread: OnceCell::new(), place: None };
        link.serve();
        // A name that is being looked up is not waited for.
        link.runtime.shutdown_background();
    })
}

struct Link {
    node: Arc<Node>,
    runtime: Runtime,
    orders: watch::Receiver<Order>,
    seed: u64,
    /// What commands run on, from the first order on.
    thread: OnceCell<Thread>,
    /// Where in the stream it is; none if the data is not that of a stream.
    place: Option<Place>,
}

impl Link {
    fn serve(&mut self) {
        loop {
            let Order { number, wish } = self.orders.borrow_and_update().clone();
            match wish {
                Wish::End => return,
                Wish::Rest => self.rest(),
                Wish::Follow(primary) => {
                    self.node.role.settle(number);
                    self.follow(number, &primary);
                }
            }
            self.node.role.settle(number);
            let (runtime, orders) = (&self.runtime, &mut self.orders);
            // The node, which has the other end, is held by this thread.
            let _ = runtime.block_on(orders.wait_for(|order| order.number != number));
        }
    }

    /// Follows nobody: the data is our own from here on.
    fn rest(&mut self) {
        let role = &self.node.role;
        if !role.is_replica() {
            return;
        }
        let offset = self.place.take().map(|place| place.position.offset);
        match random_id() {
            Ok(replid) => role.promote(replid),
            Err(error) => {
                tracing::error!("No new replication id is to be had: {error}");
                role.promote(self.node.run_id.clone());
            }
        }
        if let Some(offset) = offset {
            self.node.feed.go_on_from(offset);
        }
        tracing::info!("MASTER MODE enabled: the data is this server's own");
    }

    /// Follows a server until there is another order, or what comes cannot be taken over.
    fn follow(&mut self, number: u64, primary: &Primary) {
        let mut pause = PAUSE_MIN;
        loop {
            let mut duty = Duty::new(&self.orders, number);
            if duty.is_over() {
                return;
            }
            let applied = self.node.role.standing().applied;
            let Err(ended) = self.attempt(number, primary) else { return };
            let next = ended.next();
            self.tell(next, &ended);
            if next != Next::Again {
                return;
            }
            // It came further than the attempt before.
            if self.node.role.standing().applied != applied {
                pause = PAUSE_MIN;
            }
            if duty.during(&self.runtime, async { sleep(pause).await }).is_err() {
                return;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Notes and logs how an attempt ended.
    fn tell(&self, next: Next, ended: &Ended) {
        let phase = if next == Next::Halt { Phase::Halted } else { Phase::Waiting };
        let trouble = (next != Next::Order).then(|| ended.to_string());
        match next {
            Next::Order => {}
            Next::Again => tracing::warn!("The link to the primary is down: {ended}. It is tried again."),
            Next::Halt => tracing::error!(
                "The link to the primary is given up: {ended}. To leave out what this server does not have, set \
                 replica-skip-unsupported; REPLICAOF starts the link again."
            ),
        }
        self.node.role.note(phase, |standing: &mut Standing| {
            standing.down_since.get_or_insert(clock::now());
            (standing.heard, standing.trouble) = (None, trouble);
        });
    }

    /// Connects, takes over what is missing, and follows the stream until that ends.
    fn attempt(&mut self, number: u64, primary: &Primary) -> Result<(), Ended> {
        let node = Arc::clone(&self.node);
        node.role.note(Phase::Connecting, |_| {});
        tracing::info!("Connecting to the primary {}:{}", primary.host, primary.port);
        let duty = Duty::new(&self.orders, number);
        let mut wire = Wire::connect(&self.runtime, duty, primary, CONNECT_LIMIT)?;
        node.role.note(Phase::Handshake, |_| {});
        match introduce(&node, &mut wire, self.place.as_ref())? {
            Heard::Rest(replid) => {
                let place = self.place.as_mut().ok_or(Ended::NoPlace)?;
                if let Some(replid) = replid {
                    place.position.replid = replid;
                }
                tracing::info!("The stream of the primary goes on at offset {}", place.position.offset + 1);
            }
            Heard::Everything(position) => {
                // Until all of it is here the data is that of no stream.
                self.place = None;
                self.place = Some(resynchronize(&node, &mut wire, position)?);
            }
            Heard::Nothing | Heard::Say(_) => return Err(Ended::NoPlace),
        }
        let Some(place) = &mut self.place else { return Ok(()) };
        node.role.history().adopt(&place.position.replid);
        let offset = place.position.offset;
        node.role.note(Phase::Connected, |standing| {
            (standing.read, standing.applied, standing.heard) = (offset, offset, Some(clock::now()));
            (standing.down_since, standing.trouble) = (None, None);
        });
        let seed = self.seed;
        let thread = self.thread.get_or_init(|| thread_of(&node, seed));
        let over = stream::follow(thread, &mut wire, place);
        if matches!(over, Err(Over::OtherSlots)) {
            self.place = None;
        }
        Ok(over?)
    }
}

/// What commands run on: as any IO thread's, without connections.
fn thread_of(node: &Arc<Node>, seed: u64) -> Thread {
    let counters = node.telemetry.thread();
    let tap = Tap::new(Arc::clone(&counters), Arc::clone(&node.feed));
    Thread {
        counters,
        tap,
        seat: node.engine.seat(),
        scratch: RefCell::new(Scratch::new(seed, node)),
        vm: OnceCell::new(),
        scripts: None,
        node: Arc::clone(node),
    }
}

/// Introduces this node as a replica that is at `place`; what the primary decides.
fn introduce(node: &Node, wire: &mut Wire<'_>, place: Option<&Place>) -> Result<Heard, Ended> {
    let settings = Arc::clone(&node.config.settings());
    let replication = &settings.replication;
    let introduction = Introduction {
        user: replication.user.clone(),
        password: replication.password.clone(),
        port: if replication.announce_port == 0 { settings.port } else { replication.announce_port },
        address: replication.announce_ip.clone(),
        position: place.map(|place| place.position.clone()),
    };
    let patience = Duration::from_secs(replication.timeout);
    let (mut handshake, first) = Handshake::begin(&introduction);
    wire.send(&first, patience)?;
    loop {
        match handshake.hear(&wire.line(patience)?)? {
            Heard::Nothing => {}
            Heard::Say(request) => wire.send(&request, patience)?,
            heard @ (Heard::Everything(_) | Heard::Rest(_)) => return Ok(heard),
        }
    }
}

/// Takes over all data, after which the stream is at that position.
fn resynchronize(node: &Node, wire: &mut Wire<'_>, position: Position) -> Result<Place, Ended> {
    tracing::info!("Full resync from primary: {}:{}", position.replid, position.offset);
    let transfer = Transfer { total: None, read: 0, heard: Timestamp(clock::now().0) };
    node.role.note(Phase::Transfer, |standing| standing.transfer = transfer);
    let known_only = node.config.settings().replication.skip_unsupported;
    let (began, slots) = (clock::monotonic(), slots_of(node));
    let loaded = transfer::receive(node, wire, Wanted { expired: true, known_only })?;
    tracing::info!(
        "The primary's data is here: {} keys, {} left out because such do not exist here, in {:.3} seconds",
        loaded.keys,
        loaded.passed_over,
        began.elapsed().as_secs_f64()
    );
    node.role.note(Phase::Transfer, |standing| standing.passed_over = loaded.passed_over);
    Ok(Place { position, db: loaded.stream_db.unwrap_or(0), slots })
}
