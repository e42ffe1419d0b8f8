//! The node-to-node messages, generated from `cluster.proto`.
