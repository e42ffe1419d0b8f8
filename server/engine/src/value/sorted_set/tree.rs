//! A counted B+tree: entries ordered by score, then by member; found by either or by rank in logarithmic time.
//!
//! The tree knows scores and places; members it reads through the [`Table`] that owns them, and only where scores
//! tie. Every question is asked as a prefix: which entries come before the border that a predicate draws? So ranks,
//! score ranges and lexicographic ranges are one descent each.
//!
//! Invariants: all leaves are equally deep; a parent knows each child's first entry and count exactly; no node is
//! empty but the root leaf of an empty tree. A node under a quarter full joins a neighbour if they fit together.

use std::cmp::Ordering;
use std::ops::Range;

use smallvec::SmallVec;

use super::super::arena::Place;
use super::super::table::Table;
use super::node::{Child, Entry, FANOUT, Inner, LEAF, Leaf, NONE, Nodes};

/// The ordered half of a big sorted set.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    leaves: Nodes<Leaf>,
    inners: Nodes<Inner>,
    root: u32,
    /// How many inner nodes stand above each leaf.
    height: usize,
    len: usize,
}

/// Inner nodes from the root down, each with the index of the child taken.
type Path = SmallVec<[(u32, usize); 8]>;

/// A border between entries: the leaf, and how many of its entries lie before it.
struct Border {
    path: Path,
    leaf: u32,
    at: usize,
}

/// Compares a kept entry to a score and a member. Scores are never NaN.
#[inline]
pub(super) fn compare(records: &Table, entry: Entry, score: f64, member: &[u8]) -> Ordering {
    match entry.score.partial_cmp(&score) {
        None | Some(Ordering::Equal) => records.record(entry.place).key.cmp(member),
        Some(unequal) => unequal,
    }
}

/// The first of the indexes that `before` does not hold for.
fn partition_point(indexes: Range<usize>, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (indexes.start, indexes.end);
    while low < high {
        let middle = low.midpoint(high);
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

impl Tree {
    /// An empty tree.
    pub(super) fn new() -> Self {
        let mut leaves = Nodes::default();
        let root = leaves.add(Leaf::new(NONE, NONE));
        Self { leaves, inners: Nodes::default(), root, height: 0, len: 0 }
    }

    /// The heap memory it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.leaves.memory_bytes() + self.inners.memory_bytes()
    }

    /// How many nodes there are.
    pub(super) fn node_count(&self) -> usize {
        self.leaves.len() + self.inners.len()
    }

    /// Frees up to so many nodes of a tree that is not used any more; how many.
    pub(super) fn shed(&mut self, most: usize) -> usize {
        let leaves = self.leaves.shed(most);
        leaves + self.inners.shed(most - leaves)
    }

    /// How many entries `before` holds for, which must be a prefix.
    pub(super) fn count(&self, before: impl Fn(Entry) -> bool) -> usize {
        let border = self.border(before);
        let preceding = |&(inner, taken): &(u32, usize)| -> usize {
            self.inners.at(inner).children()[..taken].iter().map(|child| child.count).sum()
        };
        border.path.iter().map(preceding).sum::<usize>() + border.at
    }

    /// The entries from a rank on, ascending.
    pub(super) fn ascending(&self, rank: usize) -> impl Iterator<Item = Entry> + Clone {
        let (mut leaf, mut at) = self.locate(rank);
        std::iter::from_fn(move || {
            if leaf == NONE {
                return None;
            }
            let node = self.leaves.at(leaf);
            let entry = node.get(at)?;
            at += 1;
            if at == node.len() {
                (leaf, at) = (node.next, 0);
            }
            Some(entry)
        })
    }

    /// The entries from a rank on, descending.
    pub(super) fn descending(&self, rank: usize) -> impl Iterator<Item = Entry> + Clone {
        let (mut leaf, mut at) = self.locate(rank);
        std::iter::from_fn(move || {
            if leaf == NONE {
                return None;
            }
            let node = self.leaves.at(leaf);
            let entry = node.get(at)?;
            if at > 0 {
                at -= 1;
            } else {
                leaf = node.previous;
                at = if leaf == NONE { 0 } else { self.leaves.at(leaf).len() - 1 };
            }
            Some(entry)
        })
    }

    /// The leaf and the index of the entry of that rank; the end of a leaf if there is none.
    fn locate(&self, mut rank: usize) -> (u32, usize) {
        if rank >= self.len {
            return (NONE, 0);
        }
        let mut node = self.root;
        for _ in 0..self.height {
            for child in self.inners.at(node).children() {
                if rank < child.count {
                    node = child.node;
                    break;
                }
                rank -= child.count;
            }
        }
        (node, rank)
    }

    /// The border of the prefix that `before` holds for.
    fn border(&self, before: impl Fn(Entry) -> bool) -> Border {
        let (mut node, mut path) = (self.root, Path::new());
        for _ in 0..self.height {
            let children = self.inners.at(node).children();
            let taken = children.partition_point(|child| before(child.first)).saturating_sub(1);
            path.push((node, taken));
            node = children[taken].node;
        }
        let leaf = self.leaves.at(node);
        let at = partition_point(0..leaf.len(), |at| leaf.get(at).is_some_and(&before));
        Border { path, leaf: node, at }
    }

    /// The border right after an entry, or after where it would stand. As [`Self::border`], but members are compared
    /// only where scores tie.
    fn border_after(&self, records: &Table, score: f64, member: &[u8]) -> Border {
        let not_after = |entry: Entry| compare(records, entry, score, member) != Ordering::Greater;
        let (mut node, mut path) = (self.root, Path::new());
        for _ in 0..self.height {
            let inner = self.inners.at(node);
            let (children, mut end) = (inner.children(), inner.count_at_most(score));
            if end > 0 && children[end - 1].first.score == score {
                end = partition_point(0..end, |at| not_after(children[at].first));
            }
            let taken = end.saturating_sub(1);
            path.push((node, taken));
            node = children[taken].node;
        }
        let leaf = self.leaves.at(node);
        let mut at = leaf.count_at_most(score);
        if at > 0 && leaf.get(at - 1).is_some_and(|last| last.score == score) {
            at = partition_point(0..at, |at| leaf.get(at).is_some_and(not_after));
        }
        Border { path, leaf: node, at }
    }

    /// Adds an entry whose member is not in the tree.
    pub(super) fn insert(&mut self, records: &Table, entry: Entry, member: &[u8]) {
        let Border { path, leaf, at } = self.border_after(records, entry.score, member);
        self.len += 1;
        let mut right = self.insert_into_leaf(leaf, at, entry);
        let mut first = self.leaves.at(leaf).get(0);
        for &(number, taken) in path.iter().rev() {
            let inner = self.inners.at_mut(number);
            let child = inner.children()[taken];
            let count = child.count + 1 - right.map_or(0, |right| right.count);
            inner.set(taken, Child { first: first.unwrap_or(child.first), count, ..child });
            if let Some(new) = right {
                right = self.insert_child(number, taken + 1, new);
            }
            first = self.inners.at(number).children().first().map(|child| child.first);
        }
        if let (Some(right), Some(first)) = (right, first) {
            let mut root = Inner::new();
            root.insert(0, Child { first, count: self.len - right.count, node: self.root });
            root.insert(1, right);
            self.root = self.inners.add(root);
            self.height += 1;
        }
    }

    /// Puts an entry into a leaf; if that had no room, returns the leaf that took the right part.
    fn insert_into_leaf(&mut self, number: u32, at: usize, entry: Entry) -> Option<Child> {
        let leaf = self.leaves.at_mut(number);
        if leaf.len() < LEAF {
            leaf.insert(at, entry);
            return None;
        }
        let next = leaf.next;
        let mut new = Leaf::new(number, next);
        // What is appended in order fills the leaves it leaves behind.
        let middle = if next == NONE && at == LEAF { LEAF } else { LEAF / 2 };
        leaf.move_tail(middle, &mut new);
        if at < middle || (at == middle && middle < LEAF) {
            leaf.insert(at, entry);
        } else {
            new.insert(at - middle, entry);
        }
        let (first, count) = (new.get(0)?, new.len());
        let node = self.leaves.add(new);
        self.leaves.at_mut(number).next = node;
        if next != NONE {
            self.leaves.at_mut(next).previous = node;
        }
        Some(Child { first, count, node })
    }

    /// Puts a child into an inner node; if that had no room, returns the node that took the right part.
    fn insert_child(&mut self, number: u32, at: usize, child: Child) -> Option<Child> {
        let inner = self.inners.at_mut(number);
        if inner.children().len() < FANOUT {
            inner.insert(at, child);
            return None;
        }
        let mut new = Inner::new();
        let middle = if at == FANOUT { FANOUT - 1 } else { FANOUT / 2 };
        inner.move_tail(middle, &mut new);
        if at <= middle {
            inner.insert(at, child);
        } else {
            new.insert(at - middle, child);
        }
        let first = new.children()[0].first;
        let count = new.children().iter().map(|child| child.count).sum();
        Some(Child { first, count, node: self.inners.add(new) })
    }

    /// Takes an entry away, which must be there.
    pub(super) fn remove(&mut self, records: &Table, score: f64, member: &[u8]) {
        self.remove_before(self.border_after(records, score, member));
    }

    /// Takes the entry right before a border away.
    fn remove_before(&mut self, Border { path, leaf, at }: Border) {
        debug_assert!(at > 0, "the entry is there, so its leaf is found");
        self.len -= 1;
        let node = self.leaves.at_mut(leaf);
        node.remove(at - 1);
        let mut first = node.get(0);
        let mut sparse = node.len() < LEAF / 4;
        for (above, &(number, taken)) in path.iter().rev().enumerate() {
            let inner = self.inners.at_mut(number);
            let child = inner.children()[taken];
            if let Some(first) = first {
                inner.set(taken, Child { first, count: child.count - 1, ..child });
                if sparse {
                    self.join(number, taken, above);
                }
            } else {
                inner.remove(taken);
                self.free_node(child.node, above);
            }
            let inner = self.inners.at(number);
            first = inner.children().first().map(|child| child.first);
            sparse = inner.children().len() < FANOUT / 4;
        }
        while self.height > 0 && self.inners.at(self.root).children().len() == 1 {
            let root = self.inners.take(self.root);
            self.root = root.children()[0].node;
            self.height -= 1;
        }
    }

    /// Frees an empty node that has so many levels below it.
    fn free_node(&mut self, node: u32, levels: usize) {
        if levels > 0 {
            self.inners.take(node);
        } else {
            let leaf = self.leaves.take(node);
            self.link(leaf.previous, leaf.next);
        }
    }

    fn link(&mut self, previous: u32, next: u32) {
        if previous != NONE {
            self.leaves.at_mut(previous).next = next;
        }
        if next != NONE {
            self.leaves.at_mut(next).previous = previous;
        }
    }

    /// Joins a sparse child with a neighbour if that leaves room to grow.
    fn join(&mut self, parent: u32, taken: usize, levels: usize) {
        let children = self.inners.at(parent).children();
        let left = if taken + 1 < children.len() { taken } else { taken.saturating_sub(1) };
        let Some(&[kept, gone]) = children.get(left..left + 2) else { return };
        if levels > 0 {
            let size = |child: Child| self.inners.at(child.node).children().len();
            if size(kept) + size(gone) > FANOUT * 3 / 4 {
                return;
            }
            let mut right = self.inners.take(gone.node);
            right.move_tail(0, self.inners.at_mut(kept.node));
        } else {
            if kept.count + gone.count > LEAF * 3 / 4 {
                return;
            }
            let mut right = self.leaves.take(gone.node);
            right.move_tail(0, self.leaves.at_mut(kept.node));
            self.link(kept.node, right.next);
        }
        let parent = self.inners.at_mut(parent);
        parent.set(left, Child { count: kept.count + gone.count, ..kept });
        parent.remove(left + 1);
    }

    /// Gives an entry, which must be there, another score.
    pub(super) fn rescore(&mut self, records: &Table, from: f64, to: Entry, member: &[u8]) {
        let border = self.border_after(records, from, member);
        let (leaf, at) = (self.leaves.at_mut(border.leaf), border.at);
        let between = |before: Entry, after: Entry| before.score < to.score && to.score < after.score;
        // Between its neighbours within the leaf it stays where it is.
        if let (Some(before), Some(after)) = (at.checked_sub(2).and_then(|at| leaf.get(at)), leaf.get(at))
            && between(before, after)
        {
            leaf.set(at - 1, to);
            return;
        }
        self.remove_before(border);
        self.insert(records, to, member);
    }

    /// Tells an entry where its record is now. Old and new place must both be readable.
    pub(super) fn relocate(&mut self, records: &Table, score: f64, place: Place) {
        let Border { path, leaf, at } = self.border_after(records, score, records.record(place).key);
        let leaf = self.leaves.at_mut(leaf);
        let Some(at) = at.checked_sub(1) else { return };
        leaf.set(at, Entry { score, place });
        let mut first = leaf.get(0);
        for &(number, taken) in path.iter().rev() {
            let inner = self.inners.at_mut(number);
            let child = inner.children()[taken];
            inner.set(taken, Child { first: first.unwrap_or(child.first), ..child });
            first = inner.children().first().map(|child| child.first);
        }
    }

    /// Panics where an invariant does not hold.
    #[cfg(test)]
    pub(super) fn check(&self, records: &Table) {
        let (count, _) = self.check_node(self.root, self.height);
        assert_eq!(count, self.len);
        let entries: Vec<Entry> = self.ascending(0).collect();
        assert_eq!(entries.len(), self.len);
        for pair in entries.windows(2) {
            let member = records.record(pair[1].place).key;
            assert_eq!(compare(records, pair[0], pair[1].score, member), Ordering::Less);
        }
        if self.len > 0 {
            let mut backwards: Vec<_> = self.descending(self.len - 1).map(|entry| entry.place).collect();
            backwards.reverse();
            assert_eq!(backwards, entries.iter().map(|entry| entry.place).collect::<Vec<_>>());
        }
    }

    #[cfg(test)]
    fn check_node(&self, node: u32, levels: usize) -> (usize, Option<Place>) {
        if levels == 0 {
            let leaf = self.leaves.at(node);
            assert!(leaf.len() > 0 || self.height == 0);
            return (leaf.len(), leaf.get(0).map(|entry| entry.place));
        }
        let inner = self.inners.at(node);
        let children = inner.children();
        assert!(!children.is_empty() && inner.count_at_most(f64::INFINITY) == children.len());
        for child in children {
            let (count, first) = self.check_node(child.node, levels - 1);
            assert_eq!((count, first), (child.count, Some(child.first.place)));
        }
        (children.iter().map(|child| child.count).sum(), Some(children[0].first.place))
    }
}
