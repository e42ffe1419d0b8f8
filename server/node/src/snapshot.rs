//! Snapshots in files: all keys of one moment in Redis' RDB format, for a replica or for later.
//!
//! The file is written on a thread of its own, slot after slot, while commands run; whoever is about to change a slot that
//! is not in it yet adds it first ([`nuthatch_engine::Engine::begin_snapshot`]). Both write through one lock straight
//! into the file, so nothing piles up in memory: a disk that is slower than the writers holds them back.
//!
//! A snapshot is first a file of another name, and complete before it gets its own or is sent. One is taken at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nuthatch_engine::{Outline, RdbWriter, SnapshotSink};
use nuthatch_proto::slot::Slot;
use parking_lot::Mutex;

use crate::clock;
use crate::node::{Node, REDIS_VERSION};

/// How much is written to the file at once.
const WRITTEN_AT_ONCE: usize = 1 << 20;

/// The names of files that are not complete, one after the other.
static NUMBER: AtomicU64 = AtomicU64::new(0);

type Writer = RdbWriter<BufWriter<File>>;

/// The file on its way: what is written to it, or why that failed.
struct Sink(Mutex<io::Result<Writer>>);

impl SnapshotSink for Sink {
    fn take(&self, db: usize, keys: &[u8]) {
        let mut writer = self.0.lock();
        if let Err(error) = writer.as_mut().map_or(Ok(()), |writer| writer.put(db, keys)) {
            *writer = Err(error);
        }
    }
}

/// A complete snapshot under a name of its own. The file is removed unless it is taken.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) file: File,
    pub(crate) len: u64,
    path: Temporary,
}

/// A file that is removed when nobody wants it.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may have its final name by now.
        let _ = fs::remove_file(&self.0);
    }
}

impl Taken {
    /// Gives it that name in its directory, when it is safe on the disk.
    pub(crate) fn keep_as(self, directory: &Path, name: &str) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path.0, directory.join(name))?;
        File::open(directory)?.sync_all()
    }
}

/// Takes a snapshot into a file of that directory. `at_the_moment` runs at its moment, while no thread has a turn. It
/// takes long: the caller is a thread that may wait, and has no turn.
pub(crate) fn take(node: &Node, directory: &Path, at_the_moment: impl FnOnce()) -> io::Result<Taken> {
    let _one = node.snapshots.lock();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = directory.join(format!("temp-{}-{number}.rdb", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    let path = Temporary(path);
    let mut sink = None;
    node.engine.stand_still(|| {
        at_the_moment();
        node.engine.begin_snapshot(|outline| {
            let begun = Arc::new(Sink(Mutex::new(begin(file, outline))));
            sink = Some(Arc::clone(&begun));
            begun
        })
    });
    let busy = || io::Error::other("another snapshot is being taken");
    let sink = sink.ok_or_else(busy)?;
    for slot in Slot::all() {
        node.engine.copy_slot(slot);
        if sink.0.lock().is_err() {
            break;
        }
    }
    node.engine.end_snapshot();
    let sink = Arc::into_inner(sink).ok_or_else(busy)?;
    let (out, len) = sink.0.into_inner()?.finish()?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(Taken { file, len, path })
}

fn begin(file: File, outline: &Outline) -> io::Result<Writer> {
    let created = clock::since_epoch().as_secs().to_string();
    let words = [("redis-ver", REDIS_VERSION), ("redis-bits", "64"), ("ctime", &created)];
    RdbWriter::new(BufWriter::with_capacity(WRITTEN_AT_ONCE, file), outline, &words)
}
