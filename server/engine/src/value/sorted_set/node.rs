//! The nodes of a sorted set's [`Tree`](super::tree::Tree), and where they are kept.
//!
//! Nodes name each other by number: links may then go both ways, and a freed node's number is used again.

use super::super::arena::Place;

/// How many entries a leaf holds: with its header it fills a kibibyte.
pub(super) const LEAF: usize = 62;
/// How many children an inner node has at most.
pub(super) const FANOUT: usize = 48;
/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// A member with its score, as the tree keeps it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Its score.
    pub(super) score: f64,
    /// Its record, which holds the member.
    pub(super) place: Place,
}

const BLANK: Entry = Entry { score: 0.0, place: Place(0) };

/// Entries in order, linked to the leaves on both sides.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    entries: [Entry; LEAF],
    len: u16,
    /// The leaf before.
    pub(super) previous: u32,
    /// The leaf after.
    pub(super) next: u32,
}

impl Leaf {
    /// An empty leaf between two others.
    pub(super) fn new(previous: u32, next: u32) -> Self {
        Self { entries: [BLANK; LEAF], len: 0, previous, next }
    }

    /// Its entries.
    #[inline]
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries[..self.len as usize]
    }

    /// Its entries, to be changed without changing their order.
    pub(super) fn entries_mut(&mut self) -> &mut [Entry] {
        &mut self.entries[..self.len as usize]
    }

    /// Puts an entry at an index; there must be room.
    pub(super) fn insert(&mut self, at: usize, entry: Entry) {
        let len = self.len as usize;
        self.entries.copy_within(at..len, at + 1);
        self.entries[at] = entry;
        self.len += 1;
    }

    /// Takes the entry at an index away.
    pub(super) fn remove(&mut self, at: usize) {
        self.entries.copy_within(at + 1..self.len as usize, at);
        self.len -= 1;
    }

    /// Moves the entries from an index on to the end of another leaf.
    pub(super) fn move_tail(&mut self, at: usize, to: &mut Self) {
        let (moved, end) = (self.len as usize - at, to.len as usize);
        to.entries[end..end + moved].copy_from_slice(&self.entries[at..at + moved]);
        to.len += moved as u16;
        self.len = at as u16;
    }
}

/// A subtree, as its parent knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child {
    /// Its first entry.
    pub(super) first: Entry,
    /// How many entries it holds.
    pub(super) count: usize,
    /// Its node.
    pub(super) node: u32,
}

/// Subtrees in order.
#[derive(Debug, Clone)]
pub(super) struct Inner {
    children: [Child; FANOUT],
    len: u16,
}

impl Inner {
    /// A node without children.
    pub(super) fn new() -> Self {
        Self { children: [Child { first: BLANK, count: 0, node: NONE }; FANOUT], len: 0 }
    }

    /// Its children.
    #[inline]
    pub(super) fn children(&self) -> &[Child] {
        &self.children[..self.len as usize]
    }

    /// Its children, to be changed.
    #[inline]
    pub(super) fn children_mut(&mut self) -> &mut [Child] {
        &mut self.children[..self.len as usize]
    }

    /// Puts a child at an index; there must be room.
    pub(super) fn insert(&mut self, at: usize, child: Child) {
        let len = self.len as usize;
        self.children.copy_within(at..len, at + 1);
        self.children[at] = child;
        self.len += 1;
    }

    /// Takes the child at an index away.
    pub(super) fn remove(&mut self, at: usize) {
        self.children.copy_within(at + 1..self.len as usize, at);
        self.len -= 1;
    }

    /// Moves the children from an index on to the end of another node.
    pub(super) fn move_tail(&mut self, at: usize, to: &mut Self) {
        let (moved, end) = (self.len as usize - at, to.len as usize);
        to.children[end..end + moved].copy_from_slice(&self.children[at..at + moved]);
        to.len += moved as u16;
        self.len = at as u16;
    }
}

/// Nodes by number.
#[derive(Debug, Clone)]
pub(super) struct Nodes<T> {
    nodes: Vec<Option<Box<T>>>,
    free: Vec<u32>,
}

impl<T> Default for Nodes<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), free: Vec::new() }
    }
}

impl<T> Nodes<T> {
    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// The heap memory they hold.
    pub(super) fn memory_bytes(&self) -> usize {
        self.len() * size_of::<T>()
            + self.nodes.capacity() * size_of::<Option<Box<T>>>()
            + self.free.capacity() * size_of::<u32>()
    }

    /// The node of that number, which must be one.
    #[inline]
    pub(super) fn at(&self, number: u32) -> &T {
        self.nodes[number as usize].as_deref().expect("numbers of freed nodes are kept nowhere")
    }

    /// The node of that number, which must be one.
    #[inline]
    pub(super) fn at_mut(&mut self, number: u32) -> &mut T {
        self.nodes[number as usize].as_deref_mut().expect("numbers of freed nodes are kept nowhere")
    }

    /// Adds a node.
    pub(super) fn add(&mut self, node: T) -> u32 {
        let node = Some(Box::new(node));
        if let Some(number) = self.free.pop() {
            self.nodes[number as usize] = node;
            return number;
        }
        self.nodes.push(node);
        (self.nodes.len() - 1) as u32
    }

    /// Takes a node away; its number may be used again.
    pub(super) fn take(&mut self, number: u32) -> Box<T> {
        self.free.push(number);
        self.nodes[number as usize].take().expect("numbers of freed nodes are kept nowhere")
    }
}
