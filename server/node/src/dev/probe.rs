//! Asks a node a few questions over its port for clients.
//!
//! An ordinary client over loopback: it has no way in that an administrator has not. It speaks RESP2 and knows only what `dev` asks;
//! programs use the client crate.

use std::io;
use std::net::Ipv4Addr;

use nuthatch_proto::resp::{Frame, FrameDecoder, FrameError, encode_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A question was not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// The connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What came back is no RESP.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The node refused.
    #[error("{request}: {error}")]
    Refused {
        /// What was asked.
        request: String,
        /// What it said.
        error: String,
    },
    /// The answer is not what was expected.
    #[error("{request} was answered unexpectedly")]
    Unexpected {
        /// What was asked.
        request: String,
    },
}

/// A connection to a node.
pub(super) struct Probe {
    stream: TcpStream,
    received: Vec<u8>,
    decoder: FrameDecoder,
}

impl Probe {
    /// Connects to the node of that port, and makes sure that it answers who has this password.
    pub(super) async fn connect(port: u16, password: Option<&str>) -> Result<Self, ProbeError> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let mut probe = Self { stream, received: Vec::new(), decoder: FrameDecoder::default() };
        if let Some(password) = password {
            let reply = probe.ask_all(&[vec!["AUTH".to_owned(), password.to_owned()]]).await?.pop();
            if let Some(error) = reply.as_ref().and_then(Frame::as_error) {
                // Not with the password, which the caller would print.
                return Err(ProbeError::Refused { request: "AUTH".to_owned(), error: error.to_owned() });
            }
        }
        probe.ask(&["PING"]).await?;
        Ok(probe)
    }

    /// Sends the requests at once; the replies, in order.
    pub(super) async fn ask_all(&mut self, requests: &[Vec<String>]) -> Result<Vec<Frame>, ProbeError> {
        let mut out = Vec::new();
        requests.iter().for_each(|request| encode_request(&mut out, request));
        self.stream.write_all(&out).await?;
        let mut replies = Vec::with_capacity(requests.len());
        while replies.len() < requests.len() {
            let (used, frame) = self.decoder.decode(&self.received)?;
            self.received.drain(..used);
            match frame {
                Some(frame) => replies.push(frame),
                None if self.stream.read_buf(&mut self.received).await? == 0 => {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                None => {}
            }
        }
        Ok(replies)
    }

    /// Sends one request; its reply, unless that is an error.
    pub(super) async fn ask(&mut self, request: &[&str]) -> Result<Frame, ProbeError> {
        let words: Vec<_> = request.iter().map(|&word| word.to_owned()).collect();
        let unexpected = || ProbeError::Unexpected { request: request.join(" ") };
        let reply = self.ask_all(&[words]).await?.pop().ok_or_else(unexpected)?;
        match reply.as_error() {
            Some(error) => Err(ProbeError::Refused { request: request.join(" "), error: error.to_owned() }),
            None => Ok(reply),
        }
    }

    /// Sends one request that is answered with text.
    pub(super) async fn ask_text(&mut self, request: &[&str]) -> Result<String, ProbeError> {
        let reply = self.ask(request).await?;
        let unexpected = || ProbeError::Unexpected { request: request.join(" ") };
        reply.as_text().map(str::to_owned).ok_or_else(unexpected)
    }
}
