//! The cluster secret: what a peer must show before anything it says is read.
//!
//! With `cluster-secret` set, every call carries it in the header [`HEADER`], and a call that carries another one, or none,
//! ends before its body is decoded. It keeps a misconfigured or foreign node out; it is no protection against one who can read the network,
//! which needs TLS.
//!
//! Invariants: the comparison takes the same time wherever the first difference is; the secret is never logged; a peer
//! that keeps calling is logged once, and the memory of whom was logged is bounded.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::callers::Caller;

/// The header that carries the secret.
const HEADER: &str = "nuthatch-secret";

/// How many refused peers are remembered as logged; after that, refusals are not logged any more.
const LOGGED_MAX: usize = 256;

/// The option's value cannot be sent as a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cluster-secret must be 1 to 512 visible ASCII characters")]
pub struct InvalidSecret;

/// What the nodes of one cluster share; or nothing, and then whoever shows nothing is let in.
#[derive(Clone, Default)]
pub struct Secret(Option<MetadataValue<Ascii>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Secret(set)" } else { "Secret(none)" })
    }
}

impl Secret {
    /// The option's value; an empty one is none.
    ///
    /// # Errors
    /// If it cannot be sent as a header.
    pub fn new(value: &str) -> Result<Self, InvalidSecret> {
        if value.is_empty() {
            return Ok(Self(None));
        }
        if value.len() > 512 || !value.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(InvalidSecret);
        }
        let mut header: MetadataValue<Ascii> = value.parse().map_err(|_| InvalidSecret)?;
        header.set_sensitive(true);
        Ok(Self(Some(header)))
    }

    fn admits(&self, shown: Option<&MetadataValue<Ascii>>) -> bool {
        match (&self.0, shown) {
            (None, None) => true,
            // A secret that this node does not have is another one: the peer would refuse it in turn.
            (None, Some(_)) | (Some(_), None) => false,
            (Some(secret), Some(shown)) => same(secret.as_bytes(), shown.as_bytes()),
        }
    }
}

/// Compares in a time that depends on the lengths only.
fn same(secret: &[u8], shown: &[u8]) -> bool {
    let differences = secret.iter().zip(shown).fold(0, |seen, (a, b)| std::hint::black_box(seen | (a ^ b)));
    differences == 0 && secret.len() == shown.len()
}

/// Adds the secret to each call that goes out.
#[derive(Debug, Clone)]
pub(crate) struct Show(pub(crate) Secret);

impl Interceptor for Show {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(secret) = &self.0.0 {
            request.metadata_mut().insert(HEADER, secret.clone());
        }
        Ok(request)
    }
}

/// Refuses each call that comes in without the secret.
#[derive(Debug, Clone)]
pub(crate) struct Demand {
    secret: Secret,
    logged: Arc<Mutex<BTreeSet<Option<IpAddr>>>>,
}

impl Demand {
    pub(crate) fn new(secret: Secret) -> Self {
        Self { secret, logged: Arc::default() }
    }

    fn log_once(&self, peer: Option<IpAddr>) {
        let mut logged = self.logged.lock();
        if logged.len() < LOGGED_MAX && logged.insert(peer) {
            let peer = peer.map_or_else(|| "an unknown address".to_owned(), |ip| ip.to_string());
            tracing::warn!(
                "refusing node-to-node calls from {peer}: they carry another cluster-secret, or none"
            );
        }
    }
}

impl Interceptor for Demand {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        if self.secret.admits(request.metadata().get(HEADER)) {
            return Ok(request);
        }
        let caller = request.extensions().get::<Arc<Caller>>();
        self.log_once(caller.and_then(|caller| caller.remote).map(|address| address.ip()));
        Err(Status::unauthenticated("the cluster secret is missing or another"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(demanded: &str, shown: &str, admitted: bool) {
        let show = |request| Show(Secret::new(shown).expect("a valid secret")).call(request);
        let mut demand = Demand::new(Secret::new(demanded).expect("a valid secret"));
        let request = show(Request::new(())).expect("showing never fails");
        assert_eq!(demand.call(request).is_ok(), admitted, "{demanded:?} against {shown:?}");
    }

    #[test]
    fn only_the_same_secret_is_admitted() {
        check("", "", true);
        check("", "anything", false);
        check("swordfish", "swordfish", true);
        check("swordfish", "", false);
        check("swordfish", "sword", false);
        check("swordfish", "swordfishes", false);
        check("swordfish", "Swordfish", false);
    }

    #[test]
    fn what_no_header_can_carry_is_refused() {
        assert!(Secret::new("two words").is_err());
        assert!(Secret::new("über").is_err());
        assert!(Secret::new(&"x".repeat(513)).is_err());
    }

    #[test]
    fn the_secret_is_not_in_debug_output() {
        let secret = Secret::new("swordfish").expect("a valid secret");
        let shown = format!("{secret:?} {:?} {:?}", Show(secret.clone()), Demand::new(secret.clone()));
        assert!(!shown.contains("swordfish"), "{shown}");
    }
}
