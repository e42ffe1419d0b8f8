//! One key with its value and its deadline.

use nuthatch_proto::ids::Timestamp;

use crate::value::{Kind, Object};

/// A key, its value and its deadline.
pub(crate) struct Entry {
    key: Box<[u8]>,
    value: Value,
    deadline: Option<Timestamp>,
}

enum Value {
    String(Vec<u8>),
    Object(Object),
}

/// A value, borrowed.
pub(crate) enum ValueRef<'a> {
    /// A string.
    String(&'a [u8]),
    /// Anything else.
    Object(&'a Object),
}

impl Entry {
    /// A string under that key.
    pub(crate) fn string(key: &[u8], value: &[u8], deadline: Option<Timestamp>) -> Self {
        Self { key: key.into(), value: Value::String(value.into()), deadline }
    }

    /// Another value under that key.
    pub(crate) fn object(key: &[u8], object: Object, deadline: Option<Timestamp>) -> Self {
        Self { key: key.into(), value: Value::Object(object), deadline }
    }

    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    #[inline]
    pub(crate) fn value(&self) -> ValueRef<'_> {
        match &self.value {
            Value::String(bytes) => ValueRef::String(bytes),
            Value::Object(object) => ValueRef::Object(object),
        }
    }

    pub(crate) fn object_mut(&mut self) -> Option<&mut Object> {
        match &mut self.value {
            Value::String(_) => None,
            Value::Object(object) => Some(object),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match &self.value {
            Value::String(_) => Kind::String,
            Value::Object(object) => object.kind(),
        }
    }

    #[inline]
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    pub(crate) fn set_deadline(&mut self, deadline: Option<Timestamp>) {
        self.deadline = deadline;
    }

    /// Replaces the value by a string.
    pub(crate) fn set_string(&mut self, value: &[u8]) {
        self.value = Value::String(value.into());
    }

    /// The string, empty if the value is not one.
    #[inline]
    pub(crate) fn string_bytes(&self) -> &[u8] {
        match &self.value {
            Value::String(bytes) => bytes,
            Value::Object(_) => b"",
        }
    }

    /// Writes over a part of the string, which grows as needed, with zeros before `offset`.
    pub(crate) fn write_at(&mut self, offset: usize, bytes: &[u8]) {
        if let Value::String(string) = &mut self.value {
            let end = offset + bytes.len();
            if string.len() < end {
                string.resize(end, 0);
            }
            string[offset..end].copy_from_slice(bytes);
        }
    }

    /// The same value and deadline under another key.
    pub(crate) fn renamed(self, key: &[u8]) -> Self {
        Self { key: key.into(), ..self }
    }

    /// A copy of value and deadline under another key.
    pub(crate) fn copied(&self, key: &[u8]) -> Self {
        match &self.value {
            Value::String(bytes) => Self::string(key, bytes, self.deadline),
            Value::Object(object) => Self::object(key, object.clone(), self.deadline),
        }
    }
}
