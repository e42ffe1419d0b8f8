//! HyperLogLogs: PFADD, PFCOUNT, PFMERGE, and PFDEBUG for tests.
//!
//! A HyperLogLog is a string, byte for byte as Redis keeps it, so that GET, DUMP and replicas of Redis see the same:
//! [`sketch`] reads it, [`draft`] changes a copy of it, [`estimate`] counts. A client may have written anything into such
//! a string: whoever reads one does so within its bounds, and says what is wrong with it.
//!
//! A dense one is changed where it is, register by register; a sparse one is short, and is written anew when it changes.
//! The estimate is kept in the string until a register changes, so PFCOUNT, which is a read, may write.
//!
//! Source: Redis documentation, "HyperLogLog"; the representations and the choice between them are those of Redis 7.2.

mod draft;
mod estimate;
mod hash;
mod self_test;
mod sketch;

use nuthatch_proto::resp::{Args, ReplyWriter};

pub use self_test::self_test;

use super::args::{is, repeated};
use super::{CommandError, Handled};
use crate::context::Context;
use crate::notice::Classes;
use crate::store::entry::Origin;
use crate::store::locked::{LockedSlots, NewDeadline, StringMut};
use draft::Draft;
use hash::place;
use sketch::{CACHE, Registers, Run, Sketch, cached, is_cached};

pub(super) fn pfadd(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (key, elements, sparse_max) = (args.at(1), args.skip(2), slots.tuned().hll_sparse_max());
    let changed = match slots.string_mut(cx, key)? {
        None => {
            let mut draft = Draft::empty(sparse_max);
            draft.add_all(elements)?;
            draft.forget_estimate();
            create(cx, slots, key, &draft)?;
            true
        }
        Some(mut string) => {
            let is_dense = matches!(Sketch::of(string.bytes())?, Sketch::Dense(_));
            string.set_origin(Origin::Edited);
            if is_dense {
                add_to_dense(cx, &mut string, elements)
            } else {
                add_to_sparse(cx, &mut string, elements, sparse_max)?
            }
        }
    };
    if changed {
        slots.notify(cx, Classes::STRING, "pfadd", key);
    }
    reply.integer(i64::from(changed));
    Ok(())
}

/// Raises registers where they are; whether there was one to raise.
fn add_to_dense(cx: &Context<'_>, string: &mut StringMut<'_>, elements: Args<'_>) -> bool {
    let mut changed = false;
    for element in elements.iter() {
        let (register, count) = place(element);
        let Some(change) = sketch::raised(string.bytes(), register, count) else { continue };
        string.write_at(cx, change.at, &change.bytes[..change.len]);
        changed = true;
    }
    if changed && is_cached(string.bytes()) {
        let last = CACHE.end - 1;
        let top = string.bytes()[last] | 0x80;
        string.write_at(cx, last, &[top]);
    }
    changed
}

fn add_to_sparse(
    cx: &Context<'_>,
    string: &mut StringMut<'_>,
    elements: Args<'_>,
    sparse_max: usize,
) -> Result<bool, CommandError> {
    let mut draft = Draft::of(string.bytes(), sparse_max);
    let changed = draft.add_all(elements)?;
    if changed {
        draft.forget_estimate();
        let bytes = draft.into_bytes();
        put(cx, string, &bytes);
    }
    Ok(changed)
}

/// Puts a changed one in the place of what it was.
fn put(cx: &Context<'_>, string: &mut StringMut<'_>, bytes: &[u8]) {
    string.replace(cx, bytes);
    string.set_origin(Origin::Edited);
}

fn create(cx: &mut Context<'_>, slots: &mut LockedSlots<'_>, key: &[u8], draft: &Draft<'_>) -> Handled {
    slots.set_string(cx, key, draft.bytes(), NewDeadline::Clear);
    if let Some(mut string) = slots.string_mut(cx, key)? {
        string.set_origin(Origin::Edited);
    }
    Ok(())
}

pub(super) fn pfcount(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let count = if args.len() == 2 {
        count_one(cx, slots, args.at(1))?
    } else {
        let mut registers = Registers::default();
        for key in args.iter().skip(1) {
            if let Some(string) = slots.string(cx, key)? {
                Sketch::of(string)?.merge_into(&mut registers)?;
            }
        }
        estimate::cardinality(&registers.histogram())
    };
    reply.integer(count);
    Ok(())
}

/// Counts one, and puts the count down in it, unless it is the copy of one in which the primary will do so.
fn count_one(cx: &mut Context<'_>, slots: &mut LockedSlots<'_>, key: &[u8]) -> Result<i64, CommandError> {
    let Some(string) = slots.string(cx, key)? else { return Ok(0) };
    let sketch = Sketch::of(string)?;
    let known = is_cached(string).then(|| cached(string));
    let count = match known {
        Some(count) => count,
        None => estimate::cardinality(&sketch.histogram()?),
    };
    if !slots.is_passive()
        && let Some(mut string) = slots.string_mut(cx, key)?
    {
        if known.is_none() {
            string.write_at(cx, CACHE.start, &count.to_le_bytes());
        }
        string.set_origin(Origin::Edited);
    }
    Ok(count)
}

pub(super) fn pfmerge(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (key, sparse_max) = (args.at(1), slots.tuned().hll_sparse_max());
    let (mut registers, mut dense) = (Registers::default(), false);
    for source in args.iter().skip(1) {
        if let Some(string) = slots.string(cx, source)? {
            let sketch = Sketch::of(string)?;
            dense |= matches!(sketch, Sketch::Dense(_));
            sketch.merge_into(&mut registers)?;
        }
    }
    let mut string = slots.string_mut(cx, key)?;
    let mut draft = match &string {
        None => Draft::empty(sparse_max),
        Some(string) => Draft::of(string.bytes(), sparse_max),
    };
    if dense {
        draft.make_dense()?;
    }
    draft.raise_all(&registers)?;
    draft.forget_estimate();
    let draft = draft.into_owned();
    match &mut string {
        None => create(cx, slots, key, &draft)?,
        Some(string) => put(cx, string, draft.bytes()),
    }
    // To whoever hears of it this is an addition of many elements.
    slots.notify(cx, Classes::STRING, "pfadd", key);
    reply.ok();
    Ok(())
}

pub(super) fn pfdebug(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (word, key) = (args.at(1), args.at(2));
    let Some(mut string) = slots.string_mut(cx, key)? else {
        return Err(CommandError::Other("ERR The specified key does not exist"));
    };
    let is_sparse = matches!(Sketch::of(string.bytes())?, Sketch::Sparse(_));
    string.set_origin(Origin::Edited);
    if is(word, "GETREG") {
        make_dense(cx, &mut string)?;
        let mut registers = Registers::default();
        Sketch::of(string.bytes())?.merge_into(&mut registers)?;
        reply.array(registers.values().len());
        registers.values().iter().for_each(|&value| reply.integer(i64::from(value)));
    } else if is(word, "DECODE") {
        reply.bulk(decoded(Sketch::of(string.bytes())?)?.as_bytes());
    } else if is(word, "ENCODING") {
        reply.simple(if is_sparse { "sparse" } else { "dense" });
    } else if is(word, "TODENSE") {
        make_dense(cx, &mut string)?;
        reply.integer(i64::from(is_sparse));
    } else {
        return Err(CommandError::UnknownPfDebug(repeated(word)));
    }
    Ok(())
}

fn make_dense(cx: &Context<'_>, string: &mut StringMut<'_>) -> Handled {
    if let Sketch::Sparse(_) = Sketch::of(string.bytes())? {
        let mut draft = Draft::of(string.bytes(), 0);
        draft.make_dense()?;
        let bytes = draft.into_bytes();
        put(cx, string, &bytes);
    }
    Ok(())
}

/// The runs of a sparse one: `z` and `Z` for zeros, in a short and in a long form, `v` for a value.
fn decoded(sketch: Sketch<'_>) -> Result<String, CommandError> {
    let Sketch::Sparse(runs) = sketch else {
        return Err(CommandError::Other("ERR HLL encoding is not sparse"));
    };
    let texts: Vec<String> = sketch::runs(runs)
        .map(|run| match run {
            Run { value: 0, len, wide: false } => format!("z:{len}"),
            Run { value: 0, len, wide: true } => format!("Z:{len}"),
            Run { value, len, .. } => format!("v:{value},{len}"),
        })
        .collect();
    Ok(texts.join(" "))
}

#[cfg(test)]
mod tests;
