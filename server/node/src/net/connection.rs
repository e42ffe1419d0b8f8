//! One connection's life: read, decode, execute a batch, write once.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use crate::node::Node;

/// A thread's buffers, shared by its connections: only one of them runs at a time.
pub(crate) struct Scratch {
    input: RefCell<Vec<u8>>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { input: RefCell::new(vec![0; 64 * 1024]) }
    }
}

/// Serves the connection until either side closes it.
pub(crate) async fn run(stream: net::TcpStream, _node: &Node, scratch: &Scratch) {
    // An error here is the peer's leaving, in one form or another: there is nobody to tell.
    let _ = serve(stream, scratch).await;
}

async fn serve(stream: net::TcpStream, scratch: &Scratch) -> io::Result<()> {
    let mut stream = TcpStream::from_std(stream)?;
    loop {
        let len = poll_fn(|cx| {
            let mut input = scratch.input.borrow_mut();
            let mut buffer = ReadBuf::new(&mut input);
            Pin::new(&mut stream).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
        })
        .await?;
        if len == 0 {
            return Ok(());
        }
        stream.write_all(b"+PONG\r\n").await?;
    }
}
