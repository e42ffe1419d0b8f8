//! One node: builds its parts, starts their threads, stops them in order.
//!
//! [`Node`] is what every thread may see: shared, immutable or behind its own synchronisation. Its threads are the
//! main one (listening, signals, samples), one IO thread per core, and in cluster mode those of the control plane.
//!
//! Start: sockets first, so that a taken port is known before anything else happens; then the parts; then the threads.
//! Stop: no more connections, then the IO threads with the connections they have, then the rest.

pub(crate) mod freeing;
mod huge_pages;
pub(crate) mod limits;
pub(crate) mod upkeep;

use std::fmt::Write;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use nuthatch_engine::{Engine, EngineOptions, Loaded};
use nuthatch_proto::ids::Timestamp;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::freeing::Freeing;
use crate::admin::pause::Pause;
use crate::clock;
use crate::config::{Config, Settings};
use crate::driver::{self, Control, ControlError, ControlOptions, MetadataHandle, Rules};
use crate::feed::Feed;
use crate::memory::Peak;
use crate::monitors::Monitors;
use crate::net::clients::Clients;
use crate::net::io_thread::IoThread;
use crate::net::listener;
use crate::persistence::{self, CannotLoad, Persistence};
use crate::pubsub::{self, Pubsub};
use crate::replica_link;
use crate::role::{Primary, Role};
use crate::rpc::secret::Secret;
use crate::script::{self, Scripts};
use crate::telemetry::{Telemetry, log};

/// The version of Redis whose commands and words these are.
pub(crate) const REDIS_VERSION: &str = "7.2.4";

/// The node could not start. `Display` is one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot listen there.
    #[error(
        "option '{option}': cannot listen on {address}: {source}; end what listens there, or choose another port or `bind`"
    )]
    Listen {
        /// The option that is at fault.
        option: &'static str,
        /// Where.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// A directory or a file that it needs.
    #[error(
        "option '{option}': cannot use {}: {source}; name a place where this process may write",
        path.display()
    )]
    File {
        /// The option that names it.
        option: &'static str,
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Too few open files are allowed.
    #[error(
        "the limit of open files leaves no room for clients: raise it (`ulimit -n`, or LimitNOFILE of systemd)"
    )]
    Descriptors,
    /// The control plane.
    #[error(transparent)]
    Cluster(#[from] ControlError),
    /// The data that was saved.
    #[error(transparent)]
    Data(#[from] CannotLoad),
    /// The system refuses something: a thread, entropy, a signal.
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}

/// What all threads of a node share.
pub struct Node {
    pub(crate) config: Config,
    pub(crate) engine: Arc<Engine>,
    /// Frees large values that are gone.
    pub(crate) freeing: Freeing,
    pub(crate) clients: Clients,
    /// Who is shown every command.
    pub(crate) monitors: Monitors,
    /// Who is subscribed to what.
    pub(crate) pubsub: Arc<Pubsub>,
    pub(crate) telemetry: Telemetry,
    /// The control plane; nothing in standalone mode.
    pub(crate) cluster: Option<MetadataHandle>,
    /// When it started.
    pub(crate) started: Timestamp,
    /// This run, for INFO.
    pub(crate) run_id: String,
    /// Whether keys are removed when their time comes (DEBUG SET-ACTIVE-EXPIRE).
    pub(crate) active_expire: AtomicBool,
    /// The replicas that follow.
    pub(crate) feed: Arc<Feed>,
    /// Whom it was told to follow.
    pub(crate) role: Role,
    /// The file of the data.
    pub(crate) persistence: Persistence,
    /// Held by who takes a snapshot.
    pub(crate) snapshots: Mutex<()>,
    /// Which commands are held back (CLIENT PAUSE).
    pub(crate) pause: Pause,
    /// The most memory that was used.
    pub(crate) peak: Peak,
    /// The scripts that are known.
    pub(crate) scripts: Scripts,
    stopping: watch::Sender<bool>,
}

impl Node {
    fn new(
        config: Config,
        engine: Arc<Engine>,
        pubsub: Arc<Pubsub>,
        feed: Arc<Feed>,
        cluster: Option<MetadataHandle>,
        loaded: Loaded,
    ) -> io::Result<Self> {
        let role = Role::new(random_id()?, cluster.is_some());
        if let Some((host, port)) = config.settings().replication.primary.clone() {
            role.follow(Primary { host, port });
        }
        let clients = Clients::default();
        clients.limits.set(config.settings().output_limits);
        pubsub.set_classes(config.settings().notice_classes);
        Ok(Self {
            config,
            freeing: Freeing::start(Arc::clone(&engine))?,
            engine,
            clients,
            monitors: Monitors::default(),
            pubsub,
            telemetry: Telemetry::default(),
            cluster,
            started: clock::now(),
            run_id: random_id()?,
            active_expire: AtomicBool::new(true),
            feed,
            role,
            persistence: Persistence::new(loaded),
            snapshots: Mutex::new(()),
            pause: Pause::default(),
            peak: Peak::default(),
            scripts: Scripts::default(),
            stopping: watch::Sender::new(false),
        })
    }

    /// Whether the node is one of a cluster.
    pub(crate) fn in_cluster(&self) -> bool {
        self.cluster.is_some()
    }

    /// Asks the node to end.
    pub fn stop(&self) {
        self.scripts.running.stop();
        self.stopping.send_replace(true);
    }
}

/// A random id of 40 digits, as Redis has them.
pub(crate) fn random_id() -> io::Result<String> {
    let mut id = [0; 20];
    clock::entropy(&mut id)?;
    let mut text = String::new();
    for byte in id {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// A node that listens and does not serve yet.
pub struct Prepared {
    node: Arc<Node>,
    control: Option<Control>,
    listeners: Vec<std::net::TcpListener>,
}

impl Prepared {
    /// Takes the configured addresses and builds the parts.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let settings = config.settings();
        if let Some(path) = &settings.logfile {
            let failed = |source| StartError::File { option: "logfile", path: path.clone(), source };
            log::start(settings.loglevel, Some(path)).map_err(failed)?;
        } else {
            log::start(settings.loglevel, None)?;
        }
        huge_pages::set(settings.disable_thp);
        let listeners = listen(&settings, "port", settings.port)?;
        if settings.port == 0
            && let Some(listener) = listeners.first()
        {
            config.note("port", &listener.local_addr()?.port().to_string());
        }
        let clients = limits::room_for_clients(&settings);
        if clients == 0 {
            return Err(StartError::Descriptors);
        }
        if clients < settings.maxclients {
            tracing::warn!(
                "The limit of open files leaves room for {clients} clients: maxclients has been reduced from {} to that. If \
                 you need more, raise the limit (`ulimit -n`, or LimitNOFILE of systemd).",
                settings.maxclients
            );
            config.note("maxclients", &clients.to_string());
        }
        let options = EngineOptions {
            databases: settings.databases,
            in_cluster: settings.cluster.enabled,
            hash_seed: clock::seed()?,
        };
        let engine = Arc::new(Engine::new(options));
        engine.tune(settings.tuning);
        let (pubsub, feed) = (Arc::new(Pubsub::default()), Arc::new(Feed::default()));
        let control = if settings.cluster.enabled {
            Some(driver::start(control_options(&settings, &engine, &pubsub, &feed)?)?)
        } else {
            None
        };
        let loaded = if settings.cluster.enabled {
            Loaded::default()
        } else {
            persistence::load(&engine, &settings.dir.join(&settings.dbfilename))?
        };
        drop(settings);
        let node = Node::new(config, engine, pubsub, feed, control.as_ref().map(Control::handle), loaded)?;
        Ok(Self { node: Arc::new(node), control, listeners })
    }

    /// What the node's threads share.
    #[must_use]
    pub fn node(&self) -> Arc<Node> {
        Arc::clone(&self.node)
    }

    /// Where it listens.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(std::net::TcpListener::local_addr).collect()
    }

    /// Serves until the node is asked to end, by a signal, by SHUTDOWN or by [`Node::stop`].
    pub fn run(self) -> Result<(), StartError> {
        let Self { node, control, listeners } = self;
        let settings = Arc::clone(&node.config.settings());
        if let Some(path) = &settings.pidfile {
            fs::write(path, format!("{}\n", std::process::id())).map_err(|source| StartError::File {
                option: "pidfile",
                path: path.clone(),
                source,
            })?;
        }
        let (scripts, script_thread) = script::thread::start(Arc::clone(&node))?;
        let link = replica_link::start(Arc::clone(&node))?;
        let started: Vec<_> = (0..settings.io_threads)
            .map(|index| IoThread::start(index, Arc::clone(&node), scripts.clone()))
            .collect::<io::Result<_>>()?;
        drop(scripts);
        let (threads, handles): (Vec<_>, Vec<_>) = started.into_iter().unzip();
        announce(&node);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let threads = Arc::new(threads);
        runtime.block_on(serve(&node, listeners, &threads))?;
        // No more connections are accepted; dropping the threads' queues ends them.
        drop(runtime);
        drop(threads);
        node.scripts.running.stop();
        for handle in handles.into_iter().chain([link]).chain(script::thread::ended(script_thread)) {
            if handle.join().is_err() {
                tracing::error!("A thread of the data path ended in a panic.");
            }
        }
        control.into_iter().for_each(Control::stop);
        if let Some(path) = &settings.pidfile {
            // Somebody may have removed it.
            let _ = fs::remove_file(path);
        }
        tracing::info!("Nuthatch is now ready to exit, bye bye...");
        Ok(())
    }
}

fn listen(
    settings: &Settings,
    option: &'static str,
    port: u16,
) -> Result<Vec<std::net::TcpListener>, StartError> {
    listener::listen(settings, port).map_err(|(address, source)| {
        // A port that is taken or not allowed is the port's fault, an address that is not this machine's the other's.
        let is_port = matches!(source.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied);
        StartError::Listen { option: if is_port { option } else { "bind" }, address, source }
    })
}

fn control_options(
    settings: &Settings,
    engine: &Arc<Engine>,
    pubsub: &Arc<Pubsub>,
    feed: &Arc<Feed>,
) -> Result<ControlOptions, StartError> {
    let cluster = &settings.cluster;
    let announced = |port: u16, else_port: u16| if port == 0 { else_port } else { port };
    Ok(ControlOptions {
        directory: settings.dir.clone(),
        sockets: listen(settings, "cluster-port", cluster.port)?,
        announce_host: Some(cluster.announce_ip.clone()).filter(|ip| !ip.is_empty()),
        announce_hostname: cluster.announce_hostname.clone(),
        port: announced(cluster.announce_port, settings.port),
        cluster_port: announced(cluster.announce_bus_port, cluster.port),
        secret: Secret::new(cluster.secret.as_deref().unwrap_or_default()).map_err(ControlError::Secret)?,
        join: cluster.join.clone(),
        rules: cluster_rules(settings),
        engine: Arc::clone(engine),
        pubsub: Arc::clone(pubsub),
        feed: Arc::clone(feed),
    })
}

/// What of the configuration the control plane takes over whenever it changes.
pub(crate) fn cluster_rules(settings: &Settings) -> Rules {
    Rules {
        node_timeout: Duration::from_millis(settings.cluster.node_timeout),
        require_full_coverage: settings.cluster.require_full_coverage,
        backlog: usize::try_from(settings.replication.backlog).unwrap_or(usize::MAX),
        replica_max_lag: settings.replication.replica_max_lag,
        writes_when_cut_off: settings.replication.writes_when_cut_off,
    }
}

async fn serve(
    node: &Arc<Node>,
    listeners: Vec<std::net::TcpListener>,
    threads: &Arc<Vec<IoThread>>,
) -> io::Result<()> {
    let mut stopping = node.stopping.subscribe();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut tasks = JoinSet::new();
    for listener in listeners {
        let listener = TcpListener::from_std(listener)?;
        let (node, threads) = (Arc::clone(node), Arc::clone(threads));
        tasks.spawn(async move { listener::accept(listener, &node, &threads).await });
    }
    let watched = Arc::clone(node);
    tasks.spawn(async move { upkeep::watch(&watched).await });
    tasks.spawn(persistence::run(Arc::clone(node)));
    if let Some(handle) = &node.cluster {
        let (pubsub, views) = (Arc::clone(&node.pubsub), handle.subscribe());
        tasks.spawn(async move { pubsub::follow(&pubsub, views).await });
    }
    let by_signal = tokio::select! {
        _ = terminate.recv() => {
            tracing::info!("Received SIGTERM scheduling shutdown...");
            true
        }
        _ = interrupt.recv() => {
            tracing::info!("Received SIGINT scheduling shutdown...");
            true
        }
        // An error would mean that the node is gone, and this function holds it.
        _ = stopping.wait_for(|stop| *stop) => false,
    };
    tasks.shutdown().await;
    node.role.end();
    if by_signal {
        persistence::save_at_end(node).await;
    }
    Ok(())
}

fn announce(node: &Node) {
    let settings = node.config.settings();
    for name in node.config.without_effect() {
        tracing::warn!("Option '{name}' is known from Redis and has no effect here.");
    }
    let mode = if settings.cluster.enabled { "cluster" } else { "standalone" };
    tracing::info!(
        "Nuthatch {} (commands of Redis {REDIS_VERSION}) running mode={mode}, port={}, io-threads={}.",
        env!("CARGO_PKG_VERSION"),
        settings.port,
        settings.io_threads
    );
    tracing::info!("Ready to accept connections tcp");
}
