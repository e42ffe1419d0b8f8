//! Linearizable reads: which are waiting, and for what.
//!
//! A read is answered with an index such that a topology at or after it includes all that was acknowledged before the
//! read was asked for. The leader finds it by asking a majority whether it still leads (Raft's ReadIndex, never the
//! lease, which would trust clocks). The library can lose such a question without a word: it drops it before the
//! leader has committed in its term, and when leadership changes. So every question has a context that was never used
//! before (a late answer to an old question can then not answer a new one), a deadline in ticks, and an end when
//! leadership changes; the caller gets an answer or [`super::Event::ReadLost`], and asks again with a new question.
//!
//! Neighbours: `machine` puts the questions, `ready` brings the answers.

use std::collections::BTreeMap;

use nuthatch_proto::ids::LogIndex;

/// Ticks until an unanswered read is given up: a leader that is cut off has stepped down long before.
const DEADLINE_TICKS: u64 = 4 * super::ELECTION_TICKS as u64;
/// How many reads may wait.
pub(super) const WAITING_MAX: usize = 1024;

/// One read of this machine's life; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    deadline: u64,
    /// Known once the majority has answered; the read then waits for the state to get there.
    index: Option<LogIndex>,
}

/// The reads that wait.
#[derive(Debug, Default)]
pub(super) struct Reads {
    last: u64,
    waiting: BTreeMap<ReadId, Waiting>,
}

impl Reads {
    /// A new read.
    pub(super) fn ask(&mut self, now: u64) -> ReadId {
        self.last += 1;
        let id = ReadId(self.last);
        self.waiting.insert(id, Waiting { deadline: now + DEADLINE_TICKS, index: None });
        id
    }

    /// The context that stands for the read in heartbeats. The term makes it differ from those of an earlier life of
    /// this process, which counted from one as well: a node that leads again leads in a later term.
    pub(super) fn context(id: ReadId, term: u64) -> Vec<u8> {
        [term.to_be_bytes(), id.0.to_be_bytes()].concat()
    }

    /// A majority confirmed the leader: the read may be answered from `index` on.
    pub(super) fn confirmed(&mut self, context: &[u8], index: u64) {
        let id =
            context.get(8..16).and_then(|id| id.try_into().ok()).map(|id| ReadId(u64::from_be_bytes(id)));
        if let Some(waiting) = id.and_then(|id| self.waiting.get_mut(&id)) {
            waiting.index = Some(LogIndex(index));
        }
    }

    /// Takes out the reads that the applied state can answer.
    pub(super) fn answerable(&mut self, applied: LogIndex) -> Vec<(ReadId, LogIndex)> {
        let ready =
            |(id, read): (&ReadId, &Waiting)| Some((*id, read.index.filter(|index| *index <= applied)?));
        let ready: Vec<_> = self.waiting.iter().filter_map(ready).collect();
        ready.iter().for_each(|(id, _)| _ = self.waiting.remove(id));
        ready
    }

    /// Forgets a read that the library did not take.
    pub(super) fn dropped(&mut self, id: ReadId) {
        self.waiting.remove(&id);
    }

    /// Takes out the reads whose time is over.
    pub(super) fn expired(&mut self, now: u64) -> Vec<ReadId> {
        self.take(|read| read.deadline <= now)
    }

    /// Takes out the reads that only a leader could have answered. Those that a majority confirmed stay good.
    pub(super) fn orphaned(&mut self) -> Vec<ReadId> {
        self.take(|read| read.index.is_none())
    }

    fn take(&mut self, over: impl Fn(&Waiting) -> bool) -> Vec<ReadId> {
        let ids: Vec<_> = self.waiting.iter().filter(|(_, read)| over(read)).map(|(id, _)| *id).collect();
        ids.iter().for_each(|id| _ = self.waiting.remove(id));
        ids
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_answered_once_when_the_state_is_there() {
        let mut reads = Reads::default();
        let id = reads.ask(0);
        assert_eq!(reads.answerable(LogIndex(9)), [], "no majority yet");
        reads.confirmed(&Reads::context(id, 3), 5);
        assert_eq!(reads.answerable(LogIndex(4)), []);
        assert_eq!(reads.answerable(LogIndex(5)), [(id, LogIndex(5))]);
        assert_eq!(reads.answerable(LogIndex(6)), []);
    }

    #[test]
    fn contexts_are_never_used_twice() {
        let mut reads = Reads::default();
        let (first, second) = (reads.ask(0), reads.ask(0));
        assert_ne!(Reads::context(first, 1), Reads::context(second, 1));
        assert_ne!(Reads::context(first, 1), Reads::context(Reads::default().ask(0), 2), "another life");
    }

    #[test]
    fn reads_end_at_their_deadline_or_with_the_leadership() {
        let mut reads = Reads::default();
        let (confirmed, open) = (reads.ask(0), reads.ask(1));
        reads.confirmed(&Reads::context(confirmed, 1), 5);
        assert_eq!(reads.orphaned(), [open]);
        assert_eq!(reads.expired(DEADLINE_TICKS - 1), []);
        assert_eq!(reads.expired(DEADLINE_TICKS), [confirmed], "the state never got there");
        assert_eq!(reads.len(), 0);
    }

    #[test]
    fn a_strange_context_confirms_nothing() {
        let mut reads = Reads::default();
        let id = reads.ask(0);
        reads.confirmed(b"", 5);
        reads.confirmed(&Reads::context(ReadId(id.0 + 1), 1), 5);
        assert_eq!(reads.answerable(LogIndex(9)), []);
    }
}
