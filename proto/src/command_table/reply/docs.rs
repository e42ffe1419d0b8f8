//! COMMAND DOCS: what a command is for, in words, and its arguments as a tree.
//!
//! redis-cli builds its hints from this reply and asserts the types of what it reads: names and texts are bulk strings,
//! flags are simple strings. The history of a command's options is left out.

use super::super::syntax::{Argument, Kind, arguments};
use super::super::{CommandSpec, Group, commands};
use super::{NAMES_MAX, find, full_name};
use crate::resp::{Args, ReplyWriter};

/// COMMAND DOCS: of the named commands that there are, or of all.
pub fn docs(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    let names = args.skip(2);
    if names.is_empty() {
        reply.map(commands().len());
        return commands().iter().for_each(|spec| named(spec, None, reply));
    }
    if names.len() > NAMES_MAX {
        return reply.error("ERR too many command names");
    }
    let header = reply.mark();
    let mut count = 0;
    for (spec, container) in names.iter().filter_map(find) {
        named(spec, container, reply);
        count += 1;
    }
    reply.finish_map(header, count);
}

fn named(spec: &CommandSpec, container: Option<&str>, reply: &mut ReplyWriter<'_>) {
    reply.bulk(full_name(spec, container).as_bytes());
    let arguments = arguments(spec);
    let optional = [!spec.complexity.is_empty(), !arguments.is_empty(), !spec.subcommands.is_empty()];
    let deprecation = if spec.deprecated.is_some() { 3 } else { 0 };
    reply.map(3 + optional.into_iter().filter(|present| *present).count() + deprecation);
    text("summary", spec.summary, reply);
    text("since", spec.since, reply);
    text("group", group(spec.group), reply);
    if !spec.complexity.is_empty() {
        text("complexity", spec.complexity, reply);
    }
    if let Some(deprecation) = spec.deprecated {
        flags("doc_flags", &["deprecated"], reply);
        text("deprecated_since", deprecation.since, reply);
        text("replaced_by", deprecation.replaced_by, reply);
    }
    if !arguments.is_empty() {
        reply.bulk(b"arguments");
        tree(&arguments, reply);
    }
    if !spec.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(spec.subcommands.len());
        spec.subcommands.iter().for_each(|sub| named(sub, Some(spec.name), reply));
    }
}

fn tree(arguments: &[Argument], reply: &mut ReplyWriter<'_>) {
    reply.array(arguments.len());
    arguments.iter().for_each(|one| argument(one, reply));
}

fn argument(argument: &Argument, reply: &mut ReplyWriter<'_>) {
    let kind = match argument.kind {
        Kind::Key { .. } => "key",
        Kind::String => "string",
        Kind::Integer => "integer",
        Kind::Double => "double",
        Kind::UnixTime => "unix-time",
        Kind::Pattern => "pattern",
        Kind::PureToken => "pure-token",
        Kind::OneOf(_) => "oneof",
        Kind::Block(_) => "block",
    };
    let inner = match &argument.kind {
        Kind::OneOf(inner) | Kind::Block(inner) => Some(inner),
        Kind::Key { .. }
        | Kind::String
        | Kind::Integer
        | Kind::Double
        | Kind::UnixTime
        | Kind::Pattern
        | Kind::PureToken => None,
    };
    let marks: Vec<_> = [(argument.optional, "optional"), (argument.multiple, "multiple")]
        .into_iter()
        .filter_map(|(set, word)| set.then_some(word))
        .collect();
    let is_key = matches!(argument.kind, Kind::Key { .. });
    let optional = [inner.is_none(), is_key, argument.token.is_some(), !marks.is_empty(), inner.is_some()];
    reply.map(2 + optional.into_iter().filter(|present| *present).count());
    text("name", &argument.name, reply);
    text("type", kind, reply);
    if inner.is_none() {
        text("display_text", &argument.name, reply);
    }
    if let Kind::Key { spec_index } = argument.kind {
        reply.bulk(b"key_spec_index");
        reply.count(spec_index);
    }
    if let Some(token) = argument.token {
        text("token", token, reply);
    }
    if !marks.is_empty() {
        flags("flags", &marks, reply);
    }
    if let Some(inner) = inner {
        reply.bulk(b"arguments");
        tree(inner, reply);
    }
}

fn text(name: &str, value: &str, reply: &mut ReplyWriter<'_>) {
    reply.bulk(name.as_bytes());
    reply.bulk(value.as_bytes());
}

fn flags(name: &str, words: &[&str], reply: &mut ReplyWriter<'_>) {
    reply.bulk(name.as_bytes());
    reply.set(words.len());
    words.iter().for_each(|word| reply.simple(word));
}

fn group(group: Group) -> &'static str {
    match group {
        Group::Generic => "generic",
        Group::String => "string",
        Group::Bitmap => "bitmap",
        Group::HyperLogLog => "hyperloglog",
        Group::List => "list",
        Group::Set => "set",
        Group::SortedSet => "sorted-set",
        Group::Geo => "geo",
        Group::Hash => "hash",
        Group::PubSub => "pubsub",
        Group::Transactions => "transactions",
        Group::Connection => "connection",
        Group::Server => "server",
        Group::Scripting => "scripting",
        Group::Cluster => "cluster",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Protocol;
    use crate::resp::args::OwnedArgs;

    #[track_caller]
    fn check(protocol: Protocol, request: &str, expected: &str) {
        let args: OwnedArgs = request.split(' ').collect();
        let mut out = Vec::new();
        docs(args.as_args(), &mut ReplyWriter::new(&mut out, protocol));
        assert_eq!(String::from_utf8(out).expect("text").replace("\r\n", " ").trim_end(), expected);
    }

    #[test]
    fn a_command_in_words_and_arguments() {
        check(
            Protocol::Resp3,
            "COMMAND DOCS nosuch lpop",
            "%1 $4 lpop %5 $7 summary $53 Removes and returns elements from the head of a list. $5 since $5 1.0.0 \
             $5 group $4 list $10 complexity $39 O(N), N the number of elements returned $9 arguments *2 \
             %4 $4 name $3 key $4 type $3 key $12 display_text $3 key $14 key_spec_index :0 \
             %4 $4 name $5 count $4 type $7 integer $12 display_text $5 count $5 flags ~1 +optional",
        );
        check(
            Protocol::Resp2,
            "COMMAND DOCS client|no-evict",
            "*2 $15 client|no-evict *10 $7 summary $50 Spares the connection from eviction, or no longer. \
             $5 since $5 7.0.0 $5 group $10 connection $10 complexity $4 O(1) $9 arguments *1 *6 $4 name $9 on-or-off \
             $4 type $5 oneof $9 arguments *2 *8 $4 name $2 on $4 type $10 pure-token $12 display_text $2 on \
             $5 token $2 ON *8 $4 name $3 off $4 type $10 pure-token $12 display_text $3 off $5 token $3 OFF",
        );
    }

    #[test]
    fn what_is_deprecated_says_so() {
        check(
            Protocol::Resp3,
            "COMMAND DOCS quit",
            "%1 $4 quit %7 $7 summary $22 Closes the connection. $5 since $5 1.0.0 $5 group $10 connection \
             $10 complexity $4 O(1) $9 doc_flags ~1 +deprecated $16 deprecated_since $5 7.2.0 $11 replaced_by \
             $27 just closing the connection",
        );
    }

    #[test]
    fn absent_names_are_left_out() {
        check(Protocol::Resp3, "COMMAND DOCS nosuch", "%0");
        let many = "COMMAND DOCS".to_owned() + &" cluster".repeat(NAMES_MAX + 1);
        check(Protocol::Resp3, &many, "-ERR too many command names");
    }
}
