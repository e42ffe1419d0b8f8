//! One OS thread with one single-threaded runtime: it owns its connections for their whole life.
//!
//! The listener hands a connection over through a queue; from then on nothing of it is touched by another thread but
//! the few atomics in the client registry. The buffers that requests are read into and replies are written into belong
//! to the thread, not to the connection: an idle connection owns neither.

use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::spawn_local;

use super::connection;
use crate::node::Node;

/// The listener's end of an IO thread.
pub(crate) struct IoThread {
    queue: UnboundedSender<TcpStream>,
    connections: Arc<AtomicUsize>,
}

impl IoThread {
    /// Starts the thread. It ends when the handle is dropped and its last connection is closed.
    pub(crate) fn start(index: usize, node: Arc<Node>) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, incoming) = unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let runtime = move || Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        let thread = thread::Builder::new().name(format!("io-{index}")).spawn(move || {
            let runtime = runtime().expect("the runtime starts: the process has descriptors left");
            runtime.block_on(accept(incoming, node, count));
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

async fn accept(mut incoming: UnboundedReceiver<TcpStream>, node: Arc<Node>, count: Arc<AtomicUsize>) {
    let scratch = Rc::new(connection::Scratch::new());
    while let Some(stream) = incoming.recv().await {
        let (node, scratch, count) = (Arc::clone(&node), Rc::clone(&scratch), Arc::clone(&count));
        spawn_local(async move {
            connection::run(stream, &node, &scratch).await;
            count.fetch_sub(1, Ordering::Relaxed);
        });
    }
}
