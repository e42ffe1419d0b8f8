//! A client of Nuthatch, and of any other server that speaks Redis's protocol, clustered or not.
//!
//! One [`Client`] serves a whole program: it is cheap to clone, every call takes `&self`, and there is no pool to size.
//! A call finds its node on the caller's own thread, in a map of the slots that is read without a lock; each node has
//! one connection with a task and a bounded queue of its own. Nothing is shared between nodes but that map, so a node
//! that is dead or slow holds up its own callers only.
//!
//! Every error says what became of the command ([`Effect`]): whether it was never sent, was refused, or may have run.
//!
//! ```no_run
//! # async fn example() -> Result<(), nuthatch_client::Error> {
//! use nuthatch_client::Client;
//!
//! let client = Client::builder(["10.0.0.1:6379", "10.0.0.2:6379"]).connect().await?;
//! client.set("user:1", "Ada").await?;
//! assert_eq!(client.get("user:1").await?.as_deref(), Some(&b"Ada"[..]));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod client;
mod connection;
mod error;
mod request;
mod router;
mod topology;

pub use client::Client;
pub use client::builder::Builder;
pub use client::pipeline::Pipeline;
pub use error::{Effect, Error, ErrorKind};
pub use nuthatch_proto::resp::Frame;
