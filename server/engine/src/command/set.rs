//! Commands on sets.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::CommandError;
use crate::context::Context;
use crate::store::locked::LockedSlots;

pub(super) fn sadd(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn scard(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn sismember(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn smembers(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn srem(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}
