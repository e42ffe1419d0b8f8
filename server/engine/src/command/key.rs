//! Commands on keys, whatever their values' types.
//!
//! Deleting, counting, renaming, copying. They never look into a value. Those with two keys find both slots locked already,
//! in order, so that nobody sees a key under both names or under none. Deadlines travel with the key and are emitted as
//! absolute times.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::args::{int, is};
use super::{CommandError, Handled};
use crate::context::Context;
use crate::notice::Classes;
use crate::store::locked::LockedSlots;

pub(super) fn del(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let mut deleted = 0;
    for key in args.skip(1).iter() {
        if slots.delete(cx, key) {
            slots.notify(cx, Classes::GENERIC, "del", key);
            deleted += 1;
        }
    }
    reply.count(deleted);
    Ok(())
}

/// A key named twice counts twice.
pub(super) fn exists(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    reply.count(args.iter().skip(1).filter(|key| slots.unused_entry(cx, key).is_some()).count());
    Ok(())
}

/// Like EXISTS, but the keys count as used.
pub(super) fn touch(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    reply.count(args.iter().skip(1).filter(|key| slots.read_entry(cx, key).is_some()).count());
    Ok(())
}

pub(super) fn type_of(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    reply.simple(slots.unused_entry(cx, args.at(1)).map_or("none", |entry| entry.kind().name()));
    Ok(())
}

pub(super) fn rename(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (from, to) = (args.at(1), args.at(2));
    slots.entry(cx, from).ok_or(CommandError::NoSuchKey)?;
    if from != to {
        rename_key(cx, slots, from, to);
    }
    reply.ok();
    Ok(())
}

/// Gives a key that is there another name.
fn rename_key(cx: &mut Context<'_>, slots: &mut LockedSlots<'_>, from: &[u8], to: &[u8]) {
    slots.move_key(cx, from, slots.db(), to);
    slots.notify(cx, Classes::GENERIC, "rename_from", from);
    slots.notify(cx, Classes::GENERIC, "rename_to", to);
}

pub(super) fn renamenx(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (from, to) = (args.at(1), args.at(2));
    slots.entry(cx, from).ok_or(CommandError::NoSuchKey)?;
    let free = from != to && slots.entry(cx, to).is_none();
    if free {
        rename_key(cx, slots, from, to);
    }
    reply.integer(i64::from(free));
    Ok(())
}

/// COPY's options, read before its slots are locked and again when it runs.
struct CopyOptions {
    db: Option<i32>,
    replace: bool,
}

impl CopyOptions {
    fn parse(args: Args<'_>) -> Result<Self, CommandError> {
        let mut options = Self { db: None, replace: false };
        let mut words = args.iter().skip(3);
        while let Some(word) = words.next() {
            if is(word, "REPLACE") {
                options.replace = true;
            } else if is(word, "DB") {
                options.db = Some(int(words.next().ok_or(CommandError::Syntax)?)?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

/// The database that COPY's DB option names, if it has one and the database is there.
pub(super) fn copy_database(args: Args<'_>, databases: usize) -> Option<usize> {
    let db = CopyOptions::parse(args).ok()?.db?;
    usize::try_from(db).ok().filter(|&db| db < databases)
}

/// The database that MOVE names, if it is there.
pub(super) fn move_database(args: Args<'_>, databases: usize) -> Option<usize> {
    let db = int(args.get(2)?).ok()?;
    usize::try_from(db).ok().filter(|&db| db < databases)
}

pub(super) fn move_to(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    if slots.in_cluster() {
        return Err(CommandError::MoveInCluster);
    }
    let key = args.at(1);
    int(args.at(2))?;
    let db = move_database(args, slots.databases()).ok_or(CommandError::DbIndex)?;
    if db == slots.db() {
        return Err(CommandError::SameObject);
    }
    let moves = slots.entry(cx, key).is_some() && slots.entry_in(cx, db, key).is_none();
    if moves {
        slots.move_key(cx, key, db, key);
        slots.notify(cx, Classes::GENERIC, "move_from", key);
        cx.notify(db, Classes::GENERIC, "move_to", key);
    }
    reply.integer(i64::from(moves));
    Ok(())
}

pub(super) fn copy(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let options = CopyOptions::parse(args)?;
    let db = match options.db {
        None => slots.db(),
        Some(1..) if slots.in_cluster() => return Err(CommandError::CopyInCluster),
        Some(db) => {
            usize::try_from(db).ok().filter(|&db| db < slots.databases()).ok_or(CommandError::DbIndex)?
        }
    };
    let (from, to) = (args.at(1), args.at(2));
    if db == slots.db() && from == to {
        return Err(CommandError::SameObject);
    }
    let copied =
        slots.read_entry(cx, from).is_some() && (options.replace || slots.entry_in(cx, db, to).is_none());
    if copied {
        slots.copy_key(cx, from, db, to);
        cx.notify(db, Classes::GENERIC, "copy_to", to);
    }
    reply.integer(i64::from(copied));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Classes;
    use crate::testing::Bench;

    #[test]
    fn deletion_and_existence() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("MSET a 1 b 2 c 3", "+OK"),
            ("EXISTS a b none a", ":3"),
            ("TOUCH a none", ":1"),
            ("DEL a none a", ":1"),
            ("UNLINK b c", ":2"),
            ("EXISTS a b c", ":0"),
            ("TYPE a", "+none"),
            ("SET a 1", "+OK"),
            ("TYPE a", "+string"),
        ]);
        assert_eq!(bench.effects()[3..6], ["delete a", "delete b", "delete c"]);
    }

    #[test]
    fn renaming_takes_value_and_deadline_along() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RENAME a b", "-ERR no such key"),
            ("RENAMENX a a", "-ERR no such key"),
            ("SET a 1 PX 5000", "+OK"),
            ("RENAME a a", "+OK"),
            ("RENAMENX a a", ":0"),
            ("SET b 2", "+OK"),
            ("RENAMENX a b", ":0"),
            ("RENAME a b", "+OK"),
            ("GET b", "1"),
            ("PTTL b", ":5000"),
            ("EXISTS a", ":0"),
            ("RENAMENX b c", ":1"),
            ("GET c", "1"),
        ]);
        let effects = bench.effects();
        assert_eq!(effects[2..4], ["delete a", "set b 1 @1005000"]);
        assert_eq!(effects[4..], ["delete b", "set c 1 @1005000"]);
    }

    #[test]
    fn moving_to_another_database() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("MOVE a 1", ":0"),
            ("SET a 1 PX 5000", "+OK"),
            ("MOVE a 0", "-ERR source and destination objects are the same"),
            ("MOVE a 99", "-ERR DB index is out of range"),
            ("MOVE a -1", "-ERR DB index is out of range"),
            ("MOVE a x", "-ERR value is not an integer or out of range"),
            (
                "MOVE a 4294967296",
                "-ERR value is out of range, value must between -2147483648 and 2147483647",
            ),
            ("MOVE a 1", ":1"),
            ("EXISTS a", ":0"),
            ("SET a 2", "+OK"),
            ("MOVE a 1", ":0"),
        ]);
        assert_eq!(bench.effects()[1..3], ["delete a", "set a 1 @1005000"]);
        bench.db = 1;
        bench.check_all(&[("GET a", "1"), ("PTTL a", ":5000")]);
    }

    #[test]
    fn copying() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("COPY a b", ":0"),
            ("SET a 1 PX 5000", "+OK"),
            ("COPY a a", "-ERR source and destination objects are the same"),
            ("COPY a b", ":1"),
            ("PTTL b", ":5000"),
            ("COPY a b", ":0"),
            ("SET a 2", "+OK"),
            ("COPY a b REPLACE", ":1"),
            ("GET b", "2"),
            ("PTTL b", ":-1"),
            ("COPY a a DB 3", ":1"),
            ("COPY a a DB 3", ":0"),
            ("COPY a a DB 3 REPLACE", ":1"),
            ("COPY a a DB 99", "-ERR DB index is out of range"),
            ("COPY a a DB -1", "-ERR DB index is out of range"),
            ("COPY a a DB x", "-ERR value is not an integer or out of range"),
            ("COPY a a DB", "-ERR syntax error"),
            ("COPY a b FOO", "-ERR syntax error"),
        ]);
        bench.db = 3;
        bench.check("GET a", "2");
    }

    #[test]
    fn what_subscribers_hear_of_keys() {
        #[track_caller]
        fn check(command: &str, notices: &[&str]) {
            let mut bench = Bench::new();
            bench.check_all(&[("SET a 1", "+OK"), ("SADD s 2 1", ":2")]);
            bench.classes = Classes::all() - Classes::NEW - Classes::KEY_MISS;
            bench.run(command);
            assert_eq!(bench.notices(), notices, "{command}");
        }
        check("RENAME a b", &["rename_from a@0", "rename_to b@0"]);
        check("RENAME a a", &[]);
        check("RENAMENX a b", &["rename_from a@0", "rename_to b@0"]);
        check("RENAMENX a s", &[]);
        check("COPY a b DB 2", &["copy_to b@2"]);
        check("MOVE a 2", &["move_from a@0", "move_to a@2"]);
        check("EXPIRE a 5", &["expire a@0"]);
        check("EXPIRE a 5 XX", &[]);
        check("EXPIRE a 0", &["del a@0"]);
        check("PERSIST a", &[]);
        check("UNLINK a s", &["del a@0", "del s@0"]);
        check("SORT s STORE b", &["sortstore b@0"]);
        check("SORT none STORE a", &["del a@0"]);
    }
}
