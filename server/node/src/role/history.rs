//! The ids of the data's history, as Redis shows them: `master_replid` and its predecessor.
//!
//! A history is a sequence of changes; whoever has the same id and offset has the same data. A replica's is its primary's.
//! One that stops following goes on with a history of its own, and remembers until where it is the same as the former.

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    replid: String,
    former: Option<(String, u64)>,
}

impl History {
    /// One of that id, with no predecessor.
    pub(crate) fn new(replid: String) -> Self {
        Self { replid, former: None }
    }

    /// Its id.
    pub(crate) fn replid(&self) -> &str {
        &self.replid
    }

    /// The id of the history that it was the same as, and the first offset at which it is not.
    pub(crate) fn former(&self) -> Option<(&str, u64)> {
        self.former.as_ref().map(|(replid, end)| (replid.as_str(), *end))
    }

    /// The data is another server's now, of that history.
    pub(crate) fn adopt(&mut self, replid: &str) {
        if self.replid != replid {
            *self = Self::new(replid.to_owned());
        }
    }

    /// From that offset on it is its own.
    pub(crate) fn part_from(&mut self, replid: String, offset: u64) {
        let former = std::mem::replace(&mut self.replid, replid);
        self.former = Some((former, offset.saturating_add(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_parts_remembers_until_when_it_was_the_same() {
        let mut history = History::new("a".to_owned());
        assert_eq!((history.replid(), history.former()), ("a", None));
        history.adopt("b");
        history.part_from("c".to_owned(), 41);
        assert_eq!((history.replid(), history.former()), ("c", Some(("b", 42))));
        history.adopt("c");
        assert_eq!(history.former(), Some(("b", 42)));
        history.adopt("d");
        assert_eq!(history.former(), None);
    }
}
