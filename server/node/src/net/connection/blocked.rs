//! A connection while it is blocked: what it listens to, and how it goes on.
//!
//! It listens to its letterbox, to the clock, to pushes, and to its socket, from which it reads on. What the client
//! sends is kept for later, within the limit of every request; but a client that goes away must be noticed at once, so
//! that it is not given an element.
//!
//! Whoever ends the wait decides: when the time is up, the connection itself does so only if nobody else was faster,
//! and otherwise an outcome is on its way.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use nuthatch_engine::Outcome;
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::ReplyWriter;
use nuthatch_proto::resp::args::OwnedArgs;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{Connection, End, Input};
use crate::clock;
use crate::dispatch::{Turn, account};
use crate::net::blocked::{Blocked, UNBLOCKED};
use crate::net::clients::Client;
use crate::net::io_thread::Thread;

const DEMOTED: &str =
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

impl Connection<'_> {
    /// Waits for what the command asks for, and sends its reply.
    #[cold]
    pub(super) async fn blocked(&mut self, args: OwnedArgs) -> Result<Turn, End> {
        let Some(blocked) = self.session.blocked.take() else { return Ok(Turn::Done { drained: true }) };
        self.session.client.begin_wait(args.as_args().bytes());
        let outcome = self.outcome(&blocked).await;
        let took = blocked.took;
        self.session.client.end_wait(clock::now());
        let waiter = Arc::clone(blocked.wait.waiter());
        self.session.client.set_blocked(None);
        self.thread.node.engine.leave(blocked.wait);
        let mut replies = Vec::new();
        let mut reply = ReplyWriter::new(&mut replies, self.session.protocol());
        match outcome? {
            Outcome::Reply(bytes) => {
                account::ended_apart(self.thread, &self.session.client, args.as_args(), took);
                reply.raw(&bytes);
            }
            Outcome::TimedOut => waiter.reply_in_vain(&mut reply),
            Outcome::Unblocked => reply.error(UNBLOCKED),
            Outcome::Demoted => {
                reply.error(DEMOTED);
                self.send_apart(&mut replies).await?;
                return Ok(Turn::Close);
            }
            Outcome::Moved => return self.run_again(&args).await,
        }
        self.session.silence(&mut replies, 0);
        self.send_apart(&mut replies).await?;
        Ok(Turn::Done { drained: true })
    }

    /// Waits for the end of the wait.
    async fn outcome(&mut self, blocked: &Blocked) -> Result<Outcome, End> {
        let mut alarm = pin!(until(blocked.wait.deadline()));
        let mut rung = false;
        loop {
            let heard = poll_fn(|cx| {
                if !rung && alarm.as_mut().poll(cx).is_ready() {
                    rung = true;
                    blocked.wait.waiter().end(Outcome::TimedOut);
                }
                if let Some(outcome) = blocked.letterbox.take() {
                    return Poll::Ready(Ok(Some(outcome)));
                }
                if self.session.client.is_killed() {
                    return Poll::Ready(Err(End::of(&self.session.client)));
                }
                if self.session.client.is_pushed() {
                    return Poll::Ready(Ok(None));
                }
                let Self { thread, stream, session, input, .. } = self;
                poll_keep(thread, stream, &session.client, input, cx).map(Err)
            });
            if let Some(outcome) = heard.await? {
                return Ok(outcome);
            }
            self.send_apart(&mut Vec::new()).await?;
        }
    }
}

/// Keeps what a client sends while it waits. Ready when the connection is at its end.
pub(super) fn poll_keep(
    thread: &Thread,
    stream: &mut TcpStream,
    client: &Client,
    input: &mut Input,
    cx: &mut task::Context<'_>,
) -> Poll<End> {
    let mut scratch = thread.scratch.borrow_mut();
    loop {
        let mut read = ReadBuf::new(&mut scratch.input);
        match Pin::new(&mut *stream).poll_read(cx, &mut read) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(error.into()),
            Poll::Ready(Ok(())) if read.filled().is_empty() => return Poll::Ready(End::Closed),
            Poll::Ready(Ok(())) => {}
        }
        thread.counters.net_input.add(read.filled().len() as u64);
        input.bytes.extend_from_slice(read.filled());
        input.ready = true;
        client.set_pending_input(input.len(), input.room());
        if input.len() as u64 > thread.node.config.settings().query_buffer_limit {
            return Poll::Ready(End::QueryTooLong);
        }
    }
}

/// Waits until then; for ever, if there is no such time.
async fn until(deadline: Option<Timestamp>) {
    match deadline {
        Some(deadline) => sleep(Duration::from_millis(deadline.0.saturating_sub(clock::now().0))).await,
        None => pending().await,
    }
}
