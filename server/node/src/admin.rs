//! Commands about the connection, the server and the cluster: everything that is not about keys.
//!
//! Most are answered at once ([`run`]). Those that wait for something (a commit of the metadata group, a time) are
//! deferred: the connection keeps the arguments, lets other connections run, and comes back with [`wait`].

pub(crate) mod client;
mod cluster;
mod config;
mod connection;
pub(crate) mod debug;
pub(crate) mod flush;
mod info;
mod kill;
mod latency;
mod memory;
mod migrate;
pub(crate) mod pause;
mod persistence;
pub(crate) mod pubsub;
pub(crate) mod redact;
mod replication;
mod script;
mod server;
mod slowlog;
mod tracking;
pub(crate) mod wait;

use cluster::{Change, Query};
use nuthatch_proto::command_table::{NodeCommand, lookup, reply as table};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::{Args, ReplyWriter};

use crate::clock;
use crate::config::Permission;
use crate::dispatch::{Deferred, account};
use crate::net::io_thread::Thread;
use crate::net::session::Session;
use crate::node::Node;
use crate::pubsub::Kind;
use crate::script::thread as scripts;

/// Redis's error for options that make no sense.
pub(crate) const SYNTAX_ERROR: &str = "ERR syntax error";

/// Redis's error for what is no number.
pub(crate) const NOT_INTEGER: &str = "ERR value is not an integer or out of range";

/// Redis's error for what only a node of a cluster can do.
pub(crate) const NO_CLUSTER: &str = "ERR This instance has cluster support disabled";

/// A command that waits for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deferral {
    /// DEBUG SLEEP.
    DebugSleep,
    /// FLUSHALL or FLUSHDB, done but for giving the memory back.
    Flush,
    /// WAIT.
    Wait,
    /// WAITAOF.
    WaitAof,
    /// MIGRATE.
    Migrate,
    /// SAVE, with the right to do so.
    Save,
    /// DEBUG RELOAD.
    Reload {
        /// Whether to save before, with the right to do so.
        save: bool,
        /// Whether to empty the databases before.
        flush: bool,
    },
    /// SHUTDOWN that saves, with the right to do so.
    ShutDown,
    /// SYNC or PSYNC: the connection sees to it itself.
    Follow,
    /// REPLICAOF NO ONE and CLUSTER IMPORT STOP, until nothing of the former primary can come any more.
    Promotion,
    /// Any command, because of CLIENT PAUSE: afterwards it is still to be run.
    Paused,
    /// A script, which runs on a thread of its own.
    Script,
    /// A change of the cluster.
    Cluster(Change),
}

/// What is to happen after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The next one.
    Done,
    /// This one waits for an element: the session says for which.
    Block,
    /// This one cannot be answered at once: [`wait`] for it.
    Defer(Deferral),
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
        C::Ping if pubsub::in_subscribe_mode(&call) => pubsub::ping(args, reply),
        C::Ping => connection::ping(args, reply),
        C::Quit => {
            reply.ok();
            return Flow::Close;
        }
        C::Reset => connection::reset(call, reply),
        C::Select => connection::select(call, reply),
        C::Asking | C::ReadOnly | C::ReadWrite => connection::cluster_mode(command, call, reply),

        C::Subscribe => pubsub::subscribe(Kind::Channel, call, reply),
        C::PSubscribe => pubsub::subscribe(Kind::Pattern, call, reply),
        C::SSubscribe => pubsub::subscribe(Kind::ShardChannel, call, reply),
        C::Unsubscribe => pubsub::unsubscribe(Kind::Channel, call, reply),
        C::PUnsubscribe => pubsub::unsubscribe(Kind::Pattern, call, reply),
        C::SUnsubscribe => pubsub::unsubscribe(Kind::ShardChannel, call, reply),
        C::Publish => pubsub::publish(call, reply),
        C::SPublish => pubsub::publish_in_shard(call, reply),
        C::PubsubChannels => pubsub::channels(Kind::Channel, call, reply),
        C::PubsubShardChannels => pubsub::channels(Kind::ShardChannel, call, reply),
        C::PubsubNumSub => pubsub::subscribers(Kind::Channel, call, reply),
        C::PubsubShardNumSub => pubsub::subscribers(Kind::ShardChannel, call, reply),
        C::PubsubNumPat => reply.count(call.node.pubsub.count(Kind::Pattern)),

        C::ClientCaching => tracking::caching(reply),
        C::ClientGetRedir => reply.integer(-1),
        C::ClientTracking => tracking::switch(call, reply),
        C::ClientTrackingInfo => tracking::info(reply),
        C::ClientNoTouch => client::no_touch(call, reply),
        C::ClientPause => pause::pause(call, reply),
        C::ClientUnpause => pause::unpause(call, reply),
        C::ClientReply => client::reply_mode(call, reply),
        C::ClientUnblock => client::unblock(call, reply),
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
            call.node.persistence.forget_changes();
            call.node.engine.reset_freed();
            reply.ok();
        }
        C::ConfigRewrite => config::rewrite(call, reply),

        C::ClientHelp
        | C::CommandHelp
        | C::ConfigHelp
        | C::LatencyHelp
        | C::MemoryHelp
        | C::SlowlogHelp
        | C::ClusterHelp
        | C::ObjectHelp
        | C::FunctionHelp
        | C::ScriptHelp
        | C::PubsubHelp => help(args, reply),

        C::Sync | C::PSync => return replication::sync(&call, reply),
        C::ReplConf => replication::replconf(call, reply),
        C::Save => return persistence::save(&call, reply),
        C::BgSave => persistence::bgsave(&call, reply),
        C::LastSave => persistence::lastsave(&call, reply),
        C::Role => replication::role(call, reply),
        C::ReplicaOf | C::SlaveOf => return replication::replicaof(call, reply),

        C::Info => info::info(call, reply),
        C::FunctionFlush => server::function_flush(args, reply),
        C::FunctionList => reply.array(0),
        C::ScriptDebug => script::debug(args, reply),
        C::ScriptExists => script::exists(&call, reply),
        C::ScriptFlush => script::flush(&call, reply),
        C::ScriptKill => script::kill(&call, reply),
        C::Migrate => return Flow::Defer(Deferral::Migrate),
        C::Monitor => server::monitor(&call, reply),
        C::PfSelfTest => server::pfselftest(&call, reply),
        C::Lolwut => server::lolwut(args, reply),
        C::Shutdown => return server::shutdown(call, reply),
        C::Time => server::time(reply),
        C::Wait => return wait::begin(&call, reply),
        C::WaitAof => return wait::begin_aof(&call, reply),
        C::Debug => return debug::run(call, reply),
        C::SlowlogGet => slowlog::get(call, reply),
        C::SlowlogLen => slowlog::len(call, reply),
        C::SlowlogReset => slowlog::reset(call, reply),
        C::LatencyDoctor => latency::doctor(call, reply),
        C::LatencyGraph => latency::graph(call, reply),
        C::LatencyHistogram => latency::histogram(call, reply),
        C::LatencyHistory => latency::history(call, reply),
        C::LatencyLatest => latency::latest(call, reply),
        C::LatencyReset => latency::reset(call, reply),
        C::MemoryDoctor => memory::doctor(reply),
        C::MemoryMallocStats => {
            reply.verbatim("txt", b"mimalloc keeps no statistics of its allocations here.\n")
        }
        C::MemoryPurge => reply.ok(),
        C::MemoryStats => memory::stats(call, reply),

        C::ClusterCountFailureReports => return read(Query::CountFailureReports, &call, reply),
        C::ClusterCountKeysInSlot => return read(Query::CountKeysInSlot, &call, reply),
        C::ClusterGetKeysInSlot => return read(Query::GetKeysInSlot, &call, reply),
        C::ClusterImport => return replication::import(call, reply),
        C::ClusterInfo => return read(Query::Info, &call, reply),
        C::ClusterKeySlot => return read(Query::KeySlot, &call, reply),
        C::ClusterLinks => return read(Query::Links, &call, reply),
        C::ClusterMyId => return read(Query::MyId, &call, reply),
        C::ClusterMyShardId => return read(Query::MyShardId, &call, reply),
        C::ClusterNodes => return read(Query::Nodes, &call, reply),
        C::ClusterReplicas | C::ClusterSlaves => return read(Query::Replicas, &call, reply),
        C::ClusterShards => return read(Query::Shards, &call, reply),
        C::ClusterSlots => return read(Query::Slots, &call, reply),
        C::ClusterBumpEpoch => return read(Query::BumpEpoch, &call, reply),
        C::ClusterSaveConfig => return read(Query::SaveConfig, &call, reply),
        C::ClusterSetConfigEpoch => return read(Query::SetConfigEpoch, &call, reply),

        C::ClusterAddSlots => return change(Change::AddSlots, &call, reply),
        C::ClusterAddSlotsRange => return change(Change::AddSlotsRange, &call, reply),
        C::ClusterDelSlots => return change(Change::DelSlots, &call, reply),
        C::ClusterDelSlotsRange => return change(Change::DelSlotsRange, &call, reply),
        C::ClusterFlushSlots => return change(Change::FlushSlots, &call, reply),
        C::ClusterForget => return change(Change::Forget, &call, reply),
        C::ClusterMeet => return change(Change::Meet, &call, reply),
        C::ClusterReplicate => return change(Change::Replicate, &call, reply),
        C::ClusterReset => return change(Change::Reset, &call, reply),
        C::ClusterSetSlot => return change(Change::SetSlot, &call, reply),
    }
    Flow::Done
}

/// Runs a command that was deferred.
pub(crate) async fn wait(
    thread: &Thread,
    session: &mut Session,
    deferred: &Deferred,
    replies: &mut Vec<u8>,
) -> Flow {
    let node = &*thread.node;
    if deferred.command == Deferral::Script {
        return scripts::wait(thread, session, deferred.args.as_args(), replies).await;
    }
    let mut reply = ReplyWriter::new(replies, session.protocol());
    let args = deferred.args.as_args();
    match deferred.command {
        Deferral::Paused => pause::wait(node, session, args).await,
        Deferral::Follow => {}
        Deferral::Promotion => {
            node.role.settled().await;
            reply.ok();
        }
        Deferral::Save => persistence::saved(&thread.node, &mut reply).await,
        Deferral::Reload { save, flush } => {
            persistence::reloaded(&thread.node, save, flush, &mut reply).await;
        }
        Deferral::ShutDown => return persistence::shut_down(&thread.node, &mut reply).await,
        Deferral::DebugSleep => {
            let began = clock::monotonic();
            debug::sleep(args, &mut reply).await;
            let nanoseconds = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            account::ended_apart(thread, &session.client, args, nanoseconds);
        }
        // Seen to above.
        Deferral::Script => {}
        Deferral::Flush => {
            flush::wait(node).await;
            reply.ok();
        }
        Deferral::Migrate => migrate::migrate(thread, session, args, &mut reply).await,
        Deferral::Wait => wait::wait(node, &session.client, args, &mut reply).await,
        Deferral::WaitAof => wait::wait_aof(&session.client, args, &mut reply).await,
        Deferral::Cluster(change) => match &node.cluster {
            Some(handle) => {
                let call = cluster::Call { handle, engine: &node.engine, args, unfinished: unfinished(node) };
                cluster::change(change, call, &mut reply).await;
            }
            None => reply.error(NO_CLUSTER),
        },
    }
    Flow::Done
}

/// CLUSTER's readings are answered at once.
fn read(query: Query, call: &Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    match &call.node.cluster {
        Some(handle) => {
            let call = cluster::Call {
                handle,
                engine: &call.node.engine,
                args: call.args,
                unfinished: unfinished(call.node),
            };
            cluster::read(query, call, reply);
        }
        None => reply.error(NO_CLUSTER),
    }
    Flow::Done
}

/// CLUSTER's changes wait for the metadata group.
fn change(change: Change, call: &Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    if call.node.in_cluster() {
        return Flow::Defer(Deferral::Cluster(change));
    }
    reply.error(NO_CLUSTER);
    Flow::Done
}

fn help(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    if let Some(container) = args.get(0).and_then(lookup) {
        table::help(container, reply);
    }
}

/// Whether commands that are not finished are open: where DEBUG is.
fn unfinished(node: &Node) -> bool {
    node.config.settings().debug_command != Permission::No
}

/// Text that came from a client, for messages and for keeping.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
