//! Rows of the commands on channels, with PUBSUB and its subcommands.
//!
//! The node runs them all. Channels are no keys; those of shards are routed like keys all the same, and say so with a key
//! specification marked as not naming a key.

use super::row::{FAST, LOADING, MAY_REPLICATE, NOSCRIPT, PUBSUB, STALE, key, keys_from, row};
use super::{CommandSpec, Group, Handler, KeyFlags, KeySpec, NodeCommand};

const fn node(name: &'static str, command: NodeCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Node(command), arity, Group::PubSub)
}

const SHARD_CHANNEL: &[KeySpec] = &[key(1, KeyFlags::NOT_KEY)];
const SHARD_CHANNELS: &[KeySpec] = &[keys_from(1, KeyFlags::NOT_KEY)];

pub(super) const ROWS: &[CommandSpec] = &[
    node("psubscribe", NodeCommand::PSubscribe, -2)
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE])
        .since("2.0.0")
        .cost("O(N), N the number of patterns the client has already")
        .syntax("pattern [pattern ...]")
        .about("Subscribes the client to all channels whose names match a pattern."),
    node("publish", NodeCommand::Publish, 3)
        .flags(&[PUBSUB, LOADING, STALE, FAST, MAY_REPLICATE])
        .since("2.0.0")
        .cost("O(N+M), N the number of the channel's subscribers and M the number of all patterns")
        .syntax("channel message")
        .about("Sends a message to the subscribers of a channel."),
    row("pubsub", Handler::Container, -2, Group::PubSub)
        .since("2.8.0")
        .cost("Depends on the subcommand.")
        .about("Inspects the state of pub/sub.")
        .subcommands(PUBSUB_SUBCOMMANDS),
    node("punsubscribe", NodeCommand::PUnsubscribe, -1)
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE])
        .since("2.0.0")
        .cost("O(N), N the number of patterns")
        .syntax("[pattern [pattern ...]]")
        .about("Ends the client's subscriptions to patterns, all of them if none is named."),
    node("spublish", NodeCommand::SPublish, 3)
        .flags(&[PUBSUB, LOADING, STALE, FAST, MAY_REPLICATE])
        .keys(SHARD_CHANNEL)
        .since("7.0.0")
        .cost("O(N), N the number of the channel's subscribers")
        .syntax("shardchannel message")
        .about("Sends a message to the subscribers of a channel of a shard."),
    node("ssubscribe", NodeCommand::SSubscribe, -2)
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE])
        .keys(SHARD_CHANNELS)
        .since("7.0.0")
        .cost("O(N), N the number of channels")
        .syntax("shardchannel [shardchannel ...]")
        .about("Subscribes the client to channels of a shard."),
    node("subscribe", NodeCommand::Subscribe, -2)
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE])
        .since("2.0.0")
        .cost("O(N), N the number of channels")
        .syntax("channel [channel ...]")
        .about("Subscribes the client to channels."),
    node("sunsubscribe", NodeCommand::SUnsubscribe, -1)
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE])
        .keys(SHARD_CHANNELS)
        .since("7.0.0")
        .cost("O(N), N the number of channels")
        .syntax("[shardchannel [shardchannel ...]]")
        .about("Ends the client's subscriptions to channels of shards, all of them if none is named."),
    node("unsubscribe", NodeCommand::Unsubscribe, -1)
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE])
        .since("2.0.0")
        .cost("O(N), N the number of channels")
        .syntax("[channel [channel ...]]")
        .about("Ends the client's subscriptions to channels, all of them if none is named."),
];

const PUBSUB_SUBCOMMANDS: &[CommandSpec] = &[
    node("channels", NodeCommand::PubsubChannels, -2)
        .flags(&[PUBSUB, LOADING, STALE])
        .since("2.8.0")
        .cost("O(N), N the number of channels with subscribers")
        .syntax("[pattern]")
        .about("Returns the channels that have subscribers, or those of them that match the pattern."),
    node("help", NodeCommand::PubsubHelp, 2)
        .flags(&[LOADING, STALE])
        .since("6.2.0")
        .cost("O(1)")
        .about("Returns help on the subcommands."),
    node("numpat", NodeCommand::PubsubNumPat, 2)
        .flags(&[PUBSUB, LOADING, STALE])
        .since("2.8.0")
        .cost("O(1)")
        .about("Returns how many different patterns have subscribers."),
    node("numsub", NodeCommand::PubsubNumSub, -2)
        .flags(&[PUBSUB, LOADING, STALE])
        .since("2.8.0")
        .cost("O(N), N the number of channels asked about")
        .syntax("[channel [channel ...]]")
        .about("Returns how many subscribers channels have, those of patterns not counted."),
    node("shardchannels", NodeCommand::PubsubShardChannels, -2)
        .flags(&[PUBSUB, LOADING, STALE])
        .since("7.0.0")
        .cost("O(N), N the number of channels of shards with subscribers")
        .syntax("[pattern]")
        .about(
            "Returns the channels of shards that have subscribers, or those of them that match the pattern.",
        ),
    node("shardnumsub", NodeCommand::PubsubShardNumSub, -2)
        .flags(&[PUBSUB, LOADING, STALE])
        .since("7.0.0")
        .cost("O(N), N the number of channels asked about")
        .syntax("[shardchannel [shardchannel ...]]")
        .about("Returns how many subscribers channels of shards have."),
];
