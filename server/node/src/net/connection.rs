//! One connection's life: read what is there, run it as one batch, write the replies once.
//!
//! Reading and writing go through buffers of the thread ([`Scratch`]), which only one connection uses at a time: they
//! are borrowed between two awaits and never across one. A connection has bytes of its own only while a request is
//! incomplete ([`Input`]) or a reply is not taken ([`Output`]); an idle one has neither.
//!
//! Order: nothing is read before all replies were taken (back-pressure); a batch whose replies pass
//! [`REPLIES_MAX`] is interrupted, written, and gone on with. Requests are answered in the order they came, also when
//! one of them has to wait for something ([`Turn::Wait`]). What others push to the client is written between two replies:
//! after each command, and whenever the connection waits for something.
//!
//! Neighbours: `dispatch` runs the requests, `output` sends the replies, `clients` ends connections from outside.

mod blocked;
mod follow;

use std::future::{Future, poll_fn};
use std::io;
use std::net;
use std::os::fd::AsRawFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use nuthatch_engine::{Context, Rng, Stats};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::Decoder;
use nuthatch_proto::resp::args::OwnedArgs;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::yield_now;

use super::clients::Client;
use super::io_thread::Thread;
use super::output::Output;
use super::session::Session;
use crate::admin::{self, Deferral, Flow};
use crate::clock;
use crate::config::Settings;
use crate::dispatch::{Batch, Deferred, Turn, Window};
use crate::node::Node;

/// How many bytes are read at once.
const READ_LEN: usize = 64 * 1024;

/// How much room is made at once for an incomplete request.
const READ_MORE_MAX: usize = 1024 * 1024;

/// Replies beyond this are written before more requests of the batch run.
pub(crate) const REPLIES_MAX: usize = 256 * 1024;

/// Replies up to this length are sent before anybody asks whether the client may hold so much.
const LIMIT_CHECKED: usize = 16 * 1024;

/// What a thread lends the engine with every batch.
pub(crate) struct EngineSide {
    pub(crate) stats: Stats,
    pub(crate) rng: Rng,
    /// Whether keys are used without a trace by the client of this batch.
    pub(crate) no_touch: bool,
    /// Whether keys are there until they are deleted: the commands are those of the server that is followed.
    pub(crate) sees_expired: bool,
    /// The settings of the last batch.
    pub(crate) settings: Arc<Settings>,
}

impl EngineSide {
    fn new(seed: u64, node: &Node) -> Self {
        let settings = Arc::clone(&node.config.settings());
        Self { stats: Stats::default(), rng: Rng::new(seed), no_touch: false, sees_expired: false, settings }
    }

    /// Takes over the settings as they are now.
    #[inline]
    pub(crate) fn refresh(&mut self, node: &Node) {
        let settings = node.config.settings();
        if !Arc::ptr_eq(&self.settings, &settings) {
            self.settings = Arc::clone(&settings);
        }
    }
}

impl EngineSide {
    /// The surroundings of commands that run now.
    #[inline]
    pub(crate) fn context<'a>(&'a mut self, thread: &'a Thread, now: Timestamp) -> Context<'a> {
        let (no_touch, sees_expired) = (self.no_touch, self.sees_expired);
        let mut cx = Context::new(now, &thread.tap, &mut self.stats, &mut self.rng)
            .with_notices(&*thread.node.pubsub, self.settings.notice_classes);
        cx.no_touch = no_touch;
        cx.sees_expired = sees_expired;
        cx
    }
}

/// A thread's buffers, shared by its connections.
pub(crate) struct Scratch {
    /// What was just read.
    input: Vec<u8>,
    /// The replies of the batch.
    replies: Vec<u8>,
    /// The requests being run.
    window: Window,
    pub(crate) engine: EngineSide,
}

impl Scratch {
    pub(crate) fn new(seed: u64, node: &Node) -> Self {
        Self {
            engine: EngineSide::new(seed, node),
            input: vec![0; READ_LEN],
            replies: Vec::with_capacity(READ_LEN),
            window: Window::default(),
        }
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    /// One side closed it in good order.
    #[error("closed")]
    Closed,
    /// It broke.
    #[error(transparent)]
    Broken(#[from] io::Error),
    /// Somebody ended it.
    #[error("killed")]
    Killed,
    /// It held more replies and pushes than it may.
    #[error("closed for overcoming of output buffer limits")]
    OverLimit,
    /// A request grew too long without becoming complete.
    #[error("closed for exceeding the query buffer limit")]
    QueryTooLong,
}

impl End {
    /// Why a client that was told to end was told so.
    fn of(client: &Client) -> Self {
        if client.is_over_limit() { Self::OverLimit } else { Self::Killed }
    }
}

/// Bytes of requests that could not run yet.
#[derive(Debug, Default)]
struct Input {
    bytes: Vec<u8>,
    /// Where the first of those requests begins.
    start: usize,
    /// Whether a whole request may be among them: the last turn was interrupted.
    ready: bool,
}

impl Input {
    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// How much more fits behind what is there.
    fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// Drops what was run; gives the memory back when nothing is left.
    fn settle(&mut self, ready: bool) {
        self.ready = ready && self.len() > 0;
        if self.len() == 0 {
            *self = Self::default();
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

struct Connection<'a> {
    thread: &'a Thread,
    stream: TcpStream,
    session: Session,
    decoder: Decoder,
    input: Input,
    output: Output,
}

/// Serves the connection until either side closes it.
pub(crate) async fn run(stream: net::TcpStream, thread: &Thread) {
    let Ok(mut connection) = Connection::new(stream, thread) else { return };
    let client = connection.session.client.clone();
    let end = connection.serve().await;
    client.close();
    connection.session.end(&thread.node.engine);
    thread.node.pubsub.forget(&client);
    thread.node.monitors.remove(&client);
    thread.node.feed.leave(&thread.node.engine, &client);
    thread.node.clients.remove(client.id);
    if let Err(end @ (End::OverLimit | End::QueryTooLong)) = end {
        tracing::warn!("Client id={} addr={} {end}", client.id, client.addr);
    }
}

impl<'a> Connection<'a> {
    fn new(stream: net::TcpStream, thread: &'a Thread) -> io::Result<Self> {
        let (addr, laddr, fd) = (stream.peer_addr()?, stream.local_addr()?, stream.as_raw_fd());
        let stream = TcpStream::from_std(stream)?;
        let client = thread.node.clients.register(addr, laddr, fd, clock::now());
        let open = thread.node.config.settings().requirepass.is_none();
        Ok(Self {
            thread,
            stream,
            session: Session::new(client, open),
            decoder: Decoder::default(),
            input: Input::default(),
            output: Output::default(),
        })
    }

    async fn serve(&mut self) -> Result<(), End> {
        poll_fn(|cx| {
            self.session.client.set_waker(cx.waker());
            Poll::Ready(())
        })
        .await;
        loop {
            let turn = if self.input.ready {
                self.turn_of_kept_input()
            } else if self.input.len() > 0 {
                if self.read_more().await? {
                    self.turn_of_kept_input()
                } else {
                    Turn::Done { drained: false }
                }
            } else {
                self.turn_of_fresh_input().await?
            };
            self.send()?;
            if !self.output.is_empty() {
                drain(&self.session.client, &mut self.output, &self.stream).await?;
            }
            self.after(turn).await?;
        }
    }

    /// Sees to what the turn has left, until that is nothing.
    async fn after(&mut self, mut turn: Turn) -> Result<(), End> {
        loop {
            turn = match turn {
                Turn::Done { drained: true } => return Ok(()),
                // More is waiting, here or in the socket: first the others.
                Turn::Done { drained: false } | Turn::Flush => {
                    yield_now().await;
                    return Ok(());
                }
                Turn::Wait(deferred) => Box::pin(self.wait(deferred)).await?,
                Turn::Block(args) => Box::pin(self.blocked(args)).await?,
                Turn::Close => return Err(End::Closed),
            }
        }
    }

    /// Waits for bytes and runs the requests among them, straight from the thread's buffer; or for pushes.
    async fn turn_of_fresh_input(&mut self) -> Result<Turn, End> {
        let Self { thread, stream, session, decoder, input, .. } = self;
        poll_fn(|cx| {
            if session.client.is_killed() {
                return Poll::Ready(Err(End::of(&session.client)));
            }
            let mut scratch = thread.scratch.borrow_mut();
            let Scratch { input: buffer, replies, window, engine } = &mut *scratch;
            let mut read = ReadBuf::new(buffer);
            match Pin::new(&mut *stream).poll_read(cx, &mut read) {
                // Others run before the next round of pushes, and more of them gather meanwhile.
                Poll::Pending if session.client.is_pushed() => {
                    return Poll::Ready(Ok(Turn::Done { drained: false }));
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Ready(Ok(())) => {}
            }
            let len = read.filled().len();
            if len == 0 {
                return Poll::Ready(Err(End::Closed));
            }
            thread.counters.reads.add(1);
            thread.counters.net_input.add(len as u64);
            let mut batch = Batch::new(thread, session, decoder, engine);
            let mut start = 0;
            let turn = batch.run(&mut buffer[..len], &mut start, window, replies);
            if start < len {
                input.bytes.extend_from_slice(&buffer[start..len]);
                input.ready = turn.is_interrupted();
            }
            let drained = len < READ_LEN;
            Poll::Ready(Ok(if let Turn::Done { .. } = turn { Turn::Done { drained } } else { turn }))
        })
        .await
    }

    /// Waits for more bytes of an incomplete request; `false` if there are none but pushes.
    #[cold]
    async fn read_more(&mut self) -> Result<bool, End> {
        let Self { thread, stream, session, input, .. } = self;
        session.client.set_pending_input(input.len(), input.room());
        // Room grows with what has arrived, never with what was announced.
        input.bytes.reserve(input.bytes.len().clamp(READ_LEN / 4, READ_MORE_MAX));
        let mut read = pin!(stream.read_buf(&mut input.bytes));
        let len = poll_fn(|cx| {
            if session.client.is_killed() {
                return Poll::Ready(Err(End::of(&session.client)));
            }
            match read.as_mut().poll(cx) {
                Poll::Pending if session.client.is_pushed() => Poll::Ready(Ok(None)),
                read @ (Poll::Ready(_) | Poll::Pending) => read.map_ok(Some).map_err(End::from),
            }
        })
        .await?;
        let Some(len) = len else { return Ok(false) };
        if len == 0 {
            return Err(End::Closed);
        }
        thread.counters.reads.add(1);
        thread.counters.net_input.add(len as u64);
        if (input.len() + session.queued_bytes()) as u64 > thread.node.config.settings().query_buffer_limit {
            return Err(End::QueryTooLong);
        }
        Ok(true)
    }

    /// Runs the requests among the connection's own bytes.
    #[cold]
    fn turn_of_kept_input(&mut self) -> Turn {
        let Self { thread, session, decoder, input, .. } = self;
        let mut scratch = thread.scratch.borrow_mut();
        let Scratch { replies, window, engine, .. } = &mut *scratch;
        let turn = Batch::new(thread, session, decoder, engine).run(
            &mut input.bytes,
            &mut input.start,
            window,
            replies,
        );
        input.settle(turn.is_interrupted());
        session.client.set_pending_input(input.len(), input.room());
        turn
    }

    /// Sends the replies of the turn, and what was pushed meanwhile.
    fn send(&mut self) -> Result<(), End> {
        let mut scratch = self.thread.scratch.borrow_mut();
        let Scratch { replies, .. } = &mut *scratch;
        if self.session.client.is_pushed() {
            self.session.client.take_pushes(replies);
        }
        if replies.is_empty() {
            return Ok(());
        }
        self.thread.counters.writes.add(1);
        self.thread.counters.net_output.add(replies.len() as u64);
        if replies.len() > LIMIT_CHECKED && self.session.client.may_not_hold(replies.len()) {
            replies.clear();
            replies.shrink_to(REPLIES_MAX * 2);
            return Err(End::OverLimit);
        }
        self.output.send(&self.stream, replies)?;
        // One huge reply must not stay with the thread for good.
        replies.shrink_to(REPLIES_MAX * 2);
        Ok(())
    }

    /// Sends replies that are no turn's, and what was pushed meanwhile, and waits until the client has taken them.
    async fn send_apart(&mut self, replies: &mut Vec<u8>) -> Result<(), End> {
        let Self { thread, stream, session, output, .. } = self;
        session.client.take_pushes(replies);
        thread.counters.net_output.add(replies.len() as u64);
        output.send(stream, replies)?;
        drain(&session.client, output, stream).await
    }

    /// Waits for a command that cannot be answered at once, and keeps its reply.
    #[cold]
    async fn wait(&mut self, deferred: Deferred) -> Result<Turn, End> {
        if deferred.command == Deferral::Follow {
            return self.follow(deferred.args).await;
        }
        let Self { thread, stream, session, input, output, .. } = self;
        let client = Arc::clone(&session.client);
        // What only waits has nothing to finish for a client that goes away.
        let only_waits = matches!(deferred.command, Deferral::Wait | Deferral::WaitAof | Deferral::Paused);
        let mut replies = Vec::new();
        client.begin_wait(deferred.args.as_args().bytes());
        let flow = {
            let mut wait = pin!(admin::wait(thread, session, &deferred, &mut replies));
            loop {
                let waited = poll_fn(|cx| {
                    if client.is_killed() {
                        return Poll::Ready(Err(End::of(&client)));
                    }
                    match wait.as_mut().poll(cx) {
                        Poll::Pending if client.is_pushed() => Poll::Ready(Ok(None)),
                        Poll::Pending if only_waits => {
                            blocked::poll_keep(thread, stream, &client, input, cx).map(Err)
                        }
                        wait @ (Poll::Ready(_) | Poll::Pending) => wait.map(Some).map(Ok),
                    }
                });
                if let Some(flow) = waited.await? {
                    break flow;
                }
                let mut pushed = Vec::new();
                client.take_pushes(&mut pushed);
                thread.counters.net_output.add(pushed.len() as u64);
                output.send(stream, &mut pushed)?;
                drain(&client, output, stream).await?;
            }
        };
        client.end_wait(clock::now());
        if deferred.command == Deferral::Paused || flow == Flow::Defer(Deferral::Paused) {
            return self.run_again(&deferred.args).await;
        }
        session.silence(&mut replies, 0);
        thread.counters.net_output.add(replies.len() as u64);
        output.send(stream, &mut replies)?;
        drain(&client, output, stream).await?;
        match flow {
            Flow::Done | Flow::Block | Flow::Defer(_) => Ok(Turn::Done { drained: true }),
            Flow::Close => Err(End::Closed),
        }
    }

    /// Runs a command that was held back, or that has to be routed again; it may have to wait once more.
    async fn run_again(&mut self, args: &OwnedArgs) -> Result<Turn, End> {
        let turn = {
            let Self { thread, session, decoder, .. } = self;
            let mut scratch = thread.scratch.borrow_mut();
            let Scratch { replies, engine, .. } = &mut *scratch;
            Batch::new(thread, session, decoder, engine).run_again(args, replies)
        };
        self.send()?;
        drain(&self.session.client, &mut self.output, &self.stream).await?;
        Ok(turn)
    }
}

/// Waits until the client has taken its replies. As long as it takes some it is not idle.
#[cold]
async fn drain(client: &Client, output: &mut Output, stream: &TcpStream) -> Result<(), End> {
    client.set_pending_output(output.len());
    client.end_if_over_limit();
    let mut drain = pin!(output.drain(stream, |left| {
        client.set_active(clock::now());
        client.set_pending_output(left);
    }));
    poll_fn(|cx| {
        if client.is_killed() {
            return Poll::Ready(Err(End::of(client)));
        }
        drain.as_mut().poll(cx).map_err(End::from)
    })
    .await
}
