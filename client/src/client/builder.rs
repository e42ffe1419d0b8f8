//! How a client is set up: addresses to begin with, credentials, and how long things may take.
//!
//! There are few options on purpose. The one that matters is the deadline, which covers a whole call with everything
//! that is tried on its behalf; all other times only bound how long the client itself believes in a connection or a
//! map, and need no tuning for correctness.

use std::sync::Arc;
use std::time::Duration;

use super::Client;
use crate::error::Error;
use crate::topology::Cluster;

/// What a client was built with.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) seeds: Vec<Arc<str>>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) deadline: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) stall_timeout: Duration,
    pub(crate) refresh_interval: Duration,
    pub(crate) queue: usize,
}

impl std::fmt::Debug for Options {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}

/// Sets up a [`Client`]; see [`Client::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    options: Options,
}

impl Builder {
    pub(super) fn new(seeds: Vec<Arc<str>>) -> Self {
        Self {
            options: Options {
                seeds,
                username: None,
                password: None,
                deadline: Duration::from_secs(1),
                connect_timeout: Duration::from_secs(1),
                stall_timeout: Duration::from_secs(5),
                refresh_interval: Duration::from_secs(30),
                queue: 1024,
            },
        }
    }

    /// The password to authenticate with, on every node.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.options.password = Some(password.into());
        self
    }

    /// The user to authenticate as; `default` otherwise.
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.options.username = Some(username.into());
        self
    }

    /// How long one call may take, all redirections and repetitions included; 1 second otherwise.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = deadline;
        self
    }

    /// How long making a connection may take; 1 second otherwise.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// How long a request may be under way before its connection is taken for dead and another is made; 5 seconds
    /// otherwise.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.options.stall_timeout = timeout;
        self
    }

    /// How often the slots are asked for although nothing hints at a change; every 30 seconds otherwise.
    pub fn refresh_interval(mut self, interval: Duration) -> Self {
        self.options.refresh_interval = interval;
        self
    }

    /// How many requests may wait for one node's connection before callers have to wait themselves; 1,024 otherwise,
    /// and at least 1.
    pub fn queue(mut self, requests: usize) -> Self {
        self.options.queue = requests.max(1);
        self
    }

    /// Asks the seeds for the cluster's slots, one after another's failure, and gives the client once one answers.
    pub async fn connect(self) -> Result<Client, Error> {
        Cluster::discover(Arc::new(self.options)).await.map(Client::new)
    }

    #[cfg(test)]
    pub(crate) fn into_options(self) -> Options {
        self.options
    }
}
