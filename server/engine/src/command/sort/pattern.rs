//! The patterns of SORT's BY and GET: from an element to the key, or the field of a hash, whose value is meant.
//!
//! The first `*` of a pattern stands for the element. What follows the first `->` behind it, if anything does, is a
//! field. `#` alone is the element itself. A pattern without a `*` means nothing, and finds nothing.

use nuthatch_proto::slot::Slot;

use crate::context::Context;
use crate::store::entry::{Entry, ValueRef};
use crate::store::locked::LockedSlots;
use crate::value::{Item, Object};

/// A pattern, taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pattern<'a> {
    text: &'a [u8],
    /// What stands before and behind the element, if it stands anywhere.
    around: Option<(&'a [u8], &'a [u8])>,
    field: Option<&'a [u8]>,
}

impl<'a> Pattern<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        let Some(star) = text.iter().position(|&byte| byte == b'*') else {
            return Self { text, around: None, field: None };
        };
        let (before, behind) = (&text[..star], &text[star + 1..]);
        let arrow = behind.windows(2).position(|pair| pair == b"->");
        let field = arrow.map(|arrow| &behind[arrow + 2..]).filter(|field| !field.is_empty());
        let behind = match (arrow, field) {
            (Some(arrow), Some(_)) => &behind[..arrow],
            _ => behind,
        };
        Self { text, around: Some((before, behind)), field }
    }

    /// Whether it means another key for each element.
    pub(super) fn varies(self) -> bool {
        self.around.is_some()
    }

    /// The slot of all keys it may mean, if there is one.
    pub(super) fn slot(self) -> Option<Slot> {
        // The element may be anything: so a whole tag must stand before it.
        let (before, _) = self.around?;
        let open = before.iter().position(|&byte| byte == b'{')?;
        let close = before[open + 1..].iter().position(|&byte| byte == b'}')?;
        (close > 0).then(|| Slot::of_key(before))
    }

    /// What it means for an element, if there is such a thing. The key's slot must be locked.
    pub(super) fn look_up(
        self,
        cx: &mut Context<'_>,
        slots: &mut LockedSlots<'_>,
        element: &[u8],
    ) -> Option<Vec<u8>> {
        if self.text == b"#" {
            return Some(element.to_vec());
        }
        let (before, behind) = self.around?;
        let key = [before, element, behind].concat();
        match (slots.read_entry(cx, &key).map(Entry::value)?, self.field) {
            (ValueRef::String(text), None) => Some(text.to_vec()),
            (ValueRef::Object(Object::Hash(hash)), Some(field)) => hash.get(field).map(Item::to_vec),
            (ValueRef::String(_), Some(_)) | (ValueRef::Object(_), _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let parts = |text: &'static str| {
            let pattern = Pattern::new(text.as_bytes());
            let show = |bytes| std::str::from_utf8(bytes).expect("a part of a text");
            (pattern.around.map(|(before, behind)| (show(before), show(behind))), pattern.field.map(show))
        };
        assert_eq!(parts("nosort"), (None, None));
        assert_eq!(parts("w_*"), (Some(("w_", "")), None));
        assert_eq!(parts("a*b*c->d->e"), (Some(("a", "b*c")), Some("d->e")));
        assert_eq!(parts("a->*b->"), (Some(("a->", "b->")), None));
    }

    #[test]
    fn only_a_tag_before_the_element_tells_the_slot() {
        for (text, tag) in [
            ("{t}*", Some("t")),
            ("a{t}b*{u}->f", Some("t")),
            ("*{t}", None),
            ("{*}", None),
            ("{}*{t}", None),
            ("{t*}", None),
            ("{t}", None),
            ("#", None),
        ] {
            let slot = tag.map(|tag| Slot::of_key(tag.as_bytes()));
            assert_eq!(Pattern::new(text.as_bytes()).slot(), slot, "{text}");
        }
    }
}
