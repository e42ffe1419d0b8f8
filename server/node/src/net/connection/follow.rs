//! A connection that becomes a replica: it is sent a snapshot, and then joins the stream.
//!
//! The snapshot is taken on a thread of its own and sent from its file piece by piece. A newline each second tells the
//! replica meanwhile that we are still here. When everything is sent the connection goes on as any other: what the stream
//! brings is pushed to it, and what it says is a command.

use std::future::Future;
use std::io::{self, Read, Seek};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use nuthatch_proto::command_table::{Handler, NodeCommand, lookup};
use nuthatch_proto::resp::args::OwnedArgs;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::{Connection, End, drain};
use crate::clock;
use crate::dispatch::Turn;
use crate::feed::Follower;
use crate::snapshot::{self, Taken};

/// How much of the file is sent at once.
const PIECE: usize = 1 << 20;

/// How often a replica that waits hears of us.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

impl Connection<'_> {
    /// Runs SYNC or PSYNC.
    #[cold]
    pub(super) async fn follow(&mut self, args: OwnedArgs) -> Result<Turn, End> {
        let node = Arc::clone(&self.thread.node);
        let introduction = self.session.introduction;
        let spec = args.as_args().get(0).and_then(lookup);
        let partial = spec.is_some_and(|spec| spec.handler == Handler::Node(NodeCommand::PSync));
        let client = Arc::clone(&self.session.client);
        client.set_follower();
        let follower = Arc::new(Follower::new(client, introduction.port, !partial, clock::now()));
        let (told, mut begun) = oneshot::channel();
        let joins = (!introduction.rdb_only).then(|| Arc::clone(&follower));
        let (taker, directory) = (Arc::clone(&node), node.config.settings().dir.clone());
        let mut taking = spawn_blocking(move || {
            snapshot::take(&taker, &directory, || {
                let offset = match joins {
                    Some(follower) => taker.feed.join(&taker.engine, follower),
                    None => taker.feed.offset(),
                };
                // The connection may have ended meanwhile; then it leaves again.
                let _ = told.send(offset);
            })
        });
        if partial && let Ok(offset) = self.wait_for(&mut begun).await? {
            let reply = format!("+FULLRESYNC {} {offset}\r\n", node.role.history().replid());
            self.send_apart_raw(reply.into_bytes()).await?;
        }
        let taken = self.wait_for(&mut taking).await?;
        match taken.map_err(io::Error::other).and_then(|taken| taken) {
            Ok(taken) => self.send_snapshot(taken).await?,
            Err(error) => {
                tracing::warn!("Cannot take a snapshot for a replica: {error}");
                self.send_apart_raw(b"-ERR cannot take a snapshot, see the log\r\n".to_vec()).await?;
                return Err(End::Closed);
            }
        }
        node.feed.bring_online(&follower);
        tracing::info!("Synchronization with replica {} succeeded", follower.client.addr);
        Ok(if introduction.rdb_only { Turn::Close } else { Turn::Done { drained: true } })
    }

    /// Waits for something, and lets the replica know each second that we are still here.
    async fn wait_for<T>(&mut self, what: &mut (impl Future<Output = T> + Unpin)) -> Result<T, End> {
        let mut signs = interval(SIGN_OF_LIFE);
        signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
        signs.tick().await;
        loop {
            let client = Arc::clone(&self.session.client);
            let mut what = pin!(&mut *what);
            let done = std::future::poll_fn(|cx| {
                if client.is_killed() {
                    return Poll::Ready(Err(End::of(&client)));
                }
                if let Poll::Ready(done) = what.as_mut().poll(cx) {
                    return Poll::Ready(Ok(Some(done)));
                }
                signs.poll_tick(cx).map(|_| Ok(None))
            });
            if let Some(done) = done.await? {
                return Ok(done);
            }
            self.send_apart_raw(b"\n".to_vec()).await?;
        }
    }

    async fn send_snapshot(&mut self, mut taken: Taken) -> Result<(), End> {
        taken.file.rewind()?;
        self.send_apart_raw(format!("${}\r\n", taken.len).into_bytes()).await?;
        let mut left = taken.len;
        while left > 0 {
            let len = left.min(PIECE as u64);
            let mut reading = spawn_blocking(move || {
                let mut piece = Vec::new();
                (&taken.file).take(len).read_to_end(&mut piece).map(|_| (taken, piece))
            });
            let read = (&mut reading).await.map_err(io::Error::other)??;
            let piece;
            (taken, piece) = read;
            if piece.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            left -= piece.len() as u64;
            self.send_apart_raw(piece).await?;
        }
        Ok(())
    }

    /// Sends bytes that are nobody's reply, and waits until they are taken. What is pushed comes later.
    async fn send_apart_raw(&mut self, mut bytes: Vec<u8>) -> Result<(), End> {
        let Self { thread, stream, session, output, .. } = self;
        thread.counters.net_output.add(bytes.len() as u64);
        output.send(stream, &mut bytes)?;
        drain(&session.client, output, stream).await
    }
}
