//! The file that a node saves its data in: when it is written, how that went, and loading it at the start.
//!
//! SAVE, BGSAVE and the save points write the same file in the same way (`snapshot`), on a thread of its own while
//! commands run. The new file takes the place of the old one only when it is complete and on the disk, so a save that
//! fails harms nothing. One is written at a time.
//!
//! A standalone node loads the file before it listens to anybody. One that cannot be read ends the start: going on without
//! it would end in its being overwritten. A node of a cluster loads none and writes one only when it is told to.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nuthatch_engine::{Context, Engine, LoadError, Loaded, NoEffects, Rng, Stats};
use nuthatch_proto::ids::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::clock;
use crate::node::Node;
use crate::snapshot;

/// How often the save points are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After a save has failed, the save points wait so long.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How much of the file is read at once.
const READ_AT_ONCE: usize = 1 << 20;

/// How the saves went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    /// When the data was last saved, in seconds since the epoch; at the start, when the node started.
    pub(crate) last_save: u64,
    /// How many changes had been made then.
    pub(crate) changes: u64,
    /// Whether the last one that was asked for in the background succeeded.
    pub(crate) ok: bool,
    /// How long it took.
    pub(crate) took: Option<Duration>,
    /// When the one that is on began.
    pub(crate) began: Option<Instant>,
    /// How many succeeded.
    pub(crate) saves: u64,
    /// What was loaded at the start.
    pub(crate) loaded: Loaded,
    /// When the last one ended.
    ended: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Persistence {
    record: Mutex<Record>,
    /// The file is being written, or is about to be.
    busy: AtomicBool,
    /// A save in the background is to begin.
    wanted: Notify,
}

/// A file cannot be loaded. `Display` says what to do about it.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot load {}: {source}; move the file away to start without its data, or put a good copy in its place",
    path.display()
)]
pub struct CannotLoad {
    path: PathBuf,
    source: LoadError,
}

impl Persistence {
    pub(crate) fn new(loaded: Loaded) -> Self {
        let record = Record {
            last_save: clock::since_epoch().as_secs(),
            changes: 0,
            ok: true,
            took: None,
            began: None,
            saves: 0,
            loaded,
            ended: None,
        };
        Self { record: Mutex::new(record), busy: AtomicBool::new(false), wanted: Notify::new() }
    }

    /// The counters of changes begin anew (`CONFIG RESETSTAT`).
    pub(crate) fn forget_changes(&self) {
        self.record.lock().changes = 0;
    }

    /// How the saves went.
    pub(crate) fn record(&self) -> Record {
        *self.record.lock()
    }

    /// Takes the right to write the file, for [`save`]; `false` if somebody has it.
    pub(crate) fn claim(&self) -> bool {
        let ours = !self.busy.swap(true, Ordering::AcqRel);
        if ours {
            self.record.lock().began = Some(clock::monotonic());
        }
        ours
    }

    /// Begins a save in the background; `false` if one is on.
    pub(crate) fn begin(&self) -> bool {
        let ours = self.claim();
        if ours {
            self.wanted.notify_one();
        }
        ours
    }

    /// Whether a save point asks for a save.
    fn is_due(&self, node: &Node) -> bool {
        let record = self.record();
        let waits = !record.ok && record.ended.is_some_and(|ended| ended.elapsed() < RETRY_AFTER);
        let changes = node.telemetry.sums().effects.saturating_sub(record.changes);
        let age = clock::since_epoch().as_secs().saturating_sub(record.last_save);
        let reached = |&(seconds, number): &(u64, u64)| age >= seconds && changes >= number && changes > 0;
        // A part of the data would be saved over all of it.
        !waits && !node.role.is_loading() && node.config.settings().save_points.iter().any(reached)
    }
}

/// Writes the file; whether that succeeded. The caller has claimed the right, has no turn, and may wait.
pub(crate) fn save(node: &Node, in_background: bool) -> bool {
    let settings = Arc::clone(&node.config.settings());
    let mut changes = 0;
    let taken = snapshot::take(node, &settings.dir, || changes = node.telemetry.sums().effects);
    let done = taken.and_then(|taken| taken.keep_as(&settings.dir, &settings.dbfilename));
    match &done {
        Ok(()) => tracing::info!("DB saved on disk"),
        Err(error) => tracing::warn!(
            "Cannot save the data to {}: {error}",
            settings.dir.join(&settings.dbfilename).display()
        ),
    }
    let mut record = node.persistence.record.lock();
    let began = record.began.take();
    record.ended = Some(clock::monotonic());
    if done.is_ok() {
        (record.last_save, record.changes) = (clock::since_epoch().as_secs(), changes);
        record.saves += 1;
    }
    if in_background || done.is_ok() {
        record.ok = done.is_ok();
    }
    if in_background {
        record.took = began.map(|began| began.elapsed());
    }
    drop(record);
    node.persistence.busy.store(false, Ordering::Release);
    done.is_ok()
}

/// Writes the file when that is asked for or a save point says so. Runs on the main thread until the node ends.
pub(crate) async fn run(node: Arc<Node>) {
    loop {
        let asked = timeout(LOOK_EVERY, node.persistence.wanted.notified()).await.is_ok();
        if asked || (!node.in_cluster() && node.persistence.is_due(&node) && node.persistence.claim()) {
            let saver = Arc::clone(&node);
            if spawn_blocking(move || save(&saver, true)).await.is_err() {
                tracing::error!("A save ended in a panic.");
            }
        }
    }
}

/// Writes the file at the end of a node that has save points.
pub(crate) async fn save_at_end(node: &Arc<Node>) {
    let is_whole = !node.in_cluster() && !node.role.is_loading();
    let wanted = is_whole && !node.config.settings().save_points.is_empty();
    if wanted && node.persistence.claim() {
        let saver = Arc::clone(node);
        // How it went is in the log.
        let _ = spawn_blocking(move || save(&saver, false)).await;
    }
}

/// Loads the file into an empty engine, if there is one.
pub(crate) fn load(engine: &Engine, path: &Path) -> Result<Loaded, CannotLoad> {
    let began = clock::monotonic();
    let loaded = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::default()),
        Err(error) => Err(LoadError::from(error)),
        Ok(file) => with_context(|cx| engine.load(cx, BufReader::with_capacity(READ_AT_ONCE, file))),
    };
    let loaded = loaded.map_err(|source| CannotLoad { path: path.to_owned(), source })?;
    tracing::info!(
        "DB loaded from disk: {} keys, {} that had expired left out, in {:.3} seconds",
        loaded.keys,
        loaded.expired,
        began.elapsed().as_secs_f64()
    );
    Ok(loaded)
}

/// Puts what the file has in place of the data, or beside it (`DEBUG RELOAD`). The caller has no turn, and may wait.
pub(crate) fn reload(node: &Node, flush: bool) -> Result<(), CannotLoad> {
    let settings = Arc::clone(&node.config.settings());
    let path = settings.dir.join(&settings.dbfilename);
    let loaded = File::open(&path).map_err(LoadError::from).and_then(|file| {
        node.engine.stand_still(|| {
            with_context(|cx| {
                if flush {
                    node.engine.clear(cx);
                }
                node.engine.load(cx, BufReader::with_capacity(READ_AT_ONCE, file))
            })
        })
    });
    loaded.map(drop).map_err(|source| CannotLoad { path, source })
}

/// Surroundings in which nobody hears of what changes.
pub(crate) fn with_context<R>(work: impl FnOnce(&mut Context<'_>) -> R) -> R {
    let (mut stats, mut rng) = (Stats::default(), Rng::new(0));
    let now: Timestamp = clock::now();
    work(&mut Context::new(now, &NoEffects, &mut stats, &mut rng))
}
