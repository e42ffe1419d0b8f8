//! The rules that a test may have the machines break, one at a time, to see that somebody notices.
//!
//! Only with the feature `mutations`, which the cluster tests ask for; without it [`Rules`] is empty, and asking it is a
//! constant. A rule that nobody notices missing is either no rule or not tested.

/// A rule to be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutation {
    /// A member that is about to be added need not acknowledge yet.
    PendingNotRequired,
    /// A member that is about to be removed need not acknowledge any more, though the removal is not committed.
    EarlyShrink,
    /// Fences are accepted, and a new primary serves, while an earlier primary may count on a promise.
    IgnorePromise,
    /// Whoever is in the in-sync set counts as having promised.
    LeaseByIsr,
    /// A new primary serves before its log is on its whole in-sync set.
    NoBarrier,
    /// A replica takes what an earlier primary sends.
    OldEpoch,
    /// A member of the in-sync set that has to start anew does so while it is one.
    CopyInSync,
    /// A member is known by its node: a life that holds nothing answers for the one that was in the in-sync set.
    ByName,
}

/// Which rules hold: all of them, or all but one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    #[cfg(feature = "mutations")]
    broken: Option<Mutation>,
}

impl Rules {
    /// All rules but one.
    #[cfg(feature = "mutations")]
    pub fn without(rule: Option<Mutation>) -> Self {
        Self { broken: rule }
    }

    /// Whether that rule is to be broken.
    #[cfg(feature = "mutations")]
    pub(super) fn broken(self, rule: Mutation) -> bool {
        self.broken == Some(rule)
    }

    /// Whether that rule is to be broken.
    #[cfg(not(feature = "mutations"))]
    pub(super) const fn broken(self, _: Mutation) -> bool {
        false
    }
}
