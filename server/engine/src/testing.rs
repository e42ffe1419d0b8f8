//! The harness of the engine's tests: one engine, a clock set by hand, replies as text, effects collected.
//!
//! A test says `check("SET a 1", "+OK")`. Words are split at spaces (`""` is an empty one); a reply is printed on one
//! line: `+OK`, `-ERR ...`, `:1`, a bulk string as its text, null as `nil`, an array as `[a b]`.

use std::sync::Mutex;

use nuthatch_proto::command_table::{self, CommandSpec, DataCommand, Handler};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::{Args, Protocol, ReplyWriter};
use nuthatch_proto::slot::Slot;

use crate::{Classes, Context, Effect, EffectSink, Engine, EngineOptions, NoticeSink, Rng, Stats};

/// An engine under test.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) now: u64,
    pub(crate) db: usize,
    pub(crate) stats: Stats,
    pub(crate) rng: Rng,
    pub(crate) protocol: Protocol,
    /// The classes of notices that are written down.
    pub(crate) classes: Classes,
    /// Whether keys whose time has come are only passed over.
    pub(crate) keep_expired: bool,
    /// Whether a script asks.
    pub(crate) for_script: bool,
    /// Whether they are seen.
    pub(crate) sees_expired: bool,
    effects: Journal,
    notices: Journal,
}

/// Collects effects as text.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Vec<String>>);

impl EffectSink for Journal {
    fn emit(&self, _: usize, _: Slot, effect: Effect<'_>) {
        self.0.lock().expect("no test panics while it holds the journal").push(text_of(effect));
    }
}

impl NoticeSink for Journal {
    fn notify(&self, db: usize, _: Classes, event: &'static str, key: &[u8]) {
        let text = format!("{event} {}@{db}", String::from_utf8_lossy(key));
        self.0.lock().expect("no test panics while it holds the journal").push(text);
    }
}

fn text_of(effect: Effect<'_>) -> String {
    let s = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let at = |deadline: Option<Timestamp>| deadline.map_or_else(String::new, |d| format!(" @{d}"));
    match effect {
        Effect::Set { key, value, deadline } => format!("set {} {}{}", s(key), s(value), at(deadline)),
        Effect::SetRange { key, offset, bytes } => format!("range {} {offset} {}", s(key), s(bytes)),
        Effect::SetObject { key, object, deadline } => {
            format!("put {} {}{}", s(key), object.kind().name(), at(deadline))
        }
        Effect::Delete { key } | Effect::Expire { key } => format!("delete {}", s(key)),
        Effect::Deadline { key, deadline } => format!("deadline {}{}", s(key), at(deadline)),
        Effect::HashSet { key, field, value } => format!("hset {} {} {}", s(key), s(field), s(value)),
        Effect::HashDeadline { key, field, deadline } => {
            format!("hdeadline {} {}{}", s(key), s(field), at(deadline))
        }
        Effect::HashDelete { key, field } | Effect::HashExpire { key, field } => {
            format!("hdel {} {}", s(key), s(field))
        }
        Effect::ListPush { key, end, element } => format!("push {} {end:?} {}", s(key), s(element)),
        Effect::ListInsert { key, index, element } => format!("linsert {} {index} {}", s(key), s(element)),
        Effect::ListSet { key, index, element } => format!("lset {} {index} {}", s(key), s(element)),
        Effect::ListRemove { key, from, count, element } => {
            format!("lrem {} {from:?} {count} {}", s(key), s(element))
        }
        Effect::ListPop { key, end, count } => format!("pop {} {end:?} {count}", s(key)),
        Effect::SetAdd { key, member } => format!("sadd {} {}", s(key), s(member)),
        Effect::SetRemove { key, member } => format!("srem {} {}", s(key), s(member)),
        Effect::SortedSetAdd { key, member, score } => format!("zadd {} {score} {}", s(key), s(member)),
        Effect::SortedSetRemove { key, member } => format!("zrem {} {}", s(key), s(member)),
        Effect::SortedSetPop { key, from, count } => format!("zpop {} {from:?} {count}", s(key)),
        Effect::SwapSlot { with } => format!("swap {with}"),
        Effect::FlushSlot => "flush".to_owned(),
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            engine: Engine::new(EngineOptions { databases: 16, in_cluster: false, hash_seed: 1 }),
            now: 1_000_000,
            db: 0,
            stats: Stats::default(),
            rng: Rng::new(1),
            protocol: Protocol::Resp2,
            classes: Classes::empty(),
            keep_expired: false,
            for_script: false,
            sees_expired: false,
            effects: Journal::default(),
            notices: Journal::default(),
        }
    }

    /// Runs a command whose words are split at spaces; its reply on one line.
    pub(crate) fn run(&mut self, command: &str) -> String {
        let words: Vec<&str> =
            command.split(' ').map(|word| if word == "\"\"" { "" } else { word }).collect();
        self.run_words(&words)
    }

    /// Runs a command of any words.
    pub(crate) fn run_words<T: AsRef<[u8]>>(&mut self, words: &[T]) -> String {
        printed(&self.run_raw(words))
    }

    /// Runs a command; its reply as RESP.
    pub(crate) fn run_raw<T: AsRef<[u8]>>(&mut self, words: &[T]) -> Vec<u8> {
        let owned: OwnedArgs = words.iter().collect();
        let args = owned.as_args();
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out, self.protocol);
        let mut cx = Context::new(Timestamp(self.now), &self.effects, &mut self.stats, &mut self.rng)
            .with_notices(&self.notices, self.classes);
        cx.keep_expired = self.keep_expired;
        cx.for_script = self.for_script;
        cx.sees_expired = self.sees_expired;
        let spec = spec(args);
        match spec.handler {
            Handler::Keyspace(command) => {
                self.engine.execute_keyspace(&mut cx, self.db, command, args, &mut reply);
            }
            Handler::Data(command) => {
                let slot = first_slot(spec, args);
                if let Err(refused) = self.engine.execute(&mut cx, self.db, command, args, slot, &mut reply) {
                    return format!("-{refused}\r\n").into_bytes();
                }
            }
            Handler::Node(_) | Handler::Transaction(_) | Handler::Script(_) | Handler::Container => {
                panic!("{} is not run by the engine", spec.name)
            }
        }
        out
    }

    /// The engine, and surroundings for what is not a command.
    pub(crate) fn parts(&mut self) -> (&Engine, Context<'_>) {
        let cx = Context::new(Timestamp(self.now), &self.effects, &mut self.stats, &mut self.rng)
            .with_notices(&self.notices, self.classes);
        (&self.engine, cx)
    }

    /// Removes the keys of a slot; how many there were.
    pub(crate) fn flush_slot(&mut self, slot: Slot) -> usize {
        let mut cx = Context::new(Timestamp(self.now), &self.effects, &mut self.stats, &mut self.rng);
        self.engine.flush_slot(&mut cx, self.db, slot).map_or(0, |removed| removed.keys())
    }

    /// Runs a command and compares its reply.
    #[track_caller]
    pub(crate) fn check(&mut self, command: &str, reply: &str) {
        assert_eq!(self.run(command), reply, "{command}");
    }

    /// Runs commands and compares their replies.
    #[track_caller]
    pub(crate) fn check_all(&mut self, transcript: &[(&str, &str)]) {
        for (command, reply) in transcript {
            self.check(command, reply);
        }
    }

    /// The effects since the last call.
    pub(crate) fn effects(&mut self) -> Vec<String> {
        std::mem::take(&mut self.effects.0.lock().expect("no test panics while it holds the journal"))
    }

    /// The notices since the last call, as `event key@db`.
    pub(crate) fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices.0.lock().expect("no test panics while it holds the journal"))
    }

    /// Removes what is due now; how many keys that were.
    pub(crate) fn expire(&mut self, budget: usize) -> usize {
        let mut cx = Context::new(Timestamp(self.now), &self.effects, &mut self.stats, &mut self.rng)
            .with_notices(&self.notices, self.classes);
        self.engine.expire_due(&mut cx, budget)
    }
}

/// RESP on one line.
pub(crate) fn printed(reply: &[u8]) -> String {
    let mut rest = reply;
    let mut texts = Vec::new();
    while !rest.is_empty() {
        texts.push(print_one(&mut rest));
    }
    texts.join(" ")
}

fn print_one(rest: &mut &[u8]) -> String {
    let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("a reply's line ends");
    let line = String::from_utf8_lossy(&rest[..end]).into_owned();
    *rest = &rest[end + 2..];
    let (kind, text) = line.split_at(1);
    match kind {
        "$" if text == "-1" => "nil".to_owned(),
        "*" if text == "-1" => "nil".to_owned(),
        "_" => "nil".to_owned(),
        "$" => {
            let len: usize = text.parse().expect("a length");
            let bulk = String::from_utf8_lossy(&rest[..len]).into_owned();
            *rest = &rest[len + 2..];
            bulk
        }
        "*" | "~" | "%" => {
            let len: usize = text.parse().expect("a length");
            let len = if kind == "%" { len * 2 } else { len };
            let parts: Vec<String> = (0..len).map(|_| print_one(rest)).collect();
            format!("[{}]", parts.join(" "))
        }
        _ => line,
    }
}

/// The row of a command.
fn spec(args: Args<'_>) -> &'static CommandSpec {
    let spec = command_table::lookup(&args[0]).expect("a command of the table");
    match spec.handler {
        Handler::Container => spec.subcommand(&args[1]).expect("a subcommand of the table"),
        Handler::Data(_)
        | Handler::Keyspace(_)
        | Handler::Node(_)
        | Handler::Transaction(_)
        | Handler::Script(_) => spec,
    }
}

/// A command on keys, and the slot of its first key.
pub(crate) fn row(args: Args<'_>) -> (DataCommand, Slot) {
    let spec = spec(args);
    let Handler::Data(command) = spec.handler else { panic!("{} is not about keys", spec.name) };
    (command, first_slot(spec, args))
}

fn first_slot(spec: &CommandSpec, args: Args<'_>) -> Slot {
    let first = command_table::keys(spec, args).ok().and_then(|mut keys| keys.next());
    Slot::of_key(&args[first.unwrap_or(1)])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What the engine should hold: a string and perhaps a deadline per key.
    type Model = BTreeMap<String, (String, Option<u64>)>;

    #[derive(Debug, Clone)]
    enum Step {
        Set(u8, String),
        SetEx(u8, String, u16),
        Append(u8, String),
        Incr(u8),
        Del(u8, u8),
        Expire(u8, u16),
        Persist(u8),
        Rename(u8, u8),
        Copy(u8, u8),
        Wait(u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = || 0..12u8;
        let value = || "[0-9]{1,3}|[a-z]{0,90}";
        prop_oneof![
            (key(), value()).prop_map(|(k, v)| Step::Set(k, v)),
            (key(), value(), 1..500u16).prop_map(|(k, v, t)| Step::SetEx(k, v, t)),
            (key(), value()).prop_map(|(k, v)| Step::Append(k, v)),
            key().prop_map(Step::Incr),
            (key(), key()).prop_map(|(a, b)| Step::Del(a, b)),
            (key(), 0..500u16).prop_map(|(k, t)| Step::Expire(k, t)),
            key().prop_map(Step::Persist),
            (key(), key()).prop_map(|(a, b)| Step::Rename(a, b)),
            (key(), key()).prop_map(|(a, b)| Step::Copy(a, b)),
            (0..300u16).prop_map(Step::Wait),
        ]
    }

    fn key(number: u8) -> String {
        format!("key:{number}")
    }

    /// The command of a step, and what it does to the model.
    fn apply(step: &Step, model: &mut Model, now: &mut u64) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        match step {
            Step::Set(k, v) => {
                model.insert(key(*k), (v.clone(), None));
                words(&["SET", &key(*k), v])
            }
            Step::SetEx(k, v, t) => {
                model.insert(key(*k), (v.clone(), Some(*now + u64::from(*t))));
                words(&["SET", &key(*k), v, "PX", &t.to_string()])
            }
            Step::Append(k, v) => {
                model.entry(key(*k)).or_default().0.push_str(v);
                words(&["APPEND", &key(*k), v])
            }
            Step::Incr(k) => {
                let (value, _) = model.entry(key(*k)).or_insert_with(|| ("0".to_owned(), None));
                if let Some(number) = crate::command::parse_integer(value.as_bytes()) {
                    *value = (number + 1).to_string();
                }
                words(&["INCR", &key(*k)])
            }
            Step::Del(a, b) => {
                model.remove(&key(*a));
                model.remove(&key(*b));
                words(&["DEL", &key(*a), &key(*b)])
            }
            Step::Expire(k, t) => {
                if *t == 0 {
                    model.remove(&key(*k));
                } else if let Some((_, deadline)) = model.get_mut(&key(*k)) {
                    *deadline = Some(*now + u64::from(*t));
                }
                words(&["PEXPIRE", &key(*k), &t.to_string()])
            }
            Step::Persist(k) => {
                if let Some((_, deadline)) = model.get_mut(&key(*k)) {
                    *deadline = None;
                }
                words(&["PERSIST", &key(*k)])
            }
            Step::Rename(a, b) => {
                if let Some(value) = model.remove(&key(*a)) {
                    model.insert(key(*b), value);
                }
                words(&["RENAME", &key(*a), &key(*b)])
            }
            Step::Copy(a, b) => {
                if let Some(value) = model.get(&key(*a)).cloned() {
                    model.entry(key(*b)).or_insert(value);
                }
                words(&["COPY", &key(*a), &key(*b)])
            }
            Step::Wait(t) => {
                *now += u64::from(*t);
                words(&["RANDOMKEY"])
            }
        }
    }

    proptest! {
        #[test]
        fn the_engine_behaves_like_a_map(steps in proptest::collection::vec(step(), 1..60)) {
            let mut bench = Bench::new();
            let mut model = Model::new();
            for (number, step) in steps.iter().enumerate() {
                let mut now = bench.now;
                let words = apply(step, &mut model, &mut now);
                bench.run_words(&words);
                bench.now = now;
                model.retain(|_, (_, deadline)| deadline.is_none_or(|deadline| deadline > now));
                if number % 3 == 0 {
                    bench.expire(2);
                }
            }
            for number in 0..12 {
                let expected = model.get(&key(number));
                let value = expected.map_or("nil", |(value, _)| value);
                prop_assert_eq!(bench.run_words(&["GET", &key(number)]), value);
                let deadline = expected.and_then(|(_, deadline)| *deadline);
                let ttl = match (expected, deadline) {
                    (None, _) => ":-2".to_owned(),
                    (Some(_), None) => ":-1".to_owned(),
                    (Some(_), Some(deadline)) => format!(":{}", deadline - bench.now),
                };
                prop_assert_eq!(bench.run_words(&["PTTL", &key(number)]), ttl);
            }
            prop_assert_eq!(bench.run_words(&["DBSIZE"]), format!(":{}", model.len()));
        }
    }
}
