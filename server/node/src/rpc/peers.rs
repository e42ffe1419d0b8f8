//! Connections to other nodes, made when first needed and kept.
//!
//! A connection belongs to an address, not to a node: who answers there is told by each message's group and Raft ids.
//! tonic reconnects by itself; a call on a broken connection fails and the next one tries again. Every call ends within
//! its deadline, whatever the peer does.
//!
//! Invariants: at most [`CONNECTIONS_MAX`] connections are kept, the least recently used goes first; an answer larger
//! than [`MESSAGE_MAX`] is an error.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use nuthatch_cluster::topology::Address;
use nuthatch_proto::rpc::cluster_client::ClusterClient;
use parking_lot::Mutex;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

use super::secret::{Secret, Show};

/// The largest message that is read: the topology of the largest cluster is far below, a batch of Raft messages too.
pub(crate) const MESSAGE_MAX: usize = 16 * 1024 * 1024;

/// How many bytes of a stream of data may be under way.
const BULK_WINDOW: u32 = 4 * 1024 * 1024;

/// More than a cluster has members.
const CONNECTIONS_MAX: usize = 2048;

/// On a network where a node takes longer to accept, Raft would not work either.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a connection with a call under way is checked, and how long its answer may take.
const KEEPALIVE: Duration = Duration::from_secs(1);

/// The stub that all calls go through.
pub(crate) type Client = ClusterClient<InterceptedService<Channel, Show>>;

/// The node-to-node address of some node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PeerAddress {
    /// A host name or an IP address, without brackets.
    pub(crate) host: String,
    /// The cluster port.
    pub(crate) port: u16,
}

impl PeerAddress {
    pub(crate) fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// `host:port`, a host with colons in brackets.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok().filter(|&port| port != 0)?;
        (!host.is_empty()).then(|| Self::new(host, port))
    }
}

impl From<&Address> for PeerAddress {
    fn from(address: &Address) -> Self {
        Self::new(address.host.clone(), address.bus_port)
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Why a call brought no answer. Whether the peer did what was asked is unknown unless it says so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The address cannot be written as a URI.
    #[error("{0} is no address")]
    Address(PeerAddress),
    /// It did not answer in time.
    #[error("{0} did not answer in time")]
    Deadline(PeerAddress),
    /// It is not there, or it refused.
    #[error("{peer}: {reason}", reason = reason(status))]
    Status {
        /// Whom it was.
        peer: PeerAddress,
        /// What tonic or the peer says.
        status: Box<Status>,
    },
}

impl CallError {
    /// Why, without saying again who it was: to be put behind a colon.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::Address(_) => "that is no address".to_owned(),
            Self::Deadline(_) => "no answer in time".to_owned(),
            Self::Status { status, .. } => reason(status),
        }
    }

    /// Whether the peer demands another cluster secret.
    pub(crate) fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Status { status, .. } if status.code() == tonic::Code::Unauthenticated)
    }
}

/// The innermost cause is the one worth reading ("connection refused"); tonic's own text is "transport error".
fn reason(status: &Status) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(status);
    let mut innermost = None;
    while let Some(error) = cause {
        let system = error.downcast_ref::<std::io::Error>().filter(|error| error.raw_os_error().is_some());
        innermost = Some(system.map_or_else(|| error.to_string(), |error| error.kind().to_string()));
        cause = error.source();
    }
    innermost.unwrap_or_else(|| status.message().to_owned())
}

fn endpoint(address: &PeerAddress) -> Result<Endpoint, CallError> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    let endpoint = endpoint.map_err(|_| CallError::Address(address.clone()))?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(2 * KEEPALIVE))
}

/// The connections of this node to others.
#[derive(Debug)]
pub(crate) struct Peers {
    secret: Secret,
    channels: Mutex<Channels>,
    /// To the primary that is followed.
    bulk: Mutex<Option<(PeerAddress, Channel)>>,
}

#[derive(Debug, Default)]
struct Channels {
    open: HashMap<PeerAddress, (Channel, u64)>,
    uses: u64,
}

impl Peers {
    pub(crate) fn new(secret: Secret) -> Self {
        Self { secret, channels: Mutex::default(), bulk: Mutex::default() }
    }

    /// A stub for that address. It connects with the first call; must be asked for within a tokio runtime.
    pub(crate) fn client(&self, address: &PeerAddress) -> Result<Client, CallError> {
        Ok(self.stub(self.channel(address)?))
    }

    /// A stub on a connection of its own, for streams of data that must not hold up anything else. There is one such
    /// connection at a time.
    pub(crate) fn bulk_client(&self, address: &PeerAddress) -> Result<Client, CallError> {
        let mut bulk = self.bulk.lock();
        if let Some((_, channel)) = bulk.as_ref().filter(|(to, _)| to == address) {
            return Ok(self.stub(channel.clone()));
        }
        let channel = endpoint(address)?
            .initial_stream_window_size(BULK_WINDOW)
            .initial_connection_window_size(2 * BULK_WINDOW)
            .connect_lazy();
        *bulk = Some((address.clone(), channel.clone()));
        Ok(self.stub(channel))
    }

    fn stub(&self, channel: Channel) -> Client {
        let client = ClusterClient::with_interceptor(channel, Show(self.secret.clone()));
        client.max_decoding_message_size(MESSAGE_MAX).max_encoding_message_size(MESSAGE_MAX)
    }

    fn channel(&self, address: &PeerAddress) -> Result<Channel, CallError> {
        let mut channels = self.channels.lock();
        channels.uses += 1;
        let now = channels.uses;
        if let Some((channel, used)) = channels.open.get_mut(address) {
            *used = now;
            return Ok(channel.clone());
        }
        let endpoint = endpoint(address)?;
        if channels.open.len() >= CONNECTIONS_MAX {
            let oldest = channels.open.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone());
            oldest.and_then(|key| channels.open.remove(&key));
        }
        let channel = endpoint.connect_lazy();
        channels.open.insert(address.clone(), (channel.clone(), now));
        Ok(channel)
    }

    /// Makes one call to that address, within the deadline.
    pub(crate) async fn call<T, F>(
        &self,
        address: &PeerAddress,
        deadline: Duration,
        call: impl FnOnce(Client) -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let client = self.client(address)?;
        match tokio::time::timeout(deadline, call(client)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(CallError::Status { peer: address.clone(), status: Box::new(status) }),
            Err(_elapsed) => Err(CallError::Deadline(address.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, u16)>) {
        let parsed = PeerAddress::parse(text);
        assert_eq!(parsed, expected.map(|(host, port)| PeerAddress::new(host, port)), "{text}");
        if let Some(address) = parsed {
            assert_eq!(PeerAddress::parse(&address.to_string()), Some(address));
        }
    }

    #[test]
    fn addresses_are_read_as_they_are_written() {
        check("127.0.0.1:17001", Some(("127.0.0.1", 17001)));
        check("node-1.example:7", Some(("node-1.example", 7)));
        check("[::1]:17001", Some(("::1", 17001)));
        check("::1:17001", Some(("::1", 17001)));
        check("127.0.0.1", None);
        check("127.0.0.1:0", None);
        check("127.0.0.1:65536", None);
        check(":17001", None);
    }

    #[tokio::test]
    async fn an_absent_peer_is_an_error_that_says_why() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = PeerAddress::new("127.0.0.1", socket.local_addr().unwrap().port());
        drop(socket);
        let peers = Peers::new(Secret::default());
        let request = nuthatch_proto::rpc::ProbeRequest::default();
        let call = peers
            .call(&address, Duration::from_secs(5), |mut client| async move { client.probe(request).await });
        let error = call.await.unwrap_err();
        assert_eq!(error.to_string(), format!("{address}: connection refused"));
        assert_eq!(error.cause(), "connection refused");
        assert!(!error.is_unauthenticated());
    }
}
