//! Reading the arguments of CLUSTER commands: slots, ranges, ids, ports. Errors are Redis's, in Redis's order.
//!
//! Only reading: what a word means for the cluster is decided where it is used. Ranges keep the order in which a client
//! gave them, because Redis reports the first that is wrong, and a slot named twice is the topology's to refuse.

use std::net::IpAddr;

use nuthatch_cluster::topology::SlotRange;
use nuthatch_proto::ids::NodeId;
use nuthatch_proto::resp::Args;
use nuthatch_proto::resp::number::parse_integer;
use nuthatch_proto::slot::Slot;

use super::Refusal;
use crate::driver::CLUSTER_PORT_OFFSET;

const NO_INTEGER: &str = "ERR value is not an integer or out of range";
const NO_SLOT: &str = "ERR Invalid or out of range slot";

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn is(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

pub(super) fn integer(word: &[u8]) -> Result<i64, Refusal> {
    parse_integer(word).ok_or_else(|| NO_INTEGER.to_owned())
}

/// A slot that is to be changed.
pub(super) fn slot(word: &[u8]) -> Result<Slot, Refusal> {
    parse_integer(word).and_then(slot_of).ok_or_else(|| NO_SLOT.to_owned())
}

/// A number that may be a slot.
pub(super) fn slot_of(number: i64) -> Option<Slot> {
    u16::try_from(number).ok().and_then(Slot::new)
}

/// `slot [slot ...]`, as ranges in the order given.
pub(super) fn slots(words: Args<'_>) -> Result<Vec<SlotRange>, Refusal> {
    let slots: Result<Vec<_>, _> = words.iter().map(slot).collect();
    slots.map(SlotRange::collapse)
}

/// `start end [start end ...]`.
pub(super) fn slot_ranges(words: Args<'_>, command: &str) -> Result<Vec<SlotRange>, Refusal> {
    if !words.len().is_multiple_of(2) {
        return Err(format!("ERR wrong number of arguments for 'cluster|{command}' command"));
    }
    let pair = |place| {
        let (first, last) = (slot(words.at(place))?, slot(words.at(place + 1))?);
        SlotRange::new(first, last)
            .ok_or_else(|| format!("ERR start slot number {first} is greater than end slot number {last}"))
    };
    (0..words.len()).step_by(2).map(pair).collect()
}

/// Refuses more than so many words, the two of the command's name included. The table says only how few there may be.
fn at_most(args: Args<'_>, count: usize) -> Result<(), Refusal> {
    if args.len() <= count {
        return Ok(());
    }
    let name = text(args.at(1));
    Err(format!("ERR unknown subcommand or wrong number of arguments for '{name}'. Try CLUSTER HELP."))
}

/// RESET's `[HARD | SOFT]`: whether it is a hard one.
pub(super) fn reset(args: Args<'_>) -> Result<bool, Refusal> {
    at_most(args, 3)?;
    match args.get(2) {
        None => Ok(false),
        Some(word) if is(word, "soft") => Ok(false),
        Some(word) if is(word, "hard") => Ok(true),
        Some(_) => Err("ERR syntax error".to_owned()),
    }
}

/// What SETSLOT does with a slot; each but the first is followed by the id of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotAction {
    Stable,
    Node,
    Migrating,
    Importing,
}

/// SETSLOT's `slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>`.
pub(super) fn set_slot(args: Args<'_>) -> Result<(Slot, SlotAction), Refusal> {
    let (slot, word) = (slot(args.at(2))?, args.at(3));
    let action = match args.len() {
        4 if is(word, "stable") => SlotAction::Stable,
        5 if is(word, "node") => SlotAction::Node,
        5 if is(word, "migrating") => SlotAction::Migrating,
        5 if is(word, "importing") => SlotAction::Importing,
        _ => {
            let refusal = "ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP";
            return Err(refusal.to_owned());
        }
    };
    Ok((slot, action))
}

/// A node's id; what is none cannot be known.
pub(super) fn node_id(word: &[u8], unknown: &str) -> Result<NodeId, Refusal> {
    text(word).parse().map_err(|_| format!("ERR {unknown} {}", text(word)))
}

/// MEET's `ip port [cluster-port]`: the address of a node and its cluster port.
pub(super) fn node_address(args: Args<'_>) -> Result<(IpAddr, u16), Refusal> {
    at_most(args, 5)?;
    let (ip, port, bus) = (args.at(2), args.at(3), args.get(4));
    let number =
        parse_integer(port).ok_or_else(|| format!("ERR Invalid base port specified: {}", text(port)))?;
    let bus = match bus {
        Some(word) => {
            parse_integer(word).ok_or_else(|| format!("ERR Invalid bus port specified: {}", text(word)))?
        }
        None => number.saturating_add(i64::from(CLUSTER_PORT_OFFSET)),
    };
    let valid_port = |number: i64| u16::try_from(number).ok().filter(|&port| port != 0);
    match (text(ip).parse(), valid_port(number), valid_port(bus)) {
        (Ok(ip), Some(_), Some(bus)) => Ok((ip, bus)),
        _ => Err(format!("ERR Invalid node address specified: {}:{}", text(ip), text(port))),
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::args::OwnedArgs;

    use super::*;

    #[track_caller]
    fn check<T: std::fmt::Debug>(line: &str, read: impl Fn(Args<'_>) -> Result<T, Refusal>, expected: &str) {
        let words: OwnedArgs = line.split_whitespace().map(str::as_bytes).collect();
        let shown = match read(words.as_args()) {
            Ok(value) => format!("{value:?}"),
            Err(refusal) => refusal,
        };
        assert_eq!(shown, expected, "{line}");
    }

    #[test]
    fn slots_and_ranges_are_read_as_redis_reads_them() {
        check("1 2 3 7", slots, "[SlotRange(1-3), SlotRange(7)]");
        check("1 16384", slots, NO_SLOT);
        check("x", slots, NO_SLOT);
        let ranges = |words: Args<'_>| slot_ranges(words, "addslotsrange");
        check("0 5 10 10", ranges, "[SlotRange(0-5), SlotRange(10)]");
        check("0 5 10", ranges, "ERR wrong number of arguments for 'cluster|addslotsrange' command");
        check("5 4", ranges, "ERR start slot number 5 is greater than end slot number 4");
        check("5 x", ranges, NO_SLOT);
    }

    #[test]
    fn addresses_are_ips_with_ports() {
        check("CLUSTER meet 127.0.0.1 7001", node_address, "(127.0.0.1, 17001)");
        check("CLUSTER meet ::1 7001 9", node_address, "(::1, 9)");
        check("CLUSTER meet 127.0.0.1 x", node_address, "ERR Invalid base port specified: x");
        check("CLUSTER meet 127.0.0.1 1 x", node_address, "ERR Invalid bus port specified: x");
        check("CLUSTER meet name 7001", node_address, "ERR Invalid node address specified: name:7001");
        check(
            "CLUSTER meet 127.0.0.1 60000",
            node_address,
            "ERR Invalid node address specified: 127.0.0.1:60000",
        );
        check("CLUSTER meet 127.0.0.1 0", node_address, "ERR Invalid node address specified: 127.0.0.1:0");
        check("CLUSTER meet 127.0.0.1 -1", node_address, "ERR Invalid node address specified: 127.0.0.1:-1");
        check(
            "CLUSTER Meet 127.0.0.1 7001 17001 x",
            node_address,
            "ERR unknown subcommand or wrong number of arguments for 'Meet'. Try CLUSTER HELP.",
        );
    }

    #[test]
    fn what_a_reset_or_a_slot_is_told_too_much_is_refused() {
        check("CLUSTER RESET", reset, "false");
        check("CLUSTER RESET soft", reset, "false");
        check("CLUSTER RESET HARD", reset, "true");
        check("CLUSTER RESET nonsense", reset, "ERR syntax error");
        let wrong = "ERR unknown subcommand or wrong number of arguments for 'RESET'. Try CLUSTER HELP.";
        check("CLUSTER RESET hard nonsense", reset, wrong);
        check("CLUSTER RESET soft x y", reset, wrong);

        check("CLUSTER SETSLOT 1 STABLE", set_slot, "(Slot(1), Stable)");
        check("CLUSTER SETSLOT 1 node a", set_slot, "(Slot(1), Node)");
        check("CLUSTER SETSLOT 1 Migrating a", set_slot, "(Slot(1), Migrating)");
        check("CLUSTER SETSLOT 1 IMPORTING a", set_slot, "(Slot(1), Importing)");
        check("CLUSTER SETSLOT x NODE a b", set_slot, NO_SLOT);
        for words in
            ["STABLE a", "STABLE a b", "NODE", "NODE a b", "MIGRATING a b", "IMPORTING a b", "x", "x a"]
        {
            let wrong = "ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP";
            check(&format!("CLUSTER SETSLOT 1 {words}"), set_slot, wrong);
        }
    }
}
