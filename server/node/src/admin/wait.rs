//! WAIT and WAITAOF: until replicas have what the connection wrote, in memory or in a file.
//!
//! A replica says how much of the stream it has, each second and when it is asked, which is what this does. Who asks for
//! no more replicas than have said so is answered at once, everybody else when so many have, or when the time is over.
//! There is no append-only file, and replicas do not tell of theirs: WAITAOF refuses to wait for this node's, and waits for
//! those of others until the time is over, or for good.

use std::time::Duration;

use nuthatch_proto::ids::{ReplicationOffset, Timestamp};
use nuthatch_proto::resp::number::parse_integer;
use nuthatch_proto::resp::{Args, ReplyWriter};
use tokio::time::{Instant, sleep};

use super::{Call, Deferral, Flow};
use crate::clock;
use crate::net::blocked::UNBLOCKED;
use crate::net::clients::Client;
use crate::node::Node;

/// How often it is looked who has said so.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What WAIT asks for, or the error that it asks for nothing.
fn parse(args: Args<'_>, now: Timestamp) -> Result<(i64, Option<Duration>), &'static str> {
    let replicas = parse_integer(args.at(1)).ok_or("ERR value is not an integer or out of range")?;
    Ok((replicas, parse_timeout(args.at(2), now)?))
}

fn parse_timeout(word: &[u8], now: Timestamp) -> Result<Option<Duration>, &'static str> {
    let timeout = parse_integer(word).ok_or("ERR timeout is not an integer or out of range")?;
    let timeout = u64::try_from(timeout).map_err(|_| "ERR timeout is negative")?;
    if i64::try_from(timeout.saturating_add(now.0)).is_err() {
        return Err("ERR timeout is out of range");
    }
    Ok(Some(timeout).filter(|&timeout| timeout > 0).map(Duration::from_millis))
}

/// What WAITAOF asks for, or the error that it asks for nothing.
fn parse_aof(args: Args<'_>, now: Timestamp) -> Result<(i64, Option<Duration>), &'static str> {
    let local = parse_integer(args.at(1)).ok_or("ERR value is not an integer or out of range")?;
    if !(0..=1).contains(&local) {
        return Err("ERR value is out of range, value must between 0 and 1");
    }
    let replicas = parse_integer(args.at(2)).filter(|&replicas| replicas >= 0);
    let replicas = replicas.ok_or("ERR value is out of range, must be positive")?;
    let timeout = parse_timeout(args.at(3), now)?;
    if local > 0 {
        return Err("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
    }
    Ok((replicas, timeout))
}

/// A point up to which replicas have everything, or have not: those of Redis by the stream of commands, those of the same
/// cluster by the log of effects.
#[derive(Debug, Clone, Copy)]
struct Point {
    stream: u64,
    log: ReplicationOffset,
}

impl Point {
    fn now(node: &Node) -> Self {
        Self { stream: node.feed.offset(), log: node.feed.log.end() }
    }

    /// How many replicas have everything up to there.
    fn reached(self, node: &Node) -> usize {
        let copies = node.cluster.as_ref().map_or(0, |cluster| cluster.replication().replicas_at(self.log));
        node.feed.acknowledged(self.stream) + copies
    }
}

/// How many replicas have everything.
pub(crate) fn ready(node: &Node) -> usize {
    Point::now(node).reached(node)
}

pub(super) fn begin(call: &Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    match parse(call.args, call.now) {
        Err(error) => reply.error(error),
        Ok((replicas, _)) => {
            let ready = ready(call.node);
            if i64::try_from(ready).is_ok_and(|ready| ready < replicas) {
                return Flow::Defer(Deferral::Wait);
            }
            reply.count(ready);
        }
    }
    Flow::Done
}

/// Waits until something is so, the time is over, or somebody ends the wait; whether that is an error.
async fn wait_until(client: &Client, timeout: Option<Duration>, is_so: impl Fn() -> bool) -> bool {
    let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    client.begin_replica_wait();
    while !is_so() && client.waits_for_replicas() && until.is_none_or(|until| Instant::now() < until) {
        sleep(LOOK_EVERY).await;
    }
    client.end_replica_wait()
}

pub(super) async fn wait(node: &Node, client: &Client, args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    let (replicas, timeout) = match parse(args, clock::now()) {
        Ok(asked) => asked,
        Err(error) => return reply.error(error),
    };
    let wanted = usize::try_from(replicas).unwrap_or(0);
    let point = Point::now(node);
    if node.feed.is_on() {
        node.feed.say(0, &[b"REPLCONF", b"GETACK", b"*"]);
    }
    if wait_until(client, timeout, || point.reached(node) >= wanted).await {
        return reply.error(UNBLOCKED);
    }
    reply.count(point.reached(node));
}

pub(super) fn begin_aof(call: &Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    match parse_aof(call.args, call.now) {
        Err(error) => reply.error(error),
        Ok((..=0, _)) => none_in_file(reply),
        Ok(_) => return Flow::Defer(Deferral::WaitAof),
    }
    Flow::Done
}

/// WAITAOF's reply: neither this node nor any replica has it in a file.
pub(crate) fn none_in_file(reply: &mut ReplyWriter<'_>) {
    reply.array(2);
    reply.integer(0);
    reply.integer(0);
}

pub(super) async fn wait_aof(client: &Client, args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    match parse_aof(args, clock::now()) {
        Err(error) => reply.error(error),
        Ok((_, timeout)) => {
            if wait_until(client, timeout, || false).await {
                return reply.error(UNBLOCKED);
            }
            none_in_file(reply);
        }
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::args::OwnedArgs;

    use super::*;

    #[test]
    fn what_is_asked_for() {
        let ask = |words: &str| {
            let args: OwnedArgs = words.split(' ').collect();
            parse(args.as_args(), Timestamp(1000))
        };
        assert_eq!(ask("WAIT 1 20"), Ok((1, Some(Duration::from_millis(20)))));
        assert_eq!(ask("WAIT -1 0"), Ok((-1, None)));
        assert_eq!(ask("WAIT x 0"), Err("ERR value is not an integer or out of range"));
        assert_eq!(ask("WAIT 1 0.5"), Err("ERR timeout is not an integer or out of range"));
        assert_eq!(ask("WAIT 1 -1"), Err("ERR timeout is negative"));
        assert_eq!(ask("WAIT 1 9223372036854775807"), Err("ERR timeout is out of range"));
    }

    #[test]
    fn what_is_asked_of_files() {
        let ask = |words: &str| {
            let args: OwnedArgs = words.split(' ').collect();
            parse_aof(args.as_args(), Timestamp(1000))
        };
        assert_eq!(ask("WAITAOF 0 2 20"), Ok((2, Some(Duration::from_millis(20)))));
        assert_eq!(ask("WAITAOF 0 0 0"), Ok((0, None)));
        assert_eq!(
            ask("WAITAOF 1 0 0"),
            Err("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
        );
        assert_eq!(ask("WAITAOF 2 0 0"), Err("ERR value is out of range, value must between 0 and 1"));
        assert_eq!(ask("WAITAOF x 0 0"), Err("ERR value is not an integer or out of range"));
        assert_eq!(ask("WAITAOF 0 -1 0"), Err("ERR value is out of range, must be positive"));
        assert_eq!(ask("WAITAOF 1 0 -1"), Err("ERR timeout is negative"));
    }
}
