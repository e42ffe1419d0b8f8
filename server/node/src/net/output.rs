//! Replies on their way out: one write per batch, and what the socket does not take is kept until it does.
//!
//! While something is kept, the connection does not read: a client that sends and never takes its replies is held back
//! by its own socket, and costs the server one batch of replies at most. What may be kept is limited together with what
//! others have to say to the client (`pushes`).

use std::io::{self, ErrorKind};

use tokio::net::TcpStream;

/// Up to so many bytes are copied to be kept.
const COPIED_MAX: usize = 64 * 1024;

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

    /// Waits until the socket has taken everything; `note` hears how much is left.
    pub(crate) async fn drain(&mut self, stream: &TcpStream, note: impl Fn(usize)) -> io::Result<()> {
        while !self.is_empty() {
            stream.writable().await?;
            match stream.try_write(&self.kept[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            note(self.len());
        }
        *self = Self::default();
        Ok(())
    }
}
