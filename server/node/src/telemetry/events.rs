//! The moments at which something took long: samples by event, for LATENCY.
//!
//! An event that took at least `latency-monitor-threshold` milliseconds leaves a sample; the worst of each second is
//! kept, and of each event the last [`SAMPLES_MAX`] seconds that had one.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;

/// How many samples an event has.
const SAMPLES_MAX: usize = 160;

/// What can take long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A command.
    Command,
    /// A command that takes the same time however much data there is.
    FastCommand,
    /// The removal of keys whose time has come.
    ExpireCycle,
}

impl Event {
    /// Its name, as Redis has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::FastCommand => "fast-command",
            Self::ExpireCycle => "expire-cycle",
        }
    }

    fn of_name(name: &[u8]) -> Option<Self> {
        let all = [Self::Command, Self::FastCommand, Self::ExpireCycle];
        all.into_iter().find(|event| event.name().as_bytes() == name)
    }
}

/// A second in which the event took long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Which, since the epoch.
    pub(crate) second: u64,
    /// How long it took at worst.
    pub(crate) milliseconds: u64,
}

/// One event's samples.
#[derive(Debug, Default, Clone)]
pub(crate) struct Series {
    /// Oldest first.
    pub(crate) samples: VecDeque<Sample>,
    /// The longest that was ever seen, in milliseconds.
    pub(crate) worst: u64,
}

/// The samples of all events.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<BTreeMap<Event, Series>>);

impl Events {
    /// Keeps a sample.
    pub(crate) fn add(&self, event: Event, sample: Sample) {
        let mut all = self.0.lock();
        let series = all.entry(event).or_default();
        series.worst = series.worst.max(sample.milliseconds);
        match series.samples.back_mut().filter(|last| last.second == sample.second) {
            Some(last) => last.milliseconds = last.milliseconds.max(sample.milliseconds),
            None => {
                if series.samples.len() == SAMPLES_MAX {
                    series.samples.pop_front();
                }
                series.samples.push_back(sample);
            }
        }
    }

    /// The events that have samples, with them.
    pub(crate) fn all(&self) -> Vec<(Event, Series)> {
        self.0.lock().iter().map(|(&event, series)| (event, series.clone())).collect()
    }

    /// The samples of the event of that name.
    pub(crate) fn of(&self, name: &[u8]) -> Option<Series> {
        self.0.lock().get(&Event::of_name(name)?).cloned()
    }

    /// Forgets the event of that name, or all; returns how many had samples.
    pub(crate) fn reset(&self, name: Option<&[u8]>) -> usize {
        let mut all = self.0.lock();
        match name {
            Some(name) => usize::from(Event::of_name(name).is_some_and(|event| all.remove(&event).is_some())),
            None => std::mem::take(&mut *all).len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_each_second_is_kept() {
        let events = Events::default();
        for (second, milliseconds) in [(1, 5), (1, 9), (1, 3), (2, 4)] {
            events.add(Event::Command, Sample { second, milliseconds });
        }
        let series = events.of(b"command").expect("samples");
        assert_eq!(series.worst, 9);
        let samples: Vec<_> = series.samples.iter().map(|s| (s.second, s.milliseconds)).collect();
        assert_eq!(samples, [(1, 9), (2, 4)]);
        assert!(events.of(b"fast-command").is_none() && events.of(b"x").is_none());
        (0..500).for_each(|second| events.add(Event::ExpireCycle, Sample { second, milliseconds: 1 }));
        assert_eq!(events.of(b"expire-cycle").map(|series| series.samples.len()), Some(SAMPLES_MAX));
        assert_eq!((events.reset(Some(b"x")), events.reset(Some(b"command")), events.reset(None)), (0, 1, 1));
    }
}
