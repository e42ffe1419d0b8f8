//! What went wrong with a call, where, and what became of the command.
//!
//! The last is what a caller needs most and what clients rarely say: after an [`Effect::Unknown`] an increment may have
//! happened or not, after any other it has not. The client itself repeats only what cannot have run, or does no harm
//! when it runs twice; everything else it reports.
//!
//! [`ErrorKind`] says why, in terms of this program and its connections; the server's own errors are one kind, with
//! their text as it came.

use std::fmt;
use std::sync::Arc;

use nuthatch_proto::resp::FrameError;
use nuthatch_proto::slot::Slot;
use thiserror::Error as ThisError;

/// What became of a command whose call failed: what a caller has to know before it tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// No server saw the whole command: it has not run, and never will.
    NotSent,
    /// A server answered with an error: the command has not run.
    Rejected,
    /// The command was sent and no answer came back: it may have run.
    Unknown,
}

/// A call that failed.
#[derive(Debug, Clone, ThisError)]
#[error("{kind}{}", Place(self))]
pub struct Error {
    kind: ErrorKind,
    node: Option<Arc<str>>,
    slot: Option<Slot>,
    effect: Effect,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, effect: Effect) -> Self {
        Self { kind, node: None, slot: None, effect }
    }

    pub(crate) fn at(mut self, node: &Arc<str>, slot: Option<Slot>) -> Self {
        self.node = Some(Arc::clone(node));
        self.slot = slot;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// The address of the last node that was asked.
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// The slot of the command's first key.
    pub fn slot(&self) -> Option<Slot> {
        self.slot
    }

    /// What became of the command.
    pub fn effect(&self) -> Effect {
        self.effect
    }
}

/// Where it went wrong, in words behind the reason.
struct Place<'a>(&'a Error);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(slot) = self.0.slot {
            write!(f, " (slot {slot})")?;
        }
        if let Some(node) = &self.0.node {
            write!(f, " (node {node})")?;
        }
        Ok(())
    }
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum ErrorKind {
    /// The server's own error, its code first.
    #[error("{0}")]
    Server(String),
    /// Redirections led nowhere; the last one.
    #[error("too many redirections, the last one {0}")]
    TooManyRedirections(String),
    /// No connection could be made.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The server refused the connection's first words, probably the password.
    #[error("the server refused the connection: {0}")]
    Handshake(String),
    /// The connection ended.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The server sent what is no reply.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] FrameError),
    /// The server sent a reply to nothing.
    #[error("the server sent a reply that nobody asked for")]
    Unsolicited,
    /// The call's deadline passed.
    #[error("the deadline passed")]
    Deadline,
    /// No node of the cluster could be asked for the slots; the last one's reason.
    #[error("no node knows the cluster: {0}")]
    NoCluster(String),
    /// A reply is not what the command's documentation says.
    #[error("the reply is not {expected}")]
    Unexpected {
        /// What it should have been.
        expected: &'static str,
    },
    /// The command changes the connection, which is not the caller's alone.
    #[error("{0} changes the connection, which others use as well")]
    NotShared(String),
    /// A command without so much as a name.
    #[error("a command needs a name")]
    Empty,
}

impl ErrorKind {
    /// Whether another attempt would fail the same way.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Lost(_) | Self::Protocol(_) | Self::Unsolicited | Self::NoCluster(_) => {
                false
            }
            Self::Server(_)
            | Self::TooManyRedirections(_)
            | Self::Handshake(_)
            | Self::Deadline
            | Self::Unexpected { .. }
            | Self::NotShared(_)
            | Self::Empty => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_and_where() {
        let error = Error::new(ErrorKind::Deadline, Effect::Unknown);
        assert_eq!(error.to_string(), "the deadline passed");
        let error = error.at(&"10.0.0.1:6379".into(), Slot::new(42));
        assert_eq!(error.to_string(), "the deadline passed (slot 42) (node 10.0.0.1:6379)");
        assert_eq!((error.node(), error.effect()), (Some("10.0.0.1:6379"), Effect::Unknown));
    }
}
