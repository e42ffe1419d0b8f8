//! The system's limits on the process.
//!
//! Each client needs a descriptor. The limit is raised at the start to what `maxclients` asks for; if the system refuses, the
//! node starts all the same and says so, for most clients never come all at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors beside those of clients: files, listeners, other nodes, the threads' own.
const OTHER_DESCRIPTORS: u64 = 512;

/// Allows as many open descriptors as that many clients need, or as many as the system lets us.
pub(crate) fn raise_descriptors(clients: usize) {
    let wanted = (clients as u64).saturating_add(OTHER_DESCRIPTORS);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    // A process with the right to may go beyond its maximum; any other may go up to it.
    let beyond = Rlimit { current: Some(wanted), maximum: maximum.map(|maximum| maximum.max(wanted)) };
    let within = Rlimit { current: Some(maximum.map_or(wanted, |maximum| maximum.min(wanted))), maximum };
    if setrlimit(Resource::Nofile, beyond).is_err() && setrlimit(Resource::Nofile, within).is_err() {
        tracing::warn!("Cannot raise the limit of open files: fewer than maxclients may be able to connect.");
    }
}
