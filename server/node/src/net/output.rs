//! Replies on their way out: one write per batch, and what the socket does not take is kept until it does.
//!
//! While something is kept, the connection does not read: a client that sends and never takes its replies is held back
//! by its own socket, and costs the server one batch of replies at most. What may be kept is limited as Redis limits
//! it (`client-output-buffer-limit`).

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::OutputLimit;

/// Up to so many bytes are copied to be kept.
const COPIED_MAX: usize = 64 * 1024;

/// The client did not take its replies.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// More was kept for it than it may have.
    #[error("closed for overcoming of output buffer limits")]
    OverLimit,
}

/// Bytes that the socket has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Output {
    kept: Vec<u8>,
    /// How many of them are sent.
    sent: usize,
}

impl Output {
    /// Whether everything was sent.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.len() == self.sent
    }

    /// How many bytes are kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.len() - self.sent
    }

    /// Sends the replies of a batch, or as much of them as the socket takes; keeps the rest and empties `replies`.
    /// Nothing may be kept from before.
    #[inline]
    pub(crate) fn send(&mut self, stream: &TcpStream, replies: &mut Vec<u8>) -> io::Result<()> {
        let sent = match stream.try_write(replies) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if sent < replies.len() {
            self.keep(replies, sent);
        }
        replies.clear();
        Ok(())
    }

    #[cold]
    fn keep(&mut self, replies: &mut Vec<u8>, sent: usize) {
        if replies.len() - sent < COPIED_MAX {
            self.kept.extend_from_slice(&replies[sent..]);
        } else {
            // Much is not copied: the batch's buffer itself is kept, and the thread gets a fresh one.
            self.kept = std::mem::take(replies);
            self.sent = sent;
        }
    }

    /// Waits until the socket has taken everything.
    pub(crate) async fn drain(&mut self, stream: &TcpStream, limit: OutputLimit) -> Result<(), SendError> {
        if limit.hard != 0 && self.len() as u64 > limit.hard {
            return Err(SendError::OverLimit);
        }
        if limit.soft != 0 && self.len() as u64 > limit.soft {
            let patience = Duration::from_secs(limit.soft_seconds);
            let below = usize::try_from(limit.soft).unwrap_or(usize::MAX);
            timeout(patience, self.drain_to(stream, below)).await.map_err(|_| SendError::OverLimit)??;
        }
        Ok(self.drain_to(stream, 0).await?)
    }

    async fn drain_to(&mut self, stream: &TcpStream, below: usize) -> io::Result<()> {
        while self.len() > below {
            stream.writable().await?;
            match stream.try_write(&self.kept[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if self.is_empty() {
            *self = Self::default();
        }
        Ok(())
    }
}
