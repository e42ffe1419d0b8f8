//! Bytes in and bytes out: the listener, the IO threads and the connections.

pub(crate) mod connection;
pub(crate) mod io_thread;
pub(crate) mod listener;
