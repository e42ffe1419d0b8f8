//! A hash: fields to values.
//!
//! Small hashes are one allocation, field after value after field ([`Packed`]); beyond [`Limits`] they become a
//! [`Table`] and stay one. Redis calls the two `listpack` and `hashtable`.

use super::item::{IntegerText, Item};
use super::limits::Limits;
use super::packed::Packed;
use super::table::Table;
use crate::context::Rng;

/// The value of a hash key.
#[derive(Debug, Clone)]
pub struct Hash(Form);

#[derive(Debug, Clone)]
enum Form {
    Compact(Packed),
    Table(Box<Table>),
}

impl Default for Hash {
    fn default() -> Self {
        Self(Form::Compact(Packed::default()))
    }
}

impl Hash {
    /// An empty hash.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many fields there are.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Compact(packed) => packed.len() / 2,
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
            Form::Compact(_) => "listpack",
            Form::Table(_) => "hashtable",
        }
    }

    /// The heap memory it holds.
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Compact(packed) => packed.memory_bytes(),
            Form::Table(table) => size_of::<Table>() + table.memory_bytes(),
        }
    }

    /// How many allocations dropping it frees.
    pub fn free_effort(&self) -> usize {
        match &self.0 {
            Form::Compact(_) => 1,
            Form::Table(table) => table.free_effort(),
        }
    }

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<Item<'_>> {
        match &self.0 {
            Form::Compact(packed) => {
                let at = packed.find(Item::new(field), 2)?;
                Some(packed.read(packed.read(at).1).0)
            }
            Form::Table(table) => table.get(field).map(Item::Bytes),
        }
    }

    /// Whether the field is there.
    pub fn contains(&self, field: &[u8]) -> bool {
        self.get(field).is_some()
    }

    /// Makes ready for so many fields, the longest of their names and values so long: beyond the limits the table is
    /// built at once. Redis judges a command's arguments so, before it looks whether the fields are there.
    pub fn prepare(&mut self, fields: usize, longest: usize, limits: &Limits) {
        if fields > limits.hash_entries || longest > limits.hash_value {
            self.become_table(fields, limits);
        }
    }

    /// Gives a field a value; whether the field is new.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: &Limits) -> bool {
        match &mut self.0 {
            Form::Table(table) => return table.set(field, value),
            Form::Compact(packed) => {
                if field.len() <= limits.hash_value && value.len() <= limits.hash_value {
                    let name = Item::new(field);
                    if let Some(at) = packed.find(name, 2) {
                        let at = packed.read(at).1;
                        packed.replace(at, Item::new(value));
                        return false;
                    }
                    if packed.len() / 2 < limits.hash_entries {
                        packed.push(name);
                        packed.push(Item::new(value));
                        return true;
                    }
                }
            }
        }
        self.become_table(1, limits).set(field, value)
    }

    /// Takes a field away; whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.0 {
            Form::Table(table) => table.remove(field),
            Form::Compact(packed) => match packed.find(Item::new(field), 2) {
                Some(at) => {
                    packed.remove(at, 2);
                    true
                }
                None => false,
            },
        }
    }

    /// The fields with their values: in the order of insertion while compact, else in none.
    pub fn iter(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>)> + Clone {
        let (packed, table) = match &self.0 {
            Form::Compact(packed) => (Some(packed.pairs()), None),
            Form::Table(table) => (None, Some(table.records())),
        };
        let big = table.into_iter().flatten().map(|r| (Item::Bytes(r.key), Item::Bytes(r.value)));
        packed.into_iter().flatten().chain(big)
    }

    /// Shows some of the fields and the next cursor, 0 at the end: the whole of a compact hash, a bucket of a table.
    /// A field that is there from the first call to the last is shown at least once.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(Item<'a>, Item<'a>)) -> u64 {
        match &self.0 {
            Form::Compact(packed) => {
                packed.pairs().for_each(|(field, value)| visit(field, value));
                0
            }
            Form::Table(table) => {
                table.scan(cursor, |record| visit(Item::Bytes(record.key), Item::Bytes(record.value)))
            }
        }
    }

    /// Whether a field is found and drawn in the same time however many there are.
    pub fn has_index(&self) -> bool {
        matches!(self.0, Form::Table(_))
    }

    /// A field that the dice choose, each with the same chance, and its value.
    pub fn random(&self, rng: &mut Rng) -> Option<(Item<'_>, Item<'_>)> {
        match &self.0 {
            Form::Compact(packed) => {
                let mut items = packed.from(rng.below(self.len()) * 2);
                Some((items.next()?, items.next()?))
            }
            Form::Table(table) => {
                let record = table.random(rng)?;
                Some((Item::Bytes(record.key), Item::Bytes(record.value)))
            }
        }
    }

    fn become_table(&mut self, additional: usize, limits: &Limits) -> &mut Table {
        if let Form::Compact(packed) = &self.0 {
            let mut table = Table::new(limits.hash_seed, packed.len() / 2 + additional);
            let (mut field_room, mut value_room) = (IntegerText::new(), IntegerText::new());
            for (field, value) in packed.pairs() {
                table.set(field.bytes(&mut field_room), value.bytes(&mut value_room));
            }
            self.0 = Form::Table(Box::new(table));
        }
        match &mut self.0 {
            Form::Table(table) => table,
            Form::Compact(_) => unreachable!("it has just become a table"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        hash_entries: 8,
        hash_value: 10,
        list_size: -2,
        set_integers: 8,
        set_entries: 8,
        set_value: 10,
        sorted_set_entries: 8,
        sorted_set_value: 10,
        hash_seed: 1,
    };

    fn contents(hash: &Hash) -> BTreeMap<Vec<u8>, Vec<u8>> {
        hash.iter().map(|(field, value)| (field.to_vec(), value.to_vec())).collect()
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(
            operations in prop::collection::vec((0_u8..6, 0_i64..14, "[0-9]{1,3}|x{1,12}"), 0..300)
        ) {
            let (mut hash, mut model) = (Hash::new(), BTreeMap::new());
            for (kind, field, value) in operations {
                let field = if kind == 0 { format!("f{field}") } else { field.to_string() }.into_bytes();
                if kind < 4 {
                    let new = model.insert(field.clone(), value.clone().into_bytes()).is_none();
                    prop_assert_eq!(hash.set(&field, value.as_bytes(), &LIMITS), new);
                } else {
                    prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some());
                }
                prop_assert_eq!(hash.len(), model.len());
                prop_assert_eq!(hash.get(&field).map(Item::to_vec), model.get(&field).cloned());
                prop_assert!(hash.encoding() == "hashtable" || hash.len() <= LIMITS.hash_entries);
            }
            prop_assert_eq!(contents(&hash), model);
        }
    }

    #[track_caller]
    fn check(fields: usize, value: usize, encoding: &str) {
        let (mut hash, limits) = (Hash::new(), Limits::default());
        for n in 0..fields {
            hash.set(n.to_string().as_bytes(), &vec![b'x'; value], &limits);
        }
        assert_eq!((hash.len(), hash.encoding()), (fields, encoding));
    }

    #[test]
    fn stays_compact_up_to_the_limits() {
        check(512, 64, "listpack");
        check(513, 64, "hashtable");
        check(1, 65, "hashtable");
    }

    #[test]
    fn scans_and_draws_reach_every_field_in_both_forms() {
        for fields in [5, 500] {
            let (mut hash, limits) = (Hash::new(), Limits::default());
            (0..fields).for_each(|n| assert!(hash.set(format!("f{n}").as_bytes(), b"1", &limits)));
            let (mut scanned, mut cursor) = (Vec::new(), 0);
            loop {
                cursor = hash.scan(cursor, |field, value| scanned.push((field.to_vec(), value.to_vec())));
                if cursor == 0 {
                    break;
                }
            }
            scanned.sort();
            assert_eq!(scanned, contents(&hash).into_iter().collect::<Vec<_>>());
            let mut rng = crate::context::Rng::new(3);
            let drawn: BTreeMap<_, _> = (0..fields * 20)
                .filter_map(|_| hash.random(&mut rng))
                .map(|(field, value)| (field.to_vec(), value.to_vec()))
                .collect();
            assert_eq!(drawn, contents(&hash));
        }
    }

    #[test]
    fn many_arguments_make_a_table_at_once() {
        let mut hash = Hash::new();
        hash.prepare(513, 3, &Limits::default());
        assert_eq!(hash.encoding(), "hashtable");
    }
}
