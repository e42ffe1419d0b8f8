//! Which slots a command needs locked: the places of its keys.
//!
//! The command table says where keys stand for everybody who is not the engine; here the same is a closed match,
//! because nearly every command has one key, and then nothing must be computed at all.

use nuthatch_proto::command_table::DataCommand;
use nuthatch_proto::resp::Args;
use nuthatch_proto::slot::Slot;
use smallvec::SmallVec;

use super::sort::{self, Needs};
use super::{args, geo, key};
use crate::engine::Engine;
use crate::store::slot::Place;

/// Where a command's keys stand among its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// The first argument.
    First,
    /// The first two.
    FirstTwo,
    /// The first two, the second perhaps in another database.
    FirstTwoAcross,
    /// The first one, in this database and in another.
    FirstAcross,
    /// Every argument.
    All,
    /// Every argument but the last.
    AllButLast,
    /// The first of every pair.
    EverySecond,
    /// As many as the argument at `count` says, behind it; and the first argument if it is a destination.
    Counted { count: usize, destination: bool },
    /// What SORT sorts, and what its options need.
    Sorted,
    /// The first argument, and whatever stands behind a word that says where to store.
    Stored,
}

/// The places of a command's keys in ascending order, each once; `None` if all keys are where the first one is. None at
/// all where arguments do not say what the keys are: such a command fails before it asks for one.
#[inline]
pub(crate) fn places(
    command: DataCommand,
    args: Args<'_>,
    first: Place,
    engine: &Engine,
) -> Option<SmallVec<[Place; 4]>> {
    let keys = keys(command);
    let alone = match keys {
        Keys::First => true,
        Keys::All => args.len() == 2,
        Keys::AllButLast => args.len() == 3,
        Keys::EverySecond => args.len() == 3,
        Keys::FirstTwo | Keys::FirstTwoAcross | Keys::FirstAcross | Keys::Counted { .. } | Keys::Sorted => {
            false
        }
        // In a cluster the destination is in the same slot, or the command fails.
        Keys::Stored => engine.in_cluster(),
    };
    if alone { None } else { several(keys, args, first, engine) }
}

fn several(keys: Keys, args: Args<'_>, first: Place, engine: &Engine) -> Option<SmallVec<[Place; 4]>> {
    let mut places: SmallVec<[Place; 4]> = match keys {
        Keys::Counted { count, destination } => {
            let numbered = args::counted_keys(args, count).map_or_else(|_| args.take(0), |(keys, _)| keys);
            let destination = destination.then(|| args.at(1));
            let place = |key| Place { slot: Slot::of_key(key), ..first };
            destination.into_iter().chain(numbered.iter()).map(place).collect()
        }
        Keys::Sorted => match sort::needs(args, engine.in_cluster()) {
            Needs::Nothing => SmallVec::from_elem(first, 1),
            Needs::Destination(key) => {
                SmallVec::from_slice(&[first, Place { slot: Slot::of_key(key), ..first }])
            }
            Needs::Everything => Slot::all().map(|slot| Place { slot, ..first }).collect(),
        },
        Keys::Stored => {
            let behind = args.iter().zip(args.iter().skip(1)).skip(2);
            let destinations = behind.filter(|(word, _)| geo::is_store(word)).map(|(_, key)| key);
            let place = |key| Place { slot: Slot::of_key(key), ..first };
            std::iter::once(first).chain(destinations.map(place)).collect()
        }
        Keys::FirstAcross => {
            let db = key::move_database(args, engine.databases()).unwrap_or(first.db);
            SmallVec::from_slice(&[first, Place { db, ..first }])
        }
        Keys::First
        | Keys::FirstTwo
        | Keys::FirstTwoAcross
        | Keys::All
        | Keys::AllButLast
        | Keys::EverySecond => listed(keys, args, first, engine.databases()),
    };
    places.sort_unstable();
    places.dedup();
    (places[..] != [first]).then_some(places)
}

fn listed(keys: Keys, args: Args<'_>, first: Place, databases: usize) -> SmallVec<[Place; 4]> {
    let step = if keys == Keys::EverySecond { 2 } else { 1 };
    let count = match keys {
        Keys::FirstTwo | Keys::FirstTwoAcross => 2,
        Keys::AllButLast => args.len() - 2,
        Keys::First
        | Keys::FirstAcross
        | Keys::All
        | Keys::EverySecond
        | Keys::Counted { .. }
        | Keys::Sorted
        | Keys::Stored => args.len(),
    };
    let rest = args.iter().skip(1).step_by(step).take(count).skip(1);
    let mut places: SmallVec<[Place; 4]> = SmallVec::from_elem(first, 1);
    places.extend(rest.map(|key| Place { slot: Slot::of_key(key), ..first }));
    if keys == Keys::FirstTwoAcross
        && let Some(place) = places.last_mut()
    {
        place.db = key::copy_database(args, databases).unwrap_or(first.db);
    }
    places
}

fn keys(command: DataCommand) -> Keys {
    use DataCommand as C;
    match command {
        C::MGet
        | C::Del
        | C::Exists
        | C::PfCount
        | C::PfMerge
        | C::Touch
        | C::Unlink
        | C::SDiff
        | C::SDiffStore
        | C::SInter
        | C::SInterStore
        | C::SUnion
        | C::SUnionStore => Keys::All,
        C::MSet | C::MSetNx => Keys::EverySecond,
        C::BLPop | C::BRPop | C::BZPopMax | C::BZPopMin => Keys::AllButLast,
        C::BLMove
        | C::BRPopLPush
        | C::Lcs
        | C::Rename
        | C::RenameNx
        | C::LMove
        | C::RPopLPush
        | C::SMove
        | C::GeoSearchStore
        | C::ZRangeStore => Keys::FirstTwo,
        C::LMPop | C::SInterCard | C::ZMPop | C::ZDiff | C::ZInter | C::ZInterCard | C::ZUnion => {
            Keys::Counted { count: 1, destination: false }
        }
        C::BLMPop | C::BZMPop => Keys::Counted { count: 2, destination: false },
        C::ZDiffStore | C::ZInterStore | C::ZUnionStore => Keys::Counted { count: 2, destination: true },
        C::Copy => Keys::FirstTwoAcross,
        C::Move => Keys::FirstAcross,
        C::Sort | C::SortRo => Keys::Sorted,
        C::GeoRadius | C::GeoRadiusByMember => Keys::Stored,
        // The first key is the only one, wherever it stands.
        C::ObjectEncoding | C::ObjectFreq | C::ObjectIdleTime | C::ObjectRefCount => Keys::First,
        C::MemoryUsage | C::PfDebug => Keys::First,
        C::Append
        | C::Decr
        | C::DecrBy
        | C::Get
        | C::GetBit
        | C::SetBit
        | C::PfAdd
        | C::Dump
        | C::Restore
        | C::RestoreAsking
        | C::GetDel
        | C::GetEx
        | C::GetRange
        | C::GetSet
        | C::Incr
        | C::IncrBy
        | C::IncrByFloat
        | C::PSetEx
        | C::Set
        | C::SetEx
        | C::SetNx
        | C::SetRange
        | C::StrLen
        | C::SubStr
        | C::Expire
        | C::ExpireAt
        | C::ExpireTime
        | C::PExpire
        | C::PExpireAt
        | C::PExpireTime
        | C::PTtl
        | C::Persist
        | C::Ttl
        | C::Type
        | C::HDel
        | C::HGet
        | C::HGetAll
        | C::HLen
        | C::HMGet
        | C::HMSet
        | C::HExists
        | C::HIncrBy
        | C::HIncrByFloat
        | C::HKeys
        | C::HRandField
        | C::HSetNx
        | C::HStrLen
        | C::HVals
        | C::HExpire
        | C::HExpireAt
        | C::HExpireTime
        | C::HPExpire
        | C::HPExpireAt
        | C::HPExpireTime
        | C::HPTtl
        | C::HPersist
        | C::HTtl
        | C::HScan
        | C::HSet
        | C::LIndex
        | C::LInsert
        | C::LLen
        | C::LPos
        | C::LPop
        | C::LPush
        | C::LPushX
        | C::LRange
        | C::LRem
        | C::LSet
        | C::LTrim
        | C::RPop
        | C::RPush
        | C::RPushX
        | C::SAdd
        | C::SCard
        | C::SIsMember
        | C::SMembers
        | C::SMIsMember
        | C::SPop
        | C::SRandMember
        | C::SScan
        | C::SRem
        | C::GeoAdd
        | C::GeoDist
        | C::GeoHash
        | C::GeoPos
        | C::GeoRadiusByMemberRo
        | C::GeoRadiusRo
        | C::GeoSearch
        | C::ZAdd
        | C::ZCard
        | C::ZCount
        | C::ZIncrBy
        | C::ZLexCount
        | C::ZMScore
        | C::ZPopMax
        | C::ZPopMin
        | C::ZRandMember
        | C::ZRange
        | C::ZRangeByLex
        | C::ZRangeByScore
        | C::ZRank
        | C::ZRem
        | C::ZRemRangeByLex
        | C::ZRemRangeByRank
        | C::ZRemRangeByScore
        | C::ZRevRange
        | C::ZRevRangeByLex
        | C::ZRevRangeByScore
        | C::ZRevRank
        | C::ZScan
        | C::ZScore => Keys::First,
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::command_table::{self, CommandSpec, Handler};
    use nuthatch_proto::resp::args::OwnedArgs;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Bench;

    /// Words that mean something to some command, numbers, and keys of different slots.
    const WORDS: [&str; 49] = [
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "{a}b",
        "0",
        "1",
        "2",
        "3",
        "-1",
        "5",
        "100",
        "1e400",
        "STORE",
        "STOREDIST",
        "m",
        "FROMMEMBER",
        "BYRADIUS",
        "ANY",
        "BY",
        "GET",
        "LIMIT",
        "ALPHA",
        "nosort",
        "w_*",
        "w_*->f",
        "DB",
        "REPLACE",
        "KEYS",
        "WEIGHTS",
        "AGGREGATE",
        "SUM",
        "COUNT",
        "LEFT",
        "RIGHT",
        "BEFORE",
        "AFTER",
        "NX",
        "XX",
        "GT",
        "EX",
        "PX",
        "FIELDS",
        "MIN",
        "MAX",
        "WITHSCORES",
        "MATCH",
    ];

    /// Every command on keys, subcommands among them, with the words that name it.
    fn commands() -> Vec<(&'static CommandSpec, Vec<&'static str>)> {
        let tops = command_table::commands().iter().map(|spec| (spec, vec![spec.name]));
        let subs = command_table::commands().iter().flat_map(|container| {
            container.subcommands.iter().map(|spec| (spec, vec![container.name, spec.name]))
        });
        tops.chain(subs).filter(|(spec, _)| matches!(spec.handler, Handler::Data(_))).collect()
    }

    /// The places that are locked for a command, and those of its keys.
    fn locked(bench: &Bench, spec: &CommandSpec, args: Args<'_>) -> Option<(Vec<Place>, Vec<Place>)> {
        let Handler::Data(command) = spec.handler else { return None };
        let place = |at: usize| Place { db: 0, slot: Slot::of_key(args.at(at)) };
        let keys: Vec<Place> = command_table::keys(spec, args).ok()?.map(place).collect();
        let first = *keys.first()?;
        let locked = places(command, args, first, &bench.engine);
        Some((locked.map_or_else(|| vec![first], |places| places.to_vec()), keys))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// COMMAND GETKEYS and this file must agree, or a handler would ask for a slot that is not locked; and every
        /// command is also run, because a handler might ask for a key that neither of them knows.
        #[test]
        fn the_slots_of_all_keys_are_locked(
            choices in prop::collection::vec(prop::sample::select(&WORDS[..]), 1..12),
        ) {
            let mut bench = Bench::new();
            for command in ["RPUSH a 3 1 2", "SADD b x y", "ZADD c 1 x", "HSET d f v", "SET e 5"] {
                bench.run(command);
            }
            for (spec, mut words) in commands() {
                words.extend(&choices);
                if !spec.arity_ok(words.len()) {
                    continue;
                }
                let owned: OwnedArgs = words.iter().collect();
                let locked = locked(&bench, spec, owned.as_args());
                let reply = bench.run_words(&words);
                // A command that is refused may have asked for no key at all.
                if let Some((locked, keys)) = locked.filter(|_| !reply.starts_with('-')) {
                    prop_assert!(locked.is_sorted());
                    for key in keys {
                        prop_assert!(locked.contains(&key), "{:?}: {:?}", words, key);
                    }
                }
            }
        }
    }
}
