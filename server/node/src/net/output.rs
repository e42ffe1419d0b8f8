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

    /// Sends the replies of a batch, or as much of them as the socket takes; keeps the rest and empties `replies`, also when the
    /// client is gone.
    /// Nothing may be kept from before.
    #[inline]
    pub(crate) fn send(&mut self, stream: &TcpStream, replies: &mut Vec<u8>) -> io::Result<()> {
        let sent = match stream.try_write(replies) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => {
                // The buffer is the thread's: what is left in it would be the next client's.
                replies.clear();
                return Err(error);
            }
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn nothing_is_left_for_the_next_client_of_one_that_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let peer = TcpStream::connect(address).await.expect("a connection");
        let (stream, _) = listener.accept().await.expect("the other end");
        drop(peer);
        let (mut output, mut replies) = (Output::default(), Vec::new());
        // The first bytes are refused by the other side, and the next by this one.
        loop {
            replies.extend_from_slice(b"+OK\r\n");
            stream.writable().await.expect("a socket");
            if output.send(&stream, &mut replies).is_err() {
                break;
            }
        }
        assert!(replies.is_empty());
    }
}
