//! The node's identity and its part of the metadata log, in one redb file: `DIR/metadata.redb`.
//!
//! What it is not: it does not know what an entry, a hard state or a topology means; the cluster crate encodes them and
//! this file keeps the bytes. Keys and values of clients are never here.
//!
//! The idea: one round of the metadata machine is one transaction. Entries, hard state, snapshot and the applied topology
//! become durable together or not at all, so no order of writes can be got wrong and recovery is nothing but reading.
//! Changing from one metadata group to another replaces all of it, in one transaction as well.
//!
//! Invariants:
//! - a method that returned `Ok` has been synced to the disk, unless the batch said that it need not be;
//! - after an error nothing more may be sent or answered on the strength of what was to be written: the caller stops
//!   the node, because a second attempt after a failed fsync can succeed without the data being there;
//! - the file is locked while it is open, so two processes never share an identity.
//!
//! Neighbours: `driver/metadata` is the only writer; the batches and their bytes are those of the cluster crate's
//! `metadata::record`.

use std::path::{Path, PathBuf};

use nuthatch_cluster::metadata::{PersistBatch, Restored, ValueKey};
use nuthatch_cluster::topology::{Address, GroupId, Joiner, ProcessId, RaftId, StorageId, Topology};
use nuthatch_proto::ids::{NodeId, ShardId};
use redb::{
    Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction,
};

/// The file's name inside the node's directory.
pub const FILE_NAME: &str = "metadata.redb";

/// Rises when an older program could no longer read the file.
const FORMAT: u64 = 1;

/// The topology and a few log entries are all there is to read: redb's default of 1 GiB is for databases.
const CACHE_BYTES: usize = 1024 * 1024;

/// The node's own values, and under the names of [`ValueKey`] those of the metadata machine.
const VALUES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("values");
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");

const KEY_FORMAT: &str = "format";
const KEY_NODE: &str = "node_id";
const KEY_STORAGE: &str = "storage_id";
const KEY_SHARD: &str = "shard_id";
const KEY_FOLLOWED: &str = "followed_topology";
const KEY_PENDING_JOIN: &str = "pending_join";

/// Why the metadata file cannot be used. The text names the file.
#[derive(Debug, thiserror::Error)]
pub enum RaftLogError {
    /// Another process holds the lock.
    #[error("{path} is in use by another process: give every node a directory of its own (option dir)", path = path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The bytes are not what this program wrote.
    #[error("{path} is damaged ({what}): move it away and the node starts blank, to join its cluster anew", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// A newer program wrote the file.
    #[error("{path} has format {found}, this program reads up to {FORMAT}: start the newer version again", path = path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The format it has.
        found: u64,
    },
    /// The disk or the file system refused.
    #[error("{path} cannot be read or written", path = path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// What redb says.
        #[source]
        source: Box<redb::Error>,
    },
}

/// Who this node is, whatever group it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeIdentity {
    /// Drawn when the directory was made, or by `CLUSTER RESET HARD`.
    pub node: NodeId,
    /// Drawn when the directory was made, or by any `CLUSTER RESET`: the same node id without what its Raft member
    /// promised is another member.
    pub storage: StorageId,
    /// The shard that the node brings along when it joins.
    pub shard: ShardId,
}

/// Everything that the file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Who this node is.
    pub identity: NodeIdentity,
    /// What the metadata machine goes on from.
    pub machine: Restored,
    /// The last topology that another member sent.
    pub followed: Option<Topology>,
    /// The address of the group that the node was about to join when it stopped.
    pub pending_join: Option<String>,
}

/// The open file.
#[derive(Debug)]
pub struct RaftLog {
    database: Database,
    path: PathBuf,
}

impl RaftLog {
    /// Opens the file in `directory`, or makes it.
    ///
    /// # Errors
    /// If another process has it open, or it cannot be read.
    pub fn open(directory: &Path) -> Result<Self, RaftLogError> {
        let path = directory.join(FILE_NAME);
        match Database::builder().set_cache_size(CACHE_BYTES).create(&path) {
            Ok(database) => Ok(Self { database, path }),
            Err(source) => Err(fault(&path, source)),
        }
    }

    /// Reads everything. `None`: the file is new, and [`RaftLog::found`] makes the node's identity.
    ///
    /// # Errors
    /// If the file cannot be read, or does not hold what this program writes.
    pub fn load(&self) -> Result<Option<Stored>, RaftLogError> {
        let transaction = self.database.begin_read().map_err(|e| self.fault(e))?;
        let values = match transaction.open_table(VALUES) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(other) => return Err(self.fault(other)),
        };
        let read = |key: &str| -> Result<Option<Vec<u8>>, RaftLogError> {
            Ok(values.get(key).map_err(|e| self.fault(e))?.map(|bytes| bytes.value().to_vec()))
        };
        let format = u64::from_be_bytes(self.array(KEY_FORMAT, read(KEY_FORMAT)?)?);
        if format > FORMAT {
            return Err(RaftLogError::TooNew { path: self.path.clone(), found: format });
        }
        let identity = NodeIdentity {
            node: NodeId(self.array(KEY_NODE, read(KEY_NODE)?)?),
            storage: StorageId(self.array(KEY_STORAGE, read(KEY_STORAGE)?)?),
            shard: ShardId(self.array(KEY_SHARD, read(KEY_SHARD)?)?),
        };
        let mut of_machine = Vec::new();
        for key in ValueKey::ALL {
            of_machine.push((key, read(key.name())?));
        }
        let value =
            |wanted| of_machine.iter().find(|(key, _)| *key == wanted).and_then(|(_, value)| value.clone());
        let machine = Restored::read(value, self.entries(&transaction)?);
        let machine = machine.map_err(|error| self.damaged(&error.to_string()))?;
        let followed = read(KEY_FOLLOWED)?.map(|bytes| Topology::decode(&bytes)).transpose();
        let pending_join = read(KEY_PENDING_JOIN)?.map(String::from_utf8).transpose();
        Ok(Some(Stored {
            identity,
            machine: machine.ok_or_else(|| self.damaged("the metadata group's identity is missing"))?,
            followed: followed.map_err(|error| self.damaged(&format!("{KEY_FOLLOWED}: {error}")))?,
            pending_join: pending_join.map_err(|_| self.damaged(KEY_PENDING_JOIN))?,
        }))
    }

    fn entries(&self, transaction: &ReadTransaction) -> Result<Vec<(u64, Vec<u8>)>, RaftLogError> {
        let table = transaction.open_table(ENTRIES).map_err(|e| self.fault(e))?;
        let rows = table.iter().map_err(|e| self.fault(e))?;
        let record = |row: Result<(redb::AccessGuard<'_, u64>, redb::AccessGuard<'_, &[u8]>), _>| {
            row.map(|(index, bytes)| (index.value(), bytes.value().to_vec())).map_err(|e| self.fault(e))
        };
        rows.map(record).collect()
    }

    /// Writes one round of the metadata machine.
    ///
    /// # Errors
    /// If it is not certainly on the disk: the node must stop.
    pub fn write(&self, batch: &PersistBatch) -> Result<(), RaftLogError> {
        if batch.is_empty() {
            return Ok(());
        }
        let durability = if batch.must_sync { Durability::Immediate } else { Durability::None };
        self.transact(durability, |transaction| put_batch(transaction, batch))
    }

    /// Makes this the directory of that node, alone in a new group. Whatever was there is gone.
    ///
    /// # Errors
    /// If it is not certainly on the disk: the node must stop.
    pub fn found(
        &self,
        identity: &NodeIdentity,
        process: ProcessId,
        group: GroupId,
        address: Address,
    ) -> Result<(), RaftLogError> {
        let &NodeIdentity { node, storage, shard } = identity;
        let founder = Joiner { id: node, shard, storage, process, address, slots: Vec::new() };
        let batch = PersistBatch::found(group, founder);
        self.transact(Durability::Immediate, |transaction| {
            {
                let mut values = transaction.open_table(VALUES)?;
                values.remove(KEY_FOLLOWED)?;
                values.remove(KEY_PENDING_JOIN)?;
                values.insert(KEY_FORMAT, FORMAT.to_be_bytes().as_slice())?;
                values.insert(KEY_NODE, node.0.as_slice())?;
                values.insert(KEY_STORAGE, storage.0.as_slice())?;
                values.insert(KEY_SHARD, shard.0.as_slice())?;
            }
            put_batch(transaction, &batch)
        })
    }

    /// Gives up the group that the node was alone in: it has become a member of the one with that topology.
    ///
    /// # Errors
    /// If it is not certainly on the disk: the node must stop.
    pub fn join(&self, group: GroupId, id: RaftId, topology: &Topology) -> Result<(), RaftLogError> {
        self.transact(Durability::Immediate, |transaction| {
            {
                let mut values = transaction.open_table(VALUES)?;
                values.remove(KEY_PENDING_JOIN)?;
                values.insert(KEY_FOLLOWED, topology.encode().as_slice())?;
            }
            put_batch(transaction, &PersistBatch::join(group, id))
        })
    }

    /// Remembers a topology that another member sent, so that a restart knows whom to ask.
    ///
    /// # Errors
    /// If it is not certainly on the disk: the node must stop.
    pub fn set_followed(&self, topology: &Topology) -> Result<(), RaftLogError> {
        self.transact(Durability::Immediate, |transaction| {
            transaction.open_table(VALUES)?.insert(KEY_FOLLOWED, topology.encode().as_slice())?;
            Ok(())
        })
    }

    /// Remembers which group the node is about to join, or that it no longer is.
    ///
    /// # Errors
    /// If it is not certainly on the disk: the node must stop.
    pub fn set_pending_join(&self, address: Option<&str>) -> Result<(), RaftLogError> {
        self.transact(Durability::Immediate, |transaction| {
            let mut values = transaction.open_table(VALUES)?;
            match address {
                Some(address) => values.insert(KEY_PENDING_JOIN, address.as_bytes())?,
                None => values.remove(KEY_PENDING_JOIN)?,
            };
            Ok(())
        })
    }

    fn transact(
        &self,
        durability: Durability,
        change: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), RaftLogError> {
        let attempt = || -> Result<(), redb::Error> {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(durability)?;
            change(&transaction)?;
            transaction.commit()?;
            Ok(())
        };
        attempt().map_err(|e| self.fault(e))
    }

    fn array<const N: usize>(&self, key: &str, bytes: Option<Vec<u8>>) -> Result<[u8; N], RaftLogError> {
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| self.damaged(key))
    }

    /// The error for a value that this program would not have written; also for callers that read the values.
    #[must_use]
    pub fn damaged(&self, what: &str) -> RaftLogError {
        RaftLogError::Damaged { path: self.path.clone(), what: what.to_owned() }
    }

    fn fault(&self, source: impl Into<redb::Error>) -> RaftLogError {
        fault(&self.path, source)
    }
}

/// First the deletions, then what is written, as the batch has it.
fn put_batch(transaction: &WriteTransaction, batch: &PersistBatch) -> Result<(), redb::Error> {
    let mut entries = transaction.open_table(ENTRIES)?;
    for range in &batch.delete {
        entries.retain_in(range.clone(), |_, _| false)?;
    }
    for (index, record) in &batch.put {
        entries.insert(index, record.as_slice())?;
    }
    let mut values = transaction.open_table(VALUES)?;
    for (key, value) in &batch.values {
        match value {
            Some(value) => values.insert(key.name(), value.as_slice())?,
            None => values.remove(key.name())?,
        };
    }
    Ok(())
}

fn fault(path: &Path, source: impl Into<redb::Error>) -> RaftLogError {
    let path = path.to_owned();
    let source = source.into();
    if matches!(source, redb::Error::DatabaseAlreadyOpen) {
        return RaftLogError::InUse { path };
    }
    if let redb::Error::Corrupted(what) = source {
        return RaftLogError::Damaged { path, what };
    }
    if let redb::Error::Io(error) = &source
        && error.kind() == std::io::ErrorKind::InvalidData
    {
        return RaftLogError::Damaged { path, what: error.to_string() };
    }
    RaftLogError::Storage { path, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use nuthatch_cluster::metadata::{Machine, MetadataConfig};
    use nuthatch_cluster::topology::{Proposal, ProposalId, SlotRange, TopologyChange};

    use super::*;

    /// A directory that goes away with the test.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nuthatch-raft-log-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("the temporary directory is writable");
            Self(path)
        }

        fn open(&self) -> RaftLog {
            RaftLog::open(&self.0).expect("nobody else has it open")
        }

        fn load(&self) -> Stored {
            self.open().load().expect("readable").expect("not blank")
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const IDENTITY: NodeIdentity =
        NodeIdentity { node: NodeId([1; 20]), storage: StorageId([2; 16]), shard: ShardId([3; 20]) };

    fn address() -> Address {
        Address { host: "127.0.0.1".to_owned(), port: 7001, bus_port: 17001, hostname: String::new() }
    }

    fn found(log: &RaftLog) {
        log.found(&IDENTITY, ProcessId([4; 16]), GroupId([5; 16]), address()).expect("the disk works");
    }

    /// Runs the machine that the file holds: it assigns a slot, as a node that is alone does.
    fn assign(log: &RaftLog, seq: u64, slot: u16) -> Topology {
        let restored = log.load().expect("readable").expect("not blank").machine;
        let mut machine = Machine::new(restored, MetadataConfig::with_seed(1)).expect("a possible start");
        let ranges = vec![SlotRange::from_numbers(slot, slot).expect("a slot")];
        let change = TopologyChange::AddSlots { node: IDENTITY.node, ranges };
        let proposal = Proposal { id: ProposalId { node: IDENTITY.node, seq }, changes: vec![change] };
        let mut proposed = false;
        loop {
            while let Some(ready) = machine.ready() {
                log.write(&ready.persist).expect("the disk works");
                let _ = machine.persisted(ready.after);
            }
            if proposed {
                return Topology::clone(machine.topology().expect("its own"));
            }
            proposed = machine.propose(&proposal).is_ok();
        }
    }

    #[test]
    fn a_new_file_is_blank_until_a_group_is_founded() {
        let directory = Directory::new("blank");
        assert_eq!(directory.open().load().expect("readable"), None);
        found(&directory.open());
        let stored = directory.load();
        assert_eq!((stored.identity, stored.machine.group()), (IDENTITY, GroupId([5; 16])));
        assert_eq!((stored.followed, stored.pending_join), (None, None));
    }

    #[test]
    fn what_the_machine_agreed_is_there_after_a_restart() {
        let directory = Directory::new("restart");
        found(&directory.open());
        assign(&directory.open(), 1, 5);
        let agreed = assign(&directory.open(), 2, 7);
        let restored = directory.load().machine;
        let topology = restored.topology().expect("its own");
        assert_eq!(topology.ranges_of(IDENTITY.shard), agreed.ranges_of(IDENTITY.shard));
        assert_eq!(topology.assigned(), 2);
    }

    #[test]
    fn joining_forgets_the_old_group_and_founding_forgets_everything() {
        let directory = Directory::new("switch");
        found(&directory.open());
        let alone = assign(&directory.open(), 1, 5);
        directory.open().set_pending_join(Some("127.0.0.1:17001")).expect("the disk works");
        assert_eq!(directory.load().pending_join.as_deref(), Some("127.0.0.1:17001"));

        directory.open().join(GroupId([9; 16]), RaftId(77), &alone).expect("the disk works");
        let member = directory.load();
        assert_eq!((member.identity, member.pending_join), (IDENTITY, None));
        assert_eq!((member.machine.group(), member.machine.raft_id()), (GroupId([9; 16]), RaftId(77)));
        assert_eq!((member.machine.topology(), member.followed.as_ref()), (None, Some(&alone)));

        let another = NodeIdentity { node: NodeId([8; 20]), ..IDENTITY };
        let log = directory.open();
        log.found(&another, ProcessId([4; 16]), GroupId([6; 16]), address()).expect("the disk works");
        drop(log);
        let anew = directory.load();
        assert_eq!((anew.identity, anew.machine.group(), anew.followed), (another, GroupId([6; 16]), None));
    }

    #[test]
    fn a_second_process_is_told_that_the_directory_is_taken() {
        let directory = Directory::new("taken");
        let _first = directory.open();
        let refused = RaftLog::open(&directory.0).expect_err("it is locked");
        assert!(matches!(refused, RaftLogError::InUse { .. }), "{refused}");
    }

    #[test]
    fn a_file_that_is_something_else_is_named_and_not_touched() {
        let directory = Directory::new("damaged");
        let path = directory.0.join(FILE_NAME);
        std::fs::write(&path, vec![0xA5; 8192]).expect("writable");
        let refused = RaftLog::open(&directory.0).expect_err("no redb file");
        assert!(matches!(refused, RaftLogError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains(&path.display().to_string()), "{refused}");
        assert_eq!(std::fs::read(&path).expect("readable"), vec![0xA5; 8192]);
    }

    #[test]
    fn a_value_that_this_program_would_not_write_is_damage() {
        for key in [KEY_NODE, KEY_FOLLOWED, "applied"] {
            let directory = Directory::new(&format!("value-{key}"));
            let log = directory.open();
            found(&log);
            let put = |transaction: &WriteTransaction| {
                transaction.open_table(VALUES)?.insert(key, b"\xff short".as_slice())?;
                Ok(())
            };
            log.transact(Durability::Immediate, put).expect("the disk works");
            assert!(matches!(log.load(), Err(RaftLogError::Damaged { .. })), "{key}");
        }
    }
}
