//! One node: builds its parts, starts their threads, stops them in order.
//!
//! [`Node`] is what every thread may see of it: shared, immutable or behind its own synchronisation.

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::net::io_thread::IoThread;
use crate::net::listener;

/// What all threads of a node share.
pub struct Node {
    // The engine, the configuration, the client registry and, in cluster mode, the handle of the metadata driver.
}

/// Serves on that port until the process ends.
pub fn serve(port: u16) -> io::Result<()> {
    let node = Arc::new(Node {});
    let count = thread::available_parallelism().map_or(1, |n| n.get());
    let started: Vec<_> =
        (0..count).map(|i| IoThread::start(i, Arc::clone(&node))).collect::<io::Result<_>>()?;
    let (threads, _handles): (Vec<_>, Vec<_>) = started.into_iter().unzip();
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let socket = TcpListener::bind(("127.0.0.1", port)).await?;
        listener::accept(socket, &threads).await;
        Ok(())
    })
}
