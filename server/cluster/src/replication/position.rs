//! Where a copy of a shard's data stands: a history, the epochs in which it grew, and an offset.
//!
//! A shard's data is the outcome of one log of effects, and an offset is a place in it. Offsets alone do not tell logs
//! apart: a primary that was cut off goes on for a while, and its offsets then name other effects than those of its
//! successor. So each log has a table of epochs, each with the offset at which its primary began to append. Two logs
//! are alike up to where the last epoch that both know ends in the shorter of them, because an epoch has one primary
//! and everybody copies from it in order:
//!
//! ```text
//!   old primary   | epoch 3 ............ | epoch 4 ......x.....|        x: divergence point, the end of epoch 4
//!   new primary   | epoch 3 ............ | epoch 4 ......|5 .......|       in the log that leaves it first
//! ```
//!
//! A history is the life of the data from its empty beginning. Logs of different histories have nothing in common.
//!
//! Invariants: epochs ascend strictly, starts ascend, a log with a history has an epoch, and a table is bounded. What a
//! peer claims becomes a [`Log`] only through [`Log::from_parts`], which checks them.

use nuthatch_proto::ids::{Epoch, LogIndex, ReplicationOffset};

/// How many epochs a log remembers. A copy that is behind by more of them starts anew.
pub const EPOCHS_MAX: usize = 64;

/// The data's life since it was empty, named by the metadata log's index that began it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct History(pub LogIndex);

/// Where an epoch's primary began to append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochStart {
    /// The epoch.
    pub epoch: Epoch,
    /// The log's end when it began.
    pub start: ReplicationOffset,
}

/// The end of a log, in the order in which ends are to be preferred within one history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The last epoch that the log has reached.
    pub epoch: Epoch,
    /// Its end.
    pub offset: ReplicationOffset,
}

/// What is known of a log without its effects.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Log {
    history: Option<History>,
    /// May name epochs that begin beyond `end`: those of the primary's log that is being copied.
    table: Vec<EpochStart>,
    end: ReplicationOffset,
}

impl Log {
    /// The log of a process that holds nothing, or holds pieces that are no prefix of any log.
    pub fn blank() -> Self {
        Self::default()
    }

    /// What a peer says of its log, if it can be one.
    pub fn from_parts(
        history: Option<History>,
        table: Vec<EpochStart>,
        end: ReplicationOffset,
    ) -> Option<Self> {
        let ascending = table.is_sorted_by(|a, b| a.epoch < b.epoch && a.start <= b.start);
        let whole = match history {
            None => table.is_empty() && end == ReplicationOffset(0),
            Some(_) => table.first().is_some_and(|first| first.start <= end),
        };
        (ascending && whole && table.len() <= EPOCHS_MAX).then_some(Self { history, table, end })
    }

    /// Whether it is no prefix of any log.
    pub fn is_blank(&self) -> bool {
        self.history.is_none()
    }

    /// The history, unless it is blank.
    pub fn history(&self) -> Option<History> {
        self.history
    }

    /// Its end.
    pub fn end(&self) -> ReplicationOffset {
        self.end
    }

    /// The epochs that it has reached.
    pub fn epochs(&self) -> &[EpochStart] {
        let reached = self.table.partition_point(|entry| entry.start <= self.end);
        &self.table[..reached]
    }

    /// Its end as others compare it, unless it is blank.
    pub fn position(&self) -> Option<Position> {
        let last = self.epochs().last()?;
        Some(Position { epoch: last.epoch, offset: self.end })
    }

    /// Begins a primary's epoch at the end, or at the beginning of a history that this log is not of.
    pub fn open(&mut self, epoch: Epoch, history: History) {
        if self.history != Some(history) {
            *self = Self { history: Some(history), ..Self::blank() };
        }
        let reached = self.epochs().len();
        self.table.truncate(reached);
        if self.table.last().is_some_and(|last| last.epoch >= epoch) {
            return;
        }
        if self.table.len() >= EPOCHS_MAX {
            self.table.remove(0);
        }
        self.table.push(EpochStart { epoch, start: self.end });
    }

    /// More effects were appended, up to `end`. A log never shrinks.
    pub fn grow(&mut self, end: ReplicationOffset) {
        self.end = self.end.max(end);
    }

    /// The same log up to `end`, or whole if it is shorter.
    pub fn up_to(&self, end: ReplicationOffset) -> Self {
        Self { end: self.end.min(end), ..self.clone() }
    }

    /// Takes over the epochs of the primary's log, of which this one is known to be a prefix.
    pub fn follow(&mut self, primary: &Self) {
        *self = Self { end: self.end, ..primary.clone() };
    }

    /// Up to where this log and another are the same; none if nothing says that they have anything in common.
    pub fn divergence(&self, other: &Self) -> Option<ReplicationOffset> {
        if self.is_blank() || self.history != other.history {
            return None;
        }
        let ours = self.epochs();
        let knows = |entry: &&EpochStart| ours.binary_search_by_key(&entry.epoch, |ours| ours.epoch).is_ok();
        let common = other.epochs().iter().rev().find(knows)?.epoch;
        Some(self.end_of(common).min(other.end_of(common)))
    }

    /// Where an epoch that it has reached ends in it.
    fn end_of(&self, epoch: Epoch) -> ReplicationOffset {
        let next = self.epochs().iter().find(|entry| entry.epoch > epoch);
        next.map_or(self.end, |next| next.start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const HISTORY: History = History(LogIndex(1));

    fn log(epochs: &[(u64, u64)], end: u64) -> Log {
        let entry = |&(epoch, start)| EpochStart { epoch: Epoch(epoch), start: ReplicationOffset(start) };
        let table = epochs.iter().map(entry).collect();
        Log::from_parts(Some(HISTORY), table, ReplicationOffset(end)).expect("a log")
    }

    #[track_caller]
    fn check(ours: &Log, other: &Log, expected: Option<u64>) {
        assert_eq!(ours.divergence(other), expected.map(ReplicationOffset));
        assert_eq!(other.divergence(ours), expected.map(ReplicationOffset), "it is the same from both sides");
    }

    #[test]
    fn logs_part_where_the_last_common_epoch_ends() {
        let primary = log(&[(1, 0), (2, 100)], 150);
        check(&primary, &log(&[(1, 0)], 80), Some(80));
        check(&primary, &log(&[(1, 0)], 120), Some(100));
        check(&primary, &log(&[(1, 0), (2, 100)], 100), Some(100));
        check(&primary, &log(&[(1, 0), (2, 100)], 170), Some(150));
        check(&log(&[(1, 0), (3, 90)], 95), &log(&[(1, 0), (2, 100)], 150), Some(90));
        check(&log(&[(2, 50)], 60), &log(&[(3, 40)], 60), None);
    }

    #[test]
    fn histories_have_nothing_in_common() {
        let ours = log(&[(1, 0)], 10);
        let mut other = Log::blank();
        check(&ours, &other, None);
        check(&other, &other, None);
        other.open(Epoch(4), History(LogIndex(9)));
        other.grow(ReplicationOffset(10));
        check(&ours, &other, None);
    }

    #[test]
    fn an_epoch_that_is_not_reached_is_not_there() {
        let mut copy = log(&[(1, 0)], 80);
        copy.follow(&log(&[(1, 0), (2, 100)], 150));
        let at = |epoch, offset| Some(Position { epoch: Epoch(epoch), offset: ReplicationOffset(offset) });
        assert_eq!(copy.position(), at(1, 80));
        copy.grow(ReplicationOffset(100));
        assert_eq!(copy.position(), at(2, 100));
        copy = copy.up_to(ReplicationOffset(90));
        copy.open(Epoch(3), HISTORY);
        assert_eq!(copy.epochs().last().map(|last| last.start), Some(ReplicationOffset(90)));
        check(&copy, &log(&[(1, 0), (2, 100)], 150), Some(90));
    }

    #[test]
    fn what_cannot_be_a_log_is_none() {
        let entry = |epoch, start| EpochStart { epoch: Epoch(epoch), start: ReplicationOffset(start) };
        let parts = |history: Option<u64>, table: &[EpochStart], end| {
            Log::from_parts(history.map(|h| History(LogIndex(h))), table.to_vec(), ReplicationOffset(end))
        };
        assert_eq!(parts(None, &[], 0), Some(Log::blank()));
        assert_eq!(parts(None, &[], 5), None, "an end without a history");
        assert_eq!(parts(Some(1), &[], 0), None, "a history without an epoch");
        assert_eq!(parts(Some(1), &[entry(2, 0), entry(2, 5)], 9), None, "an epoch twice");
        assert_eq!(parts(Some(1), &[entry(1, 5), entry(2, 4)], 9), None, "starts that fall");
        assert_eq!(parts(Some(1), &[entry(1, 10)], 9), None, "an end before the start");
        let long: Vec<_> = (1..=EPOCHS_MAX as u64 + 1).map(|epoch| entry(epoch, epoch)).collect();
        assert_eq!(parts(Some(1), &long, u64::MAX), None, "too many epochs");
    }

    #[test]
    fn the_table_is_bounded() {
        let mut log = Log::blank();
        for epoch in 1..1_000 {
            log.open(Epoch(epoch), HISTORY);
            log.grow(ReplicationOffset(epoch * 10));
        }
        assert_eq!(log.epochs().len(), EPOCHS_MAX);
        assert!(Log::from_parts(log.history(), log.epochs().to_vec(), log.end()).is_some());
    }

    /// A log as it really comes about: primaries append, and each next one begins somewhere in the log of the last.
    #[derive(Debug, Clone)]
    struct Real {
        log: Log,
        records: Vec<(u64, u64)>,
    }

    impl Real {
        fn append(&mut self, epoch: u64, count: u64) {
            self.log.open(Epoch(epoch), HISTORY);
            self.records.extend((0..count).map(|number| (epoch, number)));
            self.log.grow(ReplicationOffset(self.records.len() as u64));
        }

        fn copy_of(&self, length: usize) -> Self {
            let length = length.min(self.records.len());
            let log = self.log.up_to(ReplicationOffset(length as u64));
            Self { log, records: self.records[..length].to_vec() }
        }
    }

    proptest! {
        #[test]
        fn the_divergence_point_is_within_what_is_common(
            steps in vec((0usize..4, 0usize..12, 0u64..6), 1..12), left in 0usize..13, right in 0usize..13,
        ) {
            let mut first = Real { log: Log::blank(), records: Vec::new() };
            first.append(1, 3);
            let mut logs = vec![first];
            for (epoch, (from, length, appended)) in (2..).zip(steps) {
                let mut next = logs[from % logs.len()].copy_of(length);
                next.append(epoch, appended);
                logs.push(next);
            }
            let (left, right) = (&logs[left % logs.len()], &logs[right % logs.len()]);
            let common = left.records.iter().zip(&right.records).take_while(|(a, b)| a == b).count() as u64;
            let found = left.log.divergence(&right.log).map(|offset| offset.0);
            prop_assert_eq!(found, right.log.divergence(&left.log).map(|offset| offset.0));
            prop_assert!(found.is_none_or(|found| found <= common), "{:?} of {}", found, common);
        }
    }
}
