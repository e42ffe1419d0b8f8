//! Bytes in and bytes out: the listener, the IO threads, the connections and who they are.
//!
//! What the bytes mean is not known here: connections hand batches to `dispatch` and write what it answers. Each connection
//! lives on one IO thread from its first byte to its last.

pub(crate) mod blocked;
pub(crate) mod clients;
pub(crate) mod connection;
pub(crate) mod io_thread;
pub(crate) mod listener;
pub(crate) mod output;
pub(crate) mod pushes;
pub(crate) mod session;
