//! A hash: fields to values.
//!
//! Small hashes are one allocation, field after value after field ([`Packed`]); beyond [`Limits`] they become a
//! [`Table`] and stay one. Redis calls the two `listpack` and `hashtable`. A hash of which fields have deadlines is a third
//! thing around either, [`Expiring`], so that the others pay nothing for it.

mod expiring;

use expiring::Expiring;
use nuthatch_proto::ids::Timestamp;

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
    /// Around one of the other two.
    Expiring(Box<Expiring>),
}

impl Default for Hash {
    fn default() -> Self {
        Self(Form::Compact(Packed::default()))
    }
}

impl Hash {
    /// The last deadline a field can have.
    pub const LAST_DEADLINE: Timestamp = Timestamp((1 << 46) - 1);

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
            Form::Expiring(expiring) => expiring.fields.len(),
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
            Form::Expiring(expiring) => expiring.encoding(),
        }
    }

    /// The heap memory it holds.
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Compact(packed) => packed.memory_bytes(),
            Form::Table(table) => size_of::<Table>() + table.memory_bytes(),
            Form::Expiring(expiring) => size_of::<Expiring>() + expiring.memory_bytes(),
        }
    }

    /// How many allocations dropping it frees.
    pub fn free_effort(&self) -> usize {
        match &self.0 {
            Form::Compact(_) => 1,
            Form::Table(table) => table.free_effort(),
            Form::Expiring(expiring) => 1 + expiring.free_effort(),
        }
    }

    /// The table of its fields, if it is a big one.
    #[inline]
    pub(super) fn table(&self) -> Option<&Table> {
        match &self.0 {
            Form::Compact(_) => None,
            Form::Table(table) => Some(table),
            Form::Expiring(expiring) => expiring.fields.table(),
        }
    }

    /// See [`super::Object::shed`].
    pub(super) fn shed(&mut self, most: usize) -> usize {
        match &mut self.0 {
            Form::Compact(_) => 0,
            Form::Table(table) => table.shed(most),
            Form::Expiring(expiring) => expiring.shed(most),
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
            Form::Expiring(expiring) => expiring.fields.get(field),
        }
    }

    /// Whether the field is there.
    pub fn contains(&self, field: &[u8]) -> bool {
        self.get(field).is_some()
    }

    /// Makes ready for so many fields, the longest of their names and values so long: beyond the limits the table is
    /// built at once. Redis judges a command's arguments so, before it looks whether the fields are there.
    pub fn prepare(&mut self, fields: usize, longest: usize, limits: &Limits) {
        if let Form::Expiring(expiring) = &mut self.0 {
            expiring.fields.prepare(fields, longest, limits);
        } else if fields > limits.hash_entries || longest > limits.hash_value {
            self.become_table(fields, limits);
        }
    }

    /// Gives a field a value, which keeps the deadline that the field may have; whether the field is new.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: &Limits) -> bool {
        match &mut self.0 {
            Form::Table(table) => return table.set(field, value),
            Form::Expiring(expiring) => return expiring.fields.set(field, value, limits),
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
            Form::Expiring(expiring) => expiring.remove(field),
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
        let (packed, table) = match &self.plain().0 {
            Form::Compact(packed) => (Some(packed.pairs()), None),
            Form::Table(table) => (None, Some(table.records())),
            Form::Expiring(_) => (None, None),
        };
        let big = table.into_iter().flatten().map(|r| (Item::Bytes(r.key), Item::Bytes(r.value)));
        packed.into_iter().flatten().chain(big)
    }

    /// All fields with their values, those too that [`Self::hide_expired`] has put aside.
    pub(crate) fn iter_all(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
        let hidden = self.expiring().into_iter().flat_map(Expiring::hidden);
        self.iter().chain(hidden.map(|(field, value)| (Item::Bytes(field), Item::Bytes(value))))
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
            Form::Expiring(expiring) => expiring.fields.scan(cursor, visit),
        }
    }

    /// Whether a field is found and drawn in the same time however many there are.
    pub fn has_index(&self) -> bool {
        matches!(self.plain().0, Form::Table(_))
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
            Form::Expiring(expiring) => expiring.fields.random(rng),
        }
    }

    /// The hash without the deadlines of its fields.
    fn plain(&self) -> &Self {
        match &self.0 {
            Form::Compact(_) | Form::Table(_) => self,
            Form::Expiring(expiring) => &expiring.fields,
        }
    }

    fn expiring(&self) -> Option<&Expiring> {
        if let Form::Expiring(expiring) = &self.0 { Some(expiring) } else { None }
    }

    #[inline]
    fn expiring_mut(&mut self) -> Option<&mut Expiring> {
        if let Form::Expiring(expiring) = &mut self.0 { Some(expiring) } else { None }
    }

    /// The deadline of a field, if it has one.
    pub fn deadline(&self, field: &[u8]) -> Option<Timestamp> {
        self.expiring()?.deadline(field)
    }

    /// Gives a field a deadline, below 2^53 milliseconds; whether the field is there.
    pub fn set_deadline(&mut self, field: &[u8], deadline: Timestamp, limits: &Limits) -> bool {
        if !self.contains(field) {
            return false;
        }
        if !matches!(self.0, Form::Expiring(_)) {
            let fields = std::mem::take(self);
            self.0 = Form::Expiring(Box::new(Expiring::new(fields)));
        }
        if let Some(expiring) = self.expiring_mut() {
            expiring.set_deadline(field, deadline, limits);
        }
        true
    }

    /// Takes a field's deadline away; whether it had one.
    #[inline]
    pub fn clear_deadline(&mut self, field: &[u8]) -> bool {
        self.expiring_mut().is_some_and(|expiring| expiring.clear_deadline(field))
    }

    /// Whether any field has a deadline.
    pub fn has_deadlines(&self) -> bool {
        self.expiring().is_some_and(Expiring::has_deadlines)
    }

    /// The earliest deadline of a field.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.expiring()?.next_deadline()
    }

    /// Takes away a field whose deadline has come, the earliest first; its name.
    pub fn pop_expired(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        self.expiring_mut()?.pop_expired(now)
    }

    /// Puts the fields aside whose deadlines have come: they are hidden, and not gone.
    pub(crate) fn hide_expired(&mut self, now: Timestamp) {
        if let Some(expiring) = self.expiring_mut() {
            expiring.hide_expired(now);
        }
    }

    /// Puts back the fields that were put aside.
    pub(crate) fn show_hidden(&mut self, limits: &Limits) {
        if let Some(expiring) = self.expiring_mut() {
            expiring.show_hidden(limits);
        }
    }

    /// Whether the deadlines of all fields have come.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.expiring().is_some_and(|expiring| expiring.is_over(now))
    }

    /// The time at which somebody is to call [`Self::pop_expired`], unless this was answered before and still lies ahead:
    /// one who comes at every time that this answers, and asks again, comes in time for every field.
    #[inline]
    pub fn call(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.expiring_mut()?.call(now)
    }

    /// The time that [`Self::call`] answered last, for one who forgot.
    pub fn called(&self) -> Option<Timestamp> {
        self.expiring()?.called()
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
            Form::Compact(_) | Form::Expiring(_) => unreachable!("it has just become a table"),
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

    proptest! {
        /// Whoever comes when called, and only then, finds every field expired in time and none too early.
        #[test]
        fn fields_expire_in_time(
            operations in prop::collection::vec((0_u8..8, 0_u8..20, 1_u64..60), 0..300)
        ) {
            let mut hash = Hash::new();
            let mut model: BTreeMap<Vec<u8>, Option<u64>> = BTreeMap::new();
            let (mut now, mut calls) = (1_000, Vec::new());
            for (kind, field, amount) in operations {
                let field = format!("f{field}").into_bytes();
                match kind {
                    0..2 => {
                        hash.set(&field, b"v", &LIMITS);
                        hash.clear_deadline(&field);
                        model.insert(field.clone(), None);
                    }
                    2..4 => {
                        let there = hash.set_deadline(&field, Timestamp(now + amount), &LIMITS);
                        prop_assert_eq!(there, model.contains_key(&field));
                        model.entry(field.clone()).and_modify(|deadline| *deadline = Some(now + amount));
                    }
                    4 => prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some()),
                    5 => {
                        let had_one = model.get_mut(&field).and_then(Option::take).is_some();
                        prop_assert_eq!(hash.clear_deadline(&field), had_one);
                    }
                    _ => {
                        now += amount;
                        if calls.iter().any(|&call| call <= now) {
                            calls.retain(|&call| call > now);
                            while hash.pop_expired(Timestamp(now)).is_some() {}
                            calls.extend(hash.call(Timestamp(now)).map(|call| call.0));
                        }
                        model.retain(|_, deadline| deadline.is_none_or(|deadline| deadline > now));
                    }
                }
                calls.extend(hash.call(Timestamp(now)).map(|call| call.0));
                prop_assert_eq!(hash.len(), model.len());
                prop_assert_eq!(hash.deadline(&field), model.get(&field).copied().flatten().map(Timestamp));
                prop_assert_eq!(hash.next_deadline().map(|next| next.0), model.values().flatten().min().copied());
                prop_assert!(hash.next_deadline().is_none() || calls.contains(&hash.called().map_or(0, |call| call.0)));
            }
            prop_assert_eq!(contents(&hash).into_keys().collect::<Vec<_>>(), model.into_keys().collect::<Vec<_>>());
        }
    }

    #[test]
    fn deadlines_cost_only_those_who_have_them() {
        assert_eq!(size_of::<Hash>(), 32);
        let mut hash = Hash::new();
        hash.set(b"f", b"v", &LIMITS);
        assert_eq!((hash.encoding(), hash.has_deadlines()), ("listpack", false));
        assert!(hash.set_deadline(b"f", Timestamp(9), &LIMITS));
        assert_eq!((hash.encoding(), hash.has_deadlines()), ("listpackex", true));
        (0..9_u8).for_each(|n| assert!(hash.set(&[n], b"v", &LIMITS)));
        assert!(hash.clear_deadline(b"f"));
        assert_eq!((hash.encoding(), hash.has_deadlines()), ("hashtable", false));
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
        for fields in [5, 600] {
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
