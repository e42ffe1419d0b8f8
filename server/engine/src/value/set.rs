//! A set of members.
//!
//! Integers alone are a sorted array (`intset` to Redis), a few members of any kind one allocation (`listpack`), more
//! of them a [`Table`] without values (`hashtable`). A set only ever moves down that list; [`Limits`] say when.

mod integers;

use integers::Integers;

use super::item::{IntegerText, Item};
use super::limits::Limits;
use super::packed::Packed;
use super::table::{Slot, Table};
use crate::context::Rng;

/// The value of a set key.
#[derive(Debug, Clone)]
pub struct Set(Form);

#[derive(Debug, Clone)]
enum Form {
    Integers(Integers),
    Compact(Packed),
    Table(Box<Table>),
}

impl Default for Set {
    fn default() -> Self {
        Self(Form::Integers(Integers::default()))
    }
}

impl Set {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many members there are.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Integers(integers) => integers.len(),
            Form::Compact(packed) => packed.len(),
            Form::Table(table) => table.len(),
        }
    }

    /// Whether there is none; such a key does not exist.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `OBJECT ENCODING` says.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Integers(_) => "intset",
            Form::Compact(_) => "listpack",
            Form::Table(_) => "hashtable",
        }
    }

    /// The heap memory it holds.
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Integers(integers) => integers.memory_bytes(),
            Form::Compact(packed) => packed.memory_bytes(),
            Form::Table(table) => size_of::<Table>() + table.memory_bytes(),
        }
    }

    /// How many allocations dropping it frees.
    pub fn free_effort(&self) -> usize {
        match &self.0 {
            Form::Integers(_) | Form::Compact(_) => 1,
            Form::Table(table) => table.free_effort(),
        }
    }

    /// Whether the member is there, an element perhaps of another set, which may keep it in another form.
    #[inline]
    pub fn has(&self, member: Item<'_>) -> bool {
        match (&self.0, member) {
            (Form::Integers(integers), Item::Integer(number)) => integers.contains(number),
            (Form::Compact(packed), Item::Integer(_)) => packed.find(member, 1).is_some(),
            (_, member) => self.contains(member.bytes(&mut IntegerText::new())),
        }
    }

    /// Its table, if it is a big one.
    #[inline]
    pub(super) fn table(&self) -> Option<&Table> {
        if let Form::Table(table) = &self.0 { Some(table) } else { None }
    }

    /// See [`super::Object::shed`].
    pub(super) fn shed(&mut self, most: usize) -> usize {
        match &mut self.0 {
            Form::Integers(_) | Form::Compact(_) => 0,
            Form::Table(table) => table.shed(most),
        }
    }

    /// Whether the member is there.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Form::Table(table) => table.find(member).is_some(),
            Form::Compact(packed) => packed.find(Item::new(member), 1).is_some(),
            Form::Integers(integers) => match Item::new(member) {
                Item::Integer(number) => integers.contains(number),
                Item::Bytes(_) => false,
            },
        }
    }

    /// Makes ready for so many members to be added by one command, of which `first` is the first. Redis judges the
    /// command by its count of arguments, so that many at once convert earlier than many in turn.
    pub fn prepare(&mut self, members: usize, first: &[u8], limits: &Limits) {
        let fits_integers = members <= limits.set_integers;
        match &self.0 {
            Form::Integers(integers) if integers.len() == 0 => {
                if matches!(Item::new(first), Item::Integer(_)) && fits_integers {
                    return;
                }
                if members <= limits.set_entries {
                    self.0 = Form::Compact(Packed::default());
                } else {
                    self.become_table(members, limits);
                }
            }
            Form::Integers(_) if !fits_integers => {
                self.become_table(members, limits);
            }
            Form::Compact(_) if members > limits.set_entries => {
                self.become_table(members, limits);
            }
            Form::Integers(_) | Form::Compact(_) | Form::Table(_) => {}
        }
    }

    /// Adds a member; whether it was missing.
    #[inline]
    pub fn insert(&mut self, member: &[u8], limits: &Limits) -> bool {
        match &mut self.0 {
            Form::Table(table) => matches!(table.upsert(member, &[]), Slot::Added(_)),
            Form::Compact(packed) => {
                let item = Item::new(member);
                if packed.find(item, 1).is_some() {
                    return false;
                }
                if packed.len() < limits.set_entries && member.len() <= limits.set_value {
                    packed.push(item);
                    return true;
                }
                self.become_table(1, limits).set(member, &[])
            }
            Form::Integers(integers) => match Item::new(member) {
                Item::Integer(number) => {
                    let added = integers.insert(number);
                    if added && integers.len() > limits.set_integers {
                        self.become_table(0, limits);
                    }
                    added
                }
                Item::Bytes(bytes) => {
                    self.insert_beside_integers(bytes, limits);
                    true
                }
            },
        }
    }

    /// Takes a member away; whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Form::Table(table) => table.remove(member),
            Form::Compact(packed) => match packed.find(Item::new(member), 1) {
                Some(at) => {
                    packed.remove(at, 1);
                    true
                }
                None => false,
            },
            Form::Integers(integers) => match Item::new(member) {
                Item::Integer(number) => integers.remove(number),
                Item::Bytes(_) => false,
            },
        }
    }

    /// The members: ascending while all are integers, else in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> + Clone {
        let (integers, packed, table) = match &self.0 {
            Form::Integers(integers) => (Some(integers.iter()), None, None),
            Form::Compact(packed) => (None, Some(packed.iter()), None),
            Form::Table(table) => (None, None, Some(table.records())),
        };
        let integers = integers.into_iter().flatten().map(Item::Integer);
        let packed = packed.into_iter().flatten();
        let table = table.into_iter().flatten().map(|record| Item::Bytes(record.key));
        integers.chain(packed).chain(table)
    }

    /// Shows some of the members and the next cursor, 0 at the end: the whole of a compact set, a bucket of a table. A
    /// member that is there from the first call to the last is shown at least once.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(Item<'a>)) -> u64 {
        match &self.0 {
            Form::Table(table) => table.scan(cursor, |record| visit(Item::Bytes(record.key))),
            Form::Integers(_) | Form::Compact(_) => {
                self.iter().for_each(visit);
                0
            }
        }
    }

    /// Whether drawing a member takes the same time however many there are.
    pub fn has_index(&self) -> bool {
        !matches!(self.0, Form::Compact(_))
    }

    /// A member that the dice choose, each with the same chance.
    pub fn random(&self, rng: &mut Rng) -> Option<Item<'_>> {
        match &self.0 {
            Form::Integers(integers) if integers.len() == 0 => None,
            Form::Integers(integers) => Some(Item::Integer(integers.at(rng.below(integers.len())))),
            Form::Compact(packed) => packed.from(rng.below(packed.len())).next(),
            Form::Table(table) => table.random(rng).map(|record| Item::Bytes(record.key)),
        }
    }

    fn insert_beside_integers(&mut self, member: &[u8], limits: &Limits) {
        let Form::Integers(integers) = &self.0 else { return };
        let longest = [0, integers.len().saturating_sub(1)]
            .into_iter()
            .filter(|&index| index < integers.len())
            .map(|index| Item::Integer(integers.at(index)).to_vec().len())
            .max();
        let fits =
            integers.len() < limits.set_entries && member.len().max(longest.unwrap_or(0)) <= limits.set_value;
        if fits {
            let mut packed = Packed::default();
            integers.iter().for_each(|number| packed.push(Item::Integer(number)));
            packed.push(Item::Bytes(member));
            self.0 = Form::Compact(packed);
        } else {
            self.become_table(1, limits).set(member, &[]);
        }
    }

    fn become_table(&mut self, additional: usize, limits: &Limits) -> &mut Table {
        if !matches!(self.0, Form::Table(_)) {
            let mut table = Table::new(limits.hash_seed, self.len() + additional);
            let mut room = IntegerText::new();
            for member in self.iter() {
                table.set(member.bytes(&mut room), &[]);
            }
            self.0 = Form::Table(Box::new(table));
        }
        match &mut self.0 {
            Form::Table(table) => table,
            Form::Integers(_) | Form::Compact(_) => unreachable!("it has just become a table"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_hash_set(
            integers_only: bool,
            operations in prop::collection::vec((0_u8..5, -10_i64..30, "[0-9]{1,2}|x{1,12}"), 0..200)
        ) {
            let limits =
                Limits { set_integers: 12, set_entries: 8, set_value: 10, hash_seed: 3, ..Limits::default() };
            let (mut set, mut model) = (Set::new(), BTreeSet::new());
            for (kind, number, text) in operations {
                let member = if integers_only { number.to_string() } else { text }.into_bytes();
                if kind < 3 {
                    prop_assert_eq!(set.insert(&member, &limits), model.insert(member.clone()));
                } else {
                    prop_assert_eq!(set.remove(&member), model.remove(&member));
                }
                prop_assert_eq!(set.contains(&member), model.contains(&member));
                prop_assert_eq!(set.len(), model.len());
                prop_assert_eq!(set.iter().map(Item::to_vec).collect::<BTreeSet<_>>(), model.clone());
                prop_assert_eq!(set.iter().count(), model.len());
            }
        }
    }

    #[track_caller]
    fn check(members: &[String], encoding: &str) {
        let mut set = Set::new();
        for member in members {
            assert!(set.insert(member.as_bytes(), &Limits::default()));
        }
        assert_eq!(set.encoding(), encoding);
    }

    #[test]
    fn encodings_follow_the_limits() {
        let integers = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        let words = |n: usize| (0..n).map(|i| format!("w{i}")).collect::<Vec<_>>();
        check(&integers(512), "intset");
        check(&integers(513), "hashtable");
        check(&[integers(127), words(1)].concat(), "listpack");
        check(&[integers(128), words(1)].concat(), "hashtable");
        check(&words(128), "listpack");
        check(&words(129), "hashtable");
        check(&["x".repeat(64)], "listpack");
        check(&["x".repeat(65)], "hashtable");
    }

    #[test]
    fn many_at_once_convert_earlier() {
        let limits = Limits::default();
        for (members, first, encoding) in
            [(512, "1", "intset"), (513, "1", "hashtable"), (128, "a", "listpack"), (129, "a", "hashtable")]
        {
            let mut set = Set::new();
            set.prepare(members, first.as_bytes(), &limits);
            assert_eq!(set.encoding(), encoding, "{members} {first}");
        }
    }
}
