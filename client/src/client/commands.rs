//! The commands that most programs need, with types.
//!
//! They add nothing to [`Client::command`] but the reading of its reply; whatever is missing here can be called there.
//! Each is one command of the server of the same name, and fails as that does. Those with several keys are split by
//! slot where the server is a cluster: then each slot's part is atomic, not the whole.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use nuthatch_proto::resp::Frame;
use nuthatch_proto::slot::Slot;

use super::Client;
use crate::error::{Effect, Error, ErrorKind};

impl Client {
    /// The value of `key`.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        self.command(&[&b"GET"[..], key.as_ref()]).await.and_then(bytes_or_null)
    }

    /// Sets `key` to `value`, without an expiry.
    pub async fn set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.command(&[&b"SET"[..], key.as_ref(), value.as_ref()]).await.and_then(ok)
    }

    /// Sets `key` to `value` for that long, which is counted in milliseconds.
    pub async fn set_for(
        &self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        ttl: Duration,
    ) -> Result<(), Error> {
        let ttl = ttl.as_millis().to_string();
        self.command(&[&b"SET"[..], key.as_ref(), value.as_ref(), b"PX", ttl.as_bytes()]).await.and_then(ok)
    }

    /// Sets `key` to `value` if it does not exist; whether it did.
    pub async fn set_if_absent(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<bool, Error> {
        let reply = self.command(&[&b"SET"[..], key.as_ref(), value.as_ref(), b"NX"]).await?;
        if reply == Frame::Null { Ok(false) } else { ok(reply).map(|()| true) }
    }

    /// Adds 1 to the number at `key`; the sum.
    pub async fn incr(&self, key: impl AsRef<[u8]>) -> Result<i64, Error> {
        self.command(&[&b"INCR"[..], key.as_ref()]).await.and_then(integer)
    }

    /// Adds to the number at `key`; the sum.
    pub async fn incr_by(&self, key: impl AsRef<[u8]>, increment: i64) -> Result<i64, Error> {
        let increment = increment.to_string();
        self.command(&[&b"INCRBY"[..], key.as_ref(), increment.as_bytes()]).await.and_then(integer)
    }

    /// Has `key` expire after that long; false if there is no such key.
    pub async fn expire(&self, key: impl AsRef<[u8]>, ttl: Duration) -> Result<bool, Error> {
        let ttl = ttl.as_millis().to_string();
        self.command(&[&b"PEXPIRE"[..], key.as_ref(), ttl.as_bytes()]).await.and_then(integer).map(|n| n == 1)
    }

    /// How long `key` will exist; nothing if there is no such key, or it does not expire.
    pub async fn ttl(&self, key: impl AsRef<[u8]>) -> Result<Option<Duration>, Error> {
        let left = self.command(&[&b"PTTL"[..], key.as_ref()]).await.and_then(integer)?;
        Ok(u64::try_from(left).ok().map(Duration::from_millis))
    }

    /// Deletes keys; how many existed.
    pub async fn del(&self, keys: &[impl AsRef<[u8]>]) -> Result<i64, Error> {
        self.sum("DEL", keys).await
    }

    /// How many of the keys exist.
    pub async fn exists(&self, keys: &[impl AsRef<[u8]>]) -> Result<i64, Error> {
        self.sum("EXISTS", keys).await
    }

    /// The values of the keys, in their order.
    pub async fn mget(&self, keys: &[impl AsRef<[u8]>]) -> Result<Vec<Option<Bytes>>, Error> {
        let mut values = vec![None; keys.len()];
        for (members, reply) in self.by_slot("MGET", keys, |key| vec![key]).await {
            let Frame::Array(found) = reply? else { return Err(unexpected("an array")) };
            if found.len() != members.len() {
                return Err(unexpected("as long as the list of keys"));
            }
            for (member, value) in members.into_iter().zip(found) {
                values[member] = bytes_or_null(value)?;
            }
        }
        Ok(values)
    }

    /// Sets keys to values.
    pub async fn mset(&self, pairs: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> Result<(), Error> {
        let keys: Vec<&[u8]> = pairs.iter().map(|(key, _)| key.as_ref()).collect();
        let values: Vec<&[u8]> = pairs.iter().map(|(_, value)| value.as_ref()).collect();
        let members = (0..pairs.len()).collect::<Vec<_>>();
        for (_, reply) in self.by_slot("MSET", &members, |&at| vec![keys[at], values[at]]).await {
            reply.and_then(ok)?;
        }
        Ok(())
    }

    /// Sets fields of the hash at `key`; how many are new.
    pub async fn hset(
        &self,
        key: impl AsRef<[u8]>,
        fields: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)],
    ) -> Result<i64, Error> {
        let mut arguments = vec![&b"HSET"[..], key.as_ref()];
        arguments.extend(fields.iter().flat_map(|(field, value)| [field.as_ref(), value.as_ref()]));
        self.command(&arguments).await.and_then(integer)
    }

    /// One field of the hash at `key`.
    pub async fn hget(&self, key: impl AsRef<[u8]>, field: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        self.command(&[&b"HGET"[..], key.as_ref(), field.as_ref()]).await.and_then(bytes_or_null)
    }

    /// All fields of the hash at `key`, in no order.
    pub async fn hgetall(&self, key: impl AsRef<[u8]>) -> Result<Vec<(Bytes, Bytes)>, Error> {
        let reply = self.command(&[&b"HGETALL"[..], key.as_ref()]).await?;
        let flat = if let Frame::Map(pairs) = reply {
            pairs.into_iter().flat_map(|(field, value)| [field, value]).collect()
        } else {
            elements(reply)?
        };
        let mut flat = flat.into_iter().map(bytes);
        let mut pairs = Vec::with_capacity(flat.len() / 2);
        while let (Some(field), Some(value)) = (flat.next(), flat.next()) {
            pairs.push((field?, value?));
        }
        Ok(pairs)
    }

    /// Adds an element to the end of the list at `key`; its length then.
    pub async fn rpush(&self, key: impl AsRef<[u8]>, element: impl AsRef<[u8]>) -> Result<i64, Error> {
        self.command(&[&b"RPUSH"[..], key.as_ref(), element.as_ref()]).await.and_then(integer)
    }

    /// Takes the first element of the list at `key`.
    pub async fn lpop(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        self.command(&[&b"LPOP"[..], key.as_ref()]).await.and_then(bytes_or_null)
    }

    /// The elements of the list at `key` from `first` to `last`, both included; negative ones count from the end.
    pub async fn lrange(&self, key: impl AsRef<[u8]>, first: i64, last: i64) -> Result<Vec<Bytes>, Error> {
        let (first, last) = (first.to_string(), last.to_string());
        let reply = self.command(&[&b"LRANGE"[..], key.as_ref(), first.as_bytes(), last.as_bytes()]).await?;
        elements(reply)?.into_iter().map(bytes).collect()
    }

    /// Adds a member to the set at `key`; whether it is new.
    pub async fn sadd(&self, key: impl AsRef<[u8]>, member: impl AsRef<[u8]>) -> Result<bool, Error> {
        self.command(&[&b"SADD"[..], key.as_ref(), member.as_ref()]).await.and_then(integer).map(|n| n == 1)
    }

    /// The members of the set at `key`, in no order.
    pub async fn smembers(&self, key: impl AsRef<[u8]>) -> Result<Vec<Bytes>, Error> {
        let reply = self.command(&[&b"SMEMBERS"[..], key.as_ref()]).await?;
        elements(reply)?.into_iter().map(bytes).collect()
    }

    /// The sum of the replies to a command on these keys.
    async fn sum(&self, name: &str, keys: &[impl AsRef<[u8]>]) -> Result<i64, Error> {
        let mut sum = 0;
        for (_, reply) in self.by_slot(name, keys, |key| vec![key]).await {
            sum += reply.and_then(integer)?;
        }
        Ok(sum)
    }

    /// Runs a command on many items, each of which gives some arguments, a key first: once for each slot, or once for
    /// all where slots mean nothing. Which items went together, and the reply.
    async fn by_slot<'a, T, A: AsRef<[u8]> + ?Sized + 'a>(
        &self,
        name: &str,
        items: &'a [T],
        arguments: impl Fn(&'a T) -> Vec<&'a A>,
    ) -> Vec<(Vec<usize>, Result<Frame, Error>)> {
        let clustered = self.cluster.clustered();
        let mut groups: Vec<(Vec<usize>, Vec<&[u8]>)> = Vec::new();
        let mut of_slot: HashMap<Option<Slot>, usize> = HashMap::new();
        for (index, item) in items.iter().enumerate() {
            let arguments = arguments(item);
            let slot = arguments.first().filter(|_| clustered).map(|key| Slot::of_key(key.as_ref()));
            let group = *of_slot.entry(slot).or_insert_with(|| {
                groups.push((Vec::new(), vec![name.as_bytes()]));
                groups.len() - 1
            });
            groups[group].0.push(index);
            groups[group].1.extend(arguments.into_iter().map(AsRef::as_ref));
        }
        let mut pipeline = self.pipeline();
        for (_, command) in &groups {
            pipeline.command(command);
        }
        let replies = pipeline.run().await;
        groups.into_iter().map(|(members, _)| members).zip(replies).collect()
    }
}

fn unexpected(expected: &'static str) -> Error {
    Error::new(ErrorKind::Unexpected { expected }, Effect::Unknown)
}

fn ok(reply: Frame) -> Result<(), Error> {
    if reply.as_text() == Some("OK") { Ok(()) } else { Err(unexpected("OK")) }
}

fn integer(reply: Frame) -> Result<i64, Error> {
    reply.as_integer().ok_or_else(|| unexpected("an integer"))
}

fn bytes(reply: Frame) -> Result<Bytes, Error> {
    bytes_or_null(reply)?.ok_or_else(|| unexpected("a string"))
}

fn bytes_or_null(reply: Frame) -> Result<Option<Bytes>, Error> {
    match reply {
        Frame::Null => Ok(None),
        Frame::Bulk(bytes) | Frame::Verbatim { text: bytes, .. } => Ok(Some(bytes)),
        Frame::Simple(text) => Ok(Some(text.into())),
        Frame::Error(_)
        | Frame::Integer(_)
        | Frame::Array(_)
        | Frame::Map(_)
        | Frame::Set(_)
        | Frame::Push(_)
        | Frame::Double(_)
        | Frame::Boolean(_)
        | Frame::BigNumber(_) => Err(unexpected("a string or null")),
    }
}

fn elements(reply: Frame) -> Result<Vec<Frame>, Error> {
    match reply {
        Frame::Array(elements) | Frame::Set(elements) => Ok(elements),
        Frame::Null => Ok(Vec::new()),
        Frame::Simple(_)
        | Frame::Error(_)
        | Frame::Integer(_)
        | Frame::Bulk(_)
        | Frame::Map(_)
        | Frame::Push(_)
        | Frame::Double(_)
        | Frame::Boolean(_)
        | Frame::BigNumber(_)
        | Frame::Verbatim { .. } => Err(unexpected("an array")),
    }
}
