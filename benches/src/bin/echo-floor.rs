//! The floor: a server that reads requests and answers `+OK` to each, on one thread, a task per connection.
//!
//! No server can cost less in this shape: the same runtime, the same reads and writes, and only as much parsing as it
//! takes to count requests.

use std::io;

use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answers +OK to every request.
#[derive(Parser)]
struct Options {
    /// Where to listen, on the loopback address.
    #[arg(long)]
    port: u16,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::task::spawn_local(async move {
                // A client that goes away ends its task and nothing else.
                let _ = serve(stream).await;
            });
        }
    })
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut counter, mut buffer, mut replies) = (Counter::default(), vec![0; 64 * 1024], Vec::new());
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        replies.clear();
        for _ in 0..counter.requests(&buffer[..read]) {
            replies.extend_from_slice(b"+OK\r\n");
        }
        stream.write_all(&replies).await?;
    }
}

/// Counts requests in a stream of arrays of bulk strings, cut anywhere.
#[derive(Debug, Default)]
struct Counter {
    /// Bytes of the present argument and its line end that are still to come.
    skip: usize,
    /// Arguments of the present request that are still to come.
    arguments: usize,
    /// The number in the present header line, as far as it was read.
    number: usize,
    /// Whether the present header is an array's.
    array: bool,
}

impl Counter {
    /// How many requests end in these bytes.
    fn requests(&mut self, mut bytes: &[u8]) -> usize {
        let mut ended = 0;
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let Some((&byte, rest)) = bytes.split_first() else { return ended };
            bytes = rest;
            match byte {
                b'*' | b'$' => (self.array, self.number) = (byte == b'*', 0),
                b'0'..=b'9' => self.number = self.number * 10 + usize::from(byte - b'0'),
                b'\n' if self.array => self.arguments = self.number,
                b'\n' => {
                    self.skip = self.number + 2;
                    self.arguments = self.arguments.saturating_sub(1);
                    ended += usize::from(self.arguments == 0);
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_however_they_are_cut() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$4\r\n*1\r\n\r\n*1\r\n$4\r\nPING\r\n".repeat(3);
        for size in 1..bytes.len() {
            let mut counter = Counter::default();
            let counted: usize = bytes.chunks(size).map(|chunk| counter.requests(chunk)).sum();
            assert_eq!(counted, 6, "in pieces of {size}");
        }
    }
}
