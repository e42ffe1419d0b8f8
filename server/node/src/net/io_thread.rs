//! One OS thread with one single-threaded runtime: it owns its connections for their whole life.
//!
//! The listener hands a connection over through a queue; from then on nothing of it is touched by another thread but
//! the few atomics in the client registry. The buffers that requests are read into and replies are written into belong
//! to the thread, not to the connection: an idle connection owns neither.
//!
//! The thread ends when its queue is closed: its runtime is dropped, and with it every connection.

use std::cell::{OnceCell, RefCell};
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use nuthatch_engine::Seat;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::spawn_local;

use super::connection::{self, Scratch};
use crate::clock;
use crate::feed::tap::Tap;
use crate::node::{Node, upkeep};
use crate::script::Vm;
use crate::script::thread::Job;
use crate::telemetry::counters::ThreadCounters;

/// What the tasks of one thread share.
pub(crate) struct Thread {
    pub(crate) node: Arc<Node>,
    pub(crate) counters: Arc<ThreadCounters>,
    /// Where its effects go.
    pub(crate) tap: Tap,
    /// Its turns to run commands.
    pub(crate) seat: Seat,
    /// Borrowed between two awaits, never across one.
    pub(crate) scratch: RefCell<Scratch>,
    /// Its interpreter of scripts, from the first of them on.
    pub(crate) vm: OnceCell<Vm>,
    /// Where scripts are handed over; nothing on the thread that runs them.
    pub(crate) scripts: Option<Sender<Job>>,
}

/// The listener's end of an IO thread.
pub(crate) struct IoThread {
    /// Bounded by the listener, which counts the connections.
    queue: UnboundedSender<TcpStream>,
    connections: Arc<AtomicUsize>,
}

impl IoThread {
    /// Starts the thread. It ends when the handle is dropped.
    pub(crate) fn start(
        index: usize,
        node: Arc<Node>,
        scripts: Sender<Job>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (queue, incoming) = unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let seed = clock::seed()?;
        let thread = thread::Builder::new().name(format!("io-{index}")).spawn(move || {
            let counters = node.telemetry.thread();
            let scratch = RefCell::new(Scratch::new(seed, &node));
            let seat = node.engine.seat();
            let tap = Tap::new(Arc::clone(&counters), Arc::clone(&node.feed));
            let (vm, scripts) = (OnceCell::new(), Some(scripts));
            let thread = Rc::new(Thread { node, counters, tap, seat, scratch, vm, scripts });
            match runtime() {
                Ok(runtime) => runtime.block_on(serve(incoming, thread, count)),
                // Without this thread connections would hang: better no node than such a one.
                Err(error) => {
                    tracing::error!("Cannot start an IO thread: {error}");
                    thread.node.stop();
                }
            }
        })?;
        Ok((Self { queue, connections }, thread))
    }

    /// How many connections the thread has.
    pub(crate) fn load(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Hands a connection over.
    pub(crate) fn adopt(&self, stream: TcpStream) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        if self.queue.send(stream).is_err() {
            self.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

async fn serve(mut incoming: UnboundedReceiver<TcpStream>, thread: Rc<Thread>, count: Arc<AtomicUsize>) {
    spawn_local(upkeep::expire(Rc::clone(&thread)));
    while let Some(stream) = incoming.recv().await {
        let (thread, count) = (Rc::clone(&thread), Arc::clone(&count));
        spawn_local(async move {
            connection::run(stream, &thread).await;
            count.fetch_sub(1, Ordering::Relaxed);
        });
    }
}
