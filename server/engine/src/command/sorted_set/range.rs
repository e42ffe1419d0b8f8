//! Commands on a range of members: replying with it, counting it, storing it, removing it.
//!
//! What the range is, [`super::query`] reads. A reply is one walk over ranks, from either end.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::super::Handled;
use super::query::{Borders, By, Form, Query};
use super::write_members;
use crate::context::Context;
use crate::effect::Effect;
use crate::notice::Classes;
use crate::store::locked::LockedSlots;
use crate::value::{IntegerText, SortedSet};

/// ZRANGE and its older forms.
pub(in super::super) fn range(
    form: Form,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let query = Query::parse(form, args.skip(2))?;
    let Some(set) = slots.read::<SortedSet>(cx, args.at(1))? else {
        reply.array(0);
        return Ok(());
    };
    let ranks = query.ranks(set);
    let (count, with_scores) = (ranks.len(), query.with_scores());
    if query.reverse() {
        write_members(reply, count, set.range_reversed(ranks), with_scores);
    } else {
        write_members(reply, count, set.range(ranks), with_scores);
    }
    Ok(())
}

pub(in super::super) fn zrangestore(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let query = Query::parse(Form { store: true, ..Form::OPEN }, args.skip(3))?;
    let limits = slots.limits();
    let mut stored = SortedSet::new();
    if let Some(set) = slots.read::<SortedSet>(cx, args.at(2))? {
        let (mut room, ranks) = (IntegerText::new(), query.ranks(set));
        for (member, score) in set.range(ranks) {
            stored.upsert(member.bytes(&mut room), &limits, |_| Some(score));
        }
    }
    reply.count(stored.len());
    slots.store(cx, args.at(1), stored, Classes::SORTED_SET, "zrangestore");
    Ok(())
}

/// ZCOUNT and ZLEXCOUNT.
pub(in super::super) fn count(
    by: By,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let borders = Borders::parse(by, args.at(2), args.at(3))?;
    let set = slots.read::<SortedSet>(cx, args.at(1))?;
    reply.count(set.map_or(0, |set| borders.ranks(set).len()));
    Ok(())
}

/// ZREMRANGEBYRANK, ZREMRANGEBYSCORE and ZREMRANGEBYLEX.
pub(in super::super) fn remove(
    by: By,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (key, borders) = (args.at(1), Borders::parse(by, args.at(2), args.at(3))?);
    let removed = slots.modify(cx, key, |set: &mut SortedSet, emitter| {
        let ranks = borders.ranks(set);
        let removed = ranks.len();
        set.remove_range(ranks, |member| emitter.emit(Effect::SortedSetRemove { key, member }));
        if removed > 0 {
            let event = match by {
                By::Index => "zremrangebyrank",
                By::Score => "zremrangebyscore",
                By::Lex => "zremrangebylex",
            };
            emitter.notify(Classes::SORTED_SET, event);
        }
        removed
    })?;
    reply.count(removed.unwrap_or(0));
    Ok(())
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;

    use crate::testing::Bench;

    fn letters() -> Bench {
        let mut bench = Bench::new();
        bench.check("ZADD z 1 a 2 b 3 c 4 d 5 e", ":5");
        bench.check("ZADD l 0 a 0 b 0 c 0 d 0 e", ":5");
        bench
    }

    #[test]
    fn by_index() {
        letters().check_all(&[
            ("ZRANGE z 0 -1", "[a b c d e]"),
            ("ZRANGE z 1 2 WITHSCORES", "[b 2 c 3]"),
            ("ZRANGE z 0 1 REV", "[e d]"),
            ("ZRANGE z -2 -1 REV WITHSCORES", "[b 2 a 1]"),
            ("ZRANGE z 3 1", "[]"),
            ("ZRANGE z 9 10 REV", "[]"),
            ("ZRANGE none 0 -1", "[]"),
            ("ZRANGE z 0 -1 LIMIT 0 -1", "[a b c d e]"),
        ]);
    }

    #[test]
    fn by_score() {
        letters().check_all(&[
            ("ZRANGE z 2 4 BYSCORE", "[b c d]"),
            ("ZRANGE z (2 (4 BYSCORE", "[c]"),
            ("ZRANGE z -inf +inf BYSCORE LIMIT 1 2", "[b c]"),
            ("ZRANGE z -inf inf BYSCORE LIMIT 1 -1", "[b c d e]"),
            ("ZRANGE z -inf inf BYSCORE LIMIT -1 2", "[]"),
            ("ZRANGE z -inf inf BYSCORE LIMIT 9 2", "[]"),
            ("ZRANGE z 4 2 BYSCORE", "[]"),
            ("ZRANGE z 0x2 1e999 BYSCORE", "[b c d e]"),
            ("ZRANGE z 4 2 BYSCORE REV", "[d c b]"),
            ("ZRANGE z inf -inf BYSCORE REV LIMIT 1 2 WITHSCORES", "[d 4 c 3]"),
            ("ZRANGE z (1 \"\" BYSCORE REV", "[]"),
        ]);
    }

    #[test]
    fn by_member() {
        letters().check_all(&[
            ("ZRANGE l - + BYLEX", "[a b c d e]"),
            ("ZRANGE l [b (d BYLEX", "[b c]"),
            ("ZRANGE l + - BYLEX REV LIMIT 1 2", "[d c]"),
            ("ZRANGE l + - BYLEX", "[]"),
            ("ZRANGE l [ [zz BYLEX LIMIT 4 9", "[e]"),
        ]);
    }

    #[test]
    fn wrong_arguments_are_told_apart() {
        letters().check_all(&[
            ("ZRANGE z a 1", "-ERR value is not an integer or out of range"),
            ("ZRANGE z 0 1 WITHSCORE", "-ERR syntax error"),
            ("ZRANGE z 0 1 LIMIT 0", "-ERR syntax error"),
            ("ZRANGE z 0 1 REV REV", "-ERR syntax error"),
            ("ZRANGE z 0 1 BYSCORE BYLEX", "-ERR syntax error"),
            ("ZRANGE z 0 1 BYSCORE LIMIT a 1", "-ERR value is not an integer or out of range"),
            (
                "ZRANGE z 0 1 LIMIT 0 1",
                "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ),
            (
                "ZRANGE z - + BYLEX WITHSCORES",
                "-ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ),
            ("ZRANGE z a b BYSCORE", "-ERR min or max is not a float"),
            ("ZRANGE z (nan 1 BYSCORE", "-ERR min or max is not a float"),
            ("ZRANGE z a b BYLEX", "-ERR min or max not valid string range item"),
            ("ZRANGE z -- + BYLEX", "-ERR min or max not valid string range item"),
        ]);
    }

    #[test]
    fn scores_stand_beside_their_members_in_resp3() {
        let mut bench = letters();
        bench.protocol = Protocol::Resp3;
        assert_eq!(bench.run_raw(&["ZRANGE", "z", "0", "0", "WITHSCORES"]), b"*1\r\n*2\r\n$1\r\na\r\n,1\r\n");
    }

    #[test]
    fn a_big_set_is_cut_anywhere() {
        let mut bench = Bench::new();
        for n in 0..2_000 {
            bench.check(&format!("ZADD z {n} m{n}"), ":1");
        }
        bench.check_all(&[
            ("ZRANGE z 1000 1001", "[m1000 m1001]"),
            ("ZRANGE z 0 1 REV", "[m1999 m1998]"),
            ("ZRANGE z (1500 +inf BYSCORE LIMIT 10 1", "[m1511]"),
            ("ZRANGE z 700 -inf BYSCORE REV LIMIT 1 2", "[m699 m698]"),
        ]);
    }

    #[test]
    fn older_names_say_what_options_do() {
        letters().check_all(&[
            ("ZREVRANGE z 0 1 WITHSCORES", "[e 5 d 4]"),
            ("ZREVRANGE z 0 1 REV", "-ERR syntax error"),
            ("ZRANGEBYSCORE z (1 3 LIMIT 1 5", "[c]"),
            ("ZREVRANGEBYSCORE z 3 (1 WITHSCORES", "[c 3 b 2]"),
            ("ZRANGEBYSCORE z 1 3 BYSCORE", "-ERR syntax error"),
            ("ZRANGEBYLEX l [b [d", "[b c d]"),
            ("ZREVRANGEBYLEX l [d (b LIMIT 0 1", "[d]"),
            ("ZCOUNT z (1 4", ":3"),
            ("ZCOUNT z 4 1", ":0"),
            ("ZCOUNT none 4 1", ":0"),
            ("ZCOUNT z a 1", "-ERR min or max is not a float"),
            ("ZLEXCOUNT l - (c", ":2"),
            ("ZLEXCOUNT l a b", "-ERR min or max not valid string range item"),
        ]);
    }

    #[test]
    fn a_range_can_be_removed() {
        let mut bench = letters();
        bench.effects();
        bench.check_all(&[
            ("ZREMRANGEBYRANK z 1 1", ":1"),
            ("ZREMRANGEBYRANK z 9 10", ":0"),
            ("ZREMRANGEBYSCORE z (1 (5", ":2"),
            ("ZREMRANGEBYLEX l - (c", ":2"),
            ("ZREMRANGEBYLEX none - +", ":0"),
            ("ZREMRANGEBYRANK z a 1", "-ERR value is not an integer or out of range"),
            ("ZRANGE z 0 -1", "[a e]"),
            ("ZRANGE l 0 -1", "[c d e]"),
            ("ZREMRANGEBYRANK z 0 -1", ":2"),
            ("EXISTS z", ":0"),
        ]);
        let removed = ["zrem z b", "zrem z c", "zrem z d", "zrem l a", "zrem l b", "zrem z a", "zrem z e"];
        assert_eq!(bench.effects(), removed);
    }

    #[test]
    fn a_range_can_be_stored() {
        let mut bench = letters();
        bench.check("SET d old PX 500", "+OK");
        bench.effects();
        bench.check_all(&[
            ("ZRANGESTORE d z 1 2", ":2"),
            ("ZRANGE d 0 -1 WITHSCORES", "[b 2 c 3]"),
            ("PTTL d", ":-1"),
            ("ZRANGESTORE d z 5 (1 BYSCORE REV LIMIT 1 2", ":2"),
            ("ZRANGE d 0 -1 WITHSCORES", "[c 3 d 4]"),
            ("ZRANGESTORE d z 0 1 WITHSCORES", "-ERR syntax error"),
            ("ZRANGESTORE z z 0 0", ":1"),
            ("ZRANGE z 0 -1", "[a]"),
            ("ZRANGESTORE d none 0 1", ":0"),
            ("EXISTS d", ":0"),
            ("SET d v", "+OK"),
            ("ZRANGESTORE z d 0 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ]);
        assert_eq!(bench.effects(), ["put d zset", "put d zset", "put z zset", "delete d", "set d v"]);
    }
}
