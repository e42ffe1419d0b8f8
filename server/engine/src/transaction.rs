//! Several commands as one: the slots of all their keys are locked once, and nobody sees what is between them.
//!
//! The caller collects the places of its commands ([`Places`]), begins, runs them one by one, and ends. The slots of
//! the keys that the client watches are locked with them, so that their state is known for the whole of it. What the
//! commands change is worked off for others when all of them are done, before the locks are given back.
//!
//! Commands on whole databases cannot run so: they lock slots themselves. A caller that sees to it that no other thread
//! runs commands may run any commands one after the other instead, and then [`Engine::release`]s what they held back.

use std::collections::{BTreeSet, VecDeque};

use nuthatch_proto::command_table::DataCommand;
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::{Args, ReplyWriter};
use nuthatch_proto::slot::Slot;

use crate::command;
use crate::context::Context;
use crate::engine::{self, Engine, Refused};
use crate::rdb::{self, Version};
use crate::store::locked::LockedSlots;
use crate::store::slot::Place;
use crate::touched::{HeldBack, TouchedKey};
use crate::watch::Watching;

/// The slots that some commands need.
#[derive(Debug, Default, Clone)]
pub struct Places(BTreeSet<Place>);

/// Commands that run together. The slots are locked until it ends.
pub struct Transaction<'e> {
    slots: LockedSlots<'e>,
    held: VecDeque<TouchedKey>,
}

impl Engine {
    /// Adds the slots that a command needs; `slot` is that of its first key.
    pub fn add_places(
        &self,
        places: &mut Places,
        db: usize,
        command: DataCommand,
        args: Args<'_>,
        slot: Slot,
    ) {
        let first = Place { db, slot };
        match command::places(command, args, first, self) {
            None => {
                places.0.insert(first);
            }
            Some(several) => places.0.extend(several),
        }
    }

    /// Locks the slots. `None` if a key that the client watches has changed, or if its slot is not served here any more:
    /// then nothing is to run.
    pub fn begin(
        &self,
        cx: &mut Context<'_>,
        places: &Places,
        watching: Option<&Watching>,
    ) -> Result<Option<Transaction<'_>>, Refused> {
        let watched = watching.into_iter().flat_map(Watching::places);
        let all: BTreeSet<Place> = places.0.iter().copied().chain(watched).collect();
        let all: Vec<Place> = all.into_iter().collect();
        let mut slots = self.lock_with_destinations(0, &all);
        if let Some(shut) = places.0.iter().find(|&&place| slots.is_shut(place)) {
            return Err(Refused { slot: shut.slot });
        }
        if watching.is_some_and(|watching| has_changed(cx, &mut slots, watching)) {
            return Ok(None);
        }
        Ok(Some(Transaction { slots, held: VecDeque::new() }))
    }

    /// Works off what the commands of a transaction held back.
    pub fn release(&self, cx: &mut Context<'_>, held: HeldBack) {
        let mut keys = held.keys.into_inner();
        let places: BTreeSet<Place> = keys.iter().map(|&(place, _)| place).collect();
        let places: Vec<Place> = places.into_iter().collect();
        let mut slots = self.lock_with_destinations(0, &places);
        self.end_unit(cx);
        cx.touched.take_over(&mut keys);
        engine::settle(cx, &mut slots);
    }
}

/// Whether a watched key changed or expired, or cannot be told because it is another node's now.
fn has_changed(cx: &mut Context<'_>, slots: &mut LockedSlots<'_>, watching: &Watching) -> bool {
    let gone = watching.keys().any(|(place, key)| {
        // Looking at a key that has expired removes it, and that is a change as any other.
        slots.entry_in(cx, place.db, key);
        slots.is_shut(place)
    });
    gone || watching.is_touched()
}

impl Transaction<'_> {
    /// Runs one command in a database. Its places must be among those that were given at the beginning.
    pub fn run(
        &mut self,
        cx: &mut Context<'_>,
        db: usize,
        command: DataCommand,
        args: Args<'_>,
        reply: &mut ReplyWriter<'_>,
    ) {
        self.slots.select(db);
        cx.touched.set_noting(self.slots.is_attended());
        engine::answer_followed(command, cx, &mut self.slots, args, reply);
        cx.touched.set_noting(false);
        cx.touched.append_to(&mut self.held);
    }

    /// A key's value as a payload, and its deadline; nothing if it is not there.
    pub(crate) fn copy(
        &mut self,
        cx: &mut Context<'_>,
        db: usize,
        key: &[u8],
        version: Version,
    ) -> Option<(Vec<u8>, Option<Timestamp>)> {
        let entry = self.slots.entry_in(cx, db, key)?;
        Some((rdb::dump(entry.value(), version), entry.deadline()))
    }

    /// Lets others see what was done, and unlocks the slots.
    pub fn end(mut self, cx: &mut Context<'_>) {
        if self.slots.is_followed() {
            cx.effects.end();
        }
        cx.touched.take_over(&mut self.held);
        engine::settle(cx, &mut self.slots);
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::ids::Timestamp;
    use nuthatch_proto::resp::Protocol;
    use nuthatch_proto::resp::args::OwnedArgs;

    use super::*;
    use crate::testing::{Bench, printed};
    use crate::{EngineOptions, Gate, NoEffects, Rng, Stats};

    type Commands<'a> = &'a [(DataCommand, &'a str)];

    /// Runs commands as one; `None` if a watched key changed.
    fn together(
        engine: &Engine,
        cx: &mut Context<'_>,
        watching: Option<&Watching>,
        commands: Commands<'_>,
    ) -> Result<Option<String>, Refused> {
        let words = |text: &str| text.split(' ').collect::<OwnedArgs>();
        let mut places = Places::default();
        for (command, text) in commands {
            let args = words(text);
            let slot = Slot::of_key(args.as_args().at(1));
            engine.add_places(&mut places, 0, *command, args.as_args(), slot);
        }
        let Some(mut transaction) = engine.begin(cx, &places, watching)? else { return Ok(None) };
        let mut out = Vec::new();
        for (command, text) in commands {
            let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
            transaction.run(cx, 0, *command, words(text).as_args(), &mut reply);
        }
        transaction.end(cx);
        Ok(Some(printed(&out)))
    }

    #[test]
    fn commands_run_together_and_an_error_stops_none() {
        let mut bench = Bench::new();
        let (engine, mut cx) = bench.parts();
        let commands = [
            (DataCommand::MSet, "MSET a 1 b 2 c x"),
            (DataCommand::Incr, "INCR c"),
            (DataCommand::Rename, "RENAME a d"),
            (DataCommand::MGet, "MGET a b c d"),
        ];
        let replies = "+OK -ERR value is not an integer or out of range +OK [nil 2 x 1]";
        assert_eq!(together(engine, &mut cx, None, &commands), Ok(Some(replies.to_owned())));
    }

    #[test]
    fn one_shut_gate_refuses_all() {
        let mut bench = Bench::new();
        let slot = Slot::of_key(b"b");
        bench.engine.set_gate(slot, Gate::Shut);
        let (engine, mut cx) = bench.parts();
        let commands = [(DataCommand::Set, "SET a 1"), (DataCommand::Set, "SET b 1")];
        assert_eq!(together(engine, &mut cx, None, &commands), Err(Refused { slot }));
        bench.check("GET a", "nil");
    }

    #[test]
    fn one_client_changes_what_another_watches_all_at_once() {
        let mut bench = Bench::new();
        let (engine, mut cx) = bench.parts();
        let mut watching = engine.watching();
        engine.watch(&mut cx, &mut watching, 0, Slot::of_key(b"a"), b"a").expect("gates are open");
        let held = HeldBack::default();
        cx.hold_back(Some(&held));
        let (args, mut out) = (["SET", "a", "1"].iter().collect::<OwnedArgs>(), Vec::new());
        let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
        let slot = Slot::of_key(b"a");
        engine
            .execute(&mut cx, 0, DataCommand::Set, args.as_args(), slot, &mut reply)
            .expect("gates are open");
        assert!(!watching.is_touched());
        drop(cx);
        let (engine, mut cx) = bench.parts();
        engine.release(&mut cx, held);
        assert!(watching.is_touched());
    }

    #[test]
    fn threads_see_transactions_whole_or_not_at_all() {
        const ROUNDS: usize = 400;
        let engine = &Engine::new(EngineOptions { databases: 1, in_cluster: false, hash_seed: 5 });
        let run = |seed: u64, work: &dyn Fn(&mut Context<'_>)| {
            let (mut stats, mut rng) = (Stats::default(), Rng::new(seed));
            let mut cx = Context::new(Timestamp(1), &NoEffects, &mut stats, &mut rng);
            work(&mut cx);
        };
        let both = [(DataCommand::Incr, "INCR a"), (DataCommand::Incr, "INCR b")];
        let look = [(DataCommand::MGet, "MGET b a")];
        // Adds one to what it reads, if nobody was faster; whether it could.
        let add = |cx: &mut Context<'_>| {
            let mut watching = engine.watching();
            engine.watch(cx, &mut watching, 0, Slot::of_key(b"c"), b"c").expect("gates are open");
            let read = together(engine, cx, None, &[(DataCommand::Get, "GET c")]);
            let read = read.expect("gates are open").expect("nothing is watched");
            let next = read.parse::<u64>().map_or(1, |number| number + 1);
            let set = format!("SET c {next}");
            let done = together(engine, cx, Some(&watching), &[(DataCommand::Set, &set)]);
            engine.unwatch(watching);
            done.expect("gates are open").is_some()
        };
        std::thread::scope(|threads| {
            for id in 1..=2 {
                threads.spawn(move || {
                    run(id, &|cx| {
                        for _ in 0..ROUNDS {
                            assert!(together(engine, cx, None, &both).is_ok());
                            while !add(cx) {}
                        }
                    });
                });
            }
            threads.spawn(move || {
                run(3, &|cx| {
                    for _ in 0..ROUNDS {
                        let seen = together(engine, cx, None, &look).expect("gates are open");
                        let seen = seen.expect("nothing is watched");
                        let (one, other) = seen[1..seen.len() - 1].split_once(' ').expect("two values");
                        assert_eq!(one, other);
                    }
                });
            });
        });
        run(4, &|cx| {
            let all = together(engine, cx, None, &[(DataCommand::MGet, "MGET a b c")]);
            let count = 2 * ROUNDS;
            assert_eq!(all, Ok(Some(format!("[{count} {count} {count}]"))));
        });
    }
}
