//! What the user sees when the cluster is ready.
//!
//! Made of what the nodes themselves said, as plain text: the last lines are meant to be copied. Long lists of ranges are cut.

use std::path::Path;
use std::time::Duration;

use super::CLUSTER_PORT_OFFSET;
use super::form::FormedNode;

/// How many ranges of a node are shown.
const RANGES_SHOWN: usize = 4;

/// Prints the table, and the line to copy.
#[expect(clippy::print_stdout, reason = "the command's output is for the terminal")]
pub(super) fn print(nodes: &[FormedNode], has_password: bool, dir: &Path, took: Duration) {
    print!("{}", text(nodes, has_password, dir, took));
}

fn text(nodes: &[FormedNode], has_password: bool, dir: &Path, took: Duration) -> String {
    let port = nodes.first().map_or(0, |node| node.port);
    let ask = if has_password { " --askpass" } else { "" };
    let mut text = format!("A cluster of {} nodes is ready ({:.1} s).\n\n", nodes.len(), took.as_secs_f64());
    text.push_str("  node      port   cluster port  slots  ranges\n");
    for node in nodes {
        let slots: usize = node.ranges.iter().map(|range| range.len()).sum();
        text.push_str(&format!(
            "  {:8}  {:<5}  {:<12}  {slots:<5}  {}\n",
            node.id.get(..8).unwrap_or(&node.id),
            node.port,
            node.port.saturating_add(CLUSTER_PORT_OFFSET),
            ranges(node),
        ));
    }
    text.push_str(&format!(
        "\n  redis-cli -c -p {port}{ask}\n\nLogs and files: {}\nCtrl-C stops all nodes.\n",
        dir.display()
    ));
    text
}

fn ranges(node: &FormedNode) -> String {
    let shown: Vec<_> = node
        .ranges
        .iter()
        .take(RANGES_SHOWN)
        .map(|range| match (range.first(), range.last()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        })
        .collect();
    match node.ranges.len() - shown.len() {
        0 => shown.join(" "),
        more => format!("{} and {more} more", shown.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_cluster::topology::SlotRange;
    use nuthatch_proto::slot::Slot;

    use super::*;

    #[test]
    fn the_table_shows_who_owns_what() {
        let slot = |number| Slot::new(number).expect("a slot");
        let ranges = (0..6).filter_map(|n| SlotRange::new(slot(n * 10), slot(n * 10 + n))).collect();
        let nodes = [FormedNode { port: 7001, id: "0123456789".to_owned(), ranges }];
        let shown = |has_password| text(&nodes, has_password, Path::new("/x"), Duration::from_millis(1234));
        let expected = "A cluster of 1 nodes is ready (1.2 s).\n\n\
            \x20 node      port   cluster port  slots  ranges\n\
            \x20 01234567  7001   17001         21     0 10-11 20-22 30-33 and 2 more\n\n\
            \x20 redis-cli -c -p 7001\n\nLogs and files: /x\nCtrl-C stops all nodes.\n";
        assert_eq!(shown(false), expected);
        assert!(shown(true).contains("redis-cli -c -p 7001 --askpass\n"));
    }
}
