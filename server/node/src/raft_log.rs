//! The node's identity and its part of the metadata log, in one redb file: `DIR/metadata.redb`.
//!
//! What it is not: it does not know what an entry, a hard state or a topology means; the cluster crate encodes them and
//! this file keeps the bytes. Keys and values of clients are never here.
//!
//! The idea: one Raft `Ready` is one transaction. Entries, hard state, snapshot and the applied topology become durable
//! together or not at all, so no order of writes can be got wrong and recovery is nothing but reading. Changing from
//! one metadata group to another replaces everything but the node's identity, in one transaction as well.
//!
//! Invariants:
//! - a method that returned `Ok` has been synced to the disk;
//! - after an error nothing more may be sent or answered on the strength of what was to be written: the caller stops
//!   the node, because a second attempt after a failed fsync can succeed without the data being there;
//! - the file is locked while it is open, so two processes never share an identity;
//! - appending entries removes the old ones from the first new index on (a conflicting suffix never survives).
//!
//! Neighbours: `driver/metadata` is the only writer.

use std::path::{Path, PathBuf};

use nuthatch_proto::ids::NodeId;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

/// The file's name inside the node's directory.
pub const FILE_NAME: &str = "metadata.redb";

/// Rises when an older program could no longer read the file.
const FORMAT: u64 = 1;

/// The topology and a few log entries are all there is to read: redb's default of 1 GiB is for databases.
const CACHE_BYTES: usize = 1024 * 1024;

const VALUES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("values");
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");

const KEY_FORMAT: &str = "format";
const KEY_NODE: &str = "node_id";
const KEY_STORAGE: &str = "storage_id";
const KEY_GROUP: &str = "group_id";
const KEY_RAFT_ID: &str = "raft_id";
const KEY_HARD_STATE: &str = "hard_state";
const KEY_SNAPSHOT: &str = "snapshot";
const KEY_APPLIED: &str = "applied";
const KEY_TOPOLOGY: &str = "topology";
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

/// Who this node is, and in which group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Drawn when the directory was made, or by `CLUSTER RESET HARD`.
    pub node: NodeId,
    /// Drawn when the directory was made and never changed: the same node id on another disk is another node.
    pub storage: [u8; 16],
    /// The metadata group that the node belongs to.
    pub group: [u8; 16],
    /// The node's id in that Raft group; 0 is none.
    pub raft_id: u64,
}

/// Everything that the file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Who this node is.
    pub identity: Identity,
    /// The Raft hard state; empty if none was written.
    pub hard_state: Vec<u8>,
    /// The Raft snapshot that the log begins after; empty if none was written.
    pub snapshot: Vec<u8>,
    /// The log after the snapshot: index and record, in order.
    pub entries: Vec<(u64, Vec<u8>)>,
    /// The log index up to which `topology` has been brought; 0 if none was written.
    pub applied: u64,
    /// The topology at that index; empty if none was written.
    pub topology: Vec<u8>,
    /// The address of the group that the node was about to join when it stopped.
    pub pending_join: Option<String>,
}

/// What one transaction changes; what is `None` or empty stays as it is.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Update {
    /// Records to append: index and bytes, without gaps. Older ones from the first index on are removed.
    pub entries: Vec<(u64, Vec<u8>)>,
    /// The Raft hard state.
    pub hard_state: Option<Vec<u8>>,
    /// The Raft snapshot.
    pub snapshot: Option<Vec<u8>>,
    /// Remove the entries up to this index, itself included: the snapshot covers them.
    pub compact_through: Option<u64>,
    /// The applied index and the topology at it.
    pub applied: Option<(u64, Vec<u8>)>,
}

impl Update {
    /// True when there is nothing to write, and so nothing to sync.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
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

    /// Reads everything. `None`: the file is new, and [`RaftLog::replace`] makes the node's identity.
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
        let format = self.number(KEY_FORMAT, read(KEY_FORMAT)?)?;
        if format > FORMAT {
            return Err(RaftLogError::TooNew { path: self.path.clone(), found: format });
        }
        let identity = Identity {
            node: NodeId(self.array(KEY_NODE, read(KEY_NODE)?)?),
            storage: self.array(KEY_STORAGE, read(KEY_STORAGE)?)?,
            group: self.array(KEY_GROUP, read(KEY_GROUP)?)?,
            raft_id: self.number(KEY_RAFT_ID, read(KEY_RAFT_ID)?)?,
        };
        let applied = read(KEY_APPLIED)?.map_or(Ok(0), |bytes| self.number(KEY_APPLIED, Some(bytes)))?;
        let pending_join = read(KEY_PENDING_JOIN)?
            .map(|bytes| String::from_utf8(bytes).map_err(|_| self.damaged(KEY_PENDING_JOIN)))
            .transpose()?;
        Ok(Some(Stored {
            identity,
            hard_state: read(KEY_HARD_STATE)?.unwrap_or_default(),
            snapshot: read(KEY_SNAPSHOT)?.unwrap_or_default(),
            entries: self.entries(&transaction)?,
            applied,
            topology: read(KEY_TOPOLOGY)?.unwrap_or_default(),
            pending_join,
        }))
    }

    fn entries(&self, transaction: &redb::ReadTransaction) -> Result<Vec<(u64, Vec<u8>)>, RaftLogError> {
        let table = transaction.open_table(ENTRIES).map_err(|e| self.fault(e))?;
        let mut entries: Vec<(u64, Vec<u8>)> = Vec::new();
        for row in table.iter().map_err(|e| self.fault(e))? {
            let (index, record) = row.map_err(|e| self.fault(e))?;
            let index = index.value();
            if entries.last().is_some_and(|(last, _)| last + 1 != index) {
                return Err(self.damaged("a gap in the log"));
            }
            entries.push((index, record.value().to_vec()));
        }
        Ok(entries)
    }

    /// Writes one `Ready`.
    ///
    /// # Errors
    /// If it is not certainly on the disk: the node must stop.
    pub fn write(&self, update: &Update) -> Result<(), RaftLogError> {
        if update.is_empty() {
            return Ok(());
        }
        self.transact(|transaction| put_update(transaction, update))
    }

    /// Begins anew, in a group: forgets the log, the hard state, the topology and any pending join.
    ///
    /// # Errors
    /// If it is not certainly on the disk: the node must stop.
    pub fn replace(&self, identity: &Identity, update: &Update) -> Result<(), RaftLogError> {
        self.transact(|transaction| {
            {
                let mut values = transaction.open_table(VALUES)?;
                for key in [KEY_HARD_STATE, KEY_SNAPSHOT, KEY_APPLIED, KEY_TOPOLOGY, KEY_PENDING_JOIN] {
                    values.remove(key)?;
                }
                values.insert(KEY_FORMAT, FORMAT.to_be_bytes().as_slice())?;
                values.insert(KEY_NODE, identity.node.0.as_slice())?;
                values.insert(KEY_STORAGE, identity.storage.as_slice())?;
                values.insert(KEY_GROUP, identity.group.as_slice())?;
                values.insert(KEY_RAFT_ID, identity.raft_id.to_be_bytes().as_slice())?;
                transaction.open_table(ENTRIES)?.retain(|_, _| false)?;
            }
            put_update(transaction, update)
        })
    }

    /// Remembers which group the node is about to join, or that it no longer is.
    ///
    /// # Errors
    /// If it is not certainly on the disk: the node must stop.
    pub fn set_pending_join(&self, address: Option<&str>) -> Result<(), RaftLogError> {
        self.transact(|transaction| {
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
        change: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), RaftLogError> {
        let attempt = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            change(&transaction)?;
            transaction.commit()?;
            Ok(())
        };
        attempt().map_err(|e| self.fault(e))
    }

    fn array<const N: usize>(&self, key: &str, bytes: Option<Vec<u8>>) -> Result<[u8; N], RaftLogError> {
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| self.damaged(key))
    }

    fn number(&self, key: &str, bytes: Option<Vec<u8>>) -> Result<u64, RaftLogError> {
        self.array(key, bytes).map(u64::from_be_bytes)
    }

    /// The error for a value that this program would not have written; also for callers that decode the values.
    #[must_use]
    pub fn damaged(&self, what: &str) -> RaftLogError {
        RaftLogError::Damaged { path: self.path.clone(), what: what.to_owned() }
    }

    fn fault(&self, source: impl Into<redb::Error>) -> RaftLogError {
        fault(&self.path, source)
    }
}

fn put_update(transaction: &WriteTransaction, update: &Update) -> Result<(), redb::Error> {
    let mut values = transaction.open_table(VALUES)?;
    if let Some(hard_state) = &update.hard_state {
        values.insert(KEY_HARD_STATE, hard_state.as_slice())?;
    }
    if let Some(snapshot) = &update.snapshot {
        values.insert(KEY_SNAPSHOT, snapshot.as_slice())?;
    }
    if let Some((index, topology)) = &update.applied {
        values.insert(KEY_APPLIED, index.to_be_bytes().as_slice())?;
        values.insert(KEY_TOPOLOGY, topology.as_slice())?;
    }
    let mut entries = transaction.open_table(ENTRIES)?;
    if let Some(through) = update.compact_through {
        entries.retain_in(..=through, |_, _| false)?;
    }
    if let Some((first, _)) = update.entries.first() {
        entries.retain_in(*first.., |_, _| false)?;
    }
    for (index, record) in &update.entries {
        entries.insert(index, record.as_slice())?;
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
    use super::*;

    /// A directory that goes away with the test.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("nuthatch-raft-log-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("the temporary directory is writable");
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn identity(n: u8) -> Identity {
        Identity { node: NodeId([n; 20]), storage: [n; 16], group: [n + 1; 16], raft_id: u64::from(n) }
    }

    fn records(range: std::ops::Range<u64>, tag: &str) -> Vec<(u64, Vec<u8>)> {
        range.map(|index| (index, format!("{tag}{index}").into_bytes())).collect()
    }

    /// Runs the steps on a new file, each on a freshly opened one, and compares what is there in the end.
    #[track_caller]
    fn check(name: &str, steps: &[&dyn Fn(&RaftLog)], expected: &Stored) {
        let directory = Directory::new(name);
        for step in steps {
            step(&RaftLog::open(&directory.0).unwrap());
        }
        let log = RaftLog::open(&directory.0).unwrap();
        assert_eq!(log.load().unwrap().as_ref(), Some(expected));
    }

    fn blank(identity: Identity) -> Stored {
        Stored {
            identity,
            hard_state: Vec::new(),
            snapshot: Vec::new(),
            entries: Vec::new(),
            applied: 0,
            topology: Vec::new(),
            pending_join: None,
        }
    }

    #[test]
    fn a_new_file_is_blank_until_it_gets_an_identity() {
        let directory = Directory::new("blank");
        assert_eq!(RaftLog::open(&directory.0).unwrap().load().unwrap(), None);
        check(
            "identity",
            &[&|log| log.replace(&identity(1), &Update::default()).unwrap()],
            &blank(identity(1)),
        );
    }

    #[test]
    fn what_was_written_is_there_after_a_restart() {
        let first = Update {
            entries: records(2..6, "a"),
            hard_state: Some(b"term 1".to_vec()),
            snapshot: Some(b"at 1".to_vec()),
            compact_through: None,
            applied: Some((3, b"topology 3".to_vec())),
        };
        check(
            "restart",
            &[&|log| log.replace(&identity(1), &Update::default()).unwrap(), &|log| {
                log.write(&first).unwrap()
            }],
            &Stored {
                hard_state: b"term 1".to_vec(),
                snapshot: b"at 1".to_vec(),
                entries: records(2..6, "a"),
                applied: 3,
                topology: b"topology 3".to_vec(),
                ..blank(identity(1))
            },
        );
    }

    #[test]
    fn appending_removes_a_conflicting_suffix_and_compaction_the_covered_prefix() {
        let mut expected = records(4..5, "a");
        expected.extend(records(5..7, "b"));
        check(
            "suffix",
            &[
                &|log| log.replace(&identity(1), &Update::default()).unwrap(),
                &|log| log.write(&Update { entries: records(2..9, "a"), ..Update::default() }).unwrap(),
                &|log| log.write(&Update { entries: records(5..7, "b"), ..Update::default() }).unwrap(),
                &|log| log.write(&Update { compact_through: Some(3), ..Update::default() }).unwrap(),
            ],
            &Stored { entries: expected, ..blank(identity(1)) },
        );
    }

    #[test]
    fn changing_the_group_forgets_everything_but_what_is_given() {
        let switched = Identity { group: [9; 16], raft_id: 77, ..identity(1) };
        check(
            "switch",
            &[
                &|log| log.replace(&identity(1), &Update::default()).unwrap(),
                &|log| {
                    let update = Update {
                        entries: records(2..4, "a"),
                        hard_state: Some(b"old".to_vec()),
                        applied: Some((3, b"old".to_vec())),
                        ..Update::default()
                    };
                    log.write(&update).unwrap();
                    log.set_pending_join(Some("127.0.0.1:17001")).unwrap();
                    assert_eq!(log.load().unwrap().unwrap().pending_join.as_deref(), Some("127.0.0.1:17001"));
                },
                &|log| {
                    let topology = Update { applied: Some((5, b"new".to_vec())), ..Update::default() };
                    log.replace(&switched, &topology).unwrap();
                },
            ],
            &Stored { applied: 5, topology: b"new".to_vec(), ..blank(switched.clone()) },
        );
    }

    #[test]
    fn a_second_process_is_told_that_the_directory_is_taken() {
        let directory = Directory::new("taken");
        let _first = RaftLog::open(&directory.0).unwrap();
        let refused = RaftLog::open(&directory.0).unwrap_err();
        assert!(matches!(refused, RaftLogError::InUse { .. }), "{refused}");
    }

    #[test]
    fn a_file_that_is_something_else_is_named_and_not_touched() {
        let directory = Directory::new("damaged");
        let path = directory.0.join(FILE_NAME);
        std::fs::write(&path, vec![0xA5; 8192]).unwrap();
        let refused = RaftLog::open(&directory.0).unwrap_err();
        assert!(matches!(refused, RaftLogError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains(&path.display().to_string()), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), vec![0xA5; 8192]);
    }

    #[test]
    fn a_value_of_the_wrong_size_is_damage() {
        let directory = Directory::new("size");
        let log = RaftLog::open(&directory.0).unwrap();
        log.replace(&identity(1), &Update::default()).unwrap();
        log.transact(|transaction| {
            transaction.open_table(VALUES)?.insert(KEY_NODE, b"short".as_slice())?;
            Ok(())
        })
        .unwrap();
        assert!(matches!(log.load(), Err(RaftLogError::Damaged { .. })));
    }
}
