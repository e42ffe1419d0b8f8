//! Commands on sorted sets: removing and looking up members. The others stand beside: [`add`] what adds, [`pop`] what pops,
//! [`range`] what asks for a range of members, [`combine`] what reads several sorted sets at once, [`walk`] what takes
//! members as they come.
//!
//! How members are ordered is the value's business (`value/sorted_set.rs`); here arguments become changes and replies. A
//! sorted set whose last member goes is removed by the store. In RESP3 a score is a double, and a member with its score
//! is an array of two where RESP2 has them in turn.

mod add;
mod combine;
mod pop;
mod query;
mod range;
mod walk;

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::elements::Named;
use super::{CommandError, Handled, args, elements};
use crate::context::Context;
use crate::effect::Effect;
use crate::notice::Classes;
use crate::store::locked::LockedSlots;
use crate::value::{Extreme, Item, SortedSet};

pub(super) use add::{AddOptions, add, add_scored};
pub(super) use combine::{Use, collect, combine};
pub(super) use pop::{Pop, Shape, parse_multi_pop, pop, zmpop};
pub(super) use query::{By, Form};
pub(super) use range::{count, range, remove, zrangestore};
pub(super) use walk::{zrandmember, zscan};

/// Replies with members, and perhaps their scores.
fn write_members<'a>(
    reply: &mut ReplyWriter<'_>,
    count: usize,
    members: impl Iterator<Item = (Item<'a>, f64)>,
    with_scores: bool,
) {
    elements::members_header(reply, count, with_scores);
    members.for_each(|member| write_member(reply, member, with_scores));
}

/// A member, and perhaps its score.
#[inline]
fn write_member(reply: &mut ReplyWriter<'_>, (member, score): (Item<'_>, f64), with_scores: bool) {
    let score = with_scores.then_some(|reply: &mut ReplyWriter<'_>| reply.double(score));
    elements::member(reply, member, score);
}

/// A score, or null.
fn write_score(reply: &mut ReplyWriter<'_>, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

pub(super) fn zscore(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let set = slots.read::<SortedSet>(cx, args.at(1))?;
    write_score(reply, set.and_then(|set| set.score(args.at(2))));
    Ok(())
}

pub(super) fn zmscore(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (set, members) = (slots.read::<SortedSet>(cx, args.at(1))?, args.skip(2));
    reply.array(members.len());
    for member in members.iter() {
        write_score(reply, set.and_then(|set| set.score(member)));
    }
    Ok(())
}

/// ZRANK, which counts from the lowest score, and ZREVRANK, which counts from the highest.
pub(super) fn rank(
    from: Extreme,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    if args.len() > 4 {
        return Err(CommandError::WrongArity(match from {
            Extreme::Lowest => "zrank",
            Extreme::Highest => "zrevrank",
        }));
    }
    let with_score = args.get(3).is_some();
    if args.get(3).is_some_and(|word| !args::is(word, "withscore")) {
        return Err(CommandError::Syntax);
    }
    let (set, member) = (slots.read::<SortedSet>(cx, args.at(1))?, args.at(2));
    let found = set.and_then(|set| {
        let rank = set.rank(member)?;
        let rank = if from == Extreme::Lowest { rank } else { set.len() - 1 - rank };
        Some((rank, set.score(member)?))
    });
    match (found, with_score) {
        (Some((rank, score)), true) => {
            reply.array(2);
            reply.count(rank);
            reply.double(score);
        }
        (Some((rank, _)), false) => reply.count(rank),
        (None, true) => reply.null_array(),
        (None, false) => reply.null(),
    }
    Ok(())
}

impl Named for SortedSet {
    const CLASS: Classes = Classes::SORTED_SET;
    const REMOVED: &'static str = "zrem";

    fn take(&mut self, name: &[u8]) -> bool {
        self.remove(name).is_some()
    }

    fn removal<'a>(key: &'a [u8], name: &'a [u8]) -> Effect<'a> {
        Effect::SortedSetRemove { key, member: name }
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;

    use crate::testing::Bench;

    #[test]
    fn members_join_change_and_leave() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("ZADD z 1 a 2.5 b 1 a", ":2"),
            ("ZADD z CH 3 a 2.5 b 0 c", ":2"),
            ("ZSCORE z a", "3"),
            ("ZSCORE z b", "2.5"),
            ("ZSCORE z x", "nil"),
            ("ZSCORE none x", "nil"),
            ("ZCARD z", ":3"),
            ("ZREM z a x", ":1"),
            ("ZREM z b c", ":2"),
            ("EXISTS z", ":0"),
            ("ZCARD z", ":0"),
            ("ZREM z a", ":0"),
        ]);
        assert_eq!(
            bench.effects(),
            ["zadd z 1 a", "zadd z 2.5 b", "zadd z 3 a", "zadd z 0 c", "zrem z a", "zrem z b", "zrem z c"]
        );
    }

    #[test]
    fn ranks_count_from_either_end() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("ZADD z 1 a 2 b 2 c", ":3"),
            ("ZRANK z a", ":0"),
            ("ZREVRANK z a", ":2"),
            ("ZRANK z c WITHSCORE", "[:2 2]"),
            ("ZREVRANK z c withscore", "[:0 2]"),
            ("ZRANK z x", "nil"),
            ("ZRANK z a WITHSCORES", "-ERR syntax error"),
            ("ZRANK z a WITHSCORE 1", "-ERR wrong number of arguments for 'zrank' command"),
            ("ZMSCORE z a x c", "[1 nil 2]"),
            ("ZMSCORE none a b", "[nil nil]"),
        ]);
        assert_eq!(bench.run_raw(&["ZRANK", "none", "a", "WITHSCORE"]), b"*-1\r\n");
        assert_eq!(bench.run_raw(&["ZRANK", "none", "a"]), b"$-1\r\n");
    }

    #[test]
    fn scores_are_doubles_in_resp3() {
        let mut bench = Bench::new();
        bench.protocol = Protocol::Resp3;
        bench.check("ZADD z 1.5 a", ":1");
        assert_eq!(bench.run_raw(&["ZSCORE", "z", "a"]), b",1.5\r\n");
        assert_eq!(bench.run_raw(&["ZADD", "z", "INCR", "1", "a"]), b",2.5\r\n");
        assert_eq!(bench.run_raw(&["ZSCORE", "z", "b"]), b"_\r\n");
    }
}
