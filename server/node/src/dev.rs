//! `nuthatch dev`: a local cluster of real processes, for trying and developing.
//!
//! Starts one child process per node, lets them find each other (`--join`), gives out the slots as the ring says, waits
//! until every slot accepts a write, says where everything is, and stays in front. Everything goes over the nodes'
//! ports with the commands that any administrator has: `dev` knows no back door.
//!
//! Children end with this process, however it ends ([`children`]). Without `--dir` the nodes' files are temporary.

mod children;
mod form;
mod probe;
mod table;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::clock;
use crate::config::{Config, ConfigError, Request};
use children::{Child, ChildError, Children};
use form::FormError;

pub(crate) use children::run_as_child;

/// How long the cluster may take to form: several times what it needs on a slow machine.
const FORM_WITHIN: Duration = Duration::from_secs(60);

/// How far a node's port for other nodes is from its port for clients.
const CLUSTER_PORT_OFFSET: u16 = 10_000;

/// Runs a local cluster of real nodes until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "nuthatch dev", disable_version_flag = true)]
struct Arguments {
    /// How many primaries, each with its part of the slots.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    primaries: u16,
    /// How many replicas for each primary; 0, until there is replication.
    #[arg(long, default_value_t = 0)]
    replicas: u16,
    /// The first node's port for clients; the others' follow. Ports for nodes are 10000 above.
    #[arg(long, default_value_t = 7001)]
    port: u16,
    /// Where the nodes keep their files; kept for the next run. Without it they are temporary.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Further options for every node, as for `nuthatch server`.
    #[arg(last = true)]
    options: Vec<String>,
}

/// The cluster did not start, or did not stay.
#[derive(Debug, thiserror::Error)]
enum DevError {
    /// Replicas are not there yet.
    #[error("--replicas {0}: replication is not there yet: leave the option out")]
    Replicas(u16),
    /// There are not that many ports.
    #[error(
        "--port {port}: {nodes} nodes would need ports up to {last}, and 1 to 65535 are those there are: choose another"
    )]
    Ports {
        /// The first.
        port: u16,
        /// How many are needed.
        nodes: u16,
        /// The last one, for nodes.
        last: u32,
    },
    /// A port is in use.
    #[error("port {port} is taken: end what listens there, or choose other ports with --port")]
    Taken {
        /// Which.
        port: u16,
    },
    /// A directory.
    #[error("--dir {}: {source}", path.display())]
    Dir {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The directory has the files of other nodes.
    #[error(
        "--dir {}: it holds the cluster of another run ({found}): give that run's --primaries and --port, or another directory",
        path.display()
    )]
    OtherCluster {
        /// Which.
        path: PathBuf,
        /// A node of that run, as its directory is named.
        found: String,
    },
    /// The options for the nodes.
    #[error("behind --: {0}")]
    Options(#[from] ConfigError),
    /// A child.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// The nodes did not become a cluster.
    #[error("the nodes did not become a cluster: {0}")]
    Form(#[from] FormError),
    /// They took too long.
    #[error("the nodes did not become a cluster within {} s: see the logs in {}", FORM_WITHIN.as_secs(), dir.display())]
    TooSlow {
        /// Where the logs are.
        dir: PathBuf,
    },
    /// The system.
    #[error("the system refuses: {0}")]
    System(#[from] io::Error),
}

impl DevError {
    /// Whether it sends the reader to the logs of the nodes.
    fn names_logs(&self) -> bool {
        match self {
            Self::Child(ChildError::Died { .. }) | Self::TooSlow { .. } => true,
            Self::Child(ChildError::Start { .. } | ChildError::Watch { .. }) => false,
            Self::Replicas(_) | Self::Ports { .. } | Self::Taken { .. } | Self::Dir { .. } => false,
            Self::OtherCluster { .. } | Self::Options(_) | Self::Form(_) | Self::System(_) => false,
        }
    }
}

/// Runs `nuthatch dev` with these arguments. `Err` is the text to print, and whether that is an error.
pub(crate) fn run(arguments: &[String]) -> Result<(), (String, bool)> {
    let words = std::iter::once("nuthatch dev".to_owned()).chain(arguments.iter().cloned());
    let arguments = Arguments::try_parse_from(words).map_err(|error| (say(&error), error.use_stderr()))?;
    start(&arguments).map_err(|error| (format!("nuthatch dev: {error}\n"), true))
}

/// What the parser of the arguments has to say: the help as it is, an error as one line with the mend.
fn say(error: &clap::Error) -> String {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return text;
    }
    let first: Vec<_> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let first = first.join(" ");
    let what = first.strip_prefix("error: ").unwrap_or(&first);
    format!("nuthatch dev: {what}: see `nuthatch dev --help`\n")
}

fn start(arguments: &Arguments) -> Result<(), DevError> {
    if arguments.replicas != 0 {
        return Err(DevError::Replicas(arguments.replicas));
    }
    let ports = ports(arguments.port, arguments.primaries)?;
    let mut home = Home::new(arguments)?;
    home.check(&ports)?;
    let password = password(&ports, &home.path, &arguments.options)?;
    // One thread: children are told to end when the thread that started them does.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(run_cluster(&ports, &home.path, &arguments.options, password));
    // Who reads of an error wants to see the logs that it names.
    home.temporary &= !ended.as_ref().is_err_and(DevError::names_logs);
    ended
}

/// The ports for clients; an error if they or those for nodes are in use.
fn ports(first: u16, nodes: u16) -> Result<Vec<u16>, DevError> {
    let last = u32::from(first) + u32::from(nodes.saturating_sub(1)) + u32::from(CLUSTER_PORT_OFFSET);
    if first == 0 || last > u32::from(u16::MAX) {
        return Err(DevError::Ports { port: first, nodes, last });
    }
    let ports: Vec<_> = (first..first + nodes).collect();
    for port in ports.iter().flat_map(|&port| [port, port + CLUSTER_PORT_OFFSET]) {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|_| DevError::Taken { port })?;
    }
    Ok(ports)
}

/// The password that the nodes will ask for; an error if their options are wrong.
fn password(ports: &[u16], dir: &Path, options: &[String]) -> Result<Option<String>, ConfigError> {
    let mut words: Vec<_> = ["--port", &ports[0].to_string()].map(str::to_owned).to_vec();
    words.extend(["--cluster-enabled", "yes", "--dir"].map(str::to_owned));
    words.push(dir.to_string_lossy().into_owned());
    words.extend(options.iter().cloned());
    Ok(match Config::from_arguments(&words)? {
        Request::Run(config) => config.settings().requirepass.clone(),
        Request::Version | Request::Help => None,
    })
}

/// The directory of the nodes' directories; removed at the end if it is temporary.
struct Home {
    path: PathBuf,
    temporary: bool,
}

impl Home {
    fn new(arguments: &Arguments) -> Result<Self, DevError> {
        let temporary = arguments.dir.is_none();
        let name = || format!("nuthatch-dev-{}-{}", arguments.port, std::process::id());
        let path = arguments.dir.clone().unwrap_or_else(|| std::env::temp_dir().join(name()));
        let made = std::fs::create_dir_all(&path).and_then(|()| std::path::absolute(&path));
        match made {
            Ok(path) => Ok(Self { path, temporary }),
            Err(source) => Err(DevError::Dir { path, source }),
        }
    }

    /// Nodes of an earlier run that this one does not start would be members still, and the cluster never whole.
    fn check(&self, ports: &[u16]) -> Result<(), DevError> {
        let failed = |source| DevError::Dir { path: self.path.clone(), source };
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let found = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if found.parse::<u16>().is_ok_and(|port| !ports.contains(&port)) {
                return Err(DevError::OtherCluster { path: self.path.clone(), found });
            }
        }
        Ok(())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed is left to the system, which clears its temporary files.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// The signals that end the cluster: Ctrl-C, a service manager's, and the closing of the terminal.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn first(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

async fn run_cluster(
    ports: &[u16],
    dir: &Path,
    options: &[String],
    password: Option<String>,
) -> Result<(), DevError> {
    let began = clock::monotonic();
    // From the first child on, a signal must end the children in good order.
    let mut signals = Signals::new()?;
    let mut children = Children::default();
    for &port in ports {
        children.add(Child::start(port, ports, dir, options)?);
    }
    let formed = tokio::select! {
        formed = timeout(FORM_WITHIN, form::form(ports, password.as_deref())) => match formed {
            Ok(formed) => formed.map_err(DevError::from),
            Err(_) => Err(DevError::TooSlow { dir: dir.to_owned() }),
        },
        died = children.first_death() => Err(died.into()),
        () = signals.first() => return children.stop().await.map_err(DevError::from),
    };
    let nodes = match formed {
        Ok(nodes) => nodes,
        Err(error) => {
            children.stop().await?;
            return Err(error);
        }
    };
    table::print(&nodes, password.is_some(), dir, clock::monotonic() - began);
    let ended = tokio::select! {
        died = children.first_death() => Err(died.into()),
        () = signals.first() => Ok(()),
    };
    children.stop().await?;
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(arguments: &[&str]) -> String {
        let arguments: Vec<_> = arguments.iter().map(|&a| a.to_owned()).collect();
        run(&arguments).expect_err("refused").0
    }

    #[test]
    fn a_directory_of_other_nodes_is_refused() {
        let path = std::env::temp_dir().join(format!("nuthatch-dev-test-{}", std::process::id()));
        let home = Home { path, temporary: true };
        std::fs::create_dir_all(home.path.join("7002")).expect("a directory");
        assert!(home.check(&[7001, 7002]).is_ok());
        let error = home.check(&[7001]).expect_err("7002 is left over").to_string();
        assert!(error.contains("7002") && error.contains("--primaries"), "{error}");
    }

    #[test]
    fn what_is_not_possible_is_said_before_anything_starts() {
        assert_eq!(
            refused(&["--replicas", "1"]),
            "nuthatch dev: --replicas 1: replication is not there yet: leave the option out\n"
        );
        assert_eq!(
            refused(&["--port", "65530"]),
            "nuthatch dev: --port 65530: 3 nodes would need ports up to 75532, and 1 to 65535 are those there are: choose another\n"
        );
        assert!(ports(55_534, 3).is_err_and(|error| matches!(error, DevError::Ports { .. })));
        assert!(!ports(55_533, 3).is_err_and(|error| matches!(error, DevError::Ports { .. })));
        assert!(refused(&["--primaries", "0"]).contains("--primaries"));
        let unknown = refused(&["--bogus"]);
        assert!(unknown.contains("'--bogus'") && unknown.contains("nuthatch dev --help"), "{unknown}");
        assert_eq!(unknown.lines().count(), 1, "{unknown}");
        assert!(refused(&["--help"]).contains("Runs a local cluster"));
    }

    #[test]
    fn the_options_of_the_nodes_are_read_before_they_start() {
        let read = |options: &[&str]| {
            let options: Vec<_> = options.iter().map(|&word| word.to_owned()).collect();
            password(&[7001], &std::env::temp_dir(), &options).map_err(|error| error.to_string())
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["--requirepass", "foo"]), Ok(Some("foo".to_owned())));
        assert!(read(&["--hz", "x"]).expect_err("no number").contains("option 'hz' does not take 'x'"));
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = taken.local_addr().expect("an address").port();
        match ports(port, 1) {
            Err(DevError::Taken { port: named }) => assert_eq!(named, port),
            Err(DevError::Ports { .. }) => assert!(port > 55_000),
            other => panic!("{other:?}"),
        }
    }
}
