//! Commands on sorted sets.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::CommandError;
use crate::context::Context;
use crate::store::locked::LockedSlots;

pub(super) fn zadd(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn zcard(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn zrange(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn zrem(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn zscore(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}
