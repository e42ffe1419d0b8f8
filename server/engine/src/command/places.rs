//! Which slots a command needs locked: the places of its keys.
//!
//! The command table says where keys stand for everybody who is not the engine; here the same is a closed match,
//! because nearly every command has one key, and then nothing must be computed at all.

use nuthatch_proto::command_table::DataCommand;
use nuthatch_proto::resp::Args;
use nuthatch_proto::slot::Slot;
use smallvec::SmallVec;

use super::sort::{self, Needs};
use super::{args, key};
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
        | Keys::Sorted => args.len(),
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
        | C::ZRangeStore => Keys::FirstTwo,
        C::LMPop | C::SInterCard | C::ZMPop | C::ZDiff | C::ZInter | C::ZInterCard | C::ZUnion => {
            Keys::Counted { count: 1, destination: false }
        }
        C::BLMPop | C::BZMPop => Keys::Counted { count: 2, destination: false },
        C::ZDiffStore | C::ZInterStore | C::ZUnionStore => Keys::Counted { count: 2, destination: true },
        C::Copy => Keys::FirstTwoAcross,
        C::Move => Keys::FirstAcross,
        C::Sort | C::SortRo => Keys::Sorted,
        // The first key is the only one, wherever it stands.
        C::ObjectEncoding | C::ObjectFreq | C::ObjectIdleTime | C::ObjectRefCount => Keys::First,
        C::MemoryUsage => Keys::First,
        C::Append
        | C::Decr
        | C::DecrBy
        | C::Get
        | C::GetBit
        | C::SetBit
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
