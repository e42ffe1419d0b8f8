//! Rows of the commands on the bits of strings.

use super::row::{DENYOOM, FAST, READONLY, READS, READS_AND_UPDATES, WRITE, key, row};
use super::{Acl, CommandSpec, DataCommand, Group, Handler};

const fn data(name: &'static str, command: DataCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Data(command), arity, Group::Bitmap)
}

pub(super) const ROWS: &[CommandSpec] = &[
    data("getbit", DataCommand::GetBit, 3)
        .flags(&[READONLY, FAST])
        .acl(Acl::BITMAP)
        .keys(&[key(1, READS)])
        .since("2.2.0")
        .cost("O(1)")
        .syntax("key offset")
        .about("Returns a bit of a string."),
    data("setbit", DataCommand::SetBit, 4)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::BITMAP)
        .keys(&[key(1, READS_AND_UPDATES)])
        .since("2.2.0")
        .cost("O(1)")
        .syntax("key offset value")
        .about("Sets or clears a bit of a string; creates it if absent."),
];
