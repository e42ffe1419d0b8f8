//! A key on its way to another server: copied, and deleted here only if nobody changed it since.
//!
//! MIGRATE waits for the other server between the two, without holding a lock. What keeps a write in that time from
//! being lost is that the key is watched, as a transaction's keys are: the copy is then out of date, the key stays, and
//! the caller sends it again.

use nuthatch_proto::command_table::DataCommand;
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::{Protocol, ReplyWriter};
use nuthatch_proto::slot::Slot;

use crate::context::Context;
use crate::engine::{Engine, Refused};
use crate::rdb::Version;
use crate::transaction::Places;
use crate::watch::Watching;

/// A copy of a key. To be ended with [`Engine::deliver`] or [`Engine::keep`].
#[derive(Debug)]
pub struct Parcel {
    db: usize,
    slot: Slot,
    key: Vec<u8>,
    /// The value as RESTORE reads it, on servers as old as Redis 5 too.
    pub payload: Vec<u8>,
    /// When it expires, if it does.
    pub deadline: Option<Timestamp>,
    watching: Watching,
}

impl Engine {
    /// Copies a key that is in that slot; `None` if it is not there.
    pub fn pack(
        &self,
        cx: &mut Context<'_>,
        db: usize,
        slot: Slot,
        key: &[u8],
    ) -> Result<Option<Parcel>, Refused> {
        let mut watching = self.watching();
        self.watch(cx, &mut watching, db, slot, key)?;
        let copied = match self.begin(cx, &Places::default(), Some(&watching))? {
            Some(mut transaction) => transaction.copy(cx, db, key, Version::Oldest),
            None => None,
        };
        let Some((payload, deadline)) = copied else {
            self.unwatch(watching);
            return Ok(None);
        };
        Ok(Some(Parcel { db, slot, key: key.to_vec(), payload, deadline, watching }))
    }

    /// The other server has it: deletes the key here, unless it has changed since. Whether it is gone.
    pub fn deliver(&self, cx: &mut Context<'_>, parcel: Parcel) -> bool {
        let args: OwnedArgs = [b"DEL".as_slice(), &parcel.key].iter().collect();
        let mut places = Places::default();
        self.add_places(&mut places, parcel.db, DataCommand::Del, args.as_args(), parcel.slot);
        let mut answer = Vec::new();
        let begun = self.begin(cx, &places, Some(&parcel.watching));
        let gone = match begun {
            Ok(Some(mut transaction)) => {
                let mut reply = ReplyWriter::new(&mut answer, Protocol::Resp2);
                transaction.run(cx, parcel.db, DataCommand::Del, args.as_args(), &mut reply);
                transaction.end(cx);
                true
            }
            Ok(None) | Err(Refused { .. }) => false,
        };
        self.unwatch(parcel.watching);
        gone
    }

    /// The key stays here.
    pub fn keep(&self, parcel: Parcel) {
        self.unwatch(parcel.watching);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    fn pack(bench: &mut Bench, key: &str) -> Option<Parcel> {
        let (engine, mut cx) = bench.parts();
        engine.pack(&mut cx, 0, Slot::of_key(key.as_bytes()), key.as_bytes()).expect("gates are open")
    }

    fn deliver(bench: &mut Bench, parcel: Parcel) -> bool {
        let (engine, mut cx) = bench.parts();
        engine.deliver(&mut cx, parcel)
    }

    #[test]
    fn a_key_goes_only_as_it_was_copied() {
        let mut bench = Bench::new();
        bench.check_all(&[("SET a 1 PX 100", "+OK"), ("SET b 1", "+OK")]);
        let (a, b) =
            (pack(&mut bench, "a").expect("it is there"), pack(&mut bench, "b").expect("it is there"));
        assert_eq!((a.deadline.is_some(), b.deadline), (true, None));
        assert!(pack(&mut bench, "none").is_none());
        bench.check("INCR b", ":2");
        assert!(deliver(&mut bench, a));
        assert!(!deliver(&mut bench, b));
        bench.check_all(&[("EXISTS a", ":0"), ("GET b", "2")]);
        let again = pack(&mut bench, "b").expect("it stayed");
        assert!(deliver(&mut bench, again));
        bench.check("DBSIZE", ":0");
    }
}
