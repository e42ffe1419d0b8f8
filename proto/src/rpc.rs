//! The node-to-node messages and their tonic stubs, generated from `cluster.proto` by the build script.
//!
//! They are wire types only: each crate converts them once, at its edge, into types that cannot be wrong. Nothing here
//! validates anything, and `bytes` fields are views of the received frame (`bytes::Bytes`), so a small value that is
//! kept for long must be copied.

pub use generated::*;

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code: what it says is documented in cluster.proto"
)]
mod generated {
    tonic::include_proto!("nuthatch.cluster.v1");
}
