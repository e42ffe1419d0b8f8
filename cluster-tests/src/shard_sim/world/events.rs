//! What each event does.

use nuthatch_cluster::replication::{FailoverInput, Input};

use super::{FAULTS_MS, HEARTBEAT_MS, Happening, TICK_MS, ToMetadata, ToNode, World};
use crate::shard_sim::clients::{ASYNC_KEY, Answer, Ask, Asker, Operation, TIMEOUT_MS};
use crate::shard_sim::metadata::node_id;
use crate::shard_sim::node::{Effected, Parcel, Report};
use crate::shard_sim::{Broken, NODES};
use crate::sim::network::Place;

impl World {
    pub(super) fn happen(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Node(place, event) => self.at_node(place, event)?,
            Happening::Tick(place, life) => {
                self.again(place, life, ToNode::Tick, (TICK_MS, Happening::Tick(place, life)))?;
            }
            Happening::Heartbeat(place, life) => {
                let next = (HEARTBEAT_MS, Happening::Heartbeat(place, life));
                self.again(place, life, ToNode::Heartbeat, next)?;
            }
            Happening::Crash(place, life) if self.nodes[place].life == life && self.healed_at.is_none() => {
                let ms = self.random.within(20..500);
                self.crash(place, ms);
            }
            Happening::Crash(..) => {}
            Happening::Restart(place) => self.start(place),
            Happening::Resume(place, life) => self.resume(place, life)?,
            Happening::Metadata(event) => self.at_metadata(event)?,
            Happening::Wake(client, attempt) => self.wake(client, attempt),
            Happening::Answer(asker, answer) => self.answer(asker, answer)?,
            Happening::Timeout(client, attempt) => {
                self.answer(Asker { client, attempt }, Answer::Uncertain)?;
            }
            Happening::Fault if self.healed_at.is_none() => {
                let fault = self.character.next(&mut self.random);
                self.strike(fault);
                let pause_ms = self.character.pause_ms(&mut self.random);
                self.after(pause_ms, Happening::Fault);
            }
            Happening::Fault => {}
            Happening::Heal => self.heal(),
        }
        Ok(())
    }

    /// What a process does of itself. While it is stopped it does not, and does not make up for it either.
    fn again(
        &mut self,
        place: Place,
        life: u64,
        event: ToNode,
        next: (u64, Happening),
    ) -> Result<(), String> {
        let node = &self.nodes[place];
        if node.life != life || node.process.is_none() {
            return Ok(());
        }
        let stopped = node.stopped;
        self.after(next.0, next.1);
        if stopped { Ok(()) } else { self.at_node(place, event) }
    }

    /// What a process does when something happens to it.
    pub(super) fn step_node(&mut self, place: Place, event: ToNode, done: &mut Vec<Effected>) {
        let world_ms = self.now;
        let broken = self.options.broken;
        let node = &mut self.nodes[place];
        let now = node.clock.at(world_ms);
        let Some(process) = &mut node.process else {
            // A connection to a dead process is refused.
            if let ToNode::Ask(asker, ..) = event {
                done.push(Effected::Answer(asker, Answer::Refused));
            }
            return;
        };
        match event {
            ToNode::Tick => process.tick(world_ms, now, done),
            ToNode::Heartbeat => done.push(Effected::Tell(match &process.member {
                Some(member) => Report::Heartbeat(member.me()),
                None if Broken::keeps_life(broken) => return,
                None => Report::Register(process.number),
            })),
            ToNode::View(view) => process.view(place, world_ms, now, &view, broken, done),
            ToNode::Fence(fence) => process.step(world_ms, now, Input::Fence(fence), &[], done),
            ToNode::Decided { process: number, number: proposal, outcome } => {
                if number == process.number {
                    process.decided(world_ms, now, proposal, outcome, done);
                }
            }
            ToNode::Parcel(parcel) => {
                let me = process.member.as_ref().map(|member| member.me());
                match parcel {
                    Parcel::Peer(to, message, effects) if me == Some(to) => {
                        process.message(world_ms, now, message, &effects, done);
                    }
                    Parcel::Want { to, from, session, kind, keys } if me == Some(to) => {
                        process.serve(from, session, kind, keys, done);
                    }
                    Parcel::Copied(to, copied) if me == Some(to) => {
                        process.copied(world_ms, now, *copied, done);
                    }
                    // They are for a life that is over.
                    Parcel::Peer(..) | Parcel::Want { .. } | Parcel::Copied(..) => {}
                }
            }
            ToNode::HandOver(to) => {
                let to = to.map(node_id);
                process.step(world_ms, now, Input::HandOver { to }, &[], done);
            }
            ToNode::Ask(asker, key, ask) => {
                if let Some(read) = process.ask(world_ms, now, asker, key, ask, done) {
                    let number = process.number;
                    let ms = self.random.within(0..2);
                    self.after(ms, Happening::Node(place, ToNode::Finish(number, read)));
                }
            }
            ToNode::Finish(number, read) => {
                if number == process.number {
                    process.finish(now, read, broken, done);
                }
            }
        }
    }

    fn resume(&mut self, place: Place, life: u64) -> Result<(), String> {
        if self.nodes[place].life != life {
            return Ok(());
        }
        self.nodes[place].stopped = false;
        // What waited in its sockets comes first, in order; its clock has gone on.
        for event in std::mem::take(&mut self.waiting[place]) {
            self.moment += 1;
            self.at_node(place, event)?;
        }
        Ok(())
    }

    fn at_metadata(&mut self, event: ToMetadata) -> Result<(), String> {
        let again = |event| Happening::Metadata(event);
        match event {
            ToMetadata::Tick => {
                self.after(TICK_MS, again(event));
                if self.metadata.up {
                    self.at_leader(FailoverInput::Tick);
                }
            }
            ToMetadata::Publish => {
                self.after(HEARTBEAT_MS, again(event));
                if self.metadata.up {
                    self.publish();
                }
            }
            ToMetadata::Quorum => {
                self.metadata.up = true;
                self.new_leader();
            }
            // It stays in the log until there is a majority again.
            ToMetadata::Apply(..) if !self.metadata.up => self.after(100, again(event)),
            ToMetadata::Apply(leader, proposed) => {
                let number = proposed.number;
                // Each leader's proposals have ids of their own.
                let outcome = self.decide(leader << 32, &proposed)?;
                if leader == self.leaders {
                    self.at_leader(FailoverInput::Decided { number, outcome });
                }
            }
            ToMetadata::Tell(from, report) if self.metadata.up => self.told(from, report)?,
            ToMetadata::Tell(..) => {}
        }
        Ok(())
    }

    fn told(&mut self, from: Place, report: Report) -> Result<(), String> {
        match report {
            Report::Register(process) => {
                let current = self.nodes[from].process.as_ref().is_some_and(|p| p.number == process);
                if current && self.metadata.register(from, process) {
                    self.applied()?;
                }
            }
            Report::Heartbeat(grant) => {
                if grant == self.metadata.now.shard.primary {
                    self.at_leader(FailoverInput::Heard);
                }
            }
            Report::Propose(process, proposed) => {
                let number = proposed.number;
                let outcome = self.decide(process, &proposed)?;
                let decided = ToNode::Decided { process, number, outcome };
                self.send(NODES, from, &Happening::Node(from, decided));
            }
            Report::Suspect(suspect) => self.at_leader(FailoverInput::Suspect(suspect)),
            Report::Fenced(fenced) => self.at_leader(FailoverInput::Fenced(fenced)),
        }
        Ok(())
    }

    fn wake(&mut self, number: usize, attempt: u64) {
        let client = &mut self.clients[number];
        if client.attempt != attempt || client.operation.is_some() || self.now >= FAULTS_MS {
            return;
        }
        client.attempt += 1;
        let key = match self.random.chance(client.async_permille) {
            true => ASYNC_KEY,
            false => self.random.below(ASYNC_KEY),
        };
        let ask = match self.random.chance(500) {
            true => {
                self.values += 1;
                Ask::Write(self.values)
            }
            false => Ask::Read,
        };
        let operation = Operation { key, ask, began: self.moment, floor: self.ledger.last[key] };
        client.operation = Some(operation);
        if let Ask::Write(value) = ask {
            self.ledger.histories[key].write_begins(value, self.moment);
        }
        let (asker, target) = (Asker { client: number, attempt: client.attempt }, client.target);
        let ms = self.random.within(1..3);
        self.after(ms, Happening::Node(target, ToNode::Ask(asker, key, ask)));
        self.after(TIMEOUT_MS, Happening::Timeout(number, asker.attempt));
    }

    fn answer(&mut self, asker: Asker, answer: Answer) -> Result<(), String> {
        let client = &mut self.clients[asker.client];
        if client.attempt != asker.attempt {
            return Ok(());
        }
        let Some(Operation { key, ask, began, floor }) = client.operation.take() else { return Ok(()) };
        let history = &mut self.ledger.histories[key];
        match (ask, answer) {
            (Ask::Write(value), Answer::Done) => history.write_ends(value, self.moment),
            (Ask::Read, Answer::Value(value, at)) => {
                self.report.reads += 1;
                if key != ASYNC_KEY {
                    self.ledger.read(key, at, floor)?;
                    self.ledger.histories[key].read(value, began, self.moment)?;
                }
            }
            (Ask::Write(value), Answer::Refused) => {
                history.write_fails(value);
                client.turn(&mut self.random);
            }
            (Ask::Write(_), Answer::Uncertain | Answer::Value(..)) => {
                self.report.unknown += 1;
                client.turn(&mut self.random);
            }
            (Ask::Read, Answer::Refused | Answer::Uncertain | Answer::Done) => client.turn(&mut self.random),
        }
        let attempt = client.attempt;
        let ms = self.clients[asker.client].pause_ms(&mut self.random);
        self.after(ms, Happening::Wake(asker.client, attempt));
        Ok(())
    }
}
