//! From the bytes of a payload to a value of ours.
//!
//! A collection is built by its own insertions and so gets the form that our limits give it, whatever form it was
//! written in. A field or member that comes twice, a score that is not a number and a collection without elements are
//! no value: Redis never writes them.

use super::read::{Malformed, Read, Reader, parse_score};
use super::{Value, kind, packed};
use crate::effect::End;
use crate::value::{Collection, Hash, IntegerText, Item, Limits, List, Set, SortedSet};
use nuthatch_proto::ids::Timestamp;

/// The value that a type byte and what follows it stand for.
pub(super) fn value(bytes: &[u8], limits: &Limits) -> Read<Value> {
    let mut reader = Reader::new(bytes);
    let kind = reader.byte()?;
    let value = of_kind(&mut reader, kind, limits)?;
    if reader.is_at_end() { Ok(value) } else { Err(Malformed) }
}

/// The value of that type that follows.
pub(super) fn of_kind(reader: &mut Reader<'_>, kind: u8, limits: &Limits) -> Read<Value> {
    Ok(match kind {
        kind::STRING => Value::String(reader.string()?.into_owned()),
        kind::LIST => plain(reader, Elements::<List>::new(limits))?,
        kind::LIST_ZIPLIST => blob(reader, Elements::<List>::new(limits), packed::ziplist)?,
        kind::LIST_QUICKLIST => quicklist(reader, limits, false)?,
        kind::LIST_QUICKLIST_2 => quicklist(reader, limits, true)?,
        kind::SET => plain(reader, Elements::<Set>::new(limits))?,
        kind::SET_INTSET => {
            let blob = reader.string()?;
            let mut set = Elements::<Set>::new(limits);
            packed::intset(&blob, &mut |item| set.add(item))?;
            set.finish()?
        }
        kind::SET_LISTPACK => blob(reader, Elements::<Set>::new(limits), packed::listpack)?,
        kind::HASH => hash(reader, limits)?,
        kind::HASH_ZIPMAP => blob(reader, Elements::<Hash>::new(limits), packed::zipmap)?,
        kind::HASH_ZIPLIST => blob(reader, Elements::<Hash>::new(limits), packed::ziplist)?,
        kind::HASH_LISTPACK => blob(reader, Elements::<Hash>::new(limits), packed::listpack)?,
        kind::HASH_METADATA => expiring_hash(reader, limits)?,
        kind::HASH_LISTPACK_EX => expiring_listpack(reader, limits)?,
        kind::ZSET => sorted_set(reader, limits, Reader::score)?,
        kind::ZSET_TEXT => sorted_set(reader, limits, Reader::score_text)?,
        kind::ZSET_ZIPLIST => blob(reader, Elements::<SortedSet>::new(limits), packed::ziplist)?,
        kind::ZSET_LISTPACK => blob(reader, Elements::<SortedSet>::new(limits), packed::listpack)?,
        _ => return Err(Malformed),
    })
}

/// A collection that takes what a packed form holds, one element after the other.
trait Gather: Collection {
    /// Takes one whole entry.
    fn take(&mut self, first: &[u8], second: &[u8], limits: &Limits) -> Read<()>;
    /// Whether an entry is two elements.
    const PAIRS: bool;
}

impl Gather for List {
    const PAIRS: bool = false;

    fn take(&mut self, element: &[u8], _: &[u8], limits: &Limits) -> Read<()> {
        self.push(End::Right, element, limits);
        Ok(())
    }
}

impl Gather for Set {
    const PAIRS: bool = false;

    fn take(&mut self, member: &[u8], _: &[u8], limits: &Limits) -> Read<()> {
        if self.insert(member, limits) { Ok(()) } else { Err(Malformed) }
    }
}

impl Gather for Hash {
    const PAIRS: bool = true;

    fn take(&mut self, field: &[u8], value: &[u8], limits: &Limits) -> Read<()> {
        if self.set(field, value, limits) { Ok(()) } else { Err(Malformed) }
    }
}

impl Gather for SortedSet {
    const PAIRS: bool = true;

    fn take(&mut self, member: &[u8], score: &[u8], limits: &Limits) -> Read<()> {
        let score = parse_score(score)?;
        if self.upsert(member, limits, |_| Some(score)).old.is_none() { Ok(()) } else { Err(Malformed) }
    }
}

/// A collection on the way, and the first half of an entry whose second has not come.
struct Elements<'l, C> {
    collection: C,
    half: Option<Vec<u8>>,
    limits: &'l Limits,
}

impl<'l, C: Gather> Elements<'l, C> {
    fn new(limits: &'l Limits) -> Self {
        Self { collection: C::default(), half: None, limits }
    }

    fn add(&mut self, item: Item<'_>) -> Read<()> {
        self.add_bytes(item.bytes(&mut IntegerText::new()))
    }

    fn add_bytes(&mut self, bytes: &[u8]) -> Read<()> {
        match self.half.take() {
            None if C::PAIRS => self.half = Some(bytes.to_vec()),
            None => self.collection.take(bytes, b"", self.limits)?,
            Some(first) => self.collection.take(&first, bytes, self.limits)?,
        }
        Ok(())
    }

    fn finish(self) -> Read<Value> {
        let object = self.collection.into_object();
        if self.half.is_some() || object.is_empty() { Err(Malformed) } else { Ok(Value::Object(object)) }
    }
}

/// A count and so many strings.
fn plain<C: Gather>(reader: &mut Reader<'_>, mut elements: Elements<'_, C>) -> Read<Value> {
    for _ in 0..reader.count()? {
        elements.add_bytes(&reader.string()?)?;
    }
    elements.finish()
}

/// A count and so many fields with their values.
fn hash(reader: &mut Reader<'_>, limits: &Limits) -> Read<Value> {
    let mut elements = Elements::<Hash>::new(limits);
    for _ in 0..reader.count()? {
        elements.add_bytes(&reader.string()?)?;
        elements.add_bytes(&reader.string()?)?;
    }
    elements.finish()
}

/// The earliest deadline, a count and so many fields: each one's deadline after that, one more and 0 for none, its name and
/// its value.
fn expiring_hash(reader: &mut Reader<'_>, limits: &Limits) -> Read<Value> {
    let earliest = u64::from_le_bytes(reader.array()?);
    let mut hash = Hash::new();
    for _ in 0..reader.count()? {
        let later = reader.length()?;
        let (field, value) = (reader.string()?, reader.string()?);
        let deadline = match later.checked_sub(1) {
            Some(later) => Some(earliest.checked_add(later).ok_or(Malformed)?),
            None => None,
        };
        expiring_field(&mut hash, &field, &value, deadline, limits)?;
    }
    Ok(Value::Object(hash.into_object()))
}

/// The earliest deadline and a listpack of fields, values and deadlines, 0 for none.
fn expiring_listpack(reader: &mut Reader<'_>, limits: &Limits) -> Read<Value> {
    reader.take(8)?;
    let blob = reader.string()?;
    let (mut hash, mut row) = (Hash::new(), Vec::with_capacity(2));
    packed::listpack(&blob, &mut |item| {
        let [field, value] = &row[..] else {
            row.push(item.to_vec());
            return Ok(());
        };
        let Item::Integer(deadline) = item else { return Err(Malformed) };
        let deadline = u64::try_from(deadline).map_err(|_| Malformed)?;
        expiring_field(&mut hash, field, value, Some(deadline).filter(|&deadline| deadline > 0), limits)?;
        row.clear();
        Ok(())
    })?;
    if !row.is_empty() || hash.is_empty() {
        return Err(Malformed);
    }
    Ok(Value::Object(hash.into_object()))
}

fn expiring_field(
    hash: &mut Hash,
    field: &[u8],
    value: &[u8],
    deadline: Option<u64>,
    limits: &Limits,
) -> Read<()> {
    if !hash.set(field, value, limits)
        || deadline.is_some_and(|deadline| Timestamp(deadline) > Hash::LAST_DEADLINE)
    {
        return Err(Malformed);
    }
    if let Some(deadline) = deadline {
        hash.set_deadline(field, Timestamp(deadline), limits);
    }
    Ok(())
}

fn sorted_set<'a>(
    reader: &mut Reader<'a>,
    limits: &Limits,
    score: impl Fn(&mut Reader<'a>) -> Read<f64>,
) -> Read<Value> {
    let mut set = SortedSet::new();
    for _ in 0..reader.count()? {
        let member = reader.string()?;
        let score = score(reader)?;
        if set.upsert(&member, limits, |_| Some(score)).old.is_some() {
            return Err(Malformed);
        }
    }
    Ok(Value::Object(set.into_object()))
}

/// One packed blob.
fn blob<C: Gather>(
    reader: &mut Reader<'_>,
    mut elements: Elements<'_, C>,
    form: fn(&[u8], packed::Visit<'_>) -> Read<()>,
) -> Read<Value> {
    let blob = reader.string()?;
    form(&blob, &mut |item| elements.add(item))?;
    elements.finish()
}

/// A count and so many nodes: ziplists, or since Redis 7 listpacks and single elements, as each node says first.
fn quicklist(reader: &mut Reader<'_>, limits: &Limits, says_form: bool) -> Read<Value> {
    let mut elements = Elements::<List>::new(limits);
    for _ in 0..reader.count()? {
        let form = if says_form { reader.length()? } else { 0 };
        let node = reader.string()?;
        match form {
            0 => packed::ziplist(&node, &mut |item| elements.add(item))?,
            1 => elements.add_bytes(&node)?,
            2 => packed::listpack(&node, &mut |item| elements.add(item))?,
            _ => return Err(Malformed),
        }
    }
    elements.finish()
}
