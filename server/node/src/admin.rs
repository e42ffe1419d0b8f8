//! Commands about the connection, the server and the cluster: everything that is not about keys.
//!
//! Most are answered at once ([`run`]). Those that wait for something (a commit of the metadata group, a time) are
//! deferred: the connection keeps the arguments, lets other connections run, and comes back with [`wait`].

mod client;
mod cluster;
mod config;
mod connection;
mod info;
mod kill;
mod server;

use nuthatch_proto::command_table::{NodeCommand, lookup, reply as table};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::{Args, ReplyWriter};

use crate::dispatch::Deferred;
use crate::net::session::Session;
use crate::node::Node;

/// Redis's error for options that make no sense.
pub(crate) const SYNTAX_ERROR: &str = "ERR syntax error";

/// Redis's error for what only a node of a cluster can do.
pub(crate) const NO_CLUSTER: &str = "ERR This instance has cluster support disabled";

/// What is to happen after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The next one.
    Done,
    /// This one cannot be answered at once: [`wait`] for it.
    Defer(NodeCommand),
    /// The connection is closed once the reply is written.
    Close,
}

/// What a command is called with.
pub(crate) struct Call<'a> {
    pub(crate) node: &'a Node,
    pub(crate) session: &'a mut Session,
    pub(crate) now: Timestamp,
    pub(crate) args: Args<'a>,
}

/// Runs a command, or says that it has to wait.
pub(crate) fn run(command: NodeCommand, call: Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    use NodeCommand as C;
    let args = call.args;
    match command {
        C::Auth => connection::auth(call, reply),
        C::Echo => reply.bulk(args.at(1)),
        C::Hello => connection::hello(call, reply),
        C::Ping => connection::ping(args, reply),
        C::Quit => {
            reply.ok();
            return Flow::Close;
        }
        C::Reset => connection::reset(call, reply),
        C::Select => connection::select(call, reply),
        C::Asking | C::ReadOnly | C::ReadWrite => connection::cluster_mode(command, call, reply),

        C::ClientGetName => client::get_name(call, reply),
        C::ClientId => reply.integer(i64::try_from(call.session.client.id).unwrap_or(i64::MAX)),
        C::ClientInfo => client::info(call, reply),
        C::ClientKill => return kill::kill(call, reply),
        C::ClientList => client::list(call, reply),
        C::ClientNoEvict => client::no_evict(call, reply),
        C::ClientSetInfo => client::set_info(call, reply),
        C::ClientSetName => client::set_name(call, reply),

        C::Command => table::all(reply),
        C::CommandCount => table::count(reply),
        C::CommandDocs => table::docs(args, reply),
        C::CommandGetKeys => table::get_keys(args, reply),
        C::CommandGetKeysAndFlags => table::get_keys_and_flags(args, reply),
        C::CommandInfo => table::info(args, reply),
        C::CommandList => table::list(args, reply),

        C::ConfigGet => config::get(call, reply),
        C::ConfigSet => config::set(call, reply),
        C::ConfigResetStat => {
            call.node.telemetry.reset();
            reply.ok();
        }
        C::ConfigRewrite => config::rewrite(call, reply),

        C::ClientHelp | C::CommandHelp | C::ConfigHelp | C::DebugHelp | C::ClusterHelp => help(args, reply),

        C::Info => info::info(call, reply),
        C::Lolwut => server::lolwut(reply),
        C::Shutdown => return server::shutdown(call, reply),
        C::Time => server::time(reply),
        C::DebugSleep => return server::may_debug(&call, command, reply),

        C::ClusterAddSlots
        | C::ClusterAddSlotsRange
        | C::ClusterBumpEpoch
        | C::ClusterCountFailureReports
        | C::ClusterCountKeysInSlot
        | C::ClusterDelSlots
        | C::ClusterDelSlotsRange
        | C::ClusterFlushSlots
        | C::ClusterForget
        | C::ClusterGetKeysInSlot
        | C::ClusterInfo
        | C::ClusterKeySlot
        | C::ClusterLinks
        | C::ClusterMeet
        | C::ClusterMyId
        | C::ClusterMyShardId
        | C::ClusterNodes
        | C::ClusterReplicas
        | C::ClusterReplicate
        | C::ClusterReset
        | C::ClusterSaveConfig
        | C::ClusterSetConfigEpoch
        | C::ClusterSetSlot
        | C::ClusterShards
        | C::ClusterSlaves
        | C::ClusterSlots => return in_cluster(command, &call, reply),
    }
    Flow::Done
}

/// Runs a command that was deferred.
pub(crate) async fn wait(
    node: &Node,
    session: &mut Session,
    deferred: &Deferred,
    replies: &mut Vec<u8>,
) -> Flow {
    let mut reply = ReplyWriter::new(replies, session.protocol());
    let args = deferred.args.as_args();
    match deferred.command {
        NodeCommand::DebugSleep => server::debug_sleep(args, &mut reply).await,
        command => match &node.cluster {
            Some(handle) => {
                cluster::wait(command, cluster::Call { handle, engine: &node.engine, args }, &mut reply)
                    .await;
            }
            None => reply.error(NO_CLUSTER),
        },
    }
    Flow::Done
}

/// CLUSTER's subcommands: readings are answered at once, changes wait for the metadata group.
fn in_cluster(command: NodeCommand, call: &Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    let Some(handle) = &call.node.cluster else {
        reply.error(NO_CLUSTER);
        return Flow::Done;
    };
    let call = cluster::Call { handle, engine: &call.node.engine, args: call.args };
    if cluster::now(command, call, reply) { Flow::Done } else { Flow::Defer(command) }
}

fn help(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    if let Some(container) = args.get(0).and_then(lookup) {
        table::help(container, reply);
    }
}

/// Text that came from a client, for messages and for keeping.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
