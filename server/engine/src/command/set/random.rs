//! Members at random: SPOP takes them away, SRANDMEMBER does not.
//!
//! The dice are the context's, and what they chose becomes effects: a copy of the set loses the same members. A set that
//! is popped whole is a key deleted.

use nuthatch_proto::resp::{Args, ReplyWriter};
use smallvec::SmallVec;

use crate::command::args::count;
use crate::command::random::{self, Drawn};
use crate::command::{CommandError, Handled, elements};
use crate::context::{Context, Rng};
use crate::effect::Effect;
use crate::notice::Classes;
use crate::store::locked::{Emitter, LockedSlots};
use crate::value::{IntegerText, Item, Set};

pub(in crate::command) fn spop(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    if args.len() > 3 {
        return Err(CommandError::Syntax);
    }
    let wanted = args.get(2).map(count).transpose()?;
    let key = args.at(1);
    // The dice are lent to the change, which holds the context.
    let mut rng = Rng::new(cx.rng.next_u64());
    let popped = slots.modify(cx, key, |set: &mut Set, emitter| {
        let count = wanted.unwrap_or(1).min(set.len());
        if wanted.is_some() {
            reply.set(count);
        }
        if count > 0 {
            emitter.notify(Classes::SET, "spop");
        }
        if count < set.len() || wanted.is_none() {
            (0..count).for_each(|_| pop_one(set, key, &mut rng, emitter, reply));
        } else {
            set.iter().for_each(|member| elements::bulk(reply, member));
            emitter.emit(Effect::Delete { key });
            *set = Set::new();
        }
    })?;
    match (popped, wanted) {
        (Some(()), _) => {}
        (None, Some(_)) => reply.set(0),
        (None, None) => reply.null(),
    }
    Ok(())
}

fn pop_one(set: &mut Set, key: &[u8], rng: &mut Rng, emitter: &Emitter<'_, '_>, reply: &mut ReplyWriter<'_>) {
    let Some(member) = set.random(rng) else { return };
    let member: SmallVec<[u8; 128]> = SmallVec::from_slice(member.bytes(&mut IntegerText::new()));
    set.remove(&member);
    emitter.emit(Effect::SetRemove { key, member: &member });
    reply.bulk(&member);
}

pub(in crate::command) fn srandmember(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    random::members::<Set>(cx, slots, args, reply, None, |_, _| {})
}

impl Drawn for Set {
    type Element<'a> = Item<'a>;

    fn has_index(&self) -> bool {
        self.has_index()
    }

    fn random(&self, rng: &mut Rng) -> Option<Item<'_>> {
        self.random(rng)
    }

    fn elements(&self) -> impl Iterator<Item = Item<'_>> {
        self.iter()
    }

    fn name<'a>(member: Self::Element<'a>) -> Item<'a> {
        member
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nuthatch_proto::resp::Protocol;

    use crate::testing::Bench;

    fn members(reply: &str) -> Vec<String> {
        reply[1..reply.len() - 1].split(' ').filter(|m| !m.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn popped_members_are_gone_and_told() {
        for prefix in ["", "word"] {
            for size in [3, 100, 1_000] {
                let mut bench = Bench::new();
                for n in 0..size {
                    bench.check(&format!("SADD s {prefix}{n}"), ":1");
                }
                bench.effects();
                let one = bench.run("SPOP s");
                assert_eq!(bench.effects(), [format!("srem s {one}")]);
                let most = members(&bench.run(&format!("SPOP s {}", size - 2)));
                let told: Vec<String> = most.iter().map(|member| format!("srem s {member}")).collect();
                assert_eq!(bench.effects(), told);
                bench.check("SCARD s", ":1");
                let last = members(&bench.run("SPOP s 5"));
                assert_eq!(bench.effects(), ["delete s"]);
                bench.check("EXISTS s", ":0");
                let all: BTreeSet<String> = [vec![one], most, last].concat().into_iter().collect();
                assert_eq!(all.len(), size, "each once");
            }
        }
    }

    #[test]
    fn nothing_is_popped_from_nothing() {
        let mut bench = Bench::new();
        assert_eq!(bench.run_raw(&["SPOP", "s"]), b"$-1\r\n");
        assert_eq!(bench.run_raw(&["SPOP", "s", "2"]), b"*0\r\n");
        bench.check_all(&[
            ("SADD s 1", ":1"),
            ("SPOP s 0", "[]"),
            ("SCARD s", ":1"),
            ("SPOP s -1", "-ERR value is out of range, must be positive"),
            ("SPOP s x", "-ERR value is out of range, must be positive"),
            ("SPOP s 1 2", "-ERR syntax error"),
        ]);
        bench.protocol = Protocol::Resp3;
        assert_eq!(bench.run_raw(&["SPOP", "s", "2"]), b"~1\r\n$1\r\n1\r\n");
    }

    #[test]
    fn drawn_members_stay() {
        for prefix in ["", "word"] {
            let mut bench = Bench::new();
            for n in 0..500 {
                bench.check(&format!("SADD s {prefix}{n}"), ":1");
            }
            for (count, expected, different) in
                [(0, 0, 0), (1, 1, 1), (10, 10, 10), (400, 400, 400), (900, 500, 500), (-2_000, 2_000, 300)]
            {
                let drawn = members(&bench.run(&format!("SRANDMEMBER s {count}")));
                assert_eq!(drawn.len(), expected);
                let distinct: BTreeSet<&String> = drawn.iter().collect();
                assert!(distinct.len() >= different, "{count}: {}", distinct.len());
            }
            let one = bench.run("SRANDMEMBER s");
            bench.check(&format!("SISMEMBER s {one}"), ":1");
            bench.check("SCARD s", ":500");
        }
    }

    #[test]
    fn counts_that_make_no_sense_are_refused() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SRANDMEMBER none", "nil"),
            ("SRANDMEMBER none 5", "[]"),
            ("SRANDMEMBER none x", "-ERR value is not an integer or out of range"),
            ("SRANDMEMBER none 1 2", "-ERR syntax error"),
            (
                "SRANDMEMBER none -9223372036854775808",
                "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ),
            ("SADD s 1", ":1"),
            ("SRANDMEMBER s 9223372036854775807", "[1]"),
        ]);
    }
}
