//! Which command a request means, or the error text for one that means none.
//!
//! The row of the name is found before; here a container's subcommand is, and the number of arguments is checked. What a
//! client sent is repeated in an error as bytes, up to the first NUL and only in part, as Redis's formats do, so that an
//! error line stays a short line.

use nuthatch_proto::command_table::{CommandSpec, Handler};
use nuthatch_proto::resp::Args;

/// How much of a request's words is repeated in an error.
const ECHO_MAX: usize = 128;

/// The command, or the subcommand, that the request means; an error if there is none or the number of its arguments is
/// wrong.
#[inline]
pub(crate) fn resolve(
    spec: Option<&'static CommandSpec>,
    args: Args<'_>,
) -> Result<&'static CommandSpec, Vec<u8>> {
    match spec {
        Some(spec) if spec.subcommands.is_empty() && spec.arity_ok(args.len()) => Ok(spec),
        Some(spec) => unusual(spec, args),
        None => Err(unknown_command(args)),
    }
}

#[cold]
fn unusual(spec: &'static CommandSpec, args: Args<'_>) -> Result<&'static CommandSpec, Vec<u8>> {
    let (false, Some(name)) = (spec.subcommands.is_empty(), args.get(1)) else {
        // COMMAND is a command as well as a container; the others want a subcommand.
        let is_command = spec.handler != Handler::Container && spec.arity_ok(args.len());
        return if is_command { Ok(spec) } else { Err(wrong_number(spec.name)) };
    };
    let Some(subcommand) = spec.subcommand(name) else { return Err(unknown_subcommand(spec, name)) };
    if subcommand.arity_ok(args.len()) {
        Ok(subcommand)
    } else {
        Err(wrong_number(&format!("{}|{}", spec.name, subcommand.name)))
    }
}

/// Whether the request is a line of HTTP: a browser was talked into sending it (cross-protocol scripting), and the lines
/// that follow must not run.
///
/// Source: `securityWarningCommand` of Redis.
#[cold]
pub(crate) fn is_http(args: Args<'_>) -> bool {
    args.get(0).is_some_and(|name| name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:"))
}

/// The part of a client's word that an error repeats: no more than `room` bytes, and what C takes for a text.
fn echo(word: &[u8], room: usize) -> &[u8] {
    let word = &word[..word.len().min(room)];
    word.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn wrong_number(name: &str) -> Vec<u8> {
    format!("ERR wrong number of arguments for '{name}' command").into_bytes()
}

fn unknown_subcommand(container: &CommandSpec, name: &[u8]) -> Vec<u8> {
    let help = container.name.to_ascii_uppercase();
    [b"ERR unknown subcommand '", echo(name, ECHO_MAX), format!("'. Try {help} HELP.").as_bytes()].concat()
}

fn unknown_command(args: Args<'_>) -> Vec<u8> {
    let mut words = Vec::new();
    for argument in args.skip(1).iter() {
        let Some(room @ 1..) = ECHO_MAX.checked_sub(words.len()) else { break };
        words.extend([b"'", echo(argument, room), b"' "].concat());
    }
    let name = echo(args.get(0).unwrap_or_default(), ECHO_MAX);
    [b"ERR unknown command '", name, b"', with args beginning with: ", &words].concat()
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::command_table::lookup;
    use nuthatch_proto::resp::args::OwnedArgs;

    use super::*;

    #[track_caller]
    fn check(request: &str, expected: Result<&str, &str>) {
        let args: OwnedArgs = request.split(' ').collect();
        let resolved = resolve(args.as_args().get(0).and_then(lookup), args.as_args());
        let resolved =
            resolved.map(|spec| spec.name).map_err(|error| String::from_utf8(error).expect("text"));
        assert_eq!(resolved.as_ref().map(|name| *name).map_err(String::as_str), expected);
    }

    #[test]
    fn a_request_means_a_command_or_is_refused_in_the_words_of_redis() {
        check("GET a", Ok("get"));
        check("get", Err("ERR wrong number of arguments for 'get' command"));
        check("config get a", Ok("get"));
        check("CONFIG", Err("ERR wrong number of arguments for 'config' command"));
        check("CONFIG set a", Err("ERR wrong number of arguments for 'config|set' command"));
        check("config foo", Err("ERR unknown subcommand 'foo'. Try CONFIG HELP."));
        check(
            "client maint_notifications on",
            Err("ERR unknown subcommand 'maint_notifications'. Try CLIENT HELP."),
        );
        check("debug foo", Ok("debug"));
        check("foo a b", Err("ERR unknown command 'foo', with args beginning with: 'a' 'b' "));
        check("command", Ok("command"));
        check("command count", Ok("count"));
        check("foo", Err("ERR unknown command 'foo', with args beginning with: "));
    }

    #[test]
    fn errors_repeat_little_of_a_long_request() {
        let long = "x".repeat(1000);
        let error = unknown_command([&long, &long, &long].into_iter().collect::<OwnedArgs>().as_args());
        assert!(error.len() < 350, "{error:?}");
    }

    #[test]
    fn bytes_come_back_as_they_were_sent_up_to_the_first_nul() {
        let words = [&b"f\xff\0o"[..], b"a\xffb", b"\0"];
        let error = unknown_command(words.into_iter().collect::<OwnedArgs>().as_args());
        assert_eq!(error, b"ERR unknown command 'f\xff', with args beginning with: 'a\xffb' '' ");
    }
}
