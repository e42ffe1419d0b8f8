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
//! A hash that once had a field with a deadline stays one of these, as in Redis.

use nuthatch_proto::ids::Timestamp;

use super::{Form, Hash};
use crate::value::{Limits, SortedSet};

/// No time at which anybody comes.
const NOBODY: Timestamp = Timestamp(u64::MAX);

/// Fields, and the deadlines of some of them.
#[derive(Debug, Clone)]
pub(super) struct Expiring {
    /// Of one of the other forms.
    pub(super) fields: Hash,
    deadlines: SortedSet,
    called: Timestamp,
}

impl Expiring {
    /// The same fields, none with a deadline yet.
    pub(super) fn new(fields: Hash) -> Self {
        Self { fields, deadlines: SortedSet::default(), called: NOBODY }
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
        self.fields.memory_bytes() + self.deadlines.memory_bytes()
    }

    /// How many allocations dropping it frees.
    pub(super) fn free_effort(&self) -> usize {
        self.fields.free_effort() + self.deadlines.free_effort()
    }

    /// See [`crate::value::Object::shed`].
    pub(super) fn shed(&mut self, most: usize) -> usize {
        let fields = self.fields.shed(most);
        fields + self.deadlines.shed(most - fields)
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
        self.fields.remove(field)
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
