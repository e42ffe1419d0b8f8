//! The newtypes that every crate shares, so that an epoch is never taken for an offset.
//!
//! They carry no behaviour but their text form, which is the one Redis uses where Redis has one.

use std::fmt;
use std::str::FromStr;

/// The text is not 40 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 40 hexadecimal digits")]
pub struct ParseIdError;

fn parse_hex(text: &str) -> Result<[u8; 20], ParseIdError> {
    let digits = text.as_bytes();
    if digits.len() != 40 {
        return Err(ParseIdError);
    }
    let mut bytes = [0; 20];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |b: u8| (b as char).to_digit(16).ok_or(ParseIdError);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).map_err(|_| ParseIdError)?;
    }
    Ok(bytes)
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 20]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text).map(Self)
            }
        }
    };
}

hex_id! {
    /// A node's identity: 160 random bits, kept with its data directory; 40 hexadecimal digits as text.
    NodeId
}
hex_id! {
    /// A shard's identity, of the same form as a node's.
    ShardId
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// A shard's epoch: rises with every change of its primary.
    Epoch
}
counter! {
    /// One life of a node: the metadata log index at which the process registered.
    Incarnation
}
counter! {
    /// A position in the metadata log.
    LogIndex
}
counter! {
    /// A position in a shard's effect log, in bytes.
    ReplicationOffset
}
counter! {
    /// A point in time: milliseconds since the Unix epoch.
    Timestamp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_through_their_text() {
        let id = NodeId(std::array::from_fn(|i| u8::try_from(i * 13 % 256).expect("below 256")));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 40);
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        assert_eq!("".parse::<NodeId>(), Err(ParseIdError));
        assert_eq!("z".repeat(40).parse::<NodeId>(), Err(ParseIdError));
        assert_eq!("é".repeat(20).parse::<NodeId>(), Err(ParseIdError));
    }
}
