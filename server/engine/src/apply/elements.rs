//! What an effect does to one collection, and whether it fits.

use nuthatch_proto::ids::Timestamp;

use super::{Applied, Divergence};
use crate::effect::End;
use crate::value::{Extreme, Hash, Limits, List, Set, SortedSet};

/// Ok if the effect found what it was about.
fn found(found: bool) -> Applied {
    if found { Ok(()) } else { Err(Divergence::NoElement) }
}

pub(super) fn field_deadline(
    field: &[u8],
    deadline: Option<Timestamp>,
) -> impl FnOnce(&mut Hash, &Limits) -> Applied {
    move |hash, limits| match deadline {
        Some(deadline) if deadline > Hash::LAST_DEADLINE => Err(Divergence::BadValue),
        Some(deadline) => found(hash.set_deadline(field, deadline, limits)),
        None if !hash.contains(field) => Err(Divergence::NoElement),
        None if hash.clear_deadline(field) => Ok(()),
        None => Err(Divergence::NoDeadline),
    }
}

pub(super) fn field_gone(field: &[u8]) -> impl FnOnce(&mut Hash, &Limits) -> Applied {
    move |hash, _| found(hash.remove(field))
}

pub(super) fn field_expired(field: &[u8]) -> impl FnOnce(&mut Hash, &Limits) -> Applied {
    move |hash, _| match (hash.contains(field), hash.deadline(field)) {
        (false, _) => Err(Divergence::NoElement),
        (true, None) => Err(Divergence::NoDeadline),
        (true, Some(_)) => found(hash.remove(field)),
    }
}

pub(super) fn pushed(end: End, element: &[u8]) -> impl FnOnce(&mut List, &Limits) -> Applied {
    move |list, limits| {
        list.push(end, element, limits);
        Ok(())
    }
}

pub(super) fn popped(end: End, count: usize) -> impl FnOnce(&mut List, &Limits) -> Applied {
    move |list, limits| {
        let len = list.len();
        found(count <= len)?;
        match end {
            _ if count == 1 => list.pop(end, limits),
            End::Left => list.remove(0..count, limits),
            End::Right => list.remove(len - count..len, limits),
        }
        Ok(())
    }
}

pub(super) fn inserted(index: usize, element: &[u8]) -> impl FnOnce(&mut List, &Limits) -> Applied {
    move |list, limits| {
        found(index <= list.len())?;
        list.insert(index, element, limits);
        Ok(())
    }
}

pub(super) fn replaced(index: usize, element: &[u8]) -> impl FnOnce(&mut List, &Limits) -> Applied {
    move |list, limits| found(list.set(index, element, limits))
}

pub(super) fn taken(from: End, count: usize, element: &[u8]) -> impl FnOnce(&mut List, &Limits) -> Applied {
    move |list, limits| found(list.remove_matching(element, from, count, limits) == count)
}

pub(super) fn joined(member: &[u8]) -> impl FnOnce(&mut Set, &Limits) -> Applied {
    move |set, limits| if set.insert(member, limits) { Ok(()) } else { Err(Divergence::ElementThere) }
}

pub(super) fn left(member: &[u8]) -> impl FnOnce(&mut Set, &Limits) -> Applied {
    move |set, _| found(set.remove(member))
}

pub(super) fn scored(member: &[u8], score: f64) -> impl FnOnce(&mut SortedSet, &Limits) -> Applied {
    move |set, limits| {
        if score.is_nan() {
            return Err(Divergence::BadValue);
        }
        set.upsert(member, limits, |_| Some(score));
        Ok(())
    }
}

pub(super) fn unscored(member: &[u8]) -> impl FnOnce(&mut SortedSet, &Limits) -> Applied {
    move |set, _| found(set.remove(member).is_some())
}

pub(super) fn extremes(from: Extreme, count: usize) -> impl FnOnce(&mut SortedSet, &Limits) -> Applied {
    move |set, _| {
        let len = set.len();
        found(count <= len)?;
        let ranks = match from {
            Extreme::Lowest => 0..count,
            Extreme::Highest => len - count..len,
        };
        set.remove_range(ranks, |_| {});
        Ok(())
    }
}
