//! How long a follower waits for its leader before it stands for election: drawn from a seed, never from entropy.
//!
//! The Raft library draws a new timeout from the thread's generator each time a term or a role changes, which would make
//! a simulated run impossible to repeat. So the machine writes its own draw over the library's after each input. The
//! draw is a function of (seed, Raft id, term) and nothing else: however often the library draws in between, and whatever
//! it drew, the same history yields the same timeouts. Two candidates that drew alike split the vote of one term, and
//! draw again for the next.
//!
//! Neighbours: `machine` is the only caller.

use super::{ELECTION_TICKS, RaftId};

/// The ticks that the node waits in that term: at least [`ELECTION_TICKS`], below twice as many, as the library demands.
pub(super) fn timeout_ticks(seed: u64, node: RaftId, term: u64) -> usize {
    let drawn = mix(mix(mix(seed) ^ node.0) ^ term);
    let spread = ELECTION_TICKS as u64;
    ELECTION_TICKS + usize::try_from(drawn % spread).unwrap_or(0)
}

/// The finalizer of SplitMix64: every bit of the input moves about half of the output's.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn timeouts_are_in_range_and_use_all_of_it() {
        let drawn: BTreeSet<_> = (0..1_000).map(|term| timeout_ticks(7, RaftId(3), term)).collect();
        assert_eq!(drawn, (ELECTION_TICKS..2 * ELECTION_TICKS).collect());
    }

    #[test]
    fn two_nodes_rarely_draw_alike() {
        let alike = |term| timeout_ticks(7, RaftId(1), term) == timeout_ticks(7, RaftId(2), term);
        assert!((0..1_000).filter(|&term| alike(term)).count() < 200);
    }
}
