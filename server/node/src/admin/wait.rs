//! WAIT: until replicas have what the connection wrote.
//!
//! There are no replicas yet, so nothing is ever acknowledged: who asks for none is answered at once, everybody else
//! when the time is over. Without a time it waits for good, as it would for replicas that never come.

use std::future::pending;
use std::time::Duration;

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::number::parse_integer;
use nuthatch_proto::resp::{Args, ReplyWriter};

use super::{Call, Deferral, Flow};

/// What WAIT asks for, or the error that it asks for nothing.
fn parse(args: Args<'_>, now: Timestamp) -> Result<(i64, Option<Duration>), &'static str> {
    let replicas = parse_integer(args.at(1)).ok_or("ERR value is not an integer or out of range")?;
    let timeout = parse_integer(args.at(2)).ok_or("ERR timeout is not an integer or out of range")?;
    let timeout = u64::try_from(timeout).map_err(|_| "ERR timeout is negative")?;
    if i64::try_from(timeout.saturating_add(now.0)).is_err() {
        return Err("ERR timeout is out of range");
    }
    Ok((replicas, Some(timeout).filter(|&timeout| timeout > 0).map(Duration::from_millis)))
}

pub(super) fn begin(call: &Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    match parse(call.args, call.now) {
        Err(error) => reply.error(error),
        Ok((..=0, _)) => reply.integer(0),
        Ok(_) => return Flow::Defer(Deferral::Wait),
    }
    Flow::Done
}

pub(super) async fn wait(args: Args<'_>, now: Timestamp, reply: &mut ReplyWriter<'_>) {
    match parse(args, now) {
        Err(error) => reply.error(error),
        Ok((_, timeout)) => {
            match timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => pending().await,
            }
            reply.integer(0);
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
}
