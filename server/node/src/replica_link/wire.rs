//! The socket to the primary, for a thread that waits for it.
//!
//! The link's thread works in one straight line: it waits for bytes, applies them, says how far it is. It waits in a runtime
//! of its own, so that every wait ends too when the time is up, and when another order was given (`REPLICAOF`): nothing
//! holds that up but what is being applied. What was read and not used stays here for whoever comes next: the lines of the
//! handshake, the data, the stream.
//!
//! Not here: what the bytes mean.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::role::{Order, Primary};

/// How many bytes are read at once.
const READ_AT_ONCE: usize = 64 * 1024;

/// The memory of what was read is given back beyond this.
const KEPT_MAX: usize = 1 << 20;

/// The longest line of a handshake.
const LINE_MAX: usize = 16 * 1024;

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// There is another order.
    #[error("another order was given")]
    Overruled,
    /// The primary has closed it.
    #[error("the primary closed the connection")]
    Closed,
    /// Nothing came for so long.
    #[error("the primary was silent for {} seconds", .0.as_secs())]
    Silent(Duration),
    /// A line has no end.
    #[error("the primary sends a line that does not end")]
    EndlessLine,
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The order that is being carried out, and whether it still is the last.
#[derive(Debug)]
pub(super) struct Duty {
    orders: watch::Receiver<Order>,
    number: u64,
}

impl Duty {
    pub(super) fn new(orders: &watch::Receiver<Order>, number: u64) -> Self {
        Self { orders: orders.clone(), number }
    }

    /// Whether there is another order.
    pub(super) fn is_over(&self) -> bool {
        self.orders.borrow().number != self.number
    }

    /// Waits for another order.
    async fn over(&mut self) {
        let number = self.number;
        // An error would mean that the node is gone.
        let _ = self.orders.wait_for(|order| order.number != number).await;
    }

    /// Does the work unless there is another order before it is done.
    pub(super) fn during<T>(
        &mut self,
        runtime: &Runtime,
        work: impl Future<Output = T>,
    ) -> Result<T, Broken> {
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.over() => Err(Broken::Overruled),
                done = work => Ok(done),
            }
        })
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Wire<'r> {
    runtime: &'r Runtime,
    duty: Duty,
    stream: TcpStream,
    /// What was read; used up to `start`.
    input: Vec<u8>,
    start: usize,
}

impl<'r> Wire<'r> {
    /// Connects within that time.
    pub(super) fn connect(
        runtime: &'r Runtime,
        mut duty: Duty,
        primary: &Primary,
        patience: Duration,
    ) -> Result<Self, Broken> {
        let address = (primary.host.as_str(), primary.port);
        let connecting = async {
            let stream = timeout(patience, TcpStream::connect(address)).await;
            let stream = stream.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            stream.set_nodelay(true)?;
            Ok::<_, io::Error>(stream)
        };
        let stream = duty.during(runtime, connecting)??;
        Ok(Self { runtime, duty, stream, input: Vec::new(), start: 0 })
    }

    /// The primary's and our address.
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes, of which the primary may take some time.
    pub(super) fn send(&mut self, bytes: &[u8], patience: Duration) -> Result<(), Broken> {
        let Self { runtime, duty, stream, .. } = self;
        let sent = duty.during(runtime, async { timeout(patience, stream.write_all(bytes)).await })?;
        Ok(sent.map_err(|_| Broken::Silent(patience))??)
    }

    /// Waits so long for more bytes; whether any came.
    pub(super) fn fill(&mut self, patience: Duration) -> Result<bool, Broken> {
        self.settle();
        let Self { runtime, duty, stream, input, .. } = self;
        // Room grows with what has arrived, never with what was announced.
        input.reserve(READ_AT_ONCE);
        match duty.during(runtime, async { timeout(patience, stream.read_buf(input)).await })? {
            Err(_elapsed) => Ok(false),
            Ok(Ok(0)) => Err(Broken::Closed),
            Ok(Ok(_)) => Ok(true),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    /// What was read and not used.
    pub(super) fn unused(&self) -> &[u8] {
        &self.input[self.start..]
    }

    /// The same to be used in place: the bytes, and where they begin.
    pub(super) fn unused_mut(&mut self) -> (&mut [u8], usize) {
        (&mut self.input, self.start)
    }

    /// So many of them were used.
    pub(super) fn used(&mut self, count: usize) {
        self.start = (self.start + count).min(self.input.len());
    }

    fn settle(&mut self) {
        if self.start == self.input.len() {
            self.input.clear();
            self.input.shrink_to(KEPT_MAX);
        } else {
            self.input.drain(..self.start);
        }
        self.start = 0;
    }

    /// The next line without its end.
    pub(super) fn line(&mut self, patience: Duration) -> Result<Vec<u8>, Broken> {
        loop {
            if let Some(len) = self.unused().iter().position(|&byte| byte == b'\n') {
                let line = self.unused()[..len].trim_ascii_end().to_vec();
                self.used(len + 1);
                return Ok(line);
            }
            if self.unused().len() > LINE_MAX {
                return Err(Broken::EndlessLine);
            }
            if !self.fill(patience)? {
                return Err(Broken::Silent(patience));
            }
        }
    }
}
