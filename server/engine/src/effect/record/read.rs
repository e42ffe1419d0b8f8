//! From bytes to the record that they are, or to what is wrong with them.

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::Slot;

use super::{KIND_BITS, RECORD_MAX, VERSION, kind};
use crate::effect::{Effect, End};
use crate::value::Extreme;

/// Why bytes are no record. The words are those of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It says that it is longer than any.
    #[error("the record is of {0} bytes, and {RECORD_MAX} is the limit")]
    TooLong(u64),
    /// It is of another version.
    #[error("the record is of version {0}, and {VERSION} is what is read")]
    Version(u8),
    /// There is no such kind.
    #[error("the record is of kind {0}, which is not known")]
    Kind(u8),
    /// It ends within that field.
    #[error("the record ends before its {0} does")]
    CutOff(&'static str),
    /// That field has none of the values it can have.
    #[error("the record's {0} has no value that it can have")]
    Value(&'static str),
    /// It goes on behind its last field.
    #[error("the record goes on behind its end, for {0} bytes")]
    Trailing(usize),
    /// The key is not of that slot.
    #[error("the record is of slot {0} and its key is not")]
    OtherSlot(Slot),
}

/// A record, borrowed from its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The database.
    pub db: usize,
    /// The slot.
    pub slot: Slot,
    /// What changed in it.
    pub change: Change<'a>,
}

/// What a record says.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// An effect.
    Effect(Effect<'a>),
    /// An [`Effect::SetObject`], the object still as the bytes it came in, which nobody has looked at.
    Object {
        /// The key.
        key: &'a [u8],
        /// The object's bytes.
        bytes: &'a [u8],
        /// When it expires, if it does.
        deadline: Option<Timestamp>,
    },
}

impl<'a> Change<'a> {
    /// The key that changed; none if all of the slot did.
    pub fn key(&self) -> Option<&'a [u8]> {
        match self {
            Self::Effect(effect) => effect.key(),
            Self::Object { key, .. } => Some(key),
        }
    }
}

impl<'a> Record<'a> {
    /// The record that the bytes begin with, and how many it takes; `None` if they end within it.
    pub fn read(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let mut fields = Fields { rest: bytes };
        let length = match fields.number("length") {
            Err(Malformed::CutOff(_)) => return Ok(None),
            length => length?,
        };
        if length > RECORD_MAX {
            return Err(Malformed::TooLong(length));
        }
        let Some(body) = usize::try_from(length).ok().and_then(|length| fields.rest.get(..length)) else {
            return Ok(None);
        };
        let taken = bytes.len() - fields.rest.len() + body.len();
        Ok(Some((Self::of(body)?, taken)))
    }

    fn of(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields { rest: body };
        let head = fields.byte("head")?;
        if head >> KIND_BITS != VERSION {
            return Err(Malformed::Version(head >> KIND_BITS));
        }
        let db = fields.count("database")?;
        let slot = Slot::new(u16::from_le_bytes(fields.array("slot")?)).ok_or(Malformed::Value("slot"))?;
        let change = change(&mut fields, head & ((1 << KIND_BITS) - 1))?;
        if !fields.rest.is_empty() {
            return Err(Malformed::Trailing(fields.rest.len()));
        }
        // A key in another slot's table would be found by nobody.
        if change.key().is_some_and(|key| Slot::of_key(key) != slot) {
            return Err(Malformed::OtherSlot(slot));
        }
        Ok(Self { db, slot, change })
    }
}

fn change<'a>(fields: &mut Fields<'a>, kind: u8) -> Result<Change<'a>, Malformed> {
    let mut key = || fields.bytes("key");
    let effect = match kind {
        kind::SET => {
            let (key, deadline) = (key()?, fields.deadline()?);
            Effect::Set { key, deadline, value: fields.bytes("value")? }
        }
        kind::SET_RANGE => {
            Effect::SetRange { key: key()?, offset: fields.count("offset")?, bytes: fields.bytes("value")? }
        }
        kind::SET_OBJECT => {
            let (key, deadline) = (key()?, fields.deadline()?);
            return Ok(Change::Object { key, deadline, bytes: std::mem::take(&mut fields.rest) });
        }
        kind::DELETE => Effect::Delete { key: key()? },
        kind::EXPIRE => Effect::Expire { key: key()? },
        kind::DEADLINE => Effect::Deadline { key: key()?, deadline: fields.deadline()? },
        kind::HASH_SET => {
            Effect::HashSet { key: key()?, field: fields.bytes("field")?, value: fields.bytes("value")? }
        }
        kind::HASH_DEADLINE => {
            Effect::HashDeadline { key: key()?, field: fields.bytes("field")?, deadline: fields.deadline()? }
        }
        kind::HASH_DELETE => Effect::HashDelete { key: key()?, field: fields.bytes("field")? },
        kind::HASH_EXPIRE => Effect::HashExpire { key: key()?, field: fields.bytes("field")? },
        kind::LIST_PUSH => {
            Effect::ListPush { key: key()?, end: fields.end()?, element: fields.bytes("element")? }
        }
        kind::LIST_POP => Effect::ListPop { key: key()?, end: fields.end()?, count: fields.count("count")? },
        kind::LIST_INSERT => Effect::ListInsert {
            key: key()?,
            index: fields.count("index")?,
            element: fields.bytes("element")?,
        },
        kind::LIST_SET => {
            Effect::ListSet { key: key()?, index: fields.count("index")?, element: fields.bytes("element")? }
        }
        kind::LIST_REMOVE => Effect::ListRemove {
            key: key()?,
            from: fields.end()?,
            count: fields.count("count")?,
            element: fields.bytes("element")?,
        },
        kind::SET_ADD => Effect::SetAdd { key: key()?, member: fields.bytes("member")? },
        kind::SET_REMOVE => Effect::SetRemove { key: key()?, member: fields.bytes("member")? },
        kind::SORTED_SET_ADD => {
            Effect::SortedSetAdd { key: key()?, member: fields.bytes("member")?, score: fields.score()? }
        }
        kind::SORTED_SET_REMOVE => Effect::SortedSetRemove { key: key()?, member: fields.bytes("member")? },
        kind::SORTED_SET_POP => {
            Effect::SortedSetPop { key: key()?, from: fields.extreme()?, count: fields.count("count")? }
        }
        kind::SWAP_SLOT => Effect::SwapSlot { with: fields.count("other database")? },
        kind::FLUSH_SLOT => Effect::FlushSlot,
        unknown => return Err(Malformed::Kind(unknown)),
    };
    Ok(Change::Effect(effect))
}

/// What is left of a record.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize, name: &'static str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed::CutOff(name))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], Malformed> {
        self.take(N, name)?.try_into().map_err(|_| Malformed::CutOff(name))
    }

    fn byte(&mut self, name: &'static str) -> Result<u8, Malformed> {
        Ok(self.array::<1>(name)?[0])
    }

    /// A number; one that is written longer than it must be is none, nor is one of more than 64 bits.
    fn number(&mut self, name: &'static str) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte(name)?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return if byte == 0 && shift > 0 { Err(Malformed::Value(name)) } else { Ok(number) };
            }
        }
        Err(Malformed::Value(name))
    }

    fn count(&mut self, name: &'static str) -> Result<usize, Malformed> {
        usize::try_from(self.number(name)?).map_err(|_| Malformed::Value(name))
    }

    fn bytes(&mut self, name: &'static str) -> Result<&'a [u8], Malformed> {
        let len = self.count(name)?;
        self.take(len, name)
    }

    fn deadline(&mut self) -> Result<Option<Timestamp>, Malformed> {
        const NAME: &str = "deadline";
        match self.byte(NAME)? {
            0 => Ok(None),
            1 => self.number(NAME).map(|deadline| Some(Timestamp(deadline))),
            _ => Err(Malformed::Value(NAME)),
        }
    }

    fn end(&mut self) -> Result<End, Malformed> {
        const NAME: &str = "end of the list";
        match self.byte(NAME)? {
            0 => Ok(End::Left),
            1 => Ok(End::Right),
            _ => Err(Malformed::Value(NAME)),
        }
    }

    fn extreme(&mut self) -> Result<Extreme, Malformed> {
        const NAME: &str = "end of the sorted set";
        match self.byte(NAME)? {
            0 => Ok(Extreme::Lowest),
            1 => Ok(Extreme::Highest),
            _ => Err(Malformed::Value(NAME)),
        }
    }

    fn score(&mut self) -> Result<f64, Malformed> {
        let score = f64::from_le_bytes(self.array("score")?);
        if score.is_nan() { Err(Malformed::Value("score")) } else { Ok(score) }
    }
}
