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

/// How many of the scores, which ascend, are at most `score`. A loop without branches over the whole array: what lies
/// beyond the last is never fewer than infinite.
#[inline]
fn count_at_most(scores: &[f64], score: f64, len: usize) -> usize {
    let counted: usize = scores.iter().map(|&other| usize::from(other <= score)).sum();
    counted.min(len)
}

/// Fills what lies beyond the last score.
const BLANK: f64 = f64::INFINITY;

/// Entries in order, linked to the leaves on both sides.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    scores: [f64; LEAF],
    places: [Place; LEAF],
    len: u16,
    /// The leaf before.
    pub(super) previous: u32,
    /// The leaf after.
    pub(super) next: u32,
}

impl Leaf {
    /// An empty leaf between two others.
    pub(super) fn new(previous: u32, next: u32) -> Self {
        Self { scores: [BLANK; LEAF], places: [Place(0); LEAF], len: 0, previous, next }
    }

    /// How many entries it has.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// The entry at an index.
    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<Entry> {
        (at < self.len()).then(|| Entry { score: self.scores[at], place: self.places[at] })
    }

    /// How many entries have at most this score.
    #[inline]
    pub(super) fn count_at_most(&self, score: f64) -> usize {
        count_at_most(&self.scores, score, self.len())
    }

    /// Puts another entry in the place of one, which must not change the order.
    pub(super) fn set(&mut self, at: usize, entry: Entry) {
        (self.scores[at], self.places[at]) = (entry.score, entry.place);
    }

    /// Puts an entry at an index; there must be room.
    pub(super) fn insert(&mut self, at: usize, entry: Entry) {
        let len = self.len();
        self.scores.copy_within(at..len, at + 1);
        self.places.copy_within(at..len, at + 1);
        self.set(at, entry);
        self.len += 1;
    }

    /// Takes the entry at an index away.
    pub(super) fn remove(&mut self, at: usize) {
        let len = self.len();
        self.scores.copy_within(at + 1..len, at);
        self.places.copy_within(at + 1..len, at);
        self.scores[len - 1] = BLANK;
        self.len -= 1;
    }

    /// Moves the entries from an index on to the end of another leaf.
    pub(super) fn move_tail(&mut self, at: usize, to: &mut Self) {
        let (range, end) = (at..self.len(), to.len());
        to.scores[end..end + range.len()].copy_from_slice(&self.scores[range.clone()]);
        to.places[end..end + range.len()].copy_from_slice(&self.places[range.clone()]);
        self.scores[range.clone()].fill(BLANK);
        to.len += range.len() as u16;
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
    /// The scores of the children's first entries, once more: what a descent searches.
    scores: [f64; FANOUT],
    children: [Child; FANOUT],
    len: u16,
}

impl Inner {
    /// A node without children.
    pub(super) fn new() -> Self {
        let blank = Child { first: Entry { score: BLANK, place: Place(0) }, count: 0, node: NONE };
        Self { scores: [BLANK; FANOUT], children: [blank; FANOUT], len: 0 }
    }

    /// Its children.
    #[inline]
    pub(super) fn children(&self) -> &[Child] {
        &self.children[..self.len as usize]
    }

    /// How many children begin with at most this score.
    #[inline]
    pub(super) fn count_at_most(&self, score: f64) -> usize {
        count_at_most(&self.scores, score, self.len as usize)
    }

    /// Puts another child in the place of one.
    #[inline]
    pub(super) fn set(&mut self, at: usize, child: Child) {
        self.scores[at] = child.first.score;
        self.children[at] = child;
    }

    /// Puts a child at an index; there must be room.
    pub(super) fn insert(&mut self, at: usize, child: Child) {
        let len = self.len as usize;
        self.scores.copy_within(at..len, at + 1);
        self.children.copy_within(at..len, at + 1);
        self.set(at, child);
        self.len += 1;
    }

    /// Takes the child at an index away.
    pub(super) fn remove(&mut self, at: usize) {
        let len = self.len as usize;
        self.scores.copy_within(at + 1..len, at);
        self.children.copy_within(at + 1..len, at);
        self.scores[len - 1] = BLANK;
        self.len -= 1;
    }

    /// Moves the children from an index on to the end of another node.
    pub(super) fn move_tail(&mut self, at: usize, to: &mut Self) {
        let (range, end) = (at..self.len as usize, to.len as usize);
        to.scores[end..end + range.len()].copy_from_slice(&self.scores[range.clone()]);
        to.children[end..end + range.len()].copy_from_slice(&self.children[range.clone()]);
        self.scores[range.clone()].fill(BLANK);
        to.len += range.len() as u16;
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

    /// Frees up to so many nodes, which are never asked for again; how many.
    pub(super) fn shed(&mut self, most: usize) -> usize {
        let before = self.nodes.len();
        self.nodes.truncate(before.saturating_sub(most));
        before - self.nodes.len()
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
