//! One row per command: the single source for parsing, routing, COMMAND, and docs/COMMANDS.md.
//!
//! A row says what a command is (name, arity, flags, where its keys stand) and who runs it ([`Handler`]). It says
//! nothing of how: the engine matches [`DataCommand`] and [`KeyspaceCommand`], the node [`NodeCommand`], each closed
//! and without a wildcard, so that a new row does not compile until somebody runs it.
//!
//! Source of the rows' words: the Redis 7.2 command documentation.

use bitflags::bitflags;

/// Commands on keys of known slots: run by the engine under the locks of those slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of its name; the table's row documents it")]
pub enum DataCommand {
    // Strings.
    Append,
    Decr,
    DecrBy,
    Get,
    GetDel,
    GetEx,
    GetRange,
    GetSet,
    Incr,
    IncrBy,
    IncrByFloat,
    MGet,
    MSet,
    MSetNx,
    PSetEx,
    Set,
    SetEx,
    SetNx,
    SetRange,
    StrLen,
    SubStr,
    // Keys.
    Copy,
    Del,
    Exists,
    Expire,
    ExpireAt,
    ExpireTime,
    PExpire,
    PExpireAt,
    PExpireTime,
    PTtl,
    Persist,
    Rename,
    RenameNx,
    Touch,
    Ttl,
    Type,
    Unlink,
    // Hashes.
    HDel,
    HGet,
    HGetAll,
    HLen,
    HMGet,
    HMSet,
    HSet,
    // Lists.
    LLen,
    LPop,
    LPush,
    LRange,
    RPop,
    RPush,
    // Sets.
    SAdd,
    SCard,
    SIsMember,
    SMembers,
    SRem,
    // Sorted sets.
    ZAdd,
    ZCard,
    ZRange,
    ZRem,
    ZScore,
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
}

/// Commands on the connection, the server or the cluster: run by the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command of its name; the table's row documents it")]
pub enum NodeCommand {
    // Connection.
    Auth,
    ClientGetName,
    ClientHelp,
    ClientId,
    ClientInfo,
    ClientKill,
    ClientList,
    ClientNoEvict,
    ClientSetInfo,
    ClientSetName,
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
    DebugHelp,
    DebugSleep,
    Info,
    Lolwut,
    Shutdown,
    Time,
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
    /// Nobody: a container whose subcommands are commands (`CLUSTER`).
    Container,
}

bitflags! {
    /// What COMMAND INFO calls a command's flags.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Flags: u32 {
        /// May change data.
        const WRITE = 1 << 0;
        /// Only reads data.
        const READONLY = 1 << 1;
        /// May need memory; refused when there is none.
        const DENYOOM = 1 << 2;
        /// For administrators.
        const ADMIN = 1 << 3;
        /// Concerns pub/sub.
        const PUBSUB = 1 << 4;
        /// Not from scripts.
        const NOSCRIPT = 1 << 5;
        /// May block the client.
        const BLOCKING = 1 << 6;
        /// Allowed while data is loading.
        const LOADING = 1 << 7;
        /// Allowed on a stale replica.
        const STALE = 1 << 8;
        /// Not shown to MONITOR.
        const SKIP_MONITOR = 1 << 9;
        /// Not put in the slow log.
        const SKIP_SLOWLOG = 1 << 10;
        /// Takes constant or logarithmic time.
        const FAST = 1 << 11;
        /// Allowed before authentication.
        const NO_AUTH = 1 << 12;
        /// May replicate although it is no write.
        const MAY_REPLICATE = 1 << 13;
        /// Keys cannot be told from positions alone.
        const MOVABLEKEYS = 1 << 14;
        /// Not inside MULTI.
        const NO_MULTI = 1 << 15;
        /// Allowed while a script or a module is busy.
        const ALLOW_BUSY = 1 << 16;
        /// Not in asynchronous loading.
        const NO_ASYNC_LOADING = 1 << 17;
        /// Opens the way for ACL key patterns to be waived (`no_mandatory_keys`).
        const NO_MANDATORY_KEYS = 1 << 18;
    }
}

bitflags! {
    /// The ACL categories a command is in, beside those its flags imply.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Acl: u32 {
        /// `@keyspace`
        const KEYSPACE = 1 << 0;
        /// `@read`
        const READ = 1 << 1;
        /// `@write`
        const WRITE = 1 << 2;
        /// `@set`
        const SET = 1 << 3;
        /// `@sortedset`
        const SORTEDSET = 1 << 4;
        /// `@list`
        const LIST = 1 << 5;
        /// `@hash`
        const HASH = 1 << 6;
        /// `@string`
        const STRING = 1 << 7;
        /// `@bitmap`
        const BITMAP = 1 << 8;
        /// `@hyperloglog`
        const HYPERLOGLOG = 1 << 9;
        /// `@geo`
        const GEO = 1 << 10;
        /// `@stream`
        const STREAM = 1 << 11;
        /// `@pubsub`
        const PUBSUB = 1 << 12;
        /// `@admin`
        const ADMIN = 1 << 13;
        /// `@fast`
        const FAST = 1 << 14;
        /// `@slow`
        const SLOW = 1 << 15;
        /// `@blocking`
        const BLOCKING = 1 << 16;
        /// `@dangerous`
        const DANGEROUS = 1 << 17;
        /// `@connection`
        const CONNECTION = 1 << 18;
        /// `@transaction`
        const TRANSACTION = 1 << 19;
        /// `@scripting`
        const SCRIPTING = 1 << 20;
    }
}

bitflags! {
    /// What a command does with the keys of one key specification.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct KeyFlags: u16 {
        /// Reads and writes.
        const RW = 1 << 0;
        /// Only reads.
        const RO = 1 << 1;
        /// Overwrites whatever was there.
        const OW = 1 << 2;
        /// Removes.
        const RM = 1 << 3;
        /// Returns or uses the data.
        const ACCESS = 1 << 4;
        /// Updates the data.
        const UPDATE = 1 << 5;
        /// Adds to the data.
        const INSERT = 1 << 6;
        /// Deletes from the data.
        const DELETE = 1 << 7;
        /// Is not a key, but routed as one.
        const NOT_KEY = 1 << 8;
        /// The specification does not name all keys.
        const INCOMPLETE = 1 << 9;
        /// What is done depends on the arguments.
        const VARIABLE_FLAGS = 1 << 10;
    }
}

/// Where the search for keys begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this argument (the name is 0).
    Index(u8),
    /// After this word, looked for from this argument on; from the end if negative.
    Keyword(&'static str, i8),
    /// Cannot be told.
    Unknown,
}

/// Which arguments from there on are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindKeys {
    /// `last` counts from the beginning, or from the end if negative (-1 is the last argument); `limit` divides what
    /// remains, as in Redis.
    Range {
        /// The last key, relative to the first.
        last: i8,
        /// Every how many arguments a key stands.
        step: u8,
        /// 0, or: only one part in so many of the remaining arguments holds keys.
        limit: u8,
    },
    /// An argument says how many follow.
    KeyNum {
        /// Where the number stands, relative to the beginning.
        key_num: u8,
        /// Where the first key stands, relative to the beginning.
        first: u8,
        /// Every how many arguments a key stands.
        step: u8,
    },
    /// Cannot be told.
    Unknown,
}

/// One group of keys among a command's arguments. Source: Redis documentation, "Command key specifications".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySpec {
    /// What happens to these keys.
    pub flags: KeyFlags,
    /// Where they begin.
    pub begin: BeginSearch,
    /// Which arguments they are.
    pub find: FindKeys,
}

/// The group a command belongs to in the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the group of its name")]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    PubSub,
    Transactions,
    Connection,
    Server,
    Scripting,
    Cluster,
}

/// A command: one row of the table.
#[derive(Debug)]
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
