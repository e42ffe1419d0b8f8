//! Commands on a whole database.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::CommandError;
use crate::context::Context;
use crate::engine::Engine;

pub(super) fn dbsize(
    _engine: &Engine,
    _cx: &mut Context<'_>,
    _db: usize,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn flushall(
    _engine: &Engine,
    _cx: &mut Context<'_>,
    _db: usize,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn flushdb(
    _engine: &Engine,
    _cx: &mut Context<'_>,
    _db: usize,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn keys(
    _engine: &Engine,
    _cx: &mut Context<'_>,
    _db: usize,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn randomkey(
    _engine: &Engine,
    _cx: &mut Context<'_>,
    _db: usize,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn scan(
    _engine: &Engine,
    _cx: &mut Context<'_>,
    _db: usize,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}
