//! Commands on hashes.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::CommandError;
use crate::context::Context;
use crate::store::locked::LockedSlots;

pub(super) fn hdel(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn hget(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn hgetall(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn hlen(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn hmget(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn hmset(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn hset(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}
