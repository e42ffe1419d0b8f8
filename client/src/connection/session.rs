//! One connection from its first word to its end, in one task that reads and writes.
//!
//! Requests are taken from the queue as long as little is waiting to be written, and their waiters stand in the order
//! of their bytes: each complete reply goes to the first of them. When the connection ends, what is still in the queue
//! was not sent, and neither was a request whose last byte had not been handed to the system; of all others it is not
//! known. A connection on which the oldest request waits too long is taken for dead.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use nuthatch_proto::resp::{Frame, FrameDecoder, encode_request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Envelope, Exchange, Failure};
use crate::client::builder::Options;
use crate::error::ErrorKind;

/// No more requests are taken while so many bytes wait to be written.
const OUTPUT_HIGH: usize = 64 * 1024;
/// Requests that are taken at once.
const BATCH: usize = 128;

/// Connects, serves the queue until the connection or the queue ends, and refuses what is left.
pub(super) async fn run(address: Arc<str>, options: Arc<Options>, mut queue: mpsc::Receiver<Envelope>) {
    let reason = match timeout(options.connect_timeout, connect(&address, &options)).await {
        Ok(Ok(session)) => session.serve(&mut queue, &options).await,
        Ok(Err(kind)) => Some(kind),
        Err(_elapsed) => Some(ErrorKind::Connect("it took too long".into())),
    };
    queue.close();
    let reason = reason.unwrap_or(ErrorKind::Lost("nobody used it".into()));
    while let Some(envelope) = queue.recv().await {
        envelope.refuse(reason.clone());
    }
}

async fn connect(address: &str, options: &Options) -> Result<Session<TcpStream>, ErrorKind> {
    let failed = |error: std::io::Error| ErrorKind::Connect(error.to_string());
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "6379"));
    let port = port.parse().map_err(|_| ErrorKind::Connect(format!("{port} is no port")))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let mut session = Session::new(stream);
    session.introduce(options).await?;
    Ok(session)
}

/// Someone who waits for replies.
struct Waiter {
    /// How many are missing.
    missing: usize,
    frames: Vec<Frame>,
    answer: oneshot::Sender<Exchange>,
    /// The places of the request's first byte and of the one behind its last, counted from the connection's first.
    begin: u64,
    end: u64,
    /// Whether the request is a single command, which a server cannot run without its last byte.
    single: bool,
    since: Instant,
}

/// A connection and what is under way on it.
pub(super) struct Session<S> {
    stream: S,
    decoder: FrameDecoder,
    input: BytesMut,
    output: BytesMut,
    /// Bytes handed to the system so far.
    written: u64,
    waiting: VecDeque<Waiter>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            decoder: FrameDecoder::default(),
            input: BytesMut::new(),
            output: BytesMut::new(),
            written: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Agrees on RESP3 and authenticates; falls back to RESP2 with a server that does not know `HELLO 3`.
    async fn introduce(&mut self, options: &Options) -> Result<(), ErrorKind> {
        let user = options.username.as_deref().unwrap_or("default");
        let hello: &[&str] = match options.password.as_deref() {
            Some(password) => &["HELLO", "3", "AUTH", user, password],
            None => &["HELLO", "3"],
        };
        let Some(refusal) = self.ask(hello).await? else { return Ok(()) };
        if !knows_no_resp3(&refusal) {
            return Err(ErrorKind::Handshake(refusal));
        }
        let auth: &[&str] = match (options.username.as_deref(), options.password.as_deref()) {
            (_, None) => return Ok(()),
            (None, Some(password)) => &["AUTH", password],
            (Some(user), Some(password)) => &["AUTH", user, password],
        };
        self.ask(auth).await?.map_or(Ok(()), |refusal| Err(ErrorKind::Handshake(refusal)))
    }

    /// Sends one request alone; its error, if that is the reply.
    async fn ask(&mut self, arguments: &[&str]) -> Result<Option<String>, ErrorKind> {
        let mut request = Vec::new();
        encode_request(&mut request, arguments);
        self.stream.write_all(&request).await.map_err(|error| lost(&error))?;
        loop {
            match self.next_frame()? {
                Some(Frame::Push(_)) => {}
                Some(Frame::Error(text)) => return Ok(Some(text)),
                Some(_) => return Ok(None),
                None => {
                    let read = self.stream.read_buf(&mut self.input).await;
                    ended(read)?;
                }
            }
        }
    }

    /// The next complete frame of the input.
    fn next_frame(&mut self) -> Result<Option<Frame>, ErrorKind> {
        let (read, frame) = self.decoder.decode(&self.input)?;
        self.input.advance(read);
        Ok(frame)
    }

    /// Serves the queue until the connection ends, which is told, or the queue does.
    pub(super) async fn serve(
        mut self,
        queue: &mut mpsc::Receiver<Envelope>,
        options: &Options,
    ) -> Option<ErrorKind> {
        let reason = self.exchange(queue, options).await.err();
        let kind = reason.clone().unwrap_or(ErrorKind::Lost("the client was dropped".into()));
        for waiter in self.waiting.drain(..) {
            let unsent = waiter.begin >= self.written || (waiter.single && waiter.end > self.written);
            let failure = Some(Failure { kind: kind.clone(), unsent });
            // Nobody may be waiting any more, which is as well.
            let _ = waiter.answer.send(Exchange { frames: waiter.frames, failure });
        }
        reason
    }

    async fn exchange(
        &mut self,
        queue: &mut mpsc::Receiver<Envelope>,
        options: &Options,
    ) -> Result<(), ErrorKind> {
        let mut batch = Vec::new();
        let mut used = true;
        let mut watch = pin!(sleep_until(Instant::now() + options.stall_timeout));
        while used || !self.waiting.is_empty() {
            let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
            tokio::select! {
                read = reader.read_buf(&mut self.input) => {
                    ended(read)?;
                    self.hand_out()?;
                }
                wrote = writer.write(&self.output), if !self.output.is_empty() => {
                    let wrote = ended(wrote)?;
                    self.output.advance(wrote);
                    self.written += wrote as u64;
                }
                taken = queue.recv_many(&mut batch, BATCH), if used && self.output.len() < OUTPUT_HIGH => {
                    used = taken > 0;
                    self.accept(&mut batch);
                }
                () = &mut watch => {
                    let now = Instant::now();
                    let oldest = self.waiting.front().map_or(now, |waiter| waiter.since);
                    if oldest + options.stall_timeout <= now {
                        return Err(ErrorKind::Lost("the server does not answer".into()));
                    }
                    watch.as_mut().reset(oldest + options.stall_timeout);
                }
            }
        }
        Ok(())
    }

    /// Takes requests for sending, except those that nobody waits for any more.
    fn accept(&mut self, batch: &mut Vec<Envelope>) {
        let since = Instant::now();
        for envelope in batch.drain(..).filter(Envelope::take) {
            let begin = self.written + self.output.len() as u64;
            self.output.extend_from_slice(&envelope.bytes);
            self.waiting.push_back(Waiter {
                missing: envelope.expected,
                frames: Vec::with_capacity(envelope.expected),
                answer: envelope.answer,
                begin,
                end: begin + envelope.bytes.len() as u64,
                single: envelope.expected == 1,
                since,
            });
        }
    }

    /// Hands the replies that are there to those who wait for them.
    fn hand_out(&mut self) -> Result<(), ErrorKind> {
        while let Some(frame) = self.next_frame()? {
            if matches!(frame, Frame::Push(_)) {
                continue;
            }
            let Some(first) = self.waiting.front_mut() else { return Err(ErrorKind::Unsolicited) };
            first.frames.push(frame);
            first.missing -= 1;
            if first.missing > 0 {
                continue;
            }
            if let Some(waiter) = self.waiting.pop_front() {
                // Nobody may be waiting any more, which is as well.
                let _ = waiter.answer.send(Exchange { frames: waiter.frames, failure: None });
            }
        }
        Ok(())
    }
}

fn lost(error: &std::io::Error) -> ErrorKind {
    ErrorKind::Lost(error.to_string())
}

/// How many bytes moved; none at all means that the server closed the connection.
fn ended(moved: std::io::Result<usize>) -> Result<usize, ErrorKind> {
    match moved {
        Ok(0) => Err(ErrorKind::Lost("the server closed it".into())),
        Ok(moved) => Ok(moved),
        Err(error) => Err(lost(&error)),
    }
}

/// Whether the refusal of `HELLO 3` means that only RESP2 is spoken, not that the client is unwelcome.
fn knows_no_resp3(refusal: &str) -> bool {
    refusal.starts_with("NOPROTO") || (refusal.starts_with("ERR") && refusal.contains("unknown"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::super::Claim;
    use super::*;
    use crate::client::Client;

    /// A session whose server is the other end of a pipe that holds so many bytes.
    struct Pipe {
        server: DuplexStream,
        queue: mpsc::Sender<Envelope>,
        session: tokio::task::JoinHandle<Option<ErrorKind>>,
    }

    impl Pipe {
        fn new(capacity: usize) -> Self {
            let (client, server) = duplex(capacity);
            let (queue, mut requests) = mpsc::channel(8);
            let options = Client::builder(["unused:1"]).into_options();
            let session =
                tokio::spawn(async move { Session::new(client).serve(&mut requests, &options).await });
            Self { server, queue, session }
        }

        /// Queues a request of so many bytes and replies.
        async fn send(&self, text: &str, expected: usize, claim: &Arc<Claim>) -> oneshot::Receiver<Exchange> {
            let (answer, answered) = oneshot::channel();
            let (bytes, claim) = (text.to_owned().into(), Arc::clone(claim));
            self.queue.send(Envelope { bytes, expected, claim, answer }).await.expect("the session runs");
            answered
        }

        async fn read(&mut self, text: &str) {
            let mut buffer = vec![0; text.len()];
            self.server.read_exact(&mut buffer).await.expect("the session writes");
            assert_eq!(String::from_utf8_lossy(&buffer), text);
        }

        async fn write(&mut self, text: &str) {
            self.server.write_all(text.as_bytes()).await.expect("the session reads");
        }
    }

    async fn failure(answer: oneshot::Receiver<Exchange>) -> Option<Failure> {
        answer.await.expect("every request is answered").failure
    }

    #[tokio::test]
    async fn replies_go_to_those_who_wait_in_order() {
        let mut pipe = Pipe::new(64);
        let first = pipe.send("one", 1, &Arc::default()).await;
        let second = pipe.send("two", 2, &Arc::default()).await;
        pipe.read("onetwo").await;
        pipe.write("+1\r\n>1\r\n+push\r\n+2\r\n+3\r\n").await;
        let text = |text: &str| Frame::Simple(text.into());
        assert_eq!(first.await.expect("answered").frames, [text("1")]);
        assert_eq!(second.await.expect("answered").frames, [text("2"), text("3")]);
    }

    #[tokio::test]
    async fn a_request_given_up_in_time_is_not_sent() {
        let mut pipe = Pipe::new(64);
        let claim = Arc::new(Claim::default());
        assert!(claim.settle(Claim::GIVEN_UP));
        let _given_up = pipe.send("given up", 1, &claim).await;
        drop(pipe.send("dropped", 1, &Arc::default()).await);
        let claim = Arc::default();
        let _wanted = pipe.send("wanted", 1, &claim).await;
        pipe.read("wanted").await;
        assert!(!claim.settle(Claim::GIVEN_UP), "it is too late to give it up");
    }

    #[tokio::test]
    async fn only_what_was_written_in_full_may_have_run() {
        let mut pipe = Pipe::new(10);
        let whole = pipe.send("whole", 1, &Arc::default()).await;
        pipe.read("whole").await;
        let cut = pipe.send("cut in the middle", 1, &Arc::default()).await;
        let pipelined = pipe.send("behind it", 2, &Arc::default()).await;
        pipe.read("cut").await;
        drop(pipe.server);
        let kinds = [failure(whole).await, failure(cut).await, failure(pipelined).await];
        assert_eq!(kinds.map(|failure| failure.map(|f| f.unsent)), [Some(false), Some(true), Some(true)]);
    }

    #[tokio::test]
    async fn part_of_a_pipeline_may_have_run() {
        let mut pipe = Pipe::new(10);
        let cut = pipe.send("two commands, cut", 2, &Arc::default()).await;
        pipe.read("two commands").await;
        pipe.write("+1\r\n").await;
        drop(pipe.server);
        let exchange = cut.await.expect("answered");
        assert_eq!(exchange.frames, [Frame::Simple("1".into())]);
        assert_eq!(exchange.failure.map(|failure| failure.unsent), Some(false));
    }

    #[tokio::test]
    async fn a_server_that_breaks_the_protocol_is_left() {
        for (words, kind) in [
            ("+nobody asked\r\n", ErrorKind::Unsolicited),
            ("x", ErrorKind::Protocol(nuthatch_proto::resp::FrameError::UnknownKind(b'x'))),
        ] {
            let mut pipe = Pipe::new(64);
            pipe.write(words).await;
            assert_eq!(pipe.session.await.expect("no panic"), Some(kind));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_answer_is_left() {
        let mut pipe = Pipe::new(64);
        let waiting = pipe.send("hello?", 1, &Arc::default()).await;
        pipe.read("hello?").await;
        let failure = failure(waiting).await.expect("no reply");
        assert!(!failure.unsent);
        assert_eq!(failure.kind, ErrorKind::Lost("the server does not answer".into()));
    }

    #[tokio::test]
    async fn a_session_ends_with_its_queue_once_all_is_answered() {
        let mut pipe = Pipe::new(64);
        let last = pipe.send("last", 1, &Arc::default()).await;
        drop(pipe.queue);
        let mut buffer = [0; 4];
        pipe.server.read_exact(&mut buffer).await.expect("the session writes");
        pipe.server.write_all(b"+OK\r\n").await.expect("the session reads");
        assert_eq!(failure(last).await, None);
        assert_eq!(pipe.session.await.expect("no panic"), None);
    }
}
