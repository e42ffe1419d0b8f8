//! RESP2 and RESP3, the protocol of Redis clients: requests in, replies out, and the other way round for the client.
//!
//! Source: the Redis documentation, "RESP protocol spec".

pub mod args;
pub mod decode;
pub mod double;
pub mod encode;
pub mod frame;
pub mod number;
pub mod request;

pub use args::{Args, Span};
pub use decode::{Decoded, Decoder, Limits, ProtocolError};
pub use encode::{Mark, Protocol, ReplyWriter};
pub use frame::{Frame, FrameDecoder, FrameError, FrameLimits};
pub use request::encode_request;
