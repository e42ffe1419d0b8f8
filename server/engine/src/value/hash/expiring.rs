//! A hash of which some fields have deadlines.
//!
//! Beside the fields, which are kept as in any hash, stands a sorted set of those with a deadline, the deadline being the
//! score: it finds a field's deadline and the earliest of all in the time it has for scores and ranks, and is compact
//! while it is small. Deadlines are below 2^46 milliseconds, which a score holds exactly.
//!
//! Time passes outside: whoever owns the hash asks [`Expiring::pop_expired`] before it lets anybody look. Somebody is to
//! come and do so in time, so the hash remembers for which time somebody was called: as long as that is ahead, it is not
//! later than the earliest deadline, and whoever comes is to be called again.
//!
//! On a copy nobody takes fields away whose time has come before the primary says so ([`Expiring::hide_expired`]): they
//! stand aside, where nobody sees them, with their deadlines where they were. So those that stand aside are always the
//! first by deadline, in that order.
//!
//! A hash that once had a field with a deadline stays one of these, as in Redis.

use std::collections::VecDeque;

use nuthatch_proto::ids::Timestamp;

use super::{Form, Hash};
use crate::value::{Extreme, Limits, SortedSet};

/// No time at which anybody comes.
const NOBODY: Timestamp = Timestamp(u64::MAX);

/// Fields, and the deadlines of some of them.
#[derive(Debug, Clone)]
pub(super) struct Expiring {
    /// Of one of the other forms.
    pub(super) fields: Hash,
    deadlines: SortedSet,
    called: Timestamp,
    hidden: VecDeque<Hidden>,
}

/// A field that stands aside.
#[derive(Debug, Clone)]
struct Hidden {
    field: Box<[u8]>,
    value: Box<[u8]>,
}

impl Expiring {
    /// The same fields, none with a deadline yet.
    pub(super) fn new(fields: Hash) -> Self {
        Self { fields, deadlines: SortedSet::default(), called: NOBODY, hidden: VecDeque::new() }
    }

    /// What `OBJECT ENCODING` says.
    pub(super) fn encoding(&self) -> &'static str {
        match &self.fields.0 {
            Form::Compact(_) => "listpackex",
            Form::Table(_) | Form::Expiring(_) => "hashtable",
        }
    }

    /// The heap memory it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        let hidden: usize = self.hidden().map(|(field, value)| field.len() + value.len()).sum();
        self.fields.memory_bytes() + self.deadlines.memory_bytes() + hidden
    }

    /// How many allocations dropping it frees.
    pub(super) fn free_effort(&self) -> usize {
        self.fields.free_effort() + self.deadlines.free_effort() + self.hidden.len()
    }

    /// See [`crate::value::Object::shed`].
    pub(super) fn shed(&mut self, most: usize) -> usize {
        let hidden = self.hidden.len().min(most);
        self.hidden.truncate(self.hidden.len() - hidden);
        let fields = self.fields.shed(most - hidden);
        hidden + fields + self.deadlines.shed(most - hidden - fields)
    }

    /// A field's deadline.
    pub(super) fn deadline(&self, field: &[u8]) -> Option<Timestamp> {
        self.deadlines.score(field).map(timestamp)
    }

    /// Gives a field that is there a deadline.
    pub(super) fn set_deadline(&mut self, field: &[u8], deadline: Timestamp, limits: &Limits) {
        self.deadlines.upsert(field, limits, |_| Some(deadline.0 as f64));
    }

    /// Takes a field's deadline away; whether it had one.
    pub(super) fn clear_deadline(&mut self, field: &[u8]) -> bool {
        let had_one = self.deadlines.remove(field).is_some();
        if self.deadlines.is_empty() {
            // Nobody needs to come; whoever was called finds nothing.
            self.called = NOBODY;
        }
        had_one
    }

    /// Takes a field away with its deadline; whether it was there.
    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        self.clear_deadline(field);
        let aside = self.hidden().position(|(name, _)| name == field);
        aside.and_then(|place| self.hidden.remove(place)).is_some() || self.fields.remove(field)
    }

    /// Puts aside the fields whose deadlines have come, until [`Self::show_hidden`].
    pub(super) fn hide_expired(&mut self, now: Timestamp) {
        loop {
            let next = self.hidden.len();
            let Some((field, score)) = self.deadlines.range(next..next + 1).next() else { break };
            let field = field.to_vec();
            let Some(value) = self.fields.get(&field).filter(|_| timestamp(score) <= now) else { break };
            let value = value.to_vec().into();
            self.hidden.push_back(Hidden { field: field.as_slice().into(), value });
            self.fields.remove(&field);
        }
    }

    /// Puts back what stands aside.
    pub(super) fn show_hidden(&mut self, limits: &Limits) {
        for Hidden { field, value } in self.hidden.drain(..) {
            self.fields.set(&field, &value, limits);
        }
    }

    /// What stands aside.
    pub(super) fn hidden(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.hidden.iter().map(|hidden| (&*hidden.field, &*hidden.value))
    }

    /// Whether the deadlines of all fields have come.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        let latest = self.deadlines.extreme(Extreme::Highest);
        self.deadlines.len() == self.fields.len() + self.hidden.len()
            && latest.is_some_and(|(_, score)| timestamp(score) <= now)
    }

    /// The earliest deadline.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.range(0..1).next().map(|(_, score)| timestamp(score))
    }

    /// Takes the field with the earliest deadline away, if that has come; its name.
    pub(super) fn pop_expired(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        let (field, score) = self.deadlines.range(0..1).next()?;
        if timestamp(score) > now {
            return None;
        }
        let field = field.to_vec();
        self.remove(&field);
        Some(field)
    }

    /// The time for which somebody was called.
    pub(super) fn called(&self) -> Option<Timestamp> {
        self.has_deadlines().then_some(self.called)
    }

    /// Whether any field has a deadline.
    pub(super) fn has_deadlines(&self) -> bool {
        !self.deadlines.is_empty()
    }

    /// The time for which somebody must be called, unless that has been done; it is taken for done then.
    pub(super) fn call(&mut self, now: Timestamp) -> Option<Timestamp> {
        let next = self.next_deadline()?;
        let is_due = self.called <= now;
        (is_due || next < self.called).then(|| {
            self.called = next;
            next
        })
    }
}

fn timestamp(score: f64) -> Timestamp {
    Timestamp(score as u64)
}
