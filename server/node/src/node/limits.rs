//! The system's limits on the process: how many descriptors it may have open, and so how many clients there may be.
//!
//! Each client needs a descriptor, and the node needs some of its own, which clients must not take: without them it could
//! neither save nor reach other nodes. So the limit is raised to what `maxclients` asks for, with ample room for the node;
//! where the system does not give that, the node keeps what it cannot do without, and `maxclients` is what is left.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Settings;

/// Descriptors beside those of clients that are asked for: files, listeners, other nodes, the threads' own.
const OTHER_DESCRIPTORS: u64 = 512;

/// What of them is kept back in any case: files, listeners, replicas.
const KEPT_BACK: u64 = 32;

/// What the runtime of a thread has open.
const PER_THREAD: u64 = 4;

/// What a node of a cluster keeps back for links to and from others.
const FOR_NODES: u64 = 64;

/// The descriptors that clients never get.
fn kept_back(settings: &Settings) -> u64 {
    let threads = (settings.io_threads as u64).saturating_mul(PER_THREAD);
    KEPT_BACK + threads + if settings.cluster.enabled { FOR_NODES } else { 0 }
}

/// How many clients may come where that many descriptors may be open; none limits them if nothing limits those.
fn clients_within(descriptors: Option<u64>, kept_back: u64) -> usize {
    let clients = descriptors.map_or(u64::MAX, |descriptors| descriptors.saturating_sub(kept_back));
    usize::try_from(clients).unwrap_or(usize::MAX)
}

/// Allows as many open descriptors as `maxclients` needs, or as many as the system lets us. Returns how many clients there
/// may be: `maxclients`, or fewer.
pub(crate) fn room_for_clients(settings: &Settings) -> usize {
    let wanted = (settings.maxclients as u64).saturating_add(OTHER_DESCRIPTORS);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < wanted) {
        // A process with the right to may go beyond its maximum; any other may go up to it.
        let beyond = Rlimit { current: Some(wanted), maximum: maximum.map(|maximum| maximum.max(wanted)) };
        let within = maximum.map_or(wanted, |maximum| maximum.min(wanted));
        if setrlimit(Resource::Nofile, beyond).is_err() {
            // What it did is read below.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(within), maximum });
        }
    }
    let possible = clients_within(getrlimit(Resource::Nofile).current, kept_back(settings));
    settings.maxclients.min(possible)
}

/// Whether there may be as many clients as these settings say. The error is Redis's.
pub(crate) fn check_clients(settings: &Settings) -> Result<(), String> {
    match room_for_clients(settings) {
        possible if possible == settings.maxclients => Ok(()),
        possible => Err(format!(
            "The operating system is not able to handle the specified number of clients, try with {possible}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_the_node_does_not_keep_back() {
        assert_eq!(clients_within(Some(100), 40), 60);
        assert_eq!(clients_within(Some(40), 40), 0);
        assert_eq!(clients_within(Some(10), 40), 0);
        assert_eq!(clients_within(None, 40), usize::MAX);
    }
}
