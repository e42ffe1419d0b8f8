//! When a replica must be heard of, and when its primary has been silent for too long.
//!
//! Pure: told the time, it answers what is due. Once a second the primary is told how far we are, whether anything came or
//! not; a primary that is silent for `repl-timeout` (it sends at least a PING now and then) counts as gone.

use std::time::{Duration, Instant};

/// How often the primary hears of us.
const EVERY: Duration = Duration::from_secs(1);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing for so long.
    Wait(Duration),
    /// The primary is to hear of us.
    Speak,
    /// The primary counts as gone.
    Gone,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Pulse {
    heard: Instant,
    spoke: Instant,
}

impl Pulse {
    /// The primary was heard of just now, and has yet to hear of us.
    pub(super) fn new(now: Instant) -> Self {
        Self { heard: now, spoke: now }
    }

    /// Something came.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Something was said.
    pub(super) fn spoke(&mut self, now: Instant) {
        self.spoke = now;
    }

    /// What is due, if the primary may be silent for so long.
    pub(super) fn beat(&self, now: Instant, patience: Duration) -> Beat {
        let [silent, mute] = [self.heard, self.spoke].map(|then| now.saturating_duration_since(then));
        if silent >= patience {
            Beat::Gone
        } else if mute >= EVERY {
            Beat::Speak
        } else {
            Beat::Wait((EVERY - mute).min(patience - silent))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn it_speaks_each_second_and_notices_silence() {
        let begin = clock::monotonic();
        let at = |milliseconds| begin + ms(milliseconds);
        let mut pulse = Pulse::new(at(500));
        let patience = ms(2_200);
        assert_eq!(pulse.beat(at(500), patience), Beat::Wait(ms(1_000)));
        assert_eq!(pulse.beat(at(1_400), patience), Beat::Wait(ms(100)));
        assert_eq!(pulse.beat(at(1_500), patience), Beat::Speak);
        pulse.spoke(at(1_500));
        pulse.heard(at(1_600));
        assert_eq!(pulse.beat(at(2_499), patience), Beat::Wait(ms(1)));
        pulse.spoke(at(3_500));
        // The wait ends when silence does.
        assert_eq!(pulse.beat(at(3_500), patience), Beat::Wait(ms(300)));
        assert_eq!(pulse.beat(at(3_800), patience), Beat::Gone);
        pulse.heard(at(3_800));
        assert_eq!(pulse.beat(at(3_800), patience), Beat::Wait(ms(700)));
        // A time before, or a patience of nought, causes no panic.
        assert_eq!(pulse.beat(at(0), patience), Beat::Wait(ms(1_000)));
        assert_eq!(pulse.beat(at(0), ms(0)), Beat::Gone);
    }
}
