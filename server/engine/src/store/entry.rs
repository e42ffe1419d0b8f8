//! One key with its value and its deadline: one allocation, reached through one tagged word.
//!
//! ```text
//! word        mark 16 | address 48          the mark belongs to the table, which keeps bits of the key's hash in it
//! allocation  header 8 | deadline 8? | key length 8? | body | key | value
//! header      form 1 | use 1 | key length 2 | value length 2 | used 2
//! ```
//!
//! The body is empty for a string of up to [`INLINE_MAX`] bytes, whose bytes then stand behind the key; a `Vec` for a
//! longer one, so that appending is amortised; an [`Object`] for everything else. A key of 64 KiB or more has its
//! length in a word of its own. So a string of 64 bytes under a key of 16 takes 88 bytes, and 96 with a deadline.
//!
//! Allocations are rounded up to size classes (those of the allocator), and a value is overwritten in place while the
//! class stays the same. So the layout of an allocation follows from its header alone, which is the invariant all
//! `unsafe` here rests on: [`Shape::layout`] of the header as it stands is the layout the allocation was made with.
//!
//! This file holds all of the crate's `unsafe` that is not a hint to the processor.

use std::alloc::{self, Layout};
use std::ptr::NonNull;
use std::{mem, slice};

use nuthatch_proto::ids::Timestamp;

use super::stamp::Stamp;
use crate::size_class::size_class;
use crate::value::{Kind, Object};

/// The longest string that is kept inside the entry's allocation.
const INLINE_MAX: usize = 4096;

/// How many bytes of a string take as long to free as an allocation of a collection.
const LIKE_AN_ALLOCATION: usize = 32 * 1024;

/// The address within a word. User space ends below 2^48 on the processors we run on; [`Entry::build`] checks.
const ADDRESS: usize = (1 << 48) - 1;

/// A key, its value and its deadline. Owns its allocation.
pub(crate) struct Entry {
    word: NonNull<u8>,
}

const _: () = assert!(size_of::<Option<Entry>>() == 8, "a bucket's word is eight bytes");
const _: () = assert!(size_of::<usize>() == 8, "a word has room for an address and a mark");

// SAFETY: an entry owns what it points to, as a box does, and what it may hold (bytes and objects) may be sent.
unsafe impl Send for Entry where Object: Send {}
// SAFETY: a shared entry only reads; there is no interior mutability.
unsafe impl Sync for Entry where Object: Sync {}

/// What every allocation begins with.
#[derive(Clone, Copy)]
#[repr(C)]
struct Header {
    form: u8,
    /// The low eight bits of the [`Stamp`].
    stamp_low: u8,
    /// The key's length, unless the form says that it has a word of its own.
    key_len: u16,
    /// The length of an inline string; 0 otherwise.
    value_len: u16,
    /// The high sixteen bits of the stamp.
    stamp_high: u16,
}

const _: () = assert!(size_of::<Header>() == 8 && align_of::<Header>() <= 8);
const _: () = assert!(align_of::<Object>() <= 8 && align_of::<Vec<u8>>() <= 8);

/// The form's bits: where the value is, and which optional words there are.
const BODY: u8 = 0b11;
const INLINE: u8 = 0;
const OUTLINE: u8 = 1;
const OBJECT: u8 = 2;
const DEADLINE: u8 = 1 << 2;
const LONG_KEY: u8 = 1 << 3;
/// A string that was changed in a part, which Redis keeps in another encoding from then on. With [`COMPUTED`]: a copy.
const EDITED: u8 = 1 << 4;
/// A string of digits that was computed as text, which Redis does not keep as an integer.
const COMPUTED: u8 = 1 << 6;
/// A hash of which fields have deadlines.
const FIELD_DEADLINES: u8 = 1 << 5;

/// Where everything is in an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    form: u8,
    key_len: usize,
    value_len: usize,
}

impl Shape {
    const DEADLINE_AT: usize = size_of::<Header>();

    #[inline]
    fn body(self) -> u8 {
        self.form & BODY
    }

    #[inline]
    fn has_deadline(self) -> bool {
        self.form & DEADLINE != 0
    }

    #[inline]
    fn long_key_at(self) -> usize {
        Self::DEADLINE_AT + if self.has_deadline() { 8 } else { 0 }
    }

    /// A multiple of eight.
    #[inline]
    fn body_at(self) -> usize {
        self.long_key_at() + if self.form & LONG_KEY != 0 { 8 } else { 0 }
    }

    #[inline]
    fn key_at(self) -> usize {
        self.body_at()
            + match self.body() {
                INLINE => 0,
                OUTLINE => size_of::<Vec<u8>>(),
                _ => size_of::<Object>(),
            }
    }

    #[inline]
    fn value_at(self) -> usize {
        self.key_at() + self.key_len
    }

    #[inline]
    fn layout(self) -> Layout {
        let size = size_class(self.value_at() + self.value_len);
        Layout::from_size_align(size, 8).expect("keys and inline strings are far below isize::MAX")
    }
}

/// A value, borrowed.
pub(crate) enum ValueRef<'a> {
    /// A string.
    String(&'a [u8]),
    /// Anything else.
    Object(&'a Object),
}

/// How a string came to be: Redis shows it in the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// By a command that gave the whole of it.
    Given,
    /// By a change of a part.
    Edited,
    /// By arithmetic of floats.
    Computed,
    /// As a copy of one that was given: an integer has an object of its own in Redis then.
    Copied,
}

/// A value on its way into an allocation.
enum Body<'a> {
    Inline(&'a [u8]),
    Outline(Vec<u8>),
    Object(Object),
}

impl<'a> Body<'a> {
    #[inline]
    fn string(value: &'a [u8]) -> Self {
        if value.len() <= INLINE_MAX { Self::Inline(value) } else { Self::Outline(value.to_vec()) }
    }
}

impl Entry {
    /// A string under that key.
    #[inline]
    pub(crate) fn string(key: &[u8], value: &[u8], deadline: Option<Timestamp>) -> Self {
        Self::build(key, Body::string(value), deadline)
    }

    /// Another value under that key.
    pub(crate) fn object(key: &[u8], object: Object, deadline: Option<Timestamp>) -> Self {
        Self::build(key, Body::Object(object), deadline)
    }

    #[inline]
    fn build(key: &[u8], body: Body<'_>, deadline: Option<Timestamp>) -> Self {
        let (body_form, value_len) = match &body {
            Body::Inline(value) => (INLINE, value.len()),
            Body::Outline(_) => (OUTLINE, 0),
            Body::Object(object) if object.expiring().is_some() => (OBJECT | FIELD_DEADLINES, 0),
            Body::Object(_) => (OBJECT, 0),
        };
        let short_key_len = u16::try_from(key.len());
        let deadline_form = if deadline.is_some() { DEADLINE } else { 0 };
        let key_form = if short_key_len.is_err() { LONG_KEY } else { 0 };
        let shape = Shape { form: body_form | deadline_form | key_form, key_len: key.len(), value_len };
        let header = Header {
            form: shape.form,
            stamp_low: 0,
            key_len: short_key_len.unwrap_or(0),
            value_len: u16::try_from(value_len).expect("an inline string is short"),
            stamp_high: 0,
        };
        let layout = shape.layout();
        // SAFETY: the layout is not empty: there is always a header.
        let word = NonNull::new(unsafe { alloc::alloc(layout) });
        // An address of more than 48 bits is as useless as none. This ends the process and so never unwinds, which
        // `rebuild` relies on.
        let Some(word) = word.filter(|word| word.addr().get() & !ADDRESS == 0) else {
            alloc::handle_alloc_error(layout)
        };
        let entry = Self { word };
        // SAFETY: every offset written lies within the layout just allocated, by Shape: header, then the optional
        // words, body, key and value one after the other, none overlapping. The words and the body begin at multiples
        // of eight in an allocation aligned to eight, which is what they need. Nothing was there to be dropped.
        unsafe {
            entry.at::<Header>(0).write(header);
            if let Some(Timestamp(deadline)) = deadline {
                entry.at::<u64>(Shape::DEADLINE_AT).write(deadline);
            }
            if shape.form & LONG_KEY != 0 {
                entry.at::<usize>(shape.long_key_at()).write(key.len());
            }
            entry.at::<u8>(shape.key_at()).copy_from_nonoverlapping(key.as_ptr(), key.len());
            match body {
                Body::Inline(value) => {
                    entry.at::<u8>(shape.value_at()).copy_from_nonoverlapping(value.as_ptr(), value.len())
                }
                Body::Outline(value) => entry.at::<Vec<u8>>(shape.body_at()).write(value),
                Body::Object(object) => entry.at::<Object>(shape.body_at()).write(object),
            }
        }
        entry
    }

    /// The address of what lies at an offset. Reading or writing there is the caller's to justify.
    #[inline]
    fn at<T>(&self, offset: usize) -> *mut T {
        let base = self.word.as_ptr().map_addr(|address| address & ADDRESS);
        base.wrapping_add(offset).cast()
    }

    /// What the table keeps beside the address.
    #[inline]
    pub(crate) fn mark(&self) -> u16 {
        (self.word.addr().get() >> 48) as u16
    }

    #[inline]
    pub(crate) fn set_mark(&mut self, mark: u16) {
        let word = self.word.as_ptr().map_addr(|address| address & ADDRESS | usize::from(mark) << 48);
        self.word = NonNull::new(word).expect("an allocation is not at address 0");
    }

    /// The allocation's first byte, to be prefetched.
    #[inline]
    pub(crate) fn address(&self) -> *const u8 {
        self.at(0)
    }

    #[inline]
    fn header(&self) -> Header {
        // SAFETY: the allocation begins with an initialised header, and lives as long as the entry.
        unsafe { self.at::<Header>(0).read() }
    }

    #[inline]
    fn shape(&self) -> Shape {
        let header = self.header();
        let mut shape = Shape {
            form: header.form,
            key_len: usize::from(header.key_len),
            value_len: usize::from(header.value_len),
        };
        if shape.form & LONG_KEY != 0 {
            // SAFETY: the form says that the length is there, and it is never changed.
            shape.key_len = unsafe { self.at::<usize>(shape.long_key_at()).read() };
        }
        shape
    }

    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: the key's bytes are initialised, within the allocation, and borrowed from it.
        unsafe { slice::from_raw_parts(self.at(shape.key_at()), shape.key_len) }
    }

    #[inline]
    pub(crate) fn value(&self) -> ValueRef<'_> {
        let shape = self.shape();
        // SAFETY: the form says which body was written there; it is initialised, and borrowed from the entry.
        unsafe {
            match shape.body() {
                INLINE => ValueRef::String(slice::from_raw_parts(self.at(shape.value_at()), shape.value_len)),
                OUTLINE => ValueRef::String(&*self.at::<Vec<u8>>(shape.body_at())),
                _ => ValueRef::Object(&*self.at::<Object>(shape.body_at())),
            }
        }
    }

    /// How many bytes of memory the key and its value take.
    pub(crate) fn memory_bytes(&self) -> usize {
        let shape = self.shape();
        let own = shape.layout().size();
        match self.value() {
            ValueRef::String(text) if shape.body() == OUTLINE => own + text.len(),
            ValueRef::String(_) => own,
            ValueRef::Object(object) => own + object.memory_bytes(),
        }
    }

    /// The object, if the value is one.
    pub(crate) fn object_mut(&mut self) -> Option<&mut Object> {
        let shape = self.shape();
        // SAFETY: the form says that an object was written there; it is borrowed from the entry, mutably.
        (shape.body() == OBJECT).then(|| unsafe { &mut *self.at::<Object>(shape.body_at()) })
    }

    /// The string, empty if the value is not one.
    #[inline]
    pub(crate) fn string_bytes(&self) -> &[u8] {
        match self.value() {
            ValueRef::String(bytes) => bytes,
            ValueRef::Object(_) => b"",
        }
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        match self.value() {
            ValueRef::String(_) => Kind::String,
            ValueRef::Object(object) => object.kind(),
        }
    }

    #[inline]
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        // SAFETY: the form says whether the deadline is there, initialised.
        (self.header().form & DEADLINE != 0)
            .then(|| Timestamp(unsafe { self.at::<u64>(Shape::DEADLINE_AT).read() }))
    }

    /// Sets or clears the deadline. Moves the entry if it gets one or loses it.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Timestamp>) {
        match (self.shape().has_deadline(), deadline) {
            (false, None) => {}
            // SAFETY: the form says that the deadline's word is there.
            (true, Some(Timestamp(deadline))) => unsafe {
                self.at::<u64>(Shape::DEADLINE_AT).write(deadline);
            },
            (true, None) | (false, Some(_)) => self.rebuild(None, deadline),
        }
    }

    /// How many allocations dropping it frees; a long string counts as many, since the kernel takes it back page by page.
    #[inline]
    pub(crate) fn free_effort(&self) -> usize {
        match self.value() {
            ValueRef::String(text) => 1 + text.len() / LIKE_AN_ALLOCATION,
            ValueRef::Object(object) => 1 + object.free_effort(),
        }
    }

    /// Frees up to so many allocations of an entry that is not used any more; how many.
    pub(crate) fn shed(&mut self, most: usize) -> usize {
        self.object_mut().map_or(0, |object| object.shed(most))
    }

    /// Replaces value and deadline by a string and its own, in place if it fits; what was there if it does not.
    #[inline]
    pub(crate) fn set_string(&mut self, value: &[u8], deadline: Option<Timestamp>) -> Option<Self> {
        let shape = self.shape();
        let new = Shape { value_len: value.len(), ..shape };
        let same_words = shape.has_deadline() == deadline.is_some();
        if same_words && value.len() <= INLINE_MAX && shape.body() == INLINE && new.layout() == shape.layout()
        {
            self.set_inline_len(value.len());
            // SAFETY: the new value ends within the allocation, whose layout the new length gives too. The value comes
            // from outside, for the entry is borrowed mutably.
            unsafe {
                self.at::<u8>(shape.value_at()).copy_from_nonoverlapping(value.as_ptr(), value.len());
            }
            self.set_deadline(deadline);
            return None;
        }
        let new = Self::build(self.key(), Body::string(value), deadline);
        Some(self.replace_keeping_mark(new))
    }

    /// Says how long the inline string is now, which is a whole new one.
    fn set_inline_len(&mut self, len: usize) {
        let old = self.header();
        let value_len = u16::try_from(len).expect("an inline string is short");
        self.write_header(Header { value_len, form: old.form & !(EDITED | COMPUTED), ..old });
    }

    fn write_header(&mut self, header: Header) {
        // SAFETY: the header is there; the callers keep the layout that follows from it the same.
        unsafe { self.at::<Header>(0).write(header) };
    }

    /// When, or how often, the key was used.
    #[inline]
    pub(crate) fn stamp(&self) -> Stamp {
        let header = self.header();
        Stamp(u32::from(header.stamp_high) << 8 | u32::from(header.stamp_low))
    }

    #[inline]
    pub(crate) fn set_stamp(&mut self, Stamp(stamp): Stamp) {
        let header = Header { stamp_low: stamp as u8, stamp_high: (stamp >> 8) as u16, ..self.header() };
        self.write_header(header);
    }

    /// Whether it is a hash of which fields had deadlines when it was last noted.
    #[inline]
    pub(crate) fn has_field_deadlines(&self) -> bool {
        self.header().form & FIELD_DEADLINES != 0
    }

    /// Notes whether it is a hash of which fields have deadlines.
    pub(crate) fn note_field_deadlines(&mut self) {
        let has_some = matches!(self.value(), ValueRef::Object(object) if object.expiring().is_some());
        let header = self.header();
        let form = header.form & !FIELD_DEADLINES;
        self.write_header(Header { form: if has_some { form | FIELD_DEADLINES } else { form }, ..header });
    }

    /// How the string came to be what it is.
    pub(crate) fn origin(&self) -> Origin {
        let form = self.header().form;
        match (form & EDITED != 0, form & COMPUTED != 0) {
            (false, false) => Origin::Given,
            (true, false) => Origin::Edited,
            (false, true) => Origin::Computed,
            (true, true) => Origin::Copied,
        }
    }

    /// Says how the string came to be.
    pub(crate) fn set_origin(&mut self, origin: Origin) {
        let header = self.header();
        let bits = match origin {
            Origin::Given => 0,
            Origin::Edited => EDITED,
            Origin::Computed => COMPUTED,
            Origin::Copied => EDITED | COMPUTED,
        };
        self.write_header(Header { form: header.form & !(EDITED | COMPUTED) | bits, ..header });
    }

    /// Writes over a part of the string, which grows as needed, with zeros before `offset`. Does nothing to an object.
    pub(crate) fn write_at(&mut self, offset: usize, bytes: &[u8]) {
        self.overwrite_at(offset, bytes);
        self.set_origin(Origin::Edited);
    }

    fn overwrite_at(&mut self, offset: usize, bytes: &[u8]) {
        let shape = self.shape();
        let end = offset + bytes.len();
        match shape.body() {
            INLINE if end <= shape.value_len => {
                // SAFETY: the bytes lie within the value. They come from outside: the entry is borrowed mutably.
                unsafe {
                    self.at::<u8>(shape.value_at() + offset)
                        .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                }
            }
            INLINE => {
                let mut value = Vec::with_capacity(end);
                value.extend_from_slice(self.string_bytes());
                write_into(&mut value, offset, bytes);
                if end <= INLINE_MAX {
                    drop(self.set_string(&value, self.deadline()));
                } else {
                    let new = Self::build(self.key(), Body::Outline(value), self.deadline());
                    self.replace(new);
                }
            }
            // SAFETY: the form says that a vector was written there; it is borrowed from the entry, mutably.
            OUTLINE => write_into(unsafe { &mut *self.at::<Vec<u8>>(shape.body_at()) }, offset, bytes),
            _ => {}
        }
    }

    /// The same value and deadline under another key.
    pub(crate) fn renamed(mut self, key: &[u8]) -> Self {
        let deadline = self.deadline();
        self.rebuild(Some(key), deadline);
        self
    }

    /// A copy of value and deadline under another key.
    pub(crate) fn copied(&self, key: &[u8]) -> Self {
        let mut copy = match self.value() {
            ValueRef::String(value) => Self::string(key, value, self.deadline()),
            ValueRef::Object(object) => Self::object(key, object.clone(), self.deadline()),
        };
        copy.set_origin(match self.origin() {
            Origin::Given => Origin::Copied,
            origin @ (Origin::Edited | Origin::Computed | Origin::Copied) => origin,
        });
        copy
    }

    /// Moves the value to a new allocation, under another key or its own.
    fn rebuild(&mut self, key: Option<&[u8]>, deadline: Option<Timestamp>) {
        let shape = self.shape();
        // SAFETY: the form says which body was written there. It is read out once and owned by `body` from then on:
        // the old entry is forgotten below, and nothing until then unwinds.
        let body = unsafe {
            match shape.body() {
                INLINE => Body::Inline(self.string_bytes()),
                OUTLINE => Body::Outline(self.at::<Vec<u8>>(shape.body_at()).read()),
                _ => Body::Object(self.at::<Object>(shape.body_at()).read()),
            }
        };
        let origin = self.origin();
        let new = Self::build(key.unwrap_or(self.key()), body, deadline);
        let old = self.replace_keeping_mark(new);
        self.set_origin(origin);
        let layout = shape.layout();
        let address = old.at(0);
        mem::forget(old);
        // SAFETY: the allocation was made with this layout. Its body, if it needs dropping, has moved to the new one,
        // and the old entry was forgotten, so that nothing refers to it.
        unsafe { alloc::dealloc(address, layout) };
    }

    fn replace(&mut self, new: Self) {
        drop(self.replace_keeping_mark(new));
    }

    /// Puts the new entry in this one's place; the old one.
    fn replace_keeping_mark(&mut self, mut new: Self) -> Self {
        new.set_mark(self.mark());
        new.set_stamp(self.stamp());
        mem::replace(self, new)
    }
}

fn write_into(value: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if value.len() < end {
        value.resize(end, 0);
    }
    value[offset..end].copy_from_slice(bytes);
}

impl Drop for Entry {
    #[inline]
    fn drop(&mut self) {
        let shape = self.shape();
        // SAFETY: the form says which body was written there, and it is dropped once, here. The allocation was made
        // with the layout that follows from its header.
        unsafe {
            match shape.body() {
                INLINE => {}
                OUTLINE => self.at::<Vec<u8>>(shape.body_at()).drop_in_place(),
                _ => self.at::<Object>(shape.body_at()).drop_in_place(),
            }
            alloc::dealloc(self.at(0), shape.layout());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::List;

    fn text(entry: &Entry) -> &[u8] {
        entry.string_bytes()
    }

    #[test]
    fn sizes_are_those_the_design_counts_with() {
        let shape = |form| Shape { form, key_len: 16, value_len: 64 };
        assert_eq!(shape(INLINE).layout().size(), 96);
        assert_eq!(shape(INLINE | DEADLINE).layout().size(), 96);
    }

    #[test]
    fn a_key_of_any_length_is_kept() {
        for len in [0, 1, 65_535, 65_536, 100_000] {
            let key = vec![7; len];
            let mut entry = Entry::string(&key, b"value", Some(Timestamp(9)));
            entry.set_mark(0xabcd);
            entry.set_string(&[1; 5000], None);
            assert_eq!((entry.key(), text(&entry), entry.mark()), (&key[..], &[1; 5000][..], 0xabcd));
            let entry = entry.renamed(b"other");
            assert_eq!((entry.key(), text(&entry)), (&b"other"[..], &[1; 5000][..]));
        }
    }

    #[test]
    fn an_object_moves_with_its_entry() {
        let mut entry = Entry::object(b"k", Object::List(List::default()), None);
        entry.set_deadline(Some(Timestamp(5)));
        assert_eq!((entry.kind(), entry.deadline()), (Kind::List, Some(Timestamp(5))));
        let copy = entry.copied(b"c");
        let mut entry = entry.renamed(b"r");
        assert!(entry.object_mut().is_some());
        entry.set_string(b"now a string", None);
        assert_eq!((entry.kind(), copy.kind()), (Kind::String, Kind::List));
        assert_eq!((entry.key(), copy.key()), (&b"r"[..], &b"c"[..]));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Set(Vec<u8>, Option<u64>),
        Write(usize, Vec<u8>),
        Deadline(Option<u64>),
        Rename(Vec<u8>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || {
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                (3900..4300usize).prop_map(|len| vec![b'x'; len]),
            ]
        };
        let deadline = || proptest::option::of(any::<u64>());
        prop_oneof![
            (bytes(), deadline()).prop_map(|(value, deadline)| Step::Set(value, deadline)),
            (0..5000usize, bytes()).prop_map(|(offset, value)| Step::Write(offset, value)),
            deadline().prop_map(Step::Deadline),
            bytes().prop_map(Step::Rename),
        ]
    }

    proptest! {
        #[test]
        fn an_entry_behaves_like_its_parts(steps in proptest::collection::vec(step(), 1..20)) {
            let (mut key, mut value, mut deadline) = (b"key".to_vec(), b"value".to_vec(), None);
            let mut entry = Entry::string(&key, &value, deadline);
            entry.set_mark(77);
            for step in steps {
                match step {
                    Step::Set(new, at) => {
                        deadline = at.map(Timestamp);
                        entry.set_string(&new, deadline);
                        value = new;
                    }
                    Step::Write(offset, bytes) => {
                        entry.write_at(offset, &bytes);
                        write_into(&mut value, offset, &bytes);
                    }
                    Step::Deadline(at) => {
                        deadline = at.map(Timestamp);
                        entry.set_deadline(deadline);
                    }
                    Step::Rename(new) => {
                        entry = entry.renamed(&new);
                        key = new;
                    }
                }
                prop_assert_eq!(entry.key(), &key[..]);
                prop_assert_eq!(text(&entry), &value[..]);
                prop_assert_eq!(entry.deadline(), deadline);
                prop_assert_eq!(entry.mark(), 77);
            }
        }
    }
}
