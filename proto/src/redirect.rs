//! The replies that send a client elsewhere, word for word as Redis has them: written by the server, read by the
//! client.
//!
//! Source: the Redis Cluster specification, "MOVED Redirection" and "ASK redirection"; `cluster.c` for the texts.

use std::fmt;

use crate::slot::Slot;

/// Why a command cannot be served here. `Display` is the error's text without the leading `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// The slot belongs to another node, for good.
    Moved {
        /// The slot asked for.
        slot: Slot,
        /// `host:port` of its owner.
        endpoint: String,
    },
    /// The next command alone should go to another node.
    Ask {
        /// The slot asked for.
        slot: Slot,
        /// `host:port` to ask.
        endpoint: String,
    },
    /// The keys are not all in one slot.
    CrossSlot,
    /// Some keys of a command with several are on their way.
    TryAgain,
    /// Nobody owns the slot.
    SlotNotServed,
    /// The node does not hold the cluster to be able to serve.
    ClusterDown,
}

impl fmt::Display for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved { slot, endpoint } => write!(f, "MOVED {slot} {endpoint}"),
            Self::Ask { slot, endpoint } => write!(f, "ASK {slot} {endpoint}"),
            Self::CrossSlot => f.write_str("CROSSSLOT Keys in request don't hash to the same slot"),
            Self::TryAgain => f.write_str("TRYAGAIN Multiple keys request during rehashing of slot"),
            Self::SlotNotServed => f.write_str("CLUSTERDOWN Hash slot not served"),
            Self::ClusterDown => f.write_str("CLUSTERDOWN The cluster is down"),
        }
    }
}

impl Redirect {
    /// Reads an error's text (without the leading `-`); `None` if it is no redirection.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let first = words.next()?;
        match first {
            "MOVED" | "ASK" => {
                let slot = Slot::new(words.next()?.parse().ok()?)?;
                let endpoint = words.next().filter(|e| e.contains(':'))?.to_owned();
                Some(if first == "MOVED" {
                    Self::Moved { slot, endpoint }
                } else {
                    Self::Ask { slot, endpoint }
                })
            }
            "CROSSSLOT" => Some(Self::CrossSlot),
            "TRYAGAIN" => Some(Self::TryAgain),
            "CLUSTERDOWN" if text.contains("slot not served") => Some(Self::SlotNotServed),
            "CLUSTERDOWN" => Some(Self::ClusterDown),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let slot = Slot::new(3999).expect("a slot");
        let endpoint = "127.0.0.1:6381".to_owned();
        for redirect in [
            Redirect::Moved { slot, endpoint: endpoint.clone() },
            Redirect::Ask { slot, endpoint },
            Redirect::CrossSlot,
            Redirect::TryAgain,
            Redirect::SlotNotServed,
            Redirect::ClusterDown,
        ] {
            assert_eq!(Redirect::parse(&redirect.to_string()), Some(redirect));
        }
    }

    #[test]
    fn other_errors_and_damaged_ones_are_not_redirections() {
        for text in
            ["ERR no such key", "MOVED", "MOVED x 1.2.3.4:5", "MOVED 16384 1.2.3.4:5", "ASK 1 nowhere"]
        {
            assert_eq!(Redirect::parse(text), None, "{text}");
        }
    }
}
