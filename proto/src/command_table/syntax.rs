//! A row's `syntax` read back into arguments: what COMMAND DOCS tells clients, such as redis-cli's hints.
//!
//! The grammar is the one in which the Redis documentation prints a command: `[...]` is optional, `<...>` groups, `|`
//! separates alternatives, capital words are literal, small ones are names of arguments. A group that ends with `...`
//! repeats what stands before it: `key value [key value ...]` is one repeated block. A capital word at the head of a
//! group belongs to what follows it: `[EX seconds]` is one argument with the token `EX`.
//!
//! An argument's type follows from its name, for the documentation uses the same names everywhere; the few commands
//! that give a name another type are listed here. Read at run time, when somebody asks; a test reads every row.

use super::{CommandSpec, Group};

/// An argument, as COMMAND DOCS describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The literal word before it, or instead of it.
    pub(super) token: Option<&'static str>,
    pub(super) optional: bool,
    pub(super) multiple: bool,
}

/// What an argument holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Key { spec_index: usize },
    String,
    Integer,
    Double,
    UnixTime,
    Pattern,
    PureToken,
    OneOf(Vec<Argument>),
    Block(Vec<Argument>),
}

/// The arguments of a command, its name left out.
pub(super) fn arguments(spec: &CommandSpec) -> Vec<Argument> {
    let (alternatives, _) = alternatives(spec.syntax);
    Reader { spec }.sequence(alternatives.first().map_or(&[], Vec::as_slice))
}

/// A piece of the syntax, before it means anything.
enum Piece {
    Word(&'static str),
    Optional(Vec<Vec<Self>>),
    Required(Vec<Vec<Self>>),
    Repeat,
}

/// Reads alternatives up to the bracket that ends them, or to the end, and returns what follows it.
fn alternatives(mut text: &'static str) -> (Vec<Vec<Piece>>, &'static str) {
    let mut all = vec![Vec::new()];
    loop {
        text = text.trim_start();
        let rest = text.get(1..).unwrap_or_default();
        let piece = match text.as_bytes().first() {
            None => return (all, text),
            Some(b']' | b'>') => return (all, rest),
            Some(b'|') => {
                all.push(Vec::new());
                text = rest;
                continue;
            }
            Some(b'[') => {
                let (inner, behind) = alternatives(rest);
                text = behind;
                Piece::Optional(inner)
            }
            Some(b'<') => {
                let (inner, behind) = alternatives(rest);
                text = behind;
                Piece::Required(inner)
            }
            Some(_) => {
                let end = text.find([' ', '[', ']', '<', '>', '|']).unwrap_or(text.len());
                let (word, behind) = text.split_at(end);
                text = behind;
                if word == "..." { Piece::Repeat } else { Piece::Word(word) }
            }
        };
        all.last_mut().expect("begins with one alternative and never loses one").push(piece);
    }
}

/// Gives the pieces of one command's syntax their meaning.
struct Reader<'a> {
    spec: &'a CommandSpec,
}

impl Reader<'_> {
    fn sequence(&self, pieces: &[Piece]) -> Vec<Argument> {
        let mut arguments: Vec<Argument> = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Word(word) => arguments.push(self.word(word)),
                Piece::Required(alternatives) => arguments.push(self.group(alternatives)),
                Piece::Optional(alternatives) => match alternatives.as_slice() {
                    [only] if matches!(only.last(), Some(Piece::Repeat)) => {
                        self.repeat(&only[..only.len() - 1], &mut arguments);
                    }
                    _ => arguments.push(Argument { optional: true, ..self.group(alternatives) }),
                },
                // Repetition is read with the group that it ends.
                Piece::Repeat => {}
            }
        }
        arguments
    }

    /// Makes the arguments just read repeated ones; the repeated pieces must be theirs.
    fn repeat(&self, pieces: &[Piece], arguments: &mut Vec<Argument>) {
        // Its token may be repeated with an argument, and is no argument itself.
        let pieces = match pieces {
            [Piece::Word(token), rest @ ..] if is_token(token) && rest.len() == arguments.len() => rest,
            all => all,
        };
        let repeated = self.sequence(pieces);
        let begin = arguments.len().saturating_sub(repeated.len());
        debug_assert_eq!(arguments[begin..], repeated, "{}: repeats something else", self.spec.name);
        arguments.truncate(begin);
        arguments.push(Argument { multiple: true, ..block(None, repeated) });
    }

    fn group(&self, alternatives: &[Vec<Piece>]) -> Argument {
        match alternatives {
            [only] => self.alternative(only),
            _ => {
                let choices: Vec<_> = alternatives.iter().map(|pieces| self.alternative(pieces)).collect();
                let name = match choices.as_slice() {
                    [a, b] => format!("{}-or-{}", a.name, b.name),
                    _ => "choice".to_owned(),
                };
                argument(name, Kind::OneOf(choices))
            }
        }
    }

    /// One alternative is one argument, with its token if it begins with one.
    fn alternative(&self, pieces: &[Piece]) -> Argument {
        match pieces {
            [Piece::Word(token), rest @ ..] if is_token(token) && !rest.is_empty() => {
                block(Some(token), self.sequence(rest))
            }
            _ => block(None, self.sequence(pieces)),
        }
    }

    fn word(&self, word: &'static str) -> Argument {
        if is_token(word) {
            return Argument { token: Some(word), ..argument(word.to_ascii_lowercase(), Kind::PureToken) };
        }
        argument(word.to_owned(), self.kind(word))
    }

    fn kind(&self, name: &str) -> Kind {
        match (name, self.spec.name, self.spec.group) {
            ("key", "sdiffstore" | "sinterstore" | "sunionstore", _) => Kind::Key { spec_index: 1 },
            ("destination", "sdiffstore" | "sinterstore" | "sunionstore" | "geosearchstore", _) => {
                Kind::Key { spec_index: 0 }
            }
            ("source", "geosearchstore", _) | ("storekey", _, Group::Geo) => Kind::Key { spec_index: 1 },
            ("storedistkey", _, Group::Geo) => Kind::Key { spec_index: 2 },
            ("key" | "key1" | "key2" | "source", _, _) if !self.spec.keys.is_empty() => {
                Kind::Key { spec_index: 0 }
            }
            ("destination", "sort", _) => Kind::Key { spec_index: 2 },
            ("newkey" | "destination", _, _) if !self.spec.keys.is_empty() => Kind::Key { spec_index: 1 },
            ("increment", "incrbyfloat" | "hincrbyfloat", _) | ("seconds", "sleep", _) | ("score", _, _) => {
                Kind::Double
            }
            ("longitude" | "latitude" | "radius" | "width" | "height", _, Group::Geo) => Kind::Double,
            // Bounds of ZRANGE may be scores or names.
            ("start" | "stop", _, Group::SortedSet) => Kind::String,
            ("unix-time-seconds" | "unix-time-milliseconds", _, _) => Kind::UnixTime,
            ("pattern", _, _) => Kind::Pattern,
            (
                "client-id" | "cluster-bus-port" | "config-epoch" | "count" | "cursor" | "db" | "decrement"
                | "destination-db" | "end" | "end-slot" | "increment" | "index" | "index1" | "index2"
                | "milliseconds" | "min-match-len" | "numfields" | "numreplicas" | "offset" | "port"
                | "protover" | "seconds" | "slot" | "start" | "start-slot" | "stop" | "timeout" | "version",
                _,
                _,
            ) => Kind::Integer,
            _ => Kind::String,
        }
    }
}

fn is_token(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_uppercase()) && !word.bytes().any(|b| b.is_ascii_lowercase())
}

fn argument(name: String, kind: Kind) -> Argument {
    Argument { name, kind, token: None, optional: false, multiple: false }
}

/// The arguments as one: itself if it is one without a token of its own, else a block.
fn block(token: Option<&'static str>, mut arguments: Vec<Argument>) -> Argument {
    if arguments.len() == 1 && (token.is_none() || arguments[0].token.is_none()) {
        let only = arguments.swap_remove(0);
        return Argument { token: token.or(only.token), ..only };
    }
    let names: Vec<_> = arguments.iter().map(|argument| argument.name.as_str()).collect();
    let name = names.join("-");
    Argument { token, ..argument(name, Kind::Block(arguments)) }
}

#[cfg(test)]
mod tests {
    use super::super::{commands, lookup};
    use super::*;

    /// An argument in one line: token, name, type, `?` if optional, `+` if repeated.
    fn show(argument: &Argument) -> String {
        let kind = match &argument.kind {
            Kind::Key { spec_index } => format!("key{spec_index}"),
            Kind::String => "string".to_owned(),
            Kind::Integer => "integer".to_owned(),
            Kind::Double => "double".to_owned(),
            Kind::UnixTime => "unix-time".to_owned(),
            Kind::Pattern => "pattern".to_owned(),
            Kind::PureToken => "pure-token".to_owned(),
            Kind::OneOf(inner) => format!("oneof({})", show_all(inner)),
            Kind::Block(inner) => format!("block({})", show_all(inner)),
        };
        let token = argument.token.map(|token| format!("{token} ")).unwrap_or_default();
        let marks = [(argument.optional, "?"), (argument.multiple, "+")];
        let marks: String = marks.iter().filter(|(set, _)| *set).map(|(_, mark)| *mark).collect();
        format!("{token}{}:{kind}{marks}", argument.name)
    }

    fn show_all(arguments: &[Argument]) -> String {
        arguments.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(command: &str, expected: &str) {
        let mut words = command.split(' ');
        let mut spec = lookup(words.next().expect("a name").as_bytes()).expect("a command");
        for word in words {
            spec = spec.subcommand(word.as_bytes()).expect("a subcommand");
        }
        assert_eq!(show_all(&arguments(spec)), expected);
    }

    #[test]
    fn arguments_as_redis_documents_them() {
        check("get", "key:key0");
        check("del", "key:key0+");
        check("rename", "key:key0 newkey:key1");
        check("mset", "key-value:block(key:key0 value:string)+");
        check("lpop", "key:key0 count:integer?");
        check("incrbyfloat", "key:key0 increment:double");
        check(
            "getex",
            "key:key0 choice:oneof(EX seconds:integer PX milliseconds:integer EXAT unix-time-seconds:unix-time \
             PXAT unix-time-milliseconds:unix-time PERSIST persist:pure-token)?",
        );
        check(
            "zadd",
            "key:key0 nx-or-xx:oneof(NX nx:pure-token XX xx:pure-token)? \
             gt-or-lt:oneof(GT gt:pure-token LT lt:pure-token)? CH ch:pure-token? INCR incr:pure-token? \
             score-member:block(score:double member:string)+",
        );
        check(
            "georadiusbymember",
            "key:key0 member:string radius:double choice:oneof(M m:pure-token KM km:pure-token FT ft:pure-token \
             MI mi:pure-token) WITHCOORD withcoord:pure-token? WITHDIST withdist:pure-token? \
             WITHHASH withhash:pure-token? COUNT count-any:block(count:integer ANY any:pure-token?)? \
             asc-or-desc:oneof(ASC asc:pure-token DESC desc:pure-token)? \
             storekey-or-storedistkey:oneof(STORE storekey:key1 STOREDIST storedistkey:key2)?",
        );
        check("geohash", "key:key0 member:string?+");
        check(
            "hello",
            "protover-username-password-clientname:block(protover:integer AUTH username-password:block(\
             username:string password:string)? SETNAME clientname:string?)?",
        );
        check("cluster keyslot", "key:string");
        check("command docs", "command-name:string?+");
        check("command getkeys", "command:string arg:string?+");
        check(
            "command list",
            "FILTERBY choice:oneof(MODULE module-name:string ACLCAT category:string PATTERN pattern:pattern)?",
        );
        check(
            "client list",
            "TYPE choice:oneof(NORMAL normal:pure-token MASTER master:pure-token REPLICA replica:pure-token \
             PUBSUB pubsub:pure-token)? ID client-id:integer?+",
        );
    }

    /// The fewest words an argument takes, and whether there may be more.
    fn words(argument: &Argument) -> (usize, bool) {
        let all = |inner: &[Argument]| {
            let each = inner.iter().map(words);
            each.fold((0, false), |(least, more), (next, next_more)| (least + next, more || next_more))
        };
        let (least, more) = match &argument.kind {
            Kind::PureToken => (0, false),
            Kind::OneOf(inner) => {
                let least = inner.iter().map(|choice| words(choice).0).min().unwrap_or(0);
                (least, inner.iter().any(|choice| words(choice) != (least, false)))
            }
            Kind::Block(inner) => all(inner),
            Kind::Key { .. }
            | Kind::String
            | Kind::Integer
            | Kind::Double
            | Kind::UnixTime
            | Kind::Pattern => (1, false),
        };
        let least = least + usize::from(argument.token.is_some());
        if argument.optional { (0, true) } else { (least, more || argument.multiple) }
    }

    #[test]
    fn arity_and_syntax_agree() {
        // Each takes more or less than its syntax says, and Redis documents it so.
        const EXCEPTIONS: [&str; 6] = ["quit", "command", "kill", "setslot", "psync", "replconf"];
        fn check_row(spec: &CommandSpec, names: usize) {
            let each: Vec<_> = arguments(spec).iter().map(words).collect();
            let least = names + each.iter().map(|(least, _)| least).sum::<usize>();
            let more = each.iter().any(|(_, more)| *more);
            let wanted = (usize::from(spec.arity.unsigned_abs()), spec.arity < 0);
            if !spec.subcommands.is_empty() || EXCEPTIONS.contains(&spec.name) {
                assert!(least <= wanted.0, "{}", spec.name);
            } else {
                assert_eq!((least, more), wanted, "{} {}", spec.name, spec.syntax);
            }
            spec.subcommands.iter().for_each(|sub| check_row(sub, names + 1));
        }
        commands().iter().for_each(|spec| check_row(spec, 1));
    }

    #[test]
    fn brackets_are_balanced() {
        fn check_row(spec: &CommandSpec) {
            for (open, close) in [('[', ']'), ('<', '>')] {
                assert_eq!(
                    spec.syntax.matches(open).count(),
                    spec.syntax.matches(close).count(),
                    "{}",
                    spec.name
                );
            }
            spec.subcommands.iter().for_each(check_row);
        }
        commands().iter().for_each(check_row);
    }
}
