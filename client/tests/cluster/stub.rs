//! A cluster of servers in the test's own process that answer by script: every node says who it is and what it was
//! asked, unless the test's rule says something else.

use std::sync::{Arc, Mutex};

use nuthatch_proto::resp::{Args, Decoded, Decoder, Limits, Protocol, ReplyWriter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

/// What a rule has a node do.
pub(crate) enum Reply {
    /// Answer with these bytes.
    Raw(String),
    /// Answer with an error.
    Error(String),
    /// Say that this slot is at that node for good.
    Moved(u16, usize),
    /// Say that this slot is at that node for once.
    Ask(u16, usize),
    /// Read on and say nothing.
    Nothing,
    /// Close the connection.
    Close,
}

/// Decides what the node of that number answers to a command; `None` leaves it to the stub.
type Rule = dyn Fn(usize, &str) -> Option<Reply> + Send + Sync;

struct Shared {
    addresses: Vec<String>,
    /// First slot, last slot, node.
    ranges: Mutex<Vec<(u16, u16, usize)>>,
    rule: Box<Rule>,
    log: Mutex<Vec<String>>,
    /// Notified whenever a connection has ended.
    ended: Notify,
}

/// The cluster.
pub(crate) struct Stubs {
    shared: Arc<Shared>,
    nodes: Vec<Option<JoinHandle<()>>>,
}

impl Stubs {
    /// Starts that many nodes that share the slots evenly.
    pub(crate) async fn start(
        count: usize,
        rule: impl Fn(usize, &str) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let mut listeners = Vec::new();
        for _ in 0..count {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.expect("a free port"));
        }
        let address = |listener: &TcpListener| listener.local_addr().expect("bound").to_string();
        let share = 16384 / u16::try_from(count).expect("few nodes");
        let ranges = (0..count).map(|node| {
            let number = u16::try_from(node).expect("few nodes");
            let last = if node + 1 == count { 16383 } else { (number + 1) * share - 1 };
            (number * share, last, node)
        });
        let shared = Arc::new(Shared {
            addresses: listeners.iter().map(address).collect(),
            ranges: Mutex::new(ranges.collect()),
            rule: Box::new(rule),
            log: Mutex::default(),
            ended: Notify::new(),
        });
        let serve = |(node, listener)| Some(tokio::spawn(accept(Arc::clone(&shared), node, listener)));
        let nodes = listeners.into_iter().enumerate().map(serve).collect();
        Self { shared, nodes }
    }

    pub(crate) fn address(&self, node: usize) -> &str {
        &self.shared.addresses[node]
    }

    /// Replaces who owns what.
    pub(crate) fn assign(&self, ranges: &[(u16, u16, usize)]) {
        *self.shared.ranges.lock().expect("no panic") = ranges.to_vec();
    }

    /// What the nodes were asked since the last time, without the handshakes and the slots, as `node: command`.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.log.lock().expect("no panic"))
    }

    /// Waits until a connection has ended, whichever.
    pub(crate) async fn connection_ended(&self) {
        self.shared.ended.notified().await;
    }

    /// Stops a node: its connections end and its port refuses.
    pub(crate) async fn stop(&mut self, node: usize) {
        if let Some(task) = self.nodes[node].take() {
            task.abort();
            let _ = task.await;
        }
    }

    /// Starts a stopped node at its old address.
    pub(crate) async fn restart(&mut self, node: usize) {
        let listener = TcpListener::bind(self.address(node)).await.expect("its own port");
        self.nodes[node] = Some(tokio::spawn(accept(Arc::clone(&self.shared), node, listener)));
    }
}

async fn accept(shared: Arc<Shared>, node: usize, listener: TcpListener) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            serve(&shared, node, stream).await;
            shared.ended.notify_one();
        });
    }
}

async fn serve(shared: &Shared, node: usize, mut stream: TcpStream) {
    let (mut decoder, mut buffer, mut spans) = (Decoder::default(), Vec::new(), Vec::new());
    loop {
        spans.clear();
        let decoded = decoder.decode(&mut buffer, 0, &Limits::default(), &mut spans);
        match decoded.expect("the client sends requests") {
            Decoded::Request { end } => {
                let words =
                    Args::new(&buffer, &spans).iter().map(String::from_utf8_lossy).collect::<Vec<_>>();
                let Some(reply) = shared.answer(node, &words.join(" ")) else { return };
                buffer.drain(..end);
                if stream.write_all(&reply).await.is_err() {
                    return;
                }
            }
            Decoded::Nothing { end } => drop(buffer.drain(..end)),
            Decoded::Incomplete { .. } => match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
        }
    }
}

impl Shared {
    /// The reply's bytes; nothing if the connection is to be closed.
    fn answer(&self, node: usize, command: &str) -> Option<Vec<u8>> {
        let internal = command.starts_with("HELLO") || command == "CLUSTER SLOTS";
        if !internal {
            self.log.lock().expect("no panic").push(format!("{node}: {command}"));
        }
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out, Protocol::Resp3);
        match (self.rule)(node, command) {
            Some(Reply::Raw(text)) => reply.raw(text.as_bytes()),
            Some(Reply::Error(text)) => reply.error(&text),
            Some(Reply::Moved(slot, node)) => reply.error(&format!("MOVED {slot} {}", self.addresses[node])),
            Some(Reply::Ask(slot, node)) => reply.error(&format!("ASK {slot} {}", self.addresses[node])),
            Some(Reply::Nothing) => {}
            Some(Reply::Close) => return None,
            None if command == "CLUSTER SLOTS" => self.slots(&mut reply),
            None if internal || command == "ASKING" => reply.ok(),
            None => reply.bulk(format!("{node}: {command}").as_bytes()),
        }
        Some(out)
    }

    fn slots(&self, reply: &mut ReplyWriter<'_>) {
        let ranges = self.ranges.lock().expect("no panic");
        reply.array(ranges.len());
        for &(first, last, node) in &*ranges {
            let (host, port) = self.addresses[node].rsplit_once(':').expect("host:port");
            reply.array(3);
            reply.integer(first.into());
            reply.integer(last.into());
            reply.array(3);
            reply.bulk(host.as_bytes());
            reply.integer(port.parse().expect("a port"));
            reply.bulk(b"id");
        }
    }
}
