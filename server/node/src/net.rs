//! Bytes in and bytes out: the listener, the IO threads, the connections and who they are.

pub(crate) mod clients;
pub(crate) mod connection;
pub(crate) mod io_thread;
pub(crate) mod listener;
pub(crate) mod output;
pub(crate) mod session;
