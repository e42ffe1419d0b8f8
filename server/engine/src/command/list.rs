//! Commands on lists.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::CommandError;
use crate::context::Context;
use crate::store::locked::LockedSlots;

pub(super) fn llen(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn lpop(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn lpush(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn lrange(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn rpop(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn rpush(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}
