//! The language of the transcripts: admin operations on one topology, as its metadata group would apply them.
//!
//! Every command that proposes something is one entry of the log, so the index rises by one; what is refused is an entry
//! too. Views are rendered for the node named. A command that cannot be read answers `? ` and why.

mod copies;

use std::collections::BTreeMap;

use nuthatch_cluster::routing::{Access, MetadataContact, Standing, route};
use nuthatch_cluster::topology::{
    Address, GroupId, Joiner, NodeState, Outcome, ProcessId, Proposal, ProposalId, Role, SlotRange,
    StorageId, Topology, TopologyChange,
};
use nuthatch_cluster::views::{self, LocalView};
use nuthatch_cluster_tests::transcript::Subject;
use nuthatch_proto::ids::{LogIndex, NodeId, ShardId};
use nuthatch_proto::resp::{Protocol, ReplyWriter};
use nuthatch_proto::slot::Slot;

/// One cluster, and which life each node's process lives.
#[derive(Default)]
pub(crate) struct World {
    topology: Option<Topology>,
    /// The topology at the last `look`.
    seen: Option<Topology>,
    lives: BTreeMap<u8, u8>,
    next_seq: u64,
}

type Said<T> = Result<T, String>;

impl Subject for World {
    fn answer(&mut self, command: &str) -> String {
        let words: Vec<&str> = command.split_whitespace().collect();
        self.obey(&words).unwrap_or_else(|why| format!("? {why}"))
    }
}

impl World {
    fn obey(&mut self, words: &[&str]) -> Said<String> {
        match words {
            // A blank node founds a group of one, with slots it was given meanwhile: `found n1 0-99`.
            ["found", node, slots @ ..] => {
                let founder = self.joiner(number(node)?, ranges(slots)?);
                self.topology = Some(Topology::singleton(GroupId([0; 16]), LogIndex(1), founder));
                Ok("OK @1".to_owned())
            }
            // Several changes under one id: `propose n1 7: addslots n1 5; delslots 6`.
            ["propose", node, seq, changes @ ..] => {
                let seq = seq.trim_end_matches(':').parse().map_err(|_| "a number is missing")?;
                let changes = self.changes(changes)?;
                self.propose(ProposalId { node: id(node)?, seq }, changes)
            }
            // What each change would come to, one after the other.
            ["rehearse", changes @ ..] => {
                let changes = self.changes(changes)?;
                let verdicts = self.topology()?.rehearse(&changes).into_iter();
                let verdicts =
                    verdicts.map(|verdict| verdict.map_or_else(|r| r.to_string(), |()| "OK".to_owned()));
                Ok(verdicts.collect::<Vec<_>>().join("\n"))
            }
            // What a proposer goes by who says `as seen`.
            ["look"] => {
                self.seen = Some(self.topology()?.clone());
                Ok(String::new())
            }
            ["nodes" | "info" | "slots" | "shards" | "shard" | "replicas" | "route" | "loads", ..] => {
                self.view(words)
            }
            _ => {
                let change = self.change(words)?;
                self.next_seq += 1;
                let proposer = self.topology()?.nodes().next().ok_or("nobody is there")?.id;
                self.propose(ProposalId { node: proposer, seq: 1_000_000 + self.next_seq }, vec![change])
            }
        }
    }

    fn propose(&mut self, id: ProposalId, changes: Vec<TopologyChange>) -> Said<String> {
        let topology = self.topology()?;
        let index = LogIndex(topology.applied().0 + 1);
        let (next, outcome) = topology.apply_proposal(index, &Proposal { id, changes });
        if let Some(broken) = next.broken_invariant() {
            return Err(format!("broken: {broken}"));
        }
        self.topology = Some(next);
        Ok(match outcome {
            Outcome::Applied(index) => format!("OK @{index}"),
            Outcome::Rejected { error, .. } => error,
        })
    }

    fn changes(&mut self, words: &[&str]) -> Said<Vec<TopologyChange>> {
        let changes = words.join(" ");
        changes.split(';').map(|change| self.change(&change.split_whitespace().collect::<Vec<_>>())).collect()
    }

    fn change(&mut self, words: &[&str]) -> Said<TopologyChange> {
        Ok(match words {
            [words @ .., "as", "seen"] => {
                copies::change(self.seen.as_ref().ok_or("nothing has been looked at")?, words)?
            }
            words if copies::is_change(words) => copies::change(self.topology()?, words)?,
            // `join n2 100-199 as voter`: the node with the slots it brings; a watcher unless said otherwise.
            ["join", node, slots @ .., "as", role] => TopologyChange::Join {
                joiner: self.joiner(number(node)?, ranges(slots)?),
                role: self::role(role)?,
            },
            ["join", node, slots @ ..] => TopologyChange::Join {
                joiner: self.joiner(number(node)?, ranges(slots)?),
                role: Role::Watcher,
            },
            // The process says where it is: `register n1`, `register n1 at ::1:7009`.
            ["register", node] => self.register(number(node)?, None)?,
            ["register", node, "at", address] => self.register(number(node)?, Some(address))?,
            // The node comes back as a new process, on its disk or on an empty one.
            ["restart", node] => {
                *self.lives.entry(number(node)?).or_default() += 1;
                self.register(number(node)?, None)?
            }
            ["wipe", node] => {
                *self.lives.entry(number(node)?).or_default() += 100;
                self.register(number(node)?, None)?
            }
            ["forget", node, "by", by] => TopologyChange::Forget { node: id(node)?, by: id(by)? },
            ["leave", node] => TopologyChange::Leave { node: id(node)? },
            ["addslots", node, slots @ ..] => {
                TopologyChange::AddSlots { node: id(node)?, ranges: ranges(slots)? }
            }
            ["delslots", node, slots @ ..] => {
                TopologyChange::DelSlots { node: id(node)?, ranges: ranges(slots)? }
            }
            ["flushslots", node] => TopologyChange::FlushSlots { node: id(node)? },
            // An empty slot changes hands; the owner that was seen is named: `setslot 5 n2 from n1`, `... from nobody`.
            ["setslot", slot, node, "from", owner] => TopologyChange::SetSlotNode {
                slot: self::slot(slot)?,
                node: id(node)?,
                expected: if *owner == "nobody" { None } else { Some(ShardId(id(owner)?.0)) },
            },
            ["ring"] => TopologyChange::AssignByRing,
            ["role", node, role] => TopologyChange::SetRole { node: id(node)?, role: self::role(role)? },
            ["state", node, state] => TopologyChange::SetState {
                node: id(node)?,
                incarnation: self
                    .topology()?
                    .node(id(node)?)
                    .map(|node| node.incarnation)
                    .unwrap_or_default(),
                state: if *state == "failed" { NodeState::Failed } else { NodeState::Active },
            },
            ["config", key, value] => {
                TopologyChange::Config { key: (*key).to_owned(), value: Some((*value).to_owned()) }
            }
            _ => return Err(format!("no such command: {}", words.join(" "))),
        })
    }

    fn view(&self, words: &[&str]) -> Said<String> {
        let topology = self.topology()?;
        match words {
            ["nodes", me] => self.rendered(me, |view, reply| views::nodes(topology, view, reply)),
            ["info", me] => self.rendered(me, |view, reply| views::info(topology, view, reply)),
            ["slots"] => self.rendered("n1", |_, reply| views::slots(topology, reply)),
            ["shards", me] => self.rendered(me, |view, reply| views::shards(topology, view, reply)),
            ["replicas", me, of] => {
                let of = id(of).map_or_else(|_| (*of).to_owned(), |id| id.to_string());
                self.rendered(me, |view, reply| views::replicas(topology, view, of.as_bytes(), reply))
            }
            ["shard", of] => copies::described(topology, of),
            // What a node answers to a command on a slot, with full coverage required or `partial` enough; to a reading
            // one on a connection that said READONLY, with `reading`.
            ["route", me, slot, rest @ ..] => {
                let full_coverage = !rest.contains(&"partial");
                let standing = Standing::new(topology, id(me)?, self.process(number(me)?), full_coverage);
                let access = Access { readonly: rest.contains(&"reading"), ..Access::default() };
                let route = route(topology, &standing, self::slot(slot)?, access);
                Ok(route.refusal().map_or("here".to_owned(), |redirect| redirect.to_string()))
            }
            // How many slots each node has.
            ["loads"] => {
                let load = |node: &nuthatch_cluster::topology::Node| {
                    let ranges = topology.ranges_of(node.shard);
                    let slots: usize = ranges.iter().map(|range| range.len()).sum();
                    format!("n{}: {slots} slots", node.id.0[0] & 0xf)
                };
                Ok(topology.nodes().map(load).collect::<Vec<_>>().join("\n"))
            }
            _ => Err("no such view".to_owned()),
        }
    }

    /// A view's reply in RESP2: the text of a bulk string as it is, anything else as its tokens.
    fn rendered(&self, me: &str, write: impl Fn(&LocalView, &mut ReplyWriter<'_>)) -> Said<String> {
        let standing = Standing::new(self.topology()?, id(me)?, self.process(number(me)?), true);
        let view = LocalView::new(standing, MetadataContact::Valid);
        let mut out = Vec::new();
        write(&view, &mut ReplyWriter::new(&mut out, Protocol::Resp2));
        let text = String::from_utf8(out).map_err(|_| "not text")?;
        match text.split_once("\r\n") {
            Some((header, body)) if header.starts_with('$') => Ok(body.to_owned()),
            Some(_) | None => Ok(text.trim_end().replace("\r\n", " ")),
        }
    }

    fn topology(&self) -> Said<&Topology> {
        self.topology.as_ref().ok_or("there is no cluster yet".to_owned())
    }

    fn process(&self, node: u8) -> ProcessId {
        ProcessId([self.lives.get(&node).copied().unwrap_or(0); 16])
    }

    fn joiner(&self, node: u8, slots: Vec<SlotRange>) -> Joiner {
        let NodeId(bytes) = node_id(node);
        Joiner {
            id: node_id(node),
            shard: ShardId(bytes),
            storage: self.storage(node),
            process: self.process(node),
            address: address(node),
            slots,
        }
    }

    fn storage(&self, node: u8) -> StorageId {
        StorageId([self.lives.get(&node).map_or(0, |life| life / 100); 16])
    }

    fn register(&self, node: u8, at: Option<&str>) -> Said<TopologyChange> {
        let mut address = address(node);
        if let Some((host, port)) = at.and_then(|at| at.rsplit_once(':')) {
            address.host = host.to_owned();
            address.port = port.parse().map_err(|_| "not a port")?;
        }
        let (storage, process) = (self.storage(node), self.process(node));
        Ok(TopologyChange::Register { node: node_id(node), storage, process, address })
    }
}

fn node_id(number: u8) -> NodeId {
    NodeId([number * 0x11; 20])
}

fn address(number: u8) -> Address {
    Address {
        host: format!("10.0.0.{number}"),
        port: 7000 + u16::from(number),
        bus_port: 17000 + u16::from(number),
        hostname: String::new(),
    }
}

fn number(node: &str) -> Said<u8> {
    let number = node.strip_prefix('n').and_then(|digits| digits.parse().ok());
    number.filter(|number| (1..=9).contains(number)).ok_or(format!("{node} is no node, n1 to n9 are"))
}

fn id(node: &str) -> Said<NodeId> {
    number(node).map(node_id)
}

fn slot(number: &str) -> Said<Slot> {
    number.parse().ok().and_then(Slot::new).ok_or(format!("{number} is no slot"))
}

fn ranges(words: &[&str]) -> Said<Vec<SlotRange>> {
    let range = |word: &&str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        SlotRange::new(slot(first)?, slot(last)?).ok_or(format!("{word} is no range"))
    };
    words.iter().map(range).collect()
}

fn role(name: &str) -> Said<Role> {
    match name {
        "voter" => Ok(Role::Voter),
        "learner" => Ok(Role::Learner),
        "watcher" => Ok(Role::Watcher),
        _ => Err(format!("{name} is no role")),
    }
}
