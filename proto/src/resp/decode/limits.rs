//! How much a client may send, and how it is told that it was too much or wrong.
//!
//! [`Limits`] is handed to each call of the decoder and not kept by it, because authentication changes it between two
//! requests of one delivery. [`ProtocolError`] ends the connection: behind it nothing can be understood any more.
//!
//! The numbers and the texts are those of Redis 7.2 (`networking.c`). A client that has to authenticate first may send
//! only what that takes, so that a stranger cannot make the server hold much.

use std::borrow::Cow;

use thiserror::Error;

/// Arguments that a client may send before it has authenticated.
const UNAUTHENTICATED_MULTIBULK_MAX: u64 = 10;
/// Bytes in one argument that a client may send before it has authenticated.
const UNAUTHENTICATED_BULK_MAX: u64 = 16 * 1024;

/// What a request may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in a line: an inline request, or a header of a multibulk one.
    pub inline_max: usize,
    /// Arguments in a request.
    pub multibulk_max: u64,
    /// Bytes in an argument (`proto-max-bulk-len`).
    pub bulk_max: u64,
    /// Whether the client may send more than the little that it takes to authenticate.
    pub authenticated: bool,
}

impl Default for Limits {
    /// Redis's limits for an authenticated client.
    fn default() -> Self {
        Self {
            inline_max: 64 * 1024,
            multibulk_max: i32::MAX as u64,
            bulk_max: 512 * 1024 * 1024,
            authenticated: true,
        }
    }
}

impl Limits {
    pub(super) fn check_count(&self, count: u64) -> Result<(), ProtocolError> {
        if count > self.multibulk_max {
            return Err(ProtocolError::InvalidMultibulkLength);
        }
        if !self.authenticated && count > UNAUTHENTICATED_MULTIBULK_MAX {
            return Err(ProtocolError::UnauthenticatedMultibulkLength);
        }
        Ok(())
    }

    pub(super) fn check_bulk(&self, len: u64) -> Result<(), ProtocolError> {
        if len > self.bulk_max {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if !self.authenticated && len > UNAUTHENTICATED_BULK_MAX {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        Ok(())
    }

    /// The longest argument that [`Self::check_bulk`] lets pass.
    pub(super) fn longest_bulk(&self) -> u64 {
        if self.authenticated { self.bulk_max } else { self.bulk_max.min(UNAUTHENTICATED_BULK_MAX) }
    }
}

/// The client broke the protocol. `Display` is the text of Redis's error without its code `ERR`; the connection is to
/// be closed after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Protocol error: {}", self.reason())]
#[expect(missing_docs, reason = "each is the error that its text says")]
pub enum ProtocolError {
    TooBigInlineRequest,
    UnbalancedQuotes,
    TooBigMultibulkCount,
    InvalidMultibulkLength,
    UnauthenticatedMultibulkLength,
    TooBigBulkCount,
    ExpectedBulk { got: u8 },
    InvalidBulkLength,
    UnauthenticatedBulkLength,
    TooBigRequest,
}

impl ProtocolError {
    fn reason(&self) -> Cow<'static, str> {
        match self {
            Self::TooBigInlineRequest => "too big inline request".into(),
            Self::UnbalancedQuotes => "unbalanced quotes in request".into(),
            Self::TooBigMultibulkCount => "too big mbulk count string".into(),
            Self::InvalidMultibulkLength => "invalid multibulk length".into(),
            Self::UnauthenticatedMultibulkLength => "unauthenticated multibulk length".into(),
            Self::TooBigBulkCount => "too big bulk count string".into(),
            Self::ExpectedBulk { got } => format!("expected '$', got '{}'", char::from(*got)).into(),
            Self::InvalidBulkLength => "invalid bulk length".into(),
            Self::UnauthenticatedBulkLength => "unauthenticated bulk length".into(),
            Self::TooBigRequest => "too big request".into(),
        }
    }
}
