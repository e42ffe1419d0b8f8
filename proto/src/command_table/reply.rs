//! Replies of COMMAND and its subcommands, and of every container's HELP, as pure functions of the table.
//!
//! Each writes one whole reply; `args` is the whole request, names included, whose arity has been checked. The shapes
//! are those of Redis 7.2: flags and categories are simple strings in a set, key specifications are maps, an absent
//! name is null in COMMAND INFO and left out of COMMAND DOCS.

mod docs;

pub use docs::docs;

use super::{
    Acl, BeginSearch, CommandSpec, DataCommand, FindKeys, Handler, KeyError, KeyFlags, KeySpec, commands,
    keys, lookup,
};
use crate::glob::{self, Case};
use crate::resp::{Args, ReplyWriter};

/// How many names one request may ask about: far more than there are commands, and few enough that a short request
/// cannot draw an endless reply.
const NAMES_MAX: usize = 1024;

/// COMMAND: all commands.
pub fn all(reply: &mut ReplyWriter<'_>) {
    reply.array(commands().len());
    for spec in commands() {
        describe(spec, None, reply);
    }
}

/// COMMAND COUNT.
pub fn count(reply: &mut ReplyWriter<'_>) {
    reply.count(commands().len());
}

/// COMMAND INFO: the named commands, or all.
pub fn info(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    let names = args.skip(2);
    if names.is_empty() {
        return all(reply);
    }
    if names.len() > NAMES_MAX {
        return reply.error("ERR too many command names");
    }
    reply.array(names.len());
    for name in names.iter() {
        match find(name) {
            Some((spec, container)) => describe(spec, container, reply),
            None => reply.null(),
        }
    }
}

/// COMMAND GETKEYS.
pub fn get_keys(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    let command = args.skip(2);
    match resolve(command) {
        Ok(spec) => write_keys(spec, command, reply, |key, _, reply| reply.bulk(key)),
        Err(error) => reply.error(error),
    }
}

/// COMMAND GETKEYSANDFLAGS.
pub fn get_keys_and_flags(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    let command = args.skip(2);
    match resolve(command) {
        Ok(spec) => write_keys(spec, command, reply, |key, flags, reply| {
            reply.array(2);
            reply.bulk(key);
            words(actual_flags(spec, flags, command).words(), reply);
        }),
        Err(error) => reply.error(error),
    }
}

/// COMMAND LIST, whole or filtered.
pub fn list(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    let mut arguments = args.skip(2).iter();
    let filter = match (arguments.next(), arguments.next(), arguments.next(), arguments.next()) {
        (None, ..) => Some(Filter::None),
        (Some(word), Some(kind), Some(value), None) if word.eq_ignore_ascii_case(b"filterby") => {
            Filter::new(kind, value)
        }
        _ => None,
    };
    let Some(filter) = filter else { return reply.error("ERR syntax error") };
    let header = reply.deferred_array();
    let mut count = 0;
    each_name(|spec, name| {
        if filter.admits(spec, name) {
            reply.bulk(name.as_bytes());
            count += 1;
        }
    });
    reply.finish_array(header, count);
}

/// A container's HELP: its subcommands, each with its syntax and what it does.
pub fn help(container: &CommandSpec, reply: &mut ReplyWriter<'_>) {
    let name = container.name.to_ascii_uppercase();
    let alone = container.handler != Handler::Container;
    reply.array(1 + 2 * (usize::from(alone) + container.subcommands.len()));
    reply.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    if alone {
        reply.simple("(no subcommand)");
        reply.simple(&format!("    {}", container.summary));
    }
    let (help, others): (Vec<&CommandSpec>, Vec<&CommandSpec>) =
        container.subcommands.iter().partition(|sub| sub.name == "help");
    for sub in others.into_iter().chain(help) {
        let line = format!("{} {}", sub.name.to_ascii_uppercase(), sub.syntax);
        reply.simple(line.trim_end());
        reply.simple(&format!("    {}", sub.summary));
    }
}

/// A command by its name, or a subcommand as `container|name`; with the container's name.
fn find(name: &[u8]) -> Option<(&'static CommandSpec, Option<&'static str>)> {
    match name.iter().position(|&b| b == b'|') {
        None => lookup(name).map(|spec| (spec, None)),
        Some(bar) => {
            let container = lookup(&name[..bar])?;
            let sub = container.subcommand(&name[bar + 1..])?;
            Some((sub, Some(container.name)))
        }
    }
}

/// The command that a request is for, if its keys can be asked for.
fn resolve(request: Args<'_>) -> Result<&'static CommandSpec, &'static str> {
    const UNKNOWN: &str = "ERR Invalid command specified";
    let spec = request.get(0).and_then(lookup).ok_or(UNKNOWN)?;
    match request.get(1) {
        Some(name) if !spec.subcommands.is_empty() => spec.subcommand(name).ok_or(UNKNOWN),
        _ => Ok(spec),
    }
}

fn write_keys(
    spec: &CommandSpec,
    request: Args<'_>,
    reply: &mut ReplyWriter<'_>,
    mut write: impl FnMut(&[u8], KeyFlags, &mut ReplyWriter<'_>),
) {
    let mut positions = match keys(spec, request) {
        Ok(positions) => positions,
        Err(error @ (KeyError::NoKeys | KeyError::InvalidArguments | KeyError::WrongNumber)) => {
            return reply.error(&format!("ERR {error}"));
        }
    };
    let header = reply.deferred_array();
    let mut count = 0;
    while let Some((position, flags)) = positions.next_with_flags() {
        write(&request[position], flags, reply);
        count += 1;
    }
    reply.finish_array(header, count);
}

/// What this request does to its key, where the specification says that it depends.
fn actual_flags(spec: &CommandSpec, flags: KeyFlags, request: Args<'_>) -> KeyFlags {
    if spec.handler != Handler::Data(DataCommand::Set) {
        return flags;
    }
    let returns = request.skip(3).iter().any(|option| option.eq_ignore_ascii_case(b"get"));
    if returns { flags - KeyFlags::VARIABLE_FLAGS } else { KeyFlags::OW | KeyFlags::UPDATE }
}

/// Which names COMMAND LIST gives.
enum Filter<'a> {
    None,
    /// Those that a module brought: none did.
    Module,
    Category(Option<Acl>),
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn new(kind: &[u8], value: &'a [u8]) -> Option<Self> {
        match kind.to_ascii_lowercase().as_slice() {
            b"module" => Some(Filter::Module),
            b"aclcat" => Some(Filter::Category(Acl::by_name(value))),
            b"pattern" => Some(Filter::Pattern(value)),
            _ => None,
        }
    }

    fn admits(&self, spec: &CommandSpec, name: &str) -> bool {
        match self {
            Filter::None => true,
            Filter::Module => false,
            Filter::Category(category) => {
                category.is_some_and(|category| spec.categories().contains(category))
            }
            Filter::Pattern(pattern) => glob::matches(pattern, name.as_bytes(), Case::Insensitive),
        }
    }
}

/// Calls `visit` for every command and subcommand, with its full name.
fn each_name(mut visit: impl FnMut(&'static CommandSpec, &str)) {
    for spec in commands() {
        visit(spec, spec.name);
        for sub in spec.subcommands {
            visit(sub, &full_name(sub, Some(spec.name)));
        }
    }
}

fn full_name(spec: &CommandSpec, container: Option<&str>) -> String {
    container.map_or_else(|| spec.name.to_owned(), |container| format!("{container}|{}", spec.name))
}

/// The ten elements of one command in COMMAND and COMMAND INFO.
fn describe(spec: &CommandSpec, container: Option<&str>, reply: &mut ReplyWriter<'_>) {
    let (first, last, step) = legacy_range(spec.keys);
    reply.array(10);
    reply.bulk(full_name(spec, container).as_bytes());
    reply.integer(i64::from(spec.arity));
    words(spec.flags.words(), reply);
    reply.integer(first);
    reply.integer(last);
    reply.integer(step);
    let categories: Vec<_> = spec.categories().words().map(|word| format!("@{word}")).collect();
    words(categories.iter().map(String::as_str), reply);
    reply.set(spec.tips.len());
    spec.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(spec.keys.len());
    spec.keys.iter().for_each(|key| key_spec(key, reply));
    reply.set(spec.subcommands.len());
    spec.subcommands.iter().for_each(|sub| describe(sub, Some(spec.name), reply));
}

fn words<'a>(words: impl Iterator<Item = &'a str>, reply: &mut ReplyWriter<'_>) {
    let words: Vec<_> = words.collect();
    reply.set(words.len());
    words.into_iter().for_each(|word| reply.simple(word));
}

/// The first key, the last and the step, as clients older than the key specifications ask for them; zeros if these do
/// not amount to one range.
fn legacy_range(specs: &[KeySpec]) -> (i64, i64, i64) {
    let range = |spec: &KeySpec| match (spec.begin, spec.find) {
        (BeginSearch::Index(first), FindKeys::Range { last, step, .. }) => {
            let (first, last) = (i64::from(first), i64::from(last));
            Some((first, if last < 0 { last } else { first + last }, i64::from(step)))
        }
        _ => None,
    };
    if let [only] = specs {
        return range(only).unwrap_or_default();
    }
    let (mut first, mut last) = (0, 0);
    for (begin, end, step) in specs.iter().filter_map(range) {
        let continues = last == 0 || last == begin - 1;
        if step != 1 || !continues {
            return (0, 0, 0);
        }
        first = if first == 0 { begin } else { first };
        last = end;
    }
    (first, last, i64::from(first > 0))
}

fn key_spec(spec: &KeySpec, reply: &mut ReplyWriter<'_>) {
    reply.map(3);
    reply.bulk(b"flags");
    words(spec.flags.words(), reply);
    reply.bulk(b"begin_search");
    match spec.begin {
        BeginSearch::Index(index) => part("index", &[("index", i64::from(index))], reply),
        BeginSearch::Keyword(word, from) => {
            type_and_spec("keyword", 2, reply);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            field("startfrom", i64::from(from), reply);
        }
        BeginSearch::Unknown => part("unknown", &[], reply),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        FindKeys::Range { last, step, limit } => {
            let fields =
                [("lastkey", i64::from(last)), ("keystep", i64::from(step)), ("limit", i64::from(limit))];
            part("range", &fields, reply);
        }
        FindKeys::KeyNum { key_num, first, step } => {
            let fields = [
                ("keynumidx", i64::from(key_num)),
                ("firstkey", i64::from(first)),
                ("keystep", i64::from(step)),
            ];
            part("keynum", &fields, reply);
        }
        FindKeys::Unknown => part("unknown", &[], reply),
    }
}

fn part(kind: &str, fields: &[(&str, i64)], reply: &mut ReplyWriter<'_>) {
    type_and_spec(kind, fields.len(), reply);
    fields.iter().for_each(|&(name, value)| field(name, value, reply));
}

fn type_and_spec(kind: &str, fields: usize, reply: &mut ReplyWriter<'_>) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields);
}

fn field(name: &str, value: i64, reply: &mut ReplyWriter<'_>) {
    reply.bulk(name.as_bytes());
    reply.integer(value);
}

#[cfg(test)]
mod tests {
    use super::super::row::{READS, UPDATES, every_second_from, key, keys_from};
    use super::*;
    use crate::resp::Protocol;
    use crate::resp::args::OwnedArgs;

    /// The reply to a request, its line ends as blanks.
    fn reply(protocol: Protocol, request: &str) -> String {
        let args: OwnedArgs = request.split(' ').collect();
        let args = args.as_args();
        let mut out = Vec::new();
        let writer = &mut ReplyWriter::new(&mut out, protocol);
        match request.split(' ').nth(1) {
            None => all(writer),
            Some("COUNT") => count(writer),
            Some("INFO") => info(args, writer),
            Some("GETKEYS") => get_keys(args, writer),
            Some("GETKEYSANDFLAGS") => get_keys_and_flags(args, writer),
            Some("LIST") => list(args, writer),
            Some("HELP") => help(lookup(&args[0]).expect("a command"), writer),
            Some(other) => panic!("no reply for {other}"),
        }
        String::from_utf8(out).expect("text").replace("\r\n", " ").trim_end().to_owned()
    }

    #[track_caller]
    fn check(request: &str, expected: &str) {
        assert_eq!(reply(Protocol::Resp3, request), expected);
    }

    #[test]
    fn info_in_both_protocols() {
        check(
            "COMMAND INFO get nosuch",
            "*2 *10 $3 get :2 ~2 +readonly +fast :1 :1 :1 ~3 +@read +@string +@fast ~0 ~1 %3 $5 flags ~2 +RO +access \
             $12 begin_search %2 $4 type $5 index $4 spec %1 $5 index :1 $9 find_keys %2 $4 type $5 range $4 spec %3 \
             $7 lastkey :0 $7 keystep :1 $5 limit :0 ~0 _",
        );
        assert_eq!(
            reply(Protocol::Resp2, "COMMAND INFO get nosuch"),
            "*2 *10 $3 get :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@string +@fast *0 *1 *6 $5 flags *2 +RO +access \
             $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1 $9 find_keys *4 $4 type $5 range $4 spec *6 \
             $7 lastkey :0 $7 keystep :1 $5 limit :0 *0 $-1",
        );
    }

    #[test]
    fn a_subcommand_has_its_containers_name() {
        check(
            "COMMAND INFO CONFIG|GET config|nope |get config|",
            "*4 *10 $10 config|get :-3 ~4 +admin +noscript +loading +stale :0 :0 :0 ~3 +@admin +@slow +@dangerous \
             ~0 ~0 ~0 _ _ _",
        );
        assert!(reply(Protocol::Resp3, "COMMAND INFO config").contains(" ~5 *10 $10 config|get "));
    }

    #[test]
    fn all_commands_are_as_many_as_counted() {
        let count = reply(Protocol::Resp3, "COMMAND COUNT").replace(':', "*");
        assert!(reply(Protocol::Resp3, "COMMAND").starts_with(&format!("{count} *10 $6 append ")));
        assert_eq!(reply(Protocol::Resp3, "COMMAND"), reply(Protocol::Resp3, "COMMAND INFO"));
    }

    #[test]
    fn keys_of_a_request() {
        check("COMMAND GETKEYS MSET a b c d", "*2 $1 a $1 c");
        check("COMMAND GETKEYS ping a", "-ERR The command has no key arguments");
        check("COMMAND GETKEYS get", "-ERR Invalid number of arguments specified for command");
        check("COMMAND GETKEYS nosuch a", "-ERR Invalid command specified");
        check("COMMAND GETKEYS cluster nosuch", "-ERR Invalid command specified");
        check("COMMAND GETKEYS cluster keyslot a", "-ERR The command has no key arguments");
        check("COMMAND GETKEYSANDFLAGS SET a b", "*1 *2 $1 a ~2 +OW +update");
        check("COMMAND GETKEYSANDFLAGS SET a b GET", "*1 *2 $1 a ~3 +RW +access +update");
        check("COMMAND GETKEYSANDFLAGS COPY a b", "*2 *2 $1 a ~2 +RO +access *2 $1 b ~2 +OW +update");
    }

    #[test]
    fn names_are_listed_and_filtered() {
        check("COMMAND LIST FILTERBY PATTERN HG*", "*2 $4 hget $7 hgetall");
        check("COMMAND LIST FILTERBY PATTERN config|re*", "*2 $16 config|resetstat $14 config|rewrite");
        let hashes: Vec<_> = commands()
            .iter()
            .map(|spec| spec.name)
            .filter(|name| name.starts_with('h') && *name != "hello")
            .collect();
        let listed: String = hashes.iter().map(|name| format!(" ${} {name}", name.len())).collect();
        check("COMMAND LIST filterby aclcat HASH", &format!("*{}{listed}", hashes.len()));
        check("COMMAND LIST FILTERBY ACLCAT nosuch", "*0");
        check("COMMAND LIST FILTERBY MODULE any", "*0");
        for request in ["COMMAND LIST a", "COMMAND LIST FILTERBY PATTERN", "COMMAND LIST FILTERBY FOO b"] {
            check(request, "-ERR syntax error");
        }
        let mut names = 0;
        each_name(|_, _| names += 1);
        assert!(reply(Protocol::Resp2, "COMMAND LIST").starts_with(&format!("*{names} ")));
    }

    #[test]
    fn help_names_every_subcommand() {
        let help = reply(Protocol::Resp2, "SLOWLOG HELP");
        assert!(help.starts_with(
            "*9 +SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are: +GET [count] "
        ));
        assert!(help.ends_with(" +HELP +    Returns help on the subcommands."), "{help}");
        assert!(reply(Protocol::Resp2, "COMMAND HELP").contains("+(no subcommand) "));
    }

    #[test]
    fn older_clients_get_one_range_or_none() {
        assert_eq!(legacy_range(&[]), (0, 0, 0));
        assert_eq!(legacy_range(&[key(1, READS)]), (1, 1, 1));
        assert_eq!(legacy_range(&[keys_from(1, READS)]), (1, -1, 1));
        assert_eq!(legacy_range(&[every_second_from(1, READS)]), (1, -1, 2));
        assert_eq!(legacy_range(&[key(1, READS), key(2, UPDATES)]), (1, 2, 1));
        assert_eq!(legacy_range(&[key(1, READS), key(3, UPDATES)]), (0, 0, 0));
    }
}
