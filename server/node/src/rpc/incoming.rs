//! Connections of other nodes, counted: the cluster port has its own limit.
//!
//! Each accepted connection holds a place until it is closed; when there is none left, further connections are closed
//! at once. A failed accept (no descriptor left) is waited out, never retried in a loop.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::callers::{Caller, Callers};
use crate::clock;

/// Each member of the largest cluster may have one, and one that it has not closed yet.
const CONNECTIONS_MAX: usize = 2048;

/// How long to wait after a failed accept.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A connection that holds its place.
#[derive(Debug)]
pub(crate) struct Incoming {
    stream: TcpStream,
    caller: Arc<Caller>,
    _place: OwnedSemaphorePermit,
}

/// The connections that these sockets accept.
pub(crate) fn accept(
    sockets: Vec<TcpListener>,
    callers: &Arc<Callers>,
) -> ReceiverStream<io::Result<Incoming>> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (sender, incoming) = mpsc::channel(1);
    for socket in sockets {
        tokio::spawn(accept_at(socket, Arc::clone(&places), Arc::clone(callers), sender.clone()));
    }
    ReceiverStream::new(incoming)
}

async fn accept_at(
    socket: TcpListener,
    places: Arc<Semaphore>,
    callers: Arc<Callers>,
    sender: mpsc::Sender<io::Result<Incoming>>,
) {
    loop {
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("the cluster port accepts no connection at the moment: {error}");
                sleep(BACK_OFF).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        // Raft's messages are small and waited for. Where the option is refused, they are only later.
        let _ = stream.set_nodelay(true);
        let caller = callers.enter(clock::now(), stream.local_addr().ok(), stream.peer_addr().ok());
        if sender.send(Ok(Incoming { stream, caller, _place: place })).await.is_err() {
            return;
        }
    }
}

impl Connected for Incoming {
    type ConnectInfo = Arc<Caller>;

    fn connect_info(&self) -> Arc<Caller> {
        Arc::clone(&self.caller)
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
