//! Commands on keys of any type.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::CommandError;
use crate::context::Context;
use crate::store::locked::LockedSlots;

/// The database that COPY's DB option names, if it has one that is there.
pub(super) fn copy_database(_args: Args<'_>, _databases: usize) -> Option<usize> {
    None
}

pub(super) fn copy(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn del(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn exists(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn expire(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn expireat(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn expiretime(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn pexpire(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn pexpireat(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn pexpiretime(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn pttl(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn persist(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn rename(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn renamenx(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn touch(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn ttl(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}

pub(super) fn type_of(
    _cx: &mut Context<'_>,
    _slots: &mut LockedSlots<'_>,
    _args: Args<'_>,
    _reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    Err(CommandError::Other("ERR unknown command"))
}
