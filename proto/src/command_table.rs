//! One row per command: the single source for parsing, routing, COMMAND, and docs/COMMANDS.md.
//!
//! A row says what a command is (name, arity, flags, where its keys stand) and who runs it ([`Handler`]). It says
//! nothing of how: the engine matches [`DataCommand`] and [`KeyspaceCommand`], the node [`NodeCommand`], each closed
//! and without a wildcard, so that a new row does not compile until somebody runs it.
//!
//! The rows stand in `command_table/`, a file per family, written in the words of `row`; [`lookup`] finds them by name,
//! [`keys`] says where a request's keys stand.
//!
//! Source of the rows' facts: the Redis 7.2 command documentation.

mod bitmap;
mod blocking;
mod cluster;
mod connection;
mod flags;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod key_spec;
mod list;
mod lookup;
mod markdown;
mod monitoring;
mod pubsub;
mod replication;
pub mod reply;
mod row;
mod scripting;
mod server;
mod set;
mod sorted_set;
mod string;
mod syntax;
mod transaction;

pub use flags::{Acl, Flags};
pub use key_spec::{BeginSearch, FindKeys, KeyError, KeyFlags, KeyPositions, KeySpec, keys};
pub use lookup::{commands, lookup};
pub use markdown::markdown;

/// Commands on keys of known slots: run by the engine under the locks of those slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of its name; the table's row documents it")]
pub enum DataCommand {
    // Strings.
    Append,
    Decr,
    DecrBy,
    Get,
    GetBit,
    GetDel,
    GetEx,
    GetRange,
    GetSet,
    Incr,
    IncrBy,
    IncrByFloat,
    Lcs,
    MGet,
    MSet,
    MSetNx,
    PSetEx,
    Set,
    SetBit,
    SetEx,
    SetNx,
    SetRange,
    StrLen,
    SubStr,
    // HyperLogLogs.
    PfAdd,
    PfCount,
    PfDebug,
    PfMerge,
    // Keys.
    Copy,
    Del,
    Dump,
    Exists,
    Expire,
    ExpireAt,
    ExpireTime,
    Move,
    MemoryUsage,
    ObjectEncoding,
    ObjectFreq,
    ObjectIdleTime,
    ObjectRefCount,
    PExpire,
    PExpireAt,
    PExpireTime,
    PTtl,
    Persist,
    Rename,
    RenameNx,
    Restore,
    RestoreAsking,
    Sort,
    SortRo,
    Touch,
    Ttl,
    Type,
    Unlink,
    // Hashes.
    HDel,
    HExists,
    HExpire,
    HExpireAt,
    HExpireTime,
    HGet,
    HGetAll,
    HIncrBy,
    HIncrByFloat,
    HKeys,
    HLen,
    HMGet,
    HMSet,
    HPExpire,
    HPExpireAt,
    HPExpireTime,
    HPTtl,
    HPersist,
    HRandField,
    HScan,
    HSet,
    HSetNx,
    HStrLen,
    HTtl,
    HVals,
    // Lists.
    LIndex,
    LInsert,
    BLMPop,
    BLMove,
    BLPop,
    BRPop,
    BRPopLPush,
    LLen,
    LMove,
    LMPop,
    LPop,
    LPos,
    LPush,
    LPushX,
    LRange,
    LRem,
    LSet,
    LTrim,
    RPop,
    RPopLPush,
    RPush,
    RPushX,
    // Sets.
    SAdd,
    SCard,
    SDiff,
    SDiffStore,
    SInter,
    SInterCard,
    SInterStore,
    SIsMember,
    SMembers,
    SMIsMember,
    SMove,
    SPop,
    SRandMember,
    SRem,
    SScan,
    SUnion,
    SUnionStore,
    // Sorted sets of positions.
    GeoAdd,
    GeoDist,
    GeoHash,
    GeoPos,
    GeoRadius,
    GeoRadiusByMember,
    GeoRadiusByMemberRo,
    GeoRadiusRo,
    GeoSearch,
    GeoSearchStore,
    // Sorted sets.
    BZMPop,
    BZPopMax,
    BZPopMin,
    ZAdd,
    ZCard,
    ZCount,
    ZDiff,
    ZDiffStore,
    ZIncrBy,
    ZInter,
    ZInterCard,
    ZInterStore,
    ZLexCount,
    ZMPop,
    ZMScore,
    ZPopMax,
    ZPopMin,
    ZRandMember,
    ZRange,
    ZRangeByLex,
    ZRangeByScore,
    ZRangeStore,
    ZRank,
    ZRem,
    ZRemRangeByLex,
    ZRemRangeByRank,
    ZRemRangeByScore,
    ZRevRange,
    ZRevRangeByLex,
    ZRevRangeByScore,
    ZRevRank,
    ZScan,
    ZScore,
    ZUnion,
    ZUnionStore,
}

/// Commands on a whole database: run by the engine, which locks slot after slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of its name; the table's row documents it")]
pub enum KeyspaceCommand {
    DbSize,
    FlushAll,
    FlushDb,
    Keys,
    RandomKey,
    Scan,
    SwapDb,
}

/// Commands on the connection, the server or the cluster: run by the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of its name; the table's row documents it")]
pub enum NodeCommand {
    // Connection.
    Auth,
    ClientCaching,
    ClientGetName,
    ClientGetRedir,
    ClientHelp,
    ClientId,
    ClientInfo,
    ClientKill,
    ClientList,
    ClientNoEvict,
    ClientNoTouch,
    ClientPause,
    ClientReply,
    ClientSetInfo,
    ClientSetName,
    ClientTracking,
    ClientTrackingInfo,
    ClientUnblock,
    ClientUnpause,
    Echo,
    Hello,
    Ping,
    Quit,
    Reset,
    Select,
    // Server.
    Command,
    CommandCount,
    CommandDocs,
    CommandGetKeys,
    CommandGetKeysAndFlags,
    CommandHelp,
    CommandInfo,
    CommandList,
    ConfigGet,
    ConfigHelp,
    ConfigResetStat,
    ConfigRewrite,
    ConfigSet,
    Debug,
    Info,
    LatencyDoctor,
    LatencyGraph,
    LatencyHelp,
    LatencyHistogram,
    LatencyHistory,
    LatencyLatest,
    LatencyReset,
    Lolwut,
    MemoryDoctor,
    MemoryHelp,
    MemoryMallocStats,
    MemoryPurge,
    MemoryStats,
    Monitor,
    Migrate,
    ObjectHelp,
    PfSelfTest,
    Shutdown,
    SlowlogGet,
    SlowlogHelp,
    SlowlogLen,
    SlowlogReset,
    Time,
    Wait,
    WaitAof,
    // Replication and files.
    BgSave,
    LastSave,
    PSync,
    ReplConf,
    ReplicaOf,
    Role,
    Save,
    SlaveOf,
    Sync,
    // Channels.
    PSubscribe,
    PUnsubscribe,
    Publish,
    PubsubChannels,
    PubsubHelp,
    PubsubNumPat,
    PubsubNumSub,
    PubsubShardChannels,
    PubsubShardNumSub,
    SPublish,
    SSubscribe,
    SUnsubscribe,
    Subscribe,
    Unsubscribe,
    // Cluster.
    Asking,
    ClusterAddSlots,
    ClusterAddSlotsRange,
    ClusterBumpEpoch,
    ClusterCountFailureReports,
    ClusterCountKeysInSlot,
    ClusterDelSlots,
    ClusterDelSlotsRange,
    ClusterFlushSlots,
    ClusterForget,
    ClusterGetKeysInSlot,
    ClusterHelp,
    ClusterImport,
    ClusterInfo,
    ClusterKeySlot,
    ClusterLinks,
    ClusterMeet,
    ClusterMyId,
    ClusterMyShardId,
    ClusterNodes,
    ClusterReplicas,
    ClusterReplicate,
    ClusterReset,
    ClusterSaveConfig,
    ClusterSetConfigEpoch,
    ClusterSetSlot,
    ClusterShards,
    ClusterSlaves,
    ClusterSlots,
    ReadOnly,
    ReadWrite,
    // Scripts and functions.
    FunctionFlush,
    FunctionHelp,
    FunctionList,
    ScriptDebug,
    ScriptExists,
    ScriptFlush,
    ScriptHelp,
    ScriptKill,
}

/// Commands of transactions: they decide when other commands run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of its name; the table's row documents it")]
pub enum TransactionCommand {
    Discard,
    Exec,
    Multi,
    Unwatch,
    Watch,
}

/// Commands that compile scripts and run them; scripts run other commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of its name; the table's row documents it")]
pub enum ScriptCommand {
    Eval,
    EvalRo,
    EvalSha,
    EvalShaRo,
    Load,
}

/// Who runs a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Handler {
    /// The engine, under the locks of the keys' slots.
    Data(DataCommand),
    /// The engine, over a whole database.
    Keyspace(KeyspaceCommand),
    /// The node.
    Node(NodeCommand),
    /// The dispatch of commands itself: it queues them and runs them together.
    Transaction(TransactionCommand),
    /// The dispatch of commands: the script says which.
    Script(ScriptCommand),
    /// Nobody: a container whose subcommands are commands (`CLUSTER`).
    Container,
}

/// The group a command belongs to in the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the group of its name")]
pub enum Group {
    Generic,
    String,
    Bitmap,
    HyperLogLog,
    List,
    Set,
    SortedSet,
    Geo,
    Hash,
    PubSub,
    Transactions,
    Connection,
    Server,
    Scripting,
    Cluster,
}

/// Since when a command is not to be used any more, and what is to be used instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deprecation {
    /// The Redis version that deprecated it.
    pub since: &'static str,
    /// Its replacement, in words.
    pub replaced_by: &'static str,
}

/// A command: one row of the table.
#[derive(Debug, Clone, Copy)]
pub struct CommandSpec {
    /// Its name, lower case; a subcommand's without its container's.
    pub name: &'static str,
    /// Who runs it.
    pub handler: Handler,
    /// How many arguments it takes, names included; at least so many if negative.
    pub arity: i8,
    /// Its flags.
    pub flags: Flags,
    /// Its ACL categories.
    pub acl: Acl,
    /// Where its keys stand.
    pub keys: &'static [KeySpec],
    /// The Redis version that brought it.
    pub since: &'static str,
    /// Whether and why it is not to be used any more.
    pub deprecated: Option<Deprecation>,
    /// Its group.
    pub group: Group,
    /// Its cost.
    pub complexity: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Hints for clients ("Command tips").
    pub tips: &'static [&'static str],
    /// Its arguments after the name, as the documentation writes them: `key value [NX | XX] [EX seconds]`.
    pub syntax: &'static str,
    /// Its subcommands, if it is a container.
    pub subcommands: &'static [Self],
}

impl CommandSpec {
    /// Whether a request of that many arguments, names included, has the right number of them.
    #[inline]
    pub fn arity_ok(&self, len: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { len >= wanted } else { len == wanted }
    }

    /// The subcommand of that name, in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Self> {
        self.subcommands.iter().find(|sub| sub.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Where the first key stands, if it always stands there and every request has it: all that routing needs of a
    /// command with one key. The arity must have been checked.
    #[inline]
    pub fn first_key(&self) -> Option<usize> {
        match self.keys {
            [KeySpec { begin: BeginSearch::Index(index), find: FindKeys::Range { .. }, flags }, ..]
                if !flags.contains(KeyFlags::NOT_KEY) =>
            {
                Some(usize::from(*index))
            }
            _ => None,
        }
    }

    /// Whether the first key is the only one.
    #[inline]
    pub fn has_one_key(&self) -> bool {
        matches!(
            self.keys,
            [KeySpec { begin: BeginSearch::Index(_), find: FindKeys::Range { last: 0, .. }, .. }]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> &'static CommandSpec {
        lookup(name.as_bytes()).expect("a command")
    }

    #[test]
    fn arity_counts_the_name() {
        assert!(spec("get").arity_ok(2) && !spec("get").arity_ok(1) && !spec("get").arity_ok(3));
        assert!(spec("set").arity_ok(3) && spec("set").arity_ok(9) && !spec("set").arity_ok(2));
    }

    #[test]
    fn the_first_key_is_known_without_looking() {
        assert_eq!((spec("get").first_key(), spec("get").has_one_key()), (Some(1), true));
        assert_eq!((spec("mset").first_key(), spec("mset").has_one_key()), (Some(1), false));
        assert_eq!((spec("rename").first_key(), spec("rename").has_one_key()), (Some(1), false));
        assert_eq!((spec("zmpop").first_key(), spec("zmpop").has_one_key()), (None, false));
        assert_eq!((spec("ping").first_key(), spec("ping").has_one_key()), (None, false));
    }

    #[test]
    fn a_subcommand_is_found_under_its_container() {
        let cluster = spec("cluster");
        assert_eq!(cluster.handler, Handler::Container);
        let nodes = cluster.subcommand(b"Nodes").expect("a subcommand");
        assert_eq!((nodes.name, nodes.handler), ("nodes", Handler::Node(NodeCommand::ClusterNodes)));
        assert!(cluster.subcommand(b"node").is_none());
    }

    /// Every row, subcommands included, with its container's name.
    fn rows() -> Vec<(&'static CommandSpec, Option<&'static str>)> {
        let subs =
            commands().iter().flat_map(|spec| spec.subcommands.iter().map(|sub| (sub, Some(spec.name))));
        commands().iter().map(|spec| (spec, None)).chain(subs).collect()
    }

    #[test]
    fn every_handler_has_one_row() {
        let handlers: Vec<_> = rows().into_iter().map(|(spec, _)| spec.handler).collect();
        let [mut data, mut keyspace, mut node, mut transaction, mut script] = [const { Vec::new() }; 5];
        for handler in handlers {
            match handler {
                Handler::Data(command) => data.push(command as usize),
                Handler::Keyspace(command) => keyspace.push(command as usize),
                Handler::Node(command) => node.push(command as usize),
                Handler::Transaction(command) => transaction.push(command as usize),
                Handler::Script(command) => script.push(command as usize),
                Handler::Container => {}
            }
        }
        for mut found in [data, keyspace, node, transaction, script] {
            found.sort_unstable();
            assert_eq!(found, (0..found.len()).collect::<Vec<_>>(), "a command without a row, or with two");
        }
    }

    #[test]
    fn flags_and_key_specifications_agree() {
        for (spec, _) in rows() {
            let writes = spec.flags.contains(Flags::WRITE);
            assert!(
                !(writes && spec.flags.contains(Flags::READONLY)),
                "{}: reads only and writes",
                spec.name
            );
            let keys = || spec.keys.iter().filter(|key| !key.flags.contains(KeyFlags::NOT_KEY));
            let only_reads = keys().all(|key| key.flags.contains(KeyFlags::RO));
            // What a script does to its keys is not told, and PFCOUNT writes what it counted: the worst is assumed of
            // the keys, but not of the command.
            let may_write = writes || spec.flags.contains(Flags::MAY_REPLICATE);
            assert!(
                keys().next().is_none() || only_reads != may_write,
                "{}: its keys say otherwise",
                spec.name
            );
            let told = |key: &KeySpec| matches!(key.begin, BeginSearch::Index(index) if index > 0);
            assert!(spec.keys.iter().all(told) || spec.flags.contains(Flags::MOVABLEKEYS), "{}", spec.name);
        }
    }

    #[test]
    fn every_row_is_filled_in() {
        for (spec, container) in rows() {
            let name = spec.name;
            assert!(!spec.summary.is_empty() && spec.summary.ends_with('.'), "{name}");
            assert!(!spec.complexity.is_empty() && spec.since.split('.').count() == 3, "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b"-_".contains(&b)), "{name}");
            let least = if container.is_some() { 2 } else { 1 };
            assert!(spec.arity.unsigned_abs() >= least, "{name}");
            assert_eq!(
                spec.handler == Handler::Container,
                spec.syntax.is_empty() && spec.arity == -2,
                "{name}"
            );
            assert!(spec.subcommands.is_sorted_by(|a, b| a.name < b.name), "{name}");
            assert!(spec.subcommands.is_empty() || spec.subcommand(b"help").is_some(), "{name} has no HELP");
        }
    }
}
