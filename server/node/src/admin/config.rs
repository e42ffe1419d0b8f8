//! CONFIG GET, SET and REWRITE.
//!
//! Options, their kinds and their checks live in `config`; here requests become questions to it, and its errors replies. A
//! CONFIG SET of several options is all or nothing.

use nuthatch_proto::resp::ReplyWriter;

use super::{Call, SYNTAX_ERROR, text};
use crate::config::SetError;
use crate::node::{Node, cluster_rules, limits};
use crate::telemetry::log;

pub(super) fn get(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let patterns: Vec<_> = call.args.skip(2).iter().collect();
    let found = call.node.config.get(&patterns);
    reply.map(found.len());
    for (name, value) in found {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
}

pub(super) fn set(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let words = call.args.skip(2);
    if !words.len().is_multiple_of(2) {
        return reply.error(SYNTAX_ERROR);
    }
    let texts: Vec<_> = words.iter().map(text).collect();
    let pairs: Vec<_> = texts.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    let permission = call.node.config.settings().protected_configs;
    let protected = permission.is_given_to(call.session.client.addr.ip());
    match call.node.config.set(&pairs, protected, limits::check_clients) {
        Ok(()) => {
            apply(call.node);
            reply.ok();
        }
        Err(SetError::Unknown { name }) => {
            // As it came, also if it is no text.
            let sent = words.iter().step_by(2).find(|word| text(word) == name).unwrap_or(name.as_bytes());
            let error = b"ERR Unknown option or number of arguments for CONFIG SET - '";
            reply.error_bytes(&[error, sent, b"'"].concat());
        }
        Err(error) => reply.error(&error.to_string()),
    }
}

/// Tells those who keep a copy of a setting.
fn apply(node: &Node) {
    let settings = node.config.settings();
    log::set_level(settings.loglevel);
    node.clients.limits.set(settings.output_limits);
    node.engine.tune(settings.tuning);
    node.pubsub.set_classes(settings.notice_classes);
    if let Some(cluster) = &node.cluster {
        cluster.set_rules(cluster_rules(&settings));
    }
}

pub(super) fn rewrite(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    match call.node.config.rewrite() {
        Ok(()) => {
            tracing::info!("CONFIG REWRITE executed with success.");
            reply.ok();
        }
        Err(error) => reply.error(&error.to_string()),
    }
}
