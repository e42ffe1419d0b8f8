//! Listens, turns away who may not come in, and hands each connection to the least-loaded IO thread.
//!
//! Sockets are opened before anything else of the node starts, so a taken port is an error at once. A connection over the
//! limit, or one that protected mode keeps out, gets its error if the socket takes it and is closed; it is never waited for.
//! When the system has no descriptors left, accepting pauses instead of spinning.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpListener;

use super::io_thread::IoThread;
use crate::clock;
use crate::config::Settings;
use crate::node::Node;

/// How long to wait when the system has no descriptor left for another connection.
const BACK_OFF: Duration = Duration::from_millis(100);

/// How long to keep silent about it after that was said.
const SAY_AGAIN: Duration = Duration::from_secs(60);

const TOO_MANY: &str = "-ERR max number of clients reached\r\n";

const DENIED: &str = "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set \
for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from \
external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the \
command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server \
is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make \
this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration \
file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server \
manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an authentication password for \
the default user. NOTE: You only need to do one of the above things in order for the server to start accepting \
connections from the outside.\r\n";

/// The addresses that a word of `bind` stands for.
fn addresses(word: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match word {
        "*" => Ok(vec![SocketAddr::from(([0, 0, 0, 0], port))]),
        "::*" => Ok(vec![SocketAddr::from(([0u16; 8], port))]),
        host => Ok((host, port).to_socket_addrs()?.collect()),
    }
}

/// How often another free port is tried.
const TRIES: usize = 20;

/// Listens on that port at every address of `bind`; an error names the one that did not work. Port 0 is one that is free at all
/// of them.
pub(crate) fn listen(
    settings: &Settings,
    port: u16,
) -> Result<Vec<std::net::TcpListener>, (String, io::Error)> {
    let mut tried = 1;
    loop {
        match listen_once(settings, port) {
            // The port that the system gave at one address is somebody's at another.
            Err((_, error)) if port == 0 && tried < TRIES && error.kind() == io::ErrorKind::AddrInUse => {
                tried += 1
            }
            ended => return ended,
        }
    }
}

fn listen_once(
    settings: &Settings,
    mut port: u16,
) -> Result<Vec<std::net::TcpListener>, (String, io::Error)> {
    let mut listeners = Vec::new();
    for word in &settings.bind {
        let (host, optional) = word.strip_prefix('-').map_or((word.as_str(), false), |host| (host, true));
        match bind_all(host, &mut port, settings.tcp_backlog) {
            Ok(bound) => listeners.extend(bound),
            Err(error) if optional && is_absent(&error) => {}
            Err(error) => return Err((format!("{host}:{port}"), error)),
        }
    }
    Ok(listeners)
}

/// Listens at the addresses that a word stands for. The first of all chooses the port, if it is to be chosen.
fn bind_all(host: &str, port: &mut u16, backlog: u32) -> io::Result<Vec<std::net::TcpListener>> {
    let mut listeners = Vec::new();
    for mut address in addresses(host, *port)? {
        address.set_port(*port);
        let listener = bind(address, backlog)?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Whether the machine does not have such an address, or such a family of addresses.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT))
}

fn bind(address: SocketAddr, backlog: u32) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // The IPv4 addresses have a listener of their own.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Accepts until the task is dropped.
pub(crate) async fn accept(listener: TcpListener, node: &Node, threads: &[IoThread]) {
    let mut said: Option<Instant> = None;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A connection that is gone already needs no telling.
                if let Ok(stream) = stream.into_std() {
                    admit(stream, peer, node, threads);
                }
            }
            Err(error) => {
                let now = clock::monotonic();
                if said.is_none_or(|said| now.saturating_duration_since(said) >= SAY_AGAIN) {
                    tracing::warn!("Accepting client connection: {error}");
                    said = Some(now);
                }
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

fn admit(mut stream: TcpStream, peer: SocketAddr, node: &Node, threads: &[IoThread]) {
    let settings = node.config.settings();
    let refusal = if is_denied(&settings, peer.ip()) {
        Some(DENIED)
    } else if threads.iter().map(IoThread::load).sum::<usize>() >= settings.maxclients {
        Some(TOO_MANY)
    } else {
        None
    };
    if let Some(refusal) = refusal {
        node.telemetry.connection_rejected();
        // As much as the socket takes at once; the client is not waited for.
        let _ = stream.write(refusal.as_bytes());
        return;
    }
    node.telemetry.connection_received();
    if prepare(&stream, settings.tcp_keepalive).is_ok()
        && let Some(thread) = threads.iter().min_by_key(|thread| thread.load())
    {
        thread.adopt(stream);
    }
}

/// Whether protected mode keeps this peer out.
fn is_denied(settings: &Settings, peer: IpAddr) -> bool {
    settings.protected_mode && settings.requirepass.is_none() && !peer.to_canonical().is_loopback()
}

fn prepare(stream: &TcpStream, keepalive: u32) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if keepalive > 0 {
        let idle = Duration::from_secs(keepalive.into());
        let between = Duration::from_secs((keepalive / 3).max(1).into());
        let probes = TcpKeepalive::new().with_time(idle).with_interval(between).with_retries(3);
        SockRef::from(stream).set_tcp_keepalive(&probes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Request};

    fn settings(arguments: &[&str]) -> Settings {
        let arguments: Vec<_> = arguments.iter().map(|&a| a.to_owned()).collect();
        match Config::from_arguments(&arguments) {
            Ok(Request::Run(config)) => Settings::clone(&config.settings()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn protected_mode_lets_in_the_same_machine_or_who_has_a_password() {
        let (near, far) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 0, 0, 1]));
        assert!(!is_denied(&settings(&[]), near));
        assert!(is_denied(&settings(&[]), far));
        assert!(!is_denied(&settings(&[]), "::ffff:127.0.0.1".parse().expect("an address")));
        assert!(!is_denied(&settings(&["--protected-mode", "no"]), far));
        assert!(!is_denied(&settings(&["--requirepass", "x"]), far));
    }

    #[test]
    fn an_address_with_a_dash_may_be_absent() {
        let listeners =
            listen(&settings(&["--port", "0", "--bind", "127.0.0.1", "-192.0.2.1"]), 0).expect("listening");
        assert_eq!(listeners.len(), 1);
        let (name, _) =
            listen(&settings(&["--port", "0", "--bind", "192.0.2.1"]), 0).expect_err("no such address");
        assert_eq!(name, "192.0.2.1:0");
    }

    #[test]
    fn a_port_that_is_chosen_is_the_same_everywhere() {
        let listeners =
            listen(&settings(&["--port", "0", "--bind", "127.0.0.1", "127.0.0.2", "127.0.0.3"]), 0)
                .expect("listening");
        let mut ports: Vec<_> =
            listeners.iter().map(|listener| listener.local_addr().expect("an address").port()).collect();
        assert_eq!(ports.len(), 3);
        ports.dedup();
        assert!(ports.len() == 1 && ports[0] != 0, "{ports:?}");
    }
}
