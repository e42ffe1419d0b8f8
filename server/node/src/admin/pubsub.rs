//! SUBSCRIBE and its kin, PUBLISH, SPUBLISH and PUBSUB.
//!
//! A client in subscribe mode of RESP2 may say little else ([`allowed_when_subscribed`]); in RESP3 confirmations and
//! messages are pushes and anything goes. What was pushed before is written before the confirmation of an
//! unsubscription, so that no message follows it.
//!
//! Channels of shards are routed by slot as keys are, but they are served also while the cluster as a whole is not, unless
//! `cluster-allow-pubsubshard-when-down` forbids it.

use nuthatch_cluster::routing::{Access, route};
use nuthatch_proto::command_table::{CommandSpec, Handler, NodeCommand};
use nuthatch_proto::redirect::Redirect;
use nuthatch_proto::resp::{Args, Protocol, ReplyWriter};
use nuthatch_proto::slot::Slot;

use super::Call;
use crate::driver::MetadataHandle;
use crate::net::session::{Replies, Session};
use crate::node::Node;
use crate::pubsub::{Kind, confirm};

/// Whether a RESP2 client that is subscribed to something may say this.
pub(crate) fn allowed_when_subscribed(command: NodeCommand) -> bool {
    use NodeCommand as C;
    matches!(
        command,
        C::Ping
            | C::Quit
            | C::Reset
            | C::Subscribe
            | C::PSubscribe
            | C::SSubscribe
            | C::Unsubscribe
            | C::PUnsubscribe
            | C::SUnsubscribe
    )
}

/// The channels of a shard that a command names, if it names any.
pub(crate) fn shard_channels<'a>(spec: &CommandSpec, args: Args<'a>) -> Option<Args<'a>> {
    match spec.handler {
        Handler::Node(NodeCommand::SPublish) => Some(args.skip(1).take(1)),
        Handler::Node(NodeCommand::SSubscribe | NodeCommand::SUnsubscribe) => Some(args.skip(1)),
        Handler::Node(_)
        | Handler::Data(_)
        | Handler::Keyspace(_)
        | Handler::Transaction(_)
        | Handler::Script(_)
        | Handler::Container => None,
    }
}

/// Whether channels of a shard belong here.
pub(crate) fn served(node: &Node, session: &Session, channels: Args<'_>) -> Result<(), Redirect> {
    let (Some(handle), Some(first)) = (&node.cluster, channels.get(0)) else { return Ok(()) };
    let slot = Slot::of_key(first);
    if channels.iter().any(|channel| Slot::of_key(channel) != slot) {
        return Err(Redirect::CrossSlot);
    }
    let view = MetadataHandle::view(handle);
    let when_down = node.config.settings().cluster.shard_channels_when_down;
    if when_down && view.standing.owns(&view.topology, slot) {
        return Ok(());
    }
    let access = Access { write: false, readonly: session.readonly, asking: session.asking };
    route(&view.topology, &view.standing, slot, access).refusal().map_or(Ok(()), Err)
}

/// Confirms a change. A client that wants no replies (`CLIENT REPLY OFF`) is told all the same, as of a message.
fn tell(call: &Call<'_>, reply: &mut ReplyWriter<'_>, word: &str, name: Option<&[u8]>, count: usize) {
    if !matches!(call.session.replies, Replies::Off | Replies::SkipOne) {
        return confirm(reply, word, name, count);
    }
    call.session.client.push_with(|out, protocol| {
        confirm(&mut ReplyWriter::new(out, protocol), word, name, count);
    });
}

pub(super) fn subscribe(kind: Kind, call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let names = call.args.skip(1);
    let (pubsub, client) = (&call.node.pubsub, &call.session.client);
    if kind == Kind::ShardChannel && call.session.executing {
        return reply.error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    }
    if kind == Kind::ShardChannel
        && let Err(redirect) = served(call.node, call.session, names)
    {
        return reply.error(&redirect.to_string());
    }
    let begin = reply.mark();
    for name in names.iter() {
        let count = pubsub.subscribe(client, kind, name);
        tell(&call, reply, kind.words().subscribed, Some(name), count);
    }
    // The slot may have left between the first look and the entry; then the sweep may have come before the entry.
    if kind == Kind::ShardChannel
        && let Err(redirect) = served(call.node, call.session, names)
    {
        for name in names.iter() {
            pubsub.unsubscribe(client, kind, name);
        }
        reply.rewind(begin);
        reply.error(&redirect.to_string());
    }
}

pub(super) fn unsubscribe(kind: Kind, call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let names = call.args.skip(1);
    let (pubsub, client) = (&call.node.pubsub, &call.session.client);
    if kind == Kind::ShardChannel
        && let Err(redirect) = served(call.node, call.session, names)
    {
        return reply.error(&redirect.to_string());
    }
    let one = |name: &[u8], reply: &mut ReplyWriter<'_>| {
        let count = pubsub.unsubscribe(client, kind, name);
        call.session.write_pushes(reply);
        tell(&call, reply, kind.words().unsubscribed, Some(name), count);
    };
    if !names.is_empty() {
        return names.iter().for_each(|name| one(name, reply));
    }
    let (own, count) = client.subscriptions(|own| (own.names(kind), own.counted(kind)));
    if own.is_empty() {
        tell(&call, reply, kind.words().unsubscribed, None, count);
    }
    own.iter().for_each(|name| one(name, reply));
}

/// PING of a client in subscribe mode of RESP2: an array, as everything it reads is.
pub(super) fn ping(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    reply.array(2);
    reply.bulk(b"pong");
    reply.bulk(args.get(1).unwrap_or_default());
}

/// Whether replies to the client take the form they have in subscribe mode.
pub(super) fn in_subscribe_mode(call: &Call<'_>) -> bool {
    call.session.protocol() == Protocol::Resp2 && call.session.client.is_subscribed()
}

pub(super) fn publish(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let (channel, message) = (call.args.at(1), call.args.at(2));
    reply.count(call.node.pubsub.publish(channel, message));
    if let Some(handle) = &call.node.cluster {
        handle.publish(channel, message);
    }
}

pub(super) fn publish_in_shard(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let (channel, message) = (call.args.at(1), call.args.at(2));
    match served(call.node, call.session, call.args.skip(1).take(1)) {
        Ok(()) => reply.count(call.node.pubsub.publish_in_shard(channel, message)),
        Err(redirect) => reply.error(&redirect.to_string()),
    }
}

/// PUBSUB CHANNELS and SHARDCHANNELS.
pub(super) fn channels(kind: Kind, call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    if call.args.len() > 3 {
        return reply.error(&subcommand_syntax(call.args));
    }
    let channels = call.node.pubsub.channels(kind, call.args.get(2));
    reply.array(channels.len());
    channels.iter().for_each(|channel| reply.bulk(channel));
}

/// PUBSUB NUMSUB and SHARDNUMSUB.
pub(super) fn subscribers(kind: Kind, call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let channels = call.args.skip(2);
    reply.array(channels.len() * 2);
    for channel in channels.iter() {
        reply.bulk(channel);
        reply.count(call.node.pubsub.subscribers(kind, channel));
    }
}

/// Redis's error for a subcommand with too many arguments, where the table sets no upper limit.
fn subcommand_syntax(args: Args<'_>) -> String {
    let [container, name] = [0, 1].map(|index| super::text(args.at(index)));
    let container = container.to_ascii_uppercase();
    format!("ERR unknown subcommand or wrong number of arguments for '{name}'. Try {container} HELP.")
}
