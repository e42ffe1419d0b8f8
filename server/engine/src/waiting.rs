//! Clients that wait for an element of a key, and how they come by it.
//!
//! A client that finds none of its keys to have what it wants is put in the queue of each of them, under the locks that
//! it looked with. Whoever changes one of the keys serves the queue, in the order in which the clients came, before its
//! own locks are given back: nobody can take the element in between. A waiting client is claimed once
//! ([`Waiter::claim`]): by who serves it, by who ends its wait, or by itself when its time is up; the rest find it
//! claimed and pass on.
//!
//! Some wait in order to move an element to another key. Its slot must be locked by who serves them, so a slot tells
//! where those who wait in it want to move to ([`crate::store::attention`]), and it is locked together with those slots.
//!
//! The engine neither waits nor knows the time: the shell ends the wait, and hears of its end through a [`Mailbox`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nuthatch_proto::command_table::DataCommand;
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::{Args, Protocol, ReplyWriter};
use nuthatch_proto::slot::Slot;
use smallvec::{SmallVec, smallvec};

use crate::command::{self, CommandError, Demand, Request};
use crate::context::Context;
use crate::effect::Running;
use crate::engine::{self, Engine, Refused};
use crate::store::locked::LockedSlots;
use crate::store::slot::Place;

/// How a wait ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With this reply.
    Reply(Vec<u8>),
    /// Its time was up.
    TimedOut,
    /// Somebody ended it with an error (CLIENT UNBLOCK).
    Unblocked,
    /// The server became a replica, which gives nobody anything.
    Demoted,
    /// The slot is not served here any more: the command is to be routed again.
    Moved,
}

/// Where a client that waits hears of the end.
pub trait Mailbox: Send + Sync {
    /// Takes the outcome. Called once, perhaps under the locks of slots: it must be short and must not call the engine.
    fn deliver(&self, outcome: Outcome);

    /// Whether the client is still there. One that has gone is not given anything.
    fn is_open(&self) -> bool;
}

/// A client that waits.
pub struct Waiter {
    id: u64,
    demand: Demand,
    /// Where it wants to move an element to, if that is another slot.
    destination: Option<Place>,
    protocol: Protocol,
    claimed: AtomicBool,
    mailbox: Arc<dyn Mailbox>,
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiter").field("id", &self.id).field("demand", &self.demand).finish_non_exhaustive()
    }
}

impl Waiter {
    /// Its number: who came earlier has a smaller one.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// What it waits for.
    pub(crate) fn demand(&self) -> &Demand {
        &self.demand
    }

    /// The slot that must be locked with its own.
    pub(crate) fn destination(&self) -> Option<Place> {
        self.destination
    }

    /// Whether the caller is the one who ends its wait.
    fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::AcqRel)
    }

    /// Ends its wait; `false` if that has happened already, and another outcome is on its way or there.
    pub fn end(&self, outcome: Outcome) -> bool {
        let ours = self.claim();
        if ours {
            self.mailbox.deliver(outcome);
        }
        ours
    }

    /// The reply of a wait that was in vain.
    pub fn reply_in_vain(&self, reply: &mut ReplyWriter<'_>) {
        // Whatever it wanted, also the one element that BLMOVE would have answered.
        reply.null_array();
    }
}

/// A wait that has begun. To be given back with [`Engine::leave`] when it has ended: the queues know it until then.
#[derive(Debug)]
pub struct Wait {
    waiter: Arc<Waiter>,
    keys: BTreeSet<(Place, Box<[u8]>)>,
    deadline: Option<Timestamp>,
}

impl Wait {
    /// Who waits.
    pub fn waiter(&self) -> &Arc<Waiter> {
        &self.waiter
    }

    /// Until when; none is for ever.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }
}

impl Engine {
    /// Runs a command that may have to wait. `None` if it did not: then its reply is written. Otherwise nothing is
    /// written, and the mailbox hears of the end.
    pub fn execute_or_wait(
        &self,
        cx: &mut Context<'_>,
        db: usize,
        (command, args, slot): (DataCommand, Args<'_>, Slot),
        mailbox: Arc<dyn Mailbox>,
        reply: &mut ReplyWriter<'_>,
    ) -> Result<Option<Wait>, Refused> {
        let first = Place { db, slot };
        let places: SmallVec<[Place; 4]> =
            command::places(command, args, first, self).unwrap_or_else(|| smallvec![first]);
        let mut slots = self.lock_with_destinations(db, &places);
        if let Some(shut) = places.iter().find(|&&place| slots.is_shut(place)) {
            return Err(Refused { slot: shut.slot });
        }
        let start = reply.mark();
        cx.touched.set_noting(slots.is_attended());
        if slots.is_followed() {
            cx.effects.begin(db, Running::Data(command, args));
        }
        let tried = attempt(command, cx, &mut slots, args, reply);
        if slots.is_followed() {
            cx.effects.done(true);
            cx.effects.end();
        }
        cx.touched.set_noting(false);
        match tried {
            Ok(None) => engine::settle(cx, &mut slots),
            Ok(Some(request)) => return Ok(Some(self.enter(request, &mut slots, reply.protocol(), mailbox))),
            Err(error) => {
                reply.rewind(start);
                reply.error(&error.to_string());
            }
        }
        Ok(None)
    }

    /// Puts a client in the queues of its keys.
    fn enter(
        &self,
        request: Request<'_>,
        slots: &mut LockedSlots<'_>,
        protocol: Protocol,
        mailbox: Arc<dyn Mailbox>,
    ) -> Wait {
        let place = |key: &[u8]| Place { db: slots.db(), slot: Slot::of_key(key) };
        let keys: BTreeSet<_> = request.keys.iter().map(|key| (place(key), Box::from(key))).collect();
        let destination = match &request.demand {
            Demand::Move { destination, .. } => Some(place(destination)),
            Demand::List { .. } | Demand::SortedSet(_) => None,
        };
        let waiter = Arc::new(Waiter {
            id: self.next_number(),
            demand: request.demand,
            destination: destination.filter(|place| keys.iter().any(|(own, _)| own != place)),
            protocol,
            claimed: AtomicBool::new(false),
            mailbox,
        });
        for (place, key) in &keys {
            if let Some(slot) = slots.slot_mut(*place) {
                slot.attention_mut().wait(key, &waiter);
            }
        }
        Wait { waiter, keys, deadline: request.deadline }
    }

    /// Takes a client whose wait has ended out of the queues it is still in. If it has not, it ends.
    pub fn leave(&self, wait: Wait) {
        wait.waiter.claim();
        for (place, key) in &wait.keys {
            self.slot(*place).lock().attend_less(|attention| attention.leave(key, &wait.waiter));
        }
    }

    /// Ends the waits in a slot that is not served here any more.
    pub fn dismiss(&self, slot: Slot) {
        for db in 0..self.databases() {
            if let Some(cell) = self.existing_slot(Place { db, slot }) {
                cell.lock().attend_less(|attention| {
                    for waiter in attention.dismiss() {
                        waiter.end(Outcome::Moved);
                    }
                });
            }
        }
    }
}

/// Tries the command; the request, if it has to wait.
fn attempt<'a>(
    command: DataCommand,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'a>,
    reply: &mut ReplyWriter<'_>,
) -> Result<Option<Request<'a>>, CommandError> {
    match Request::parse(command, args, cx.now)? {
        Some(request) if request.attempt(cx, slots, reply)? => Ok(None),
        Some(request) => Ok(Some(request)),
        None => command::run(command, cx, slots, args, reply).map(|()| None),
    }
}

/// Gives those who wait for a key what it has for them now, until it has nothing more or nobody is left.
pub(crate) fn serve(cx: &mut Context<'_>, slots: &mut LockedSlots<'_>, place: Place, key: &[u8]) {
    slots.select(place.db);
    while slots.slot_mut(place).is_some_and(|slot| slot.is_awaited(key)) {
        let Some(kind) = slots.entry(cx, key).map(|entry| entry.kind()) else { return };
        let Some(waiter) = slots.slot_mut(place).and_then(|slot| slot.next_waiter(key, kind)) else { return };
        if !waiter.mailbox.is_open() || !waiter.claim() {
            continue;
        }
        let mut out = Vec::new();
        if slots.is_followed() {
            cx.effects.begin(place.db, Running::Serving);
        }
        command::meet(&waiter.demand, cx, slots, key, &mut ReplyWriter::new(&mut out, waiter.protocol));
        if slots.is_followed() {
            cx.effects.done(true);
            cx.effects.end();
        }
        waiter.mailbox.deliver(Outcome::Reply(out));
    }
}

#[cfg(test)]
mod tests;
