//! What crosses a wire: values and codecs, shared by the server, the client and the tests.
//!
//! Nothing here holds state or does IO. RESP lives in [`resp`], the one table of commands in [`command_table`], the
//! mapping from keys to hash slots in [`slot`], the patterns that choose among names in [`glob`], the redirections in
//! [`redirect`], and, behind the feature `rpc`, the node-to-node messages in `rpc`.

pub mod command_table;
pub mod glob;
pub mod ids;
pub mod redirect;
pub mod resp;
#[cfg(feature = "rpc")]
pub mod rpc;
pub mod slot;
