//! Deadlines of fields: HEXPIRE and its kin, as Redis 7.4 has them.
//!
//! All take `FIELDS count field [field ...]` and answer a number per field: -2 for one that is not there, and what else the
//! command says. Times become absolute milliseconds as for keys, with bounds of their own. That nobody sees a field whose
//! deadline has passed is the store's doing; here one that is set to expire in the past is deleted.

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::{Args, ReplyWriter};

use super::super::args::{at_least_one, integer, is};
use super::super::deadline::{Conditions, Form, signed};
use crate::command::{CommandError, Handled};
use crate::context::Context;
use crate::effect::Effect;
use crate::notice::Classes;
use crate::store::locked::{Emitter, LockedSlots};
use crate::value::Hash;

/// The last time at which a field may expire, in milliseconds: the limit of Redis.
const LATEST: i64 = Hash::LAST_DEADLINE.0.cast_signed();
/// The answer for a field that is not there.
const NO_FIELD: i64 = -2;
/// The answer for a field without a deadline.
const NO_DEADLINE: i64 = -1;

/// The fields of `FIELDS count field [field ...]`, which begins at an argument and goes on to the last.
fn fields<'a>(args: Args<'a>, position: usize, no_count: &'static str) -> Result<Args<'a>, CommandError> {
    if !is(args.at(position), "FIELDS") {
        return Err(CommandError::Other(
            "ERR Mandatory argument FIELDS is missing or not at the right position",
        ));
    }
    let count = at_least_one(args.at(position + 1), no_count)?;
    let fields = args.skip(position + 2);
    if count != fields.len() {
        return Err(CommandError::Other("ERR The `numfields` parameter must match the number of arguments"));
    }
    Ok(fields)
}

/// The absolute time that a number means.
fn deadline(now: Timestamp, number: &[u8], form: &Form) -> Result<i64, CommandError> {
    let number = integer(number)?;
    if number < 0 {
        return Err(CommandError::Other("ERR invalid expire time, must be >= 0"));
    }
    let deadline = form.deadline(number, now)?;
    if deadline > LATEST { Err(form.invalid()) } else { Ok(deadline) }
}

/// Replies with a number per field; [`NO_FIELD`] for all of them without a hash.
fn answer(reply: &mut ReplyWriter<'_>, fields: Args<'_>, mut answer: impl FnMut(&[u8]) -> i64) {
    reply.array(fields.len());
    fields.iter().for_each(|field| reply.integer(answer(field)));
}

/// HEXPIRE and its kin.
pub(in super::super) fn hexpire(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
    form: &Form,
) -> Handled {
    let (key, now) = (args.at(1), signed(cx.now));
    // The type is judged before the arguments are.
    slots.look::<Hash>(cx, key)?;
    let deadline = deadline(cx.now, args.at(2), form)?;
    let mut conditions = Conditions::default();
    let position = if conditions.add(args.at(3)) { 4 } else { 3 };
    let fields = fields(args, position, "ERR Parameter `numFields` should be greater than 0")?;
    let there = slots.modify(cx, key, |hash: &mut Hash, emitter| {
        let (mut changed, mut deleted) = (false, false);
        answer(reply, fields, |field| {
            if !hash.contains(field) {
                return NO_FIELD;
            }
            if !conditions.hold(hash.deadline(field), deadline) {
                return 0;
            }
            if deadline <= now {
                hash.remove(field);
                emitter.emit(Effect::HashDelete { key, field });
                deleted = true;
                return 2;
            }
            let deadline = Timestamp(deadline.unsigned_abs());
            hash.set_deadline(field, deadline, emitter.limits());
            emitter.emit(Effect::HashDeadline { key, field, deadline: Some(deadline) });
            changed = true;
            1
        });
        for (happened, event) in [(changed, "hexpire"), (deleted, "hdel")] {
            if happened {
                emitter.notify(Classes::HASH, event);
            }
        }
    })?;
    if there.is_none() {
        answer(reply, fields, |_| NO_FIELD);
    }
    Ok(())
}

const NOT_POSITIVE: &str = "ERR Number of fields must be a positive integer";

/// Takes the deadline of a field away, if it has one, and tells of it; whether it had.
pub(super) fn persist(hash: &mut Hash, emitter: &Emitter<'_, '_>, key: &[u8], field: &[u8]) -> bool {
    let had_one = hash.clear_deadline(field);
    if had_one {
        emitter.emit(Effect::HashDeadline { key, field, deadline: None });
    }
    had_one
}

pub(in super::super) fn hpersist(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let key = args.at(1);
    slots.look::<Hash>(cx, key)?;
    let fields = fields(args, 2, NOT_POSITIVE)?;
    let there = slots.modify(cx, key, |hash: &mut Hash, emitter| {
        let mut changed = false;
        answer(reply, fields, |field| {
            if !hash.contains(field) {
                return NO_FIELD;
            }
            let had_one = persist(hash, emitter, key, field);
            changed |= had_one;
            if had_one { 1 } else { NO_DEADLINE }
        });
        if changed {
            emitter.notify(Classes::HASH, "hpersist");
        }
    })?;
    if there.is_none() {
        answer(reply, fields, |_| NO_FIELD);
    }
    Ok(())
}

/// Replies what `show` makes of each deadline and the time.
fn show(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
    show: impl Fn(i64, i64) -> i64,
) -> Handled {
    let now = signed(cx.now);
    let hash = slots.read::<Hash>(cx, args.at(1))?;
    let fields = fields(args, 2, NOT_POSITIVE)?;
    answer(reply, fields, |field| match hash.filter(|hash| hash.contains(field)) {
        None => NO_FIELD,
        Some(hash) => hash.deadline(field).map_or(NO_DEADLINE, |deadline| show(signed(deadline), now)),
    });
    Ok(())
}

/// Milliseconds to whole seconds, upwards.
fn seconds(millis: i64) -> i64 {
    (millis + 999) / 1000
}

pub(in super::super) fn httl(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    show(cx, slots, args, reply, |deadline, now| seconds(deadline - now))
}

pub(in super::super) fn hpttl(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    show(cx, slots, args, reply, |deadline, now| deadline - now)
}

pub(in super::super) fn hexpiretime(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    show(cx, slots, args, reply, |deadline, _| seconds(deadline))
}

pub(in super::super) fn hpexpiretime(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    show(cx, slots, args, reply, |deadline, _| deadline)
}

#[cfg(test)]
mod tests;
