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

/// A node's id; what is none cannot be known.
pub(super) fn node_id(word: &[u8], unknown: &str) -> Result<NodeId, Refusal> {
    text(word).parse().map_err(|_| format!("ERR {unknown} {}", text(word)))
}

/// `ip port [cluster-port]`: the address of a node and its cluster port.
pub(super) fn node_address(words: Args<'_>) -> Result<(IpAddr, u16), Refusal> {
    let (ip, port, bus) = (words.at(0), words.at(1), words.get(2));
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
        check("127.0.0.1 7001", node_address, "(127.0.0.1, 17001)");
        check("::1 7001 9", node_address, "(::1, 9)");
        check("127.0.0.1 x", node_address, "ERR Invalid base port specified: x");
        check("127.0.0.1 1 x", node_address, "ERR Invalid bus port specified: x");
        check("name 7001", node_address, "ERR Invalid node address specified: name:7001");
        check("127.0.0.1 60000", node_address, "ERR Invalid node address specified: 127.0.0.1:60000");
        check("127.0.0.1 0", node_address, "ERR Invalid node address specified: 127.0.0.1:0");
        check("127.0.0.1 -1", node_address, "ERR Invalid node address specified: 127.0.0.1:-1");
    }
}
