//! The CLUSTER commands: from a client's words to a reading of the topology or a proposal to the metadata group.
//!
//! Readings are answered at once from the newest view ([`read`]). Changes are proposed and answered when they are applied
//! on this node ([`change`]), so that whoever reads here, or asks another node next, finds them made. What is already so
//! is answered OK without a proposal, because tools repeat themselves.
//!
//! What it is not: it decides nothing about the cluster (the topology does) and draws no view of it (`views` does).
//! Words and order of the errors are Redis's.

mod membership;
mod slots;
mod words;

use std::sync::Arc;

use nuthatch_cluster::topology::TopologyChange;
use nuthatch_cluster::views;
use nuthatch_engine::Engine;
use nuthatch_proto::resp::{Args, ReplyWriter};
use nuthatch_proto::slot::Slot;

use crate::driver::{MetadataHandle, View};

/// What a CLUSTER command is run with.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) handle: &'a MetadataHandle,
    pub(crate) engine: &'a Engine,
    /// The whole request.
    pub(crate) args: Args<'a>,
    /// Whether what is not finished is open to it: only where DEBUG is.
    pub(crate) unfinished: bool,
}

/// The error's text for the client, its code first.
pub(crate) type Refusal = String;

/// A command that is answered from what this node has; each is the CLUSTER command of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Query {
    BumpEpoch,
    CountFailureReports,
    CountKeysInSlot,
    GetKeysInSlot,
    Info,
    KeySlot,
    Links,
    MyId,
    MyShardId,
    Nodes,
    Replicas,
    SaveConfig,
    SetConfigEpoch,
    Shards,
    Slots,
}

/// A command that changes the cluster; each is the CLUSTER command of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    AddSlots,
    AddSlotsRange,
    DelSlots,
    DelSlotsRange,
    FlushSlots,
    Forget,
    Meet,
    Replicate,
    Reset,
    SetSlot,
}

/// Answers at once.
pub(crate) fn read(query: Query, call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let view = call.handle.view();
    let (topology, args) = (&view.topology, call.args);
    let observed = || call.handle.observed(&view);
    let answer = match query {
        Query::BumpEpoch => membership::bump_epoch(&view, reply),
        Query::CountFailureReports => membership::failure_reports(&call, &view, reply),
        Query::CountKeysInSlot => slots::count_keys(&call, reply),
        Query::GetKeysInSlot => slots::get_keys(&call, reply),
        Query::SetConfigEpoch => membership::set_config_epoch(args, &view, reply),
        Query::Info => return views::info(topology, &observed(), reply),
        Query::KeySlot => return reply.integer(Slot::of_key(args.at(2)).number().into()),
        Query::Links => return views::links(topology, &observed(), reply),
        Query::MyId => return views::my_id(&observed(), reply),
        Query::MyShardId => return views::my_shard_id(topology, &observed(), reply),
        Query::Nodes => return views::nodes(topology, &observed(), reply),
        Query::Replicas => return views::replicas(topology, &observed(), args.at(2), reply),
        // What was agreed is on the disk before anybody hears of it.
        Query::SaveConfig => return reply.ok(),
        Query::Shards => return views::shards(topology, &observed(), reply),
        Query::Slots => return views::slots(topology, reply),
    };
    if let Err(refusal) = answer {
        reply.error(&refusal);
    }
}

/// Changes the cluster, and answers when the change is applied here.
pub(crate) async fn change(change: Change, call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let words = call.args.skip(2);
    let answer = match change {
        Change::AddSlots => slots::add(&call, words::slots(words)).await,
        Change::AddSlotsRange => slots::add(&call, words::slot_ranges(words, "addslotsrange")).await,
        Change::DelSlots => slots::remove(&call, words::slots(words)).await,
        Change::DelSlotsRange => slots::remove(&call, words::slot_ranges(words, "delslotsrange")).await,
        Change::FlushSlots => slots::flush(&call).await,
        Change::Forget => membership::forget(&call).await,
        Change::Meet => membership::meet(&call).await,
        Change::Replicate => membership::replicate(&call).await,
        Change::Reset => membership::reset(&call).await,
        Change::SetSlot => slots::set_slot(&call).await,
    };
    match answer {
        Ok(()) => reply.ok(),
        Err(refusal) => reply.error(&refusal),
    }
}

/// Makes the change, unless it is as good as made.
async fn make(call: &Call<'_>, view: &Arc<View>, change: TopologyChange) -> Result<(), Refusal> {
    if view.topology.satisfies(&change) {
        return Ok(());
    }
    call.handle.propose(vec![change]).await.map(|_| ()).map_err(|error| error.to_string())
}
