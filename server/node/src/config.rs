//! The node's configuration: redis.conf syntax and redis-server's flags, one table of options, one live value.
//!
//! Three forms, each made from the one before: lines of words (`source`, from files and flags), a value for every
//! option (`values`, checked by the option's `kind`), and [`Settings`], typed, which is all that the rest of the node
//! reads. [`Config`] holds the last two and publishes new settings when CONFIG SET changes something.

mod classes;
mod error;
mod kind;
mod options;
pub mod reference;
mod rewrite;
mod settings;
mod source;
mod tuning;
mod values;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use nuthatch_proto::glob::{Case, matches};
use parking_lot::Mutex;

pub use error::ConfigError;
pub(crate) use error::SetError;
use options::{Change, Effect, OptionId, Shown};
pub use settings::{
    ClusterSettings, LatencySettings, LogLevel, OutputLimit, Permission, ReplicationSettings, Settings,
    SlowlogSettings,
};
use values::Values;

/// What the arguments of `nuthatch server` ask for.
#[derive(Debug)]
pub enum Request {
    /// Run with this configuration.
    Run(Box<Config>),
    /// Print the version.
    Version,
    /// Print the help.
    Help,
}

/// The live configuration.
#[derive(Debug)]
pub struct Config {
    /// The file it was read from.
    file: Option<PathBuf>,
    values: Mutex<Values>,
    settings: ArcSwap<Settings>,
}

impl Config {
    /// Reads the arguments of `nuthatch server`, and the file they name.
    pub fn from_arguments(arguments: &[String]) -> Result<Request, ConfigError> {
        let (file, lines) = match source::from_arguments(arguments)? {
            source::Asked::Version => return Ok(Request::Version),
            source::Asked::Help => return Ok(Request::Help),
            source::Asked::Run { file, lines } => (file, lines),
        };
        let mut values = Values::default();
        for line in &lines {
            values.apply(line)?;
        }
        values.make_paths_absolute();
        let settings = values.settings()?;
        Ok(Request::Run(Box::new(Self {
            file,
            values: Mutex::new(values),
            settings: ArcSwap::from_pointee(settings),
        })))
    }

    /// The settings as they are now.
    #[inline]
    pub fn settings(&self) -> Guard<Arc<Settings>> {
        self.settings.load()
    }

    /// The options that are named or match a pattern, with their values, in the order of their names. A name is repeated as
    /// it was written first.
    pub(crate) fn get(&self, patterns: &[&[u8]]) -> Vec<(String, String)> {
        let values = self.values.lock();
        let mut found = BTreeMap::new();
        for (&pattern, (id, name)) in patterns.iter().flat_map(|p| options::names().map(move |n| (p, n))) {
            let is_glob = pattern.iter().any(|byte| b"[*?".contains(byte));
            let shown = match id.spec().shown {
                Shown::ByPattern if is_glob && matches(pattern, name.as_bytes(), Case::Insensitive) => {
                    name.to_owned()
                }
                Shown::ByPattern | Shown::ByName if pattern.eq_ignore_ascii_case(name.as_bytes()) => {
                    String::from_utf8_lossy(pattern).into_owned()
                }
                Shown::ByPattern | Shown::ByName | Shown::Never => continue,
            };
            found.entry(name).or_insert_with(|| (shown, values.get(id).to_owned()));
        }
        found.into_values().collect()
    }

    /// Changes all these options, or none. `protected`: even those that not everybody may change. `clients` says whether
    /// the system allows as many as new settings do.
    pub(crate) fn set(
        &self,
        pairs: &[(String, String)],
        protected: bool,
        clients: impl FnOnce(&Settings) -> Result<(), String>,
    ) -> Result<(), SetError> {
        let mut values = self.values.lock();
        let mut seen: Vec<OptionId> = Vec::new();
        for (name, _) in pairs {
            let known = options::find(name).filter(|id| id.spec().shown != Shown::Never);
            let id = known.ok_or_else(|| SetError::Unknown { name: name.clone() })?;
            let refuse = |reason: String| SetError::Refused { name: name.clone(), reason };
            match id.spec().change {
                Change::AtStart => return Err(refuse("can't set immutable config".to_owned())),
                Change::Protected if !protected => {
                    return Err(refuse("can't set protected config".to_owned()));
                }
                Change::Protected | Change::Restart | Change::Anytime => {}
            }
            if seen.contains(&id) {
                return Err(refuse("duplicate parameter".to_owned()));
            }
            seen.push(id);
        }
        let mut changed = values.clone();
        for (&id, (name, value)) in seen.iter().zip(pairs) {
            let refused = |reason| SetError::Refused { name: name.clone(), reason };
            changed.set(id, value).map_err(refused)?;
        }
        for id in seen.into_iter().filter(|id| id.spec().change == Change::Restart) {
            if changed.get(id) != values.get(id) {
                let reason = UNCHANGEABLE.to_owned();
                return Err(SetError::Refused { name: id.spec().name.to_owned(), reason });
            }
        }
        changed.make_paths_absolute();
        let settings = changed
            .settings()
            .map_err(|error| SetError::Refused { name: pairs[0].0.clone(), reason: error.to_string() })?;
        if settings.maxclients != self.settings.load().maxclients {
            let refused = |reason| SetError::Refused { name: "maxclients".to_owned(), reason };
            clients(&settings).map_err(refused)?;
        }
        *values = changed;
        self.settings.store(Arc::new(settings));
        Ok(())
    }

    /// Notes what a command has made of an option that CONFIG SET may not change, for CONFIG GET and REWRITE.
    pub(crate) fn note(&self, name: &str, value: &str) {
        let mut values = self.values.lock();
        let mut changed = values.clone();
        let Some(id) = options::find(name) else { return };
        if changed.set(id, value).is_ok()
            && let Ok(settings) = changed.settings()
        {
            *values = changed;
            self.settings.store(Arc::new(settings));
        }
    }

    /// Writes the values into the file they came from (`CONFIG REWRITE`).
    pub(crate) fn rewrite(&self) -> Result<(), SetError> {
        let Some(file) = &self.file else { return Err(SetError::NoFile) };
        rewrite::rewrite(file, &self.values.lock()).map_err(|source| SetError::Rewrite { source })
    }

    /// The file it was read from.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// The options that were given, differ from their default, and do nothing here.
    pub(crate) fn without_effect(&self) -> Vec<&'static str> {
        let values = self.values.lock();
        let given = |id: &OptionId| values.get(*id) != id.spec().default;
        options::all()
            .filter(given)
            .map(OptionId::spec)
            .filter(|s| s.effect == Effect::Kept)
            .map(|s| s.name)
            .collect()
    }
}

/// Why an option that Redis changes while it runs stays as it is.
const UNCHANGEABLE: &str = "it changes only with a restart of this node";

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &str) -> Config {
        let arguments: Vec<_> = arguments.split_whitespace().map(str::to_owned).collect();
        match Config::from_arguments(&arguments) {
            Ok(Request::Run(config)) => *config,
            other => panic!("{other:?}"),
        }
    }

    fn set(config: &Config, pairs: &[(&str, &str)]) -> Result<(), String> {
        let pairs: Vec<_> = pairs.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
        let clients = |settings: &Settings| {
            if settings.maxclients < 1000 { Ok(()) } else { Err("too many".to_owned()) }
        };
        config.set(&pairs, false, clients).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_become_settings() {
        let config = config("--port 7001 --bind 127.0.0.1 ::1 --maxclients 5 --cluster-enabled yes");
        let settings = config.settings();
        assert_eq!((settings.port, settings.maxclients, settings.databases), (7001, 5, 1));
        assert_eq!(settings.bind, ["127.0.0.1", "::1"]);
        assert_eq!((settings.cluster.enabled, settings.cluster.port), (true, 17001));
    }

    #[test]
    fn options_are_shown_by_pattern_and_under_their_old_names() {
        let config = config("");
        let names =
            |patterns: &[&[u8]]| config.get(patterns).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(config.get(&[b"maxclients"]), [("maxclients".to_owned(), "10000".to_owned())]);
        assert_eq!(names(&[b"slave-prio*", b"save"]), ["save", "slave-priority"]);
        assert_eq!(names(&[b"MaxClients", b"MAXCLIENTS", b"maxclient*"]), ["MaxClients"]);
        assert_eq!(names(&[b"MAX?LIENTS", b"MAXCLIENTS"]), ["maxclients"]);
        assert_eq!(names(&[b"key-load-dela?", b"Key-Load-Delay", b"user"]), ["Key-Load-Delay"]);
        assert_eq!(config.get(&[b"nothing"]), []);
        let all = config.get(&[b"*"]);
        assert!(all.len() > 150 && all.iter().all(|(name, _)| name != "key-load-delay" && name != "user"));
        assert_eq!(config.get(&[b"key-load-delay"]).len(), 1);
    }

    #[test]
    fn a_directory_is_shown_from_the_root_on() {
        let here = std::env::current_dir().expect("a directory").display().to_string();
        for given in ["", "--dir .", "--dir src/..", "--dir ./"] {
            assert_eq!(config(given).get(&[b"dir"]), [("dir".to_owned(), here.clone())], "{given}");
        }
        let config = config("--dir / --enable-protected-configs yes");
        config.set(&[("dir".to_owned(), ".".to_owned())], true, |_| Ok(())).expect("a directory");
        assert_eq!(config.get(&[b"dir"])[0].1, here);
        assert_eq!(config.settings().dir.display().to_string(), here);
    }

    #[test]
    fn a_change_of_several_options_is_all_or_nothing() {
        let config = config("");
        assert_eq!(set(&config, &[("timeout", "5"), ("maxclients", "7")]), Ok(()));
        assert_eq!((config.settings().timeout, config.settings().maxclients), (5, 7));
        assert_eq!(
            set(&config, &[("timeout", "6"), ("maxclients", "x")]),
            Err("ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't be parsed into an integer".to_owned())
        );
        assert_eq!(config.settings().timeout, 5);
        assert_eq!(
            set(&config, &[("databases", "6")]),
            Err("ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config".to_owned())
        );
        assert_eq!(
            set(&config, &[("timeout", "6"), ("timeout", "7")]),
            Err("ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter"
                .to_owned())
        );
        assert_eq!(
            set(&config, &[("timeout", "x"), ("foo", "6")]),
            Err("ERR Unknown option or number of arguments for CONFIG SET - 'foo'".to_owned())
        );
        let refused = |name: &str, reason: &str| {
            Err(format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"))
        };
        assert_eq!(
            set(&config, &[("timeout", "6"), ("maxclients", "1000")]),
            refused("maxclients", "too many")
        );
        assert_eq!((config.settings().timeout, config.settings().maxclients), (5, 7));
        assert_eq!(set(&config, &[("dir", "/tmp")]), refused("dir", "can't set protected config"));
        assert_eq!(set(&config, &[("port", "6379")]), Ok(()));
        assert_eq!(set(&config, &[("port", "6380")]), refused("port", UNCHANGEABLE));
        assert_eq!(set(&config, &[("timeout", "6"), ("bind", "::1")]), refused("bind", UNCHANGEABLE));
        assert_eq!(config.settings().timeout, 5);
        assert_eq!(
            config.rewrite().map_err(|e| e.to_string()),
            Err("ERR The server is running without a config file".to_owned())
        );
    }

    #[test]
    fn options_without_an_effect_are_named_when_they_are_set() {
        assert_eq!(config("--hz 50 --save 1 2").without_effect(), ["hz"]);
    }
}
