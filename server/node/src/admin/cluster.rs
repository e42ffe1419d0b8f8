//! The CLUSTER commands: from a client's words to a reading of the topology or a proposal to the metadata group.
//!
//! Readings are answered at once from the newest view ([`now`]). Changes are proposed and answered when they are applied
//! on this node ([`wait`]), so that whoever reads here, or asks another node next, finds them made. What is already so
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
use nuthatch_proto::command_table::NodeCommand;
use nuthatch_proto::resp::{Args, ReplyWriter};

use crate::driver::{MetadataHandle, View};

/// What a CLUSTER command is run with.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) handle: &'a MetadataHandle,
    pub(crate) engine: &'a Engine,
    /// The whole request.
    pub(crate) args: Args<'a>,
}

/// The error's text for the client, its code first.
pub(crate) type Refusal = String;

/// Answers a command that only reads. `false`: it does not, and nothing was written.
pub(crate) fn now(command: NodeCommand, call: Call<'_>, reply: &mut ReplyWriter<'_>) -> bool {
    use NodeCommand as C;
    let view = call.handle.view();
    let (topology, args) = (&view.topology, call.args);
    let observed = || call.handle.observed(&view);
    let answer = match command {
        C::ClusterCountFailureReports => membership::failure_reports(&call, &view, reply),
        C::ClusterCountKeysInSlot => slots::count_keys(&call, reply),
        C::ClusterGetKeysInSlot => slots::get_keys(&call, reply),
        C::ClusterKeySlot => slots::of_key(args, reply),
        C::ClusterInfo => done(views::info(topology, &observed(), reply)),
        C::ClusterLinks => done(views::links(topology, &observed(), reply)),
        C::ClusterMyId => done(views::my_id(&observed(), reply)),
        C::ClusterMyShardId => done(views::my_shard_id(topology, &observed(), reply)),
        C::ClusterNodes => done(views::nodes(topology, &observed(), reply)),
        C::ClusterReplicas | C::ClusterSlaves => {
            done(views::replicas(topology, &observed(), args.at(2), reply))
        }
        C::ClusterShards => done(views::shards(topology, &observed(), reply)),
        C::ClusterSlots => done(views::slots(topology, reply)),
        // What was agreed is on the disk before anybody hears of it.
        C::ClusterSaveConfig => done(reply.ok()),
        C::ClusterBumpEpoch => membership::bump_epoch(&view, reply),
        C::ClusterSetConfigEpoch => membership::set_config_epoch(args, &view, reply),
        _ => return false,
    };
    if let Err(refusal) = answer {
        reply.error(&refusal);
    }
    true
}

/// Runs a command that changes the cluster, and answers when the change is applied here.
pub(crate) async fn wait(command: NodeCommand, call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    use NodeCommand as C;
    let answer = match command {
        C::ClusterAddSlots | C::ClusterAddSlotsRange | C::ClusterDelSlots | C::ClusterDelSlotsRange => {
            slots::assign(command, &call).await
        }
        C::ClusterFlushSlots => slots::flush(&call).await,
        C::ClusterSetSlot => slots::set_slot(&call).await,
        C::ClusterForget => membership::forget(&call).await,
        C::ClusterMeet => membership::meet(&call).await,
        C::ClusterReplicate => membership::replicate(&call),
        C::ClusterReset => membership::reset(&call).await,
        _ => Err("ERR This is not a change of the cluster".to_owned()),
    };
    match answer {
        Ok(()) => reply.ok(),
        Err(refusal) => reply.error(&refusal),
    }
}

/// What was written is the whole answer.
fn done((): ()) -> Result<(), Refusal> {
    Ok(())
}

/// Makes the change, unless it is as good as made.
async fn make(call: &Call<'_>, view: &Arc<View>, change: TopologyChange) -> Result<(), Refusal> {
    if view.topology.satisfies(&change) {
        return Ok(());
    }
    call.handle.propose(vec![change]).await.map(|_| ()).map_err(|error| error.to_string())
}
