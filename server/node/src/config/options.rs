//! Every option: its name, what values it takes, its default, whether CONFIG SET may change it, and what it is for.
//!
//! This table feeds the parsing of files and flags, CONFIG GET, SET and REWRITE, and the documentation. Options of
//! Redis that have no meaning here yet are in [`redis`]: they are taken, kept and shown, because tools set and read
//! them, and the node says once that they do nothing.

mod observation;
mod own;
mod redis;
mod replication;
mod values;

use std::sync::LazyLock;

use super::kind::Kind;

/// When an option may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// At any time.
    Anytime,
    /// At any time, if `enable-protected-configs` allows it.
    Protected,
    /// Redis changes it at any time, and this node only before the start.
    Restart,
    /// Only before the start.
    AtStart,
}

/// What an option does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// What its documentation says.
    Works,
    /// Nothing; it is kept for tools that know it from Redis.
    Kept,
    /// Nothing, and who sets it relies on it: any value but the default is refused. The text says what to do instead.
    Withheld(&'static str),
}

/// When CONFIG GET shows an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// When a pattern matches its name.
    ByPattern,
    /// When it is asked for by its name.
    ByName,
    /// Never: it is a line of the file that may stand there several times.
    Never,
}

/// One option.
#[derive(Debug)]
pub(crate) struct OptionSpec {
    /// Its name.
    pub(crate) name: &'static str,
    /// Another name for it, from earlier versions of Redis.
    pub(crate) alias: Option<&'static str>,
    /// Its values.
    pub(crate) kind: Kind,
    /// Its value unless another is given.
    pub(crate) default: &'static str,
    /// When it may change.
    pub(crate) change: Change,
    /// What it does here.
    pub(crate) effect: Effect,
    /// When it is shown.
    pub(crate) shown: Shown,
    /// What it is for.
    pub(crate) doc: &'static str,
}

const PORT: Kind = Kind::Integer(0, 65535);
const INT: Kind = Kind::Integer(0, i32::MAX as u64);

/// An option that does what its documentation says.
const fn works(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> OptionSpec {
    let (change, effect, shown) = (Change::Anytime, Effect::Works, Shown::ByPattern);
    OptionSpec { name, alias: None, kind, default, change, effect, shown, doc }
}

/// An option that is known from Redis.
const fn kept(name: &'static str, kind: Kind, default: &'static str) -> OptionSpec {
    let spec = works(name, kind, default, "Known from Redis; kept and shown, without an effect.");
    OptionSpec { effect: Effect::Kept, ..spec }
}

impl OptionSpec {
    /// That protects in Redis, and would leave the node open here; `mend` says what to do instead.
    const fn withheld(self, mend: &'static str) -> Self {
        Self { effect: Effect::Withheld(mend), ..self }
    }

    /// With another name.
    const fn alias(self, alias: &'static str) -> Self {
        Self { alias: Some(alias), ..self }
    }

    /// That stays as it is at the start.
    const fn fixed(self) -> Self {
        Self { change: Change::AtStart, ..self }
    }

    /// That stays as it is at the start, unlike in Redis.
    const fn only_restart(self) -> Self {
        Self { change: Change::Restart, ..self }
    }

    /// That changes only if protected options may.
    const fn protected(self) -> Self {
        Self { change: Change::Protected, ..self }
    }

    /// That no pattern finds.
    const fn hidden(self) -> Self {
        Self { shown: Shown::ByName, ..self }
    }

    /// That CONFIG does not know.
    const fn only_in_files(self) -> Self {
        Self { shown: Shown::Never, ..self }
    }
}

/// All rows, file after file.
static ROWS: LazyLock<Vec<&'static OptionSpec>> = LazyLock::new(|| {
    let own =
        own::OPTIONS.iter().chain(&values::OPTIONS).chain(&observation::OPTIONS).chain(&replication::OPTIONS);
    own.chain(&redis::OPTIONS).collect()
});

/// The place of an option in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OptionId(usize);

impl OptionId {
    /// Its row.
    pub(crate) fn spec(self) -> &'static OptionSpec {
        ROWS[self.0]
    }

    /// Its row's number.
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// How many options there are.
pub(crate) fn count() -> usize {
    ROWS.len()
}

/// All options.
pub(crate) fn all() -> impl Iterator<Item = OptionId> {
    (0..count()).map(OptionId)
}

/// All names of options, aliases among them.
pub(crate) fn names() -> impl Iterator<Item = (OptionId, &'static str)> {
    all().flat_map(|id| {
        [Some(id.spec().name), id.spec().alias].into_iter().flatten().map(move |name| (id, name))
    })
}

/// The option of that name or alias, in any case.
pub(crate) fn find(name: &str) -> Option<OptionId> {
    let is = |candidate: &str| candidate.eq_ignore_ascii_case(name);
    all().find(|id| is(id.spec().name) || id.spec().alias.is_some_and(is))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_defaults_valid() {
        let mut names = HashSet::new();
        for spec in all().map(OptionId::spec) {
            assert!(names.insert(spec.name), "{}", spec.name);
            assert!(spec.alias.is_none_or(|alias| names.insert(alias)), "{}", spec.name);
            let normalized = spec.kind.normalize(spec.default, spec.default);
            assert_eq!(normalized.as_deref(), Ok(spec.default), "{}", spec.name);
            assert!(!spec.doc.is_empty() && !spec.doc.ends_with(' '), "{}", spec.name);
        }
    }

    #[test]
    fn options_are_found_by_any_of_their_names() {
        assert_eq!(find("PORT").map(|id| id.spec().name), Some("port"));
        assert_eq!(find("slaveof"), find("replicaof"));
        assert!(find("slaveof").is_some());
        assert_eq!(find("nonsense"), None);
    }
}
