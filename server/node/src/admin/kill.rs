//! CLIENT KILL, in its old form (an address) and its new one (filters).
//!
//! A client is ended through its entry in the registry: its own task, on its own thread, sees the mark and closes. So a kill
//! never waits for the killed. A caller that ends itself gets its reply first; by default it is spared.

use std::sync::Arc;

use nuthatch_proto::resp::number::parse_integer;
use nuthatch_proto::resp::{Args, ReplyWriter};

use super::client::class;
use super::{Call, Flow, SYNTAX_ERROR, text};
use crate::net::clients::Client;
use crate::net::pushes::Class;

/// Which clients are meant: all that pass every filter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Filters {
    id: Option<u64>,
    addr: Option<String>,
    laddr: Option<String>,
    class: Option<Class>,
    user: Option<String>,
    spare_me: bool,
}

fn parse(options: Args<'_>) -> Result<Filters, String> {
    let mut filters = Filters { spare_me: true, ..Filters::default() };
    let mut rest = options;
    while let Some(option) = rest.get(0) {
        let Some(value) = rest.get(1) else { return Err(SYNTAX_ERROR.to_owned()) };
        match option.to_ascii_uppercase().as_slice() {
            b"ID" => match parse_integer(value).map(u64::try_from) {
                Some(Ok(number @ 1..)) => filters.id = Some(number),
                _ => return Err("ERR client-id should be greater than 0".to_owned()),
            },
            b"ADDR" => filters.addr = Some(text(value)),
            b"LADDR" => filters.laddr = Some(text(value)),
            b"TYPE" => {
                let class = class(value);
                filters.class =
                    Some(class.ok_or_else(|| format!("ERR Unknown client type '{}'", text(value)))?);
            }
            b"USER" if value == b"default" => filters.user = Some(text(value)),
            b"USER" => return Err(format!("ERR No such user '{}'", text(value))),
            b"SKIPME" if value.eq_ignore_ascii_case(b"yes") => filters.spare_me = true,
            b"SKIPME" if value.eq_ignore_ascii_case(b"no") => filters.spare_me = false,
            _ => return Err(SYNTAX_ERROR.to_owned()),
        }
        rest = rest.skip(2);
    }
    Ok(filters)
}

impl Filters {
    fn pass(&self, client: &Client, me: u64) -> bool {
        self.id.is_none_or(|id| id == client.id)
            && self.addr.as_ref().is_none_or(|addr| *addr == client.addr.to_string())
            && self.laddr.as_ref().is_none_or(|laddr| *laddr == client.laddr.to_string())
            && self.class.is_none_or(|class| class == client.class())
            // Everybody who is logged in is the default user.
            && (self.user.is_none() || client.authenticated())
            && !(self.spare_me && client.id == me)
    }
}

pub(super) fn kill(call: Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    let options = call.args.skip(2);
    let me = call.session.client.id;
    if options.len() == 1 {
        let addr = text(options.at(0));
        let all = call.node.clients.all();
        let Some(client) = all.iter().find(|client| client.addr.to_string() == addr) else {
            reply.error("ERR No such client");
            return Flow::Done;
        };
        reply.ok();
        return end(client, me);
    }
    let filters = match parse(options) {
        Ok(filters) => filters,
        Err(error) => {
            reply.error(&error);
            return Flow::Done;
        }
    };
    let mut all = call.node.clients.all();
    all.retain(|client| filters.pass(client, me));
    reply.count(all.len());
    all.iter()
        .map(|client| end(client, me))
        .fold(Flow::Done, |flow, next| if next == Flow::Close { next } else { flow })
}

/// Ends a client; the caller itself only after its reply.
fn end(client: &Arc<Client>, me: u64) -> Flow {
    if client.id == me {
        return Flow::Close;
    }
    client.kill();
    Flow::Done
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::args::OwnedArgs;

    use super::*;

    #[track_caller]
    fn check(options: &str, expected: Result<Filters, &str>) {
        let args: OwnedArgs = options.split(' ').collect();
        assert_eq!(parse(args.as_args()).as_ref().map_err(String::as_str), expected.as_ref().map_err(|e| *e));
    }

    #[test]
    fn filters_are_read_as_redis_reads_them() {
        let base = || Filters { spare_me: true, ..Filters::default() };
        check("id 7 skipme no", Ok(Filters { id: Some(7), spare_me: false, ..base() }));
        check(
            "ADDR 1.2.3.4:5 LADDR 5.4.3.2:1",
            Ok(Filters { addr: Some("1.2.3.4:5".into()), laddr: Some("5.4.3.2:1".into()), ..base() }),
        );
        check(
            "type pubsub user default",
            Ok(Filters { class: Some(Class::Pubsub), user: Some("default".into()), ..base() }),
        );
        check("id a", Err("ERR client-id should be greater than 0"));
        check("id 0", Err("ERR client-id should be greater than 0"));
        check("type x", Err("ERR Unknown client type 'x'"));
        check("user x", Err("ERR No such user 'x'"));
        check("skipme x", Err("ERR syntax error"));
        check("foo x", Err("ERR syntax error"));
        check("maxage 1", Err("ERR syntax error"));
        check("id 1 addr", Err("ERR syntax error"));
    }
}
