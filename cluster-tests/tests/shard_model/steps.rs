//! What can happen next, and what comes of it.

use super::Shard;
use super::state::{Log, Meta, Node, Rule, State};

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A primary takes a write.
    Write(usize),
    /// A replica gets the primary's log, whole or what it lacks.
    Sync(usize, usize),
    /// A replica that goes on with its conversation gets what it lacks.
    Append(usize, usize),
    /// A primary commits and acknowledges all of its log.
    Ack(usize),
    /// The same without that member, whose removal it has only proposed.
    AckWithout(usize, usize),
    /// A read shows what a primary has.
    Show(usize),
    /// A primary's removal of a member is applied.
    Shrink(usize, usize),
    /// A primary proposes to add a member.
    Propose(usize, usize),
    /// That is applied.
    Grow(usize, usize),
    /// A promise is over.
    Lapse(usize),
    /// A member is fenced, and answers.
    Fence(usize),
    /// Of those who answered, the set is the new in-sync set, and the node its primary.
    Promote(usize, u8),
    /// A process dies and comes back empty.
    Crash(usize),
    /// It registers.
    Register(usize),
    /// A node learns of the next entry.
    View(usize),
}

fn top_node(state: &State) -> usize {
    usize::from(state.top().primary)
}

/// What can happen.
pub(crate) fn possible(model: &Shard, state: &State, steps: &mut Vec<Step>) {
    for node in 0..3 {
        if state.leads(model.without, node) {
            of_primary(model, state, node, steps);
        }
        of_metadata(model, state, node, steps);
        let top = state.top();
        let another = (0..3).any(|o| o != node && top.in_sync[o] == Some(state.nodes[o].life));
        if state.crashes < model.bound.crashes && another {
            steps.push(Step::Crash(node));
        }
        if state.nodes[node].life != top.registered[node]
            && room(model, state)
            && model.without != Some(Rule::Resume)
        {
            steps.push(Step::Register(node));
        }
        if usize::from(state.nodes[node].view) + 1 < state.metadata.len() {
            steps.push(Step::View(node));
        }
    }
}

fn room(model: &Shard, state: &State) -> bool {
    state.top().version < model.bound.entries
}

fn of_primary(model: &Shard, state: &State, from: usize, steps: &mut Vec<Step>) {
    let (without, view, top) = (model.without, state.view(from), state.top());
    let me = &state.nodes[from];
    let last = state.nodes.iter().flat_map(|node| node.log.writes()).max().unwrap_or(0);
    if last < model.bound.writes {
        steps.push(Step::Write(from));
    }
    let members = || (0..3).filter(move |to| *to != from);
    for to in members() {
        let other = &state.nodes[to];
        let accepts = other.fence <= view.epoch || without == Some(Rule::OldEpoch);
        // Whoever takes itself for the primary follows nobody until it has learned better.
        let leads = state.leads(without, to);
        // A process takes nothing before it is registered and has learned the epoch.
        let registered = state.view(to).registered[to] == other.life;
        if accepts && !leads && registered {
            let talks = me.sessions[to] == Some(other.life);
            match talks {
                true if other.log.length < me.log.length => steps.push(Step::Append(from, to)),
                true => {}
                false => steps.push(Step::Sync(from, to)),
            }
        }
    }
    let free = me.promise == 0 || without == Some(Rule::NoLease);
    if me.log.length > me.committed && free {
        let acked = |to: usize| !state.needs(without, from, to) || state.acknowledges(without, from, to);
        if members().all(acked) {
            steps.push(Step::Ack(from));
        }
        if without == Some(Rule::EarlyAck) {
            let but = |out: usize| members().all(|to| to == out || acked(to));
            steps.extend(members().filter(|out| but(*out)).map(|out| Step::AckWithout(from, out)));
        }
    }
    if state.shows(without, from) && me.log.set() & !state.acked != 0 {
        steps.push(Step::Show(from));
    }
    let current = top.epoch == view.epoch && top.version == view.version && room(model, state);
    for to in members() {
        let other = &state.nodes[to];
        if current && view.in_sync[to].is_some() {
            steps.push(Step::Shrink(from, to));
        }
        let caught_up = me.log.up_to(me.committed).begins(other.log) && me.sessions[to] == Some(other.life);
        if view.in_sync[to].is_none() && me.adds.is_none() && caught_up && me.committed >= me.barrier {
            steps.push(Step::Propose(from, to));
        }
        let adds = usize::from(me.adds.unwrap_or(3)) == to;
        if current && adds && me.sessions[to] == Some(top.registered[to]) {
            steps.push(Step::Grow(from, to));
        }
    }
}

fn of_metadata(model: &Shard, state: &State, node: usize, steps: &mut Vec<Step>) {
    let (me, top) = (&state.nodes[node], state.top());
    if me.promise != 0 && top_node(state) != node {
        steps.push(Step::Lapse(node));
    }
    let in_sync = |node: usize| top.in_sync[node] == Some(state.nodes[node].life);
    if top_node(state) == node || !in_sync(node) || top.epoch >= model.bound.epochs {
        return;
    }
    let free = me.promise == 0 || model.without == Some(Rule::NoLease);
    if free && me.fence <= top.epoch {
        steps.push(Step::Fence(node));
    }
    if me.answered == top.epoch && room(model, state) {
        for set in 0..8_u8 {
            let may = |other: usize| {
                set >> other & 1 == 0
                    || (in_sync(other)
                        && other != top_node(state)
                        && state.nodes[other].answered == top.epoch)
            };
            if set >> node & 1 == 1 && (0..3).all(may) {
                steps.push(Step::Promote(node, set));
            }
        }
    }
}

/// What comes of it.
pub(crate) fn taken(model: &Shard, last: &State, step: Step) -> State {
    let mut state = last.clone();
    let top = last.top();
    let next = Meta { version: top.version + 1, ..top };
    match step {
        Step::Write(node) => {
            let written = last.nodes.iter().flat_map(|node| node.log.writes()).max().unwrap_or(0);
            let me = &mut state.nodes[node];
            me.log = me.log.with(written + 1);
        }
        Step::Sync(from, to) => {
            let epoch = last.view(from).epoch;
            // What lacks nothing but the end gets it by appends.
            if !last.nodes[to].log.begins(last.nodes[from].log) {
                state.nodes[to].log = last.nodes[from].log;
            }
            state.nodes[to].fence = last.nodes[to].fence.max(epoch);
            state.nodes[from].sessions[to] = Some(last.nodes[to].life);
            promise(&mut state.nodes[to], epoch);
        }
        Step::Append(from, to) => {
            // What it has it keeps: offsets are all that is compared.
            let log = last.nodes[from].log;
            let missing: Vec<u8> = log.writes().collect::<Vec<_>>().into_iter().rev().collect();
            let held = usize::from(last.nodes[to].log.length);
            state.nodes[to].log = missing[held..].iter().fold(last.nodes[to].log, |log, w| log.with(*w));
            promise(&mut state.nodes[to], last.view(from).epoch);
        }
        Step::Ack(node) | Step::AckWithout(node, _) => {
            let me = &mut state.nodes[node];
            me.committed = me.log.length;
            state.acked |= me.log.set();
            me.epoch_acked = last.view(node).epoch;
        }
        Step::Show(node) => state.acked |= last.nodes[node].log.set(),
        Step::Shrink(_, out) => {
            let mut in_sync = top.in_sync;
            in_sync[out] = None;
            state.metadata.push(Meta { in_sync, ..next });
        }
        Step::Propose(node, member) => state.nodes[node].adds = u8::try_from(member).ok(),
        Step::Grow(_, member) => {
            let mut in_sync = top.in_sync;
            in_sync[member] = Some(top.registered[member]);
            state.metadata.push(Meta { in_sync, ..next });
            promise(&mut state.nodes[member], top.epoch);
        }
        Step::Lapse(node) => state.nodes[node].promise = 0,
        Step::Fence(node) => {
            let me = &mut state.nodes[node];
            (me.fence, me.fenced_at, me.answered) = (top.epoch + 1, top.version, top.epoch);
        }
        Step::Promote(node, set) => {
            let in_sync = std::array::from_fn(|other| top.in_sync[other].filter(|_| set >> other & 1 == 1));
            let (primary, life) = (u8::try_from(node).unwrap_or(0), last.nodes[node].life);
            state.metadata.push(Meta { epoch: top.epoch + 1, primary, life, in_sync, ..next });
        }
        Step::Crash(node) => {
            let Node { view, life, epoch_acked, .. } = last.nodes[node];
            let empty = Node { view, life: life + 1, epoch_acked, ..State::initial().nodes[2] };
            state.nodes[node] = Node { fence: 0, sessions: [None; 3], log: Log::default(), ..empty };
            state.crashes += 1;
        }
        Step::Register(node) => {
            let (mut in_sync, mut registered) = (top.in_sync, top.registered);
            registered[node] = last.nodes[node].life;
            let alone = (0..3).all(|other| other == node || in_sync[other].is_none());
            if model.without == Some(Rule::ByName) {
                in_sync[node] = in_sync[node].map(|_| registered[node]);
            } else if !alone {
                in_sync[node] = None;
            }
            state.metadata.push(Meta { in_sync, registered, ..next });
        }
        Step::View(node) => learn(model, &mut state, node),
    }
    trim(&mut state);
    state
}

/// Who takes something of an epoch promises its primary to. An open promise to an earlier one comes first.
fn promise(node: &mut Node, epoch: u8) {
    if node.fence <= epoch && node.promise == 0 {
        node.promise = epoch;
    }
}

/// A node learns of the next entry.
fn learn(model: &Shard, state: &mut State, node: usize) {
    let before = state.view(node);
    let me = &mut state.nodes[node];
    me.view += 1;
    let view = state.metadata[usize::from(me.view)];
    me.adds = None;
    // A process that came back learns the epoch with its registration.
    if view.registered[node] == me.life && me.fence == 0 {
        me.fence = view.epoch;
    }
    if view.epoch > before.epoch {
        me.sessions = [None; 3];
        me.fence = me.fence.max(view.epoch);
        if usize::from(view.primary) == node {
            // Nothing counts as committed before its in-sync set has it.
            let barrier = model.without != Some(Rule::NoBarrier);
            (me.committed, me.barrier) = (if barrier { 0 } else { me.log.length }, me.log.length);
        }
    } else if me.fence > view.epoch
        && view.version > me.fenced_at
        && view.in_sync[node] != Some(me.life)
        && usize::from(view.primary) != node
    {
        // No promotion came of the fence, and the member is out: it may follow again.
        me.fence = view.epoch;
        me.unfenced = true;
    }
}

/// What everybody knows is forgotten.
fn trim(state: &mut State) {
    let known = state.nodes.iter().map(|node| node.view).min().unwrap_or(0);
    if known > 0 {
        state.metadata.drain(..usize::from(known));
        state.nodes.iter_mut().for_each(|node| node.view -= known);
    }
}
