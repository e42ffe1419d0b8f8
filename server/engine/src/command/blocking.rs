//! The commands that wait for an element: BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP, BZPOPMIN, BZPOPMAX and BZMPOP.
//!
//! Each is a [`Demand`], keys it may be met from, and how long the client waits. A demand is tried at once; if no key
//! meets it, the engine keeps it ([`crate::waiting`]) and tries again when one of the keys changes. Inside a transaction
//! nothing waits: then the reply is that of a wait that was in vain.
//!
//! What is popped, and how it is replied, is the families' business (`list/transfer`, `sorted_set/pop`).

use std::iter;

use nuthatch_proto::command_table::DataCommand;
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::{Args, ReplyWriter};

use super::args::MultiPop;
use super::list::transfer::{self, PopShape};
use super::long_double::LongDouble;
use super::sorted_set::{Pop, Shape, parse_multi_pop};
use super::{CommandError, Handled};
use crate::context::Context;
use crate::effect::End;
use crate::store::locked::LockedSlots;
use crate::value::{Extreme, Kind};

/// What a client waits for.
#[derive(Debug)]
pub(crate) enum Demand {
    /// Elements of a list.
    List { end: End, shape: PopShape },
    /// An element of a list, to be moved to another one.
    Move { from: End, destination: Box<[u8]>, to: End },
    /// Members of a sorted set.
    SortedSet(Pop),
}

/// A demand, where it may be met from, and until when.
pub(crate) struct Request<'a> {
    pub(crate) demand: Demand,
    pub(crate) keys: Args<'a>,
    /// None: for ever.
    pub(crate) deadline: Option<Timestamp>,
}

impl Demand {
    /// The type of the values that meet it.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::List { .. } | Self::Move { .. } => Kind::List,
            Self::SortedSet(_) => Kind::SortedSet,
        }
    }

    /// Takes what it wants from the first of the keys that has it, and replies; whether one has.
    pub(crate) fn take<'k>(
        &self,
        cx: &mut Context<'_>,
        slots: &mut LockedSlots<'_>,
        mut keys: impl Iterator<Item = &'k [u8]>,
        reply: &mut ReplyWriter<'_>,
    ) -> Result<bool, CommandError> {
        match self {
            Self::List { end, shape } => transfer::pop_first(cx, slots, keys, *end, *shape, reply),
            Self::Move { from, destination, to } => keys.next().map_or(Ok(false), |source| {
                transfer::move_element(cx, slots, (source, *from), (destination, *to), reply)
            }),
            Self::SortedSet(pop) => pop.run(cx, slots, keys, reply),
        }
    }

    /// The reply if it is not met at once, where nothing may wait. One that is not met in time has a null array for an
    /// answer whatever it wanted.
    fn reply_in_vain(&self, reply: &mut ReplyWriter<'_>) {
        match self {
            Self::Move { .. } => reply.null(),
            Self::List { .. } | Self::SortedSet(_) => reply.null_array(),
        }
    }
}

/// Reads the arguments of one command.
type Parser = for<'a> fn(Args<'a>, Timestamp) -> Result<Request<'a>, CommandError>;

/// The commands that wait. A parser judges arguments in the order in which Redis does.
const PARSERS: [(DataCommand, Parser); 8] = [
    (DataCommand::BLPop, |args, now| pop(list(End::Left, PopShape::Pair), args, now)),
    (DataCommand::BRPop, |args, now| pop(list(End::Right, PopShape::Pair), args, now)),
    (DataCommand::BZPopMin, |args, now| pop(member(Extreme::Lowest), args, now)),
    (DataCommand::BZPopMax, |args, now| pop(member(Extreme::Highest), args, now)),
    (DataCommand::BLMove, |args, now| {
        let (from, to) = (transfer::end(args.at(3))?, transfer::end(args.at(4))?);
        move_to(args, from, to, args.at(5), now)
    }),
    (DataCommand::BRPopLPush, |args, now| move_to(args, End::Right, End::Left, args.at(3), now)),
    (DataCommand::BLMPop, |args, now| {
        let deadline = deadline(args.at(1), now)?;
        let MultiPop { keys, last, count } = MultiPop::parse(args, 2, ["LEFT", "RIGHT"])?;
        let end = if last { End::Right } else { End::Left };
        Ok(Request { demand: list(end, PopShape::UpTo(count)), keys, deadline })
    }),
    (DataCommand::BZMPop, |args, now| {
        let deadline = deadline(args.at(1), now)?;
        let (pop, keys) = parse_multi_pop(args, 2)?;
        Ok(Request { demand: Demand::SortedSet(pop), keys, deadline })
    }),
];

fn list(end: End, shape: PopShape) -> Demand {
    Demand::List { end, shape }
}

fn member(from: Extreme) -> Demand {
    Demand::SortedSet(Pop { from, count: 1, shape: Shape::KeyAndMember })
}

/// `key [key ...] timeout`
fn pop(demand: Demand, args: Args<'_>, now: Timestamp) -> Result<Request<'_>, CommandError> {
    let last = args.len() - 1;
    Ok(Request { demand, keys: args.take(last).skip(1), deadline: deadline(args.at(last), now)? })
}

/// `source destination ... timeout`
fn move_to<'a>(
    args: Args<'a>,
    from: End,
    to: End,
    timeout: &[u8],
    now: Timestamp,
) -> Result<Request<'a>, CommandError> {
    let demand = Demand::Move { from, destination: args.at(2).into(), to };
    Ok(Request { demand, keys: args.take(2).skip(1), deadline: deadline(timeout, now)? })
}

impl<'a> Request<'a> {
    /// Reads a command's arguments. `None` if it is none that waits.
    pub(crate) fn parse(
        command: DataCommand,
        args: Args<'a>,
        now: Timestamp,
    ) -> Result<Option<Self>, CommandError> {
        let parser = PARSERS.iter().find(|(waits, _)| *waits == command);
        parser.map(|(_, parse)| parse(args, now)).transpose()
    }

    /// The demand tried on all its keys; whether it was met.
    pub(crate) fn attempt(
        &self,
        cx: &mut Context<'_>,
        slots: &mut LockedSlots<'_>,
        reply: &mut ReplyWriter<'_>,
    ) -> Result<bool, CommandError> {
        self.demand.take(cx, slots, self.keys.iter(), reply)
    }
}

/// Until when a client waits that gives this timeout in seconds; 0 is for ever.
fn deadline(text: &[u8], now: Timestamp) -> Result<Option<Timestamp>, CommandError> {
    const OUT_OF_RANGE: CommandError = CommandError::Other("ERR timeout is out of range");
    let seconds = LongDouble::parse(text)
        .ok_or(CommandError::Other("ERR timeout is not a float or out of range"))?
        .to_f64();
    let milliseconds = (seconds * 1000.0).ceil();
    if milliseconds >= i64::MAX as f64 {
        return Err(OUT_OF_RANGE);
    }
    if milliseconds < 0.0 {
        return Err(CommandError::Other("ERR timeout is negative"));
    }
    if milliseconds == 0.0 {
        return Ok(None);
    }
    let deadline = now.0.saturating_add(milliseconds as u64);
    i64::try_from(deadline).map(|_| Some(Timestamp(deadline))).map_err(|_| OUT_OF_RANGE)
}

/// One of the commands where nothing may wait: inside a transaction.
pub(super) fn at_once(
    command: DataCommand,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    if let Some(request) = Request::parse(command, args, cx.now)?
        && !request.attempt(cx, slots, reply)?
    {
        request.demand.reply_in_vain(reply);
    }
    Ok(())
}

/// The demand tried on one key that has just changed; `reply` has the answer.
pub(crate) fn meet(
    demand: &Demand,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    key: &[u8],
    reply: &mut ReplyWriter<'_>,
) {
    let start = reply.mark();
    match demand.take(cx, slots, iter::once(key), reply) {
        Ok(true) => {}
        Ok(false) => demand.reply_in_vain(reply),
        Err(error) => {
            reply.rewind(start);
            reply.error(&error.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_redis_reads_them() {
        let (bad, far) = ("ERR timeout is not a float or out of range", "ERR timeout is out of range");
        for (text, expected) in [
            ("0", Ok(None)),
            ("-0", Ok(None)),
            ("0.5", Ok(Some(1_500))),
            ("1e-400", Ok(Some(1_001))),
            ("9223372036854", Ok(Some(9_223_372_036_855_000))),
            ("9223372036854776", Err(far)),
            ("1e300", Err(far)),
            ("1e400", Err(far)),
            ("inf", Err(far)),
            ("1e5000", Err(bad)),
            ("nan", Err(bad)),
            ("", Err(bad)),
            ("x", Err(bad)),
            ("-1", Err("ERR timeout is negative")),
            ("-1e400", Err("ERR timeout is negative")),
        ] {
            let read = deadline(text.as_bytes(), Timestamp(1_000));
            let read = read.map(|deadline| deadline.map(|at| at.0)).map_err(|error| error.to_string());
            assert_eq!(read, expected.map_err(str::to_owned), "{text}");
        }
    }
}
