//! How the link to the primary stands: what INFO and ROLE say of it.
//!
//! Noted by the thread of the link, looked at by everybody, changed by nobody else.

use nuthatch_proto::ids::Timestamp;

/// What the link is at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It will connect.
    #[default]
    Waiting,
    /// It connects.
    Connecting,
    /// It introduces itself.
    Handshake,
    /// All data comes in.
    Transfer,
    /// The stream comes in.
    Connected,
    /// It has met what it cannot take over, and tries no more until it is told to.
    Halted,
}

impl Phase {
    /// The word that ROLE has for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting | Self::Halted => "connect",
            Self::Connecting => "connecting",
            Self::Handshake => "handshake",
            Self::Transfer => "sync",
            Self::Connected => "connected",
        }
    }
}

/// The coming in of all data.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// How many bytes there are, if that is known.
    pub(crate) total: Option<u64>,
    /// How many have come.
    pub(crate) read: u64,
    /// When the last of them came.
    pub(crate) heard: Timestamp,
}

/// See the module.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) phase: Phase,
    /// When the primary was last heard of in the stream; none unless it comes in.
    pub(crate) heard: Option<Timestamp>,
    /// How much of the stream has come.
    pub(crate) read: u64,
    /// How much of it was applied.
    pub(crate) applied: u64,
    pub(crate) transfer: Transfer,
    /// Since when it has not come in.
    pub(crate) down_since: Option<Timestamp>,
    /// Why the last attempt ended.
    pub(crate) trouble: Option<String>,
    /// How many keys and commands were passed over because such do not exist here.
    pub(crate) passed_over: u64,
}
