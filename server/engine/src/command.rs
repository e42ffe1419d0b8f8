//! The commands on data: which function runs which, and which slots it needs locked.
//!
//! A handler takes the context, the locked slots, the arguments and the reply writer; it answers a [`CommandError`] or
//! writes its whole reply. The dispatch is a closed match, so that a row added to the command table does not compile
//! until somebody runs it. One file per family; [`args`] reads numbers and options.

mod args;
mod bitmap;
mod blocking;
mod counter;
mod deadline;
mod elements;
mod error;
mod geo;
mod hash;
mod hyperloglog;
mod key;
mod keyspace;
mod list;
mod long_double;
mod object;
mod payload;
mod places;
mod random;
mod scan;
mod set;
mod sort;
mod sorted_set;
mod string;
mod string_lcs;
mod string_set;

use deadline::Form;
use nuthatch_proto::command_table::{DataCommand, KeyspaceCommand};
use nuthatch_proto::resp::{Args, ReplyWriter};
use sorted_set::{By, Use};

#[cfg(test)]
pub(crate) use args::parse_integer;
pub(crate) use blocking::{Demand, Request, meet};
pub use error::CommandError;
pub use hyperloglog::self_test as hyperloglog_self_test;
pub(crate) use places::places;

use crate::context::Context;
use crate::effect::End;
use crate::engine::Engine;
use crate::store::locked::LockedSlots;
use crate::value::{Extreme, Hash, List, Set, SortedSet};

/// What a handler answers: its reply is written, or this error is the reply.
pub(crate) type Handled = Result<(), CommandError>;

/// Runs one command on slots that are locked.
#[inline]
pub(crate) fn run(
    command: DataCommand,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    use DataCommand as C;
    use set::algebra::Operation;
    match command {
        C::BLMove
        | C::BLMPop
        | C::BLPop
        | C::BRPop
        | C::BRPopLPush
        | C::BZMPop
        | C::BZPopMax
        | C::BZPopMin => blocking::at_once(command, cx, slots, args, reply),
        C::Get => string::get(cx, slots, args, reply),
        C::Set => string_set::set(cx, slots, args, reply),
        C::Append => string::append(cx, slots, args, reply),
        C::Decr => counter::decr(cx, slots, args, reply),
        C::DecrBy => counter::decrby(cx, slots, args, reply),
        C::GetBit => bitmap::getbit(cx, slots, args, reply),
        C::SetBit => bitmap::setbit(cx, slots, args, reply),
        C::PfAdd => hyperloglog::pfadd(cx, slots, args, reply),
        C::PfCount => hyperloglog::pfcount(cx, slots, args, reply),
        C::PfDebug => hyperloglog::pfdebug(cx, slots, args, reply),
        C::PfMerge => hyperloglog::pfmerge(cx, slots, args, reply),
        C::GetDel => string::getdel(cx, slots, args, reply),
        C::GetEx => string::getex(cx, slots, args, reply),
        C::GetRange | C::SubStr => string::getrange(cx, slots, args, reply),
        C::GetSet => string_set::getset(cx, slots, args, reply),
        C::Incr => counter::incr(cx, slots, args, reply),
        C::IncrBy => counter::incrby(cx, slots, args, reply),
        C::IncrByFloat => counter::incrbyfloat(cx, slots, args, reply),
        C::Lcs => string_lcs::lcs(cx, slots, args, reply),
        C::MGet => string::mget(cx, slots, args, reply),
        C::MSet => string::mset(cx, slots, args, reply),
        C::MSetNx => string::msetnx(cx, slots, args, reply),
        C::PSetEx => string_set::psetex(cx, slots, args, reply),
        C::SetEx => string_set::setex(cx, slots, args, reply),
        C::SetNx => string_set::setnx(cx, slots, args, reply),
        C::SetRange => string::setrange(cx, slots, args, reply),
        C::StrLen => string::strlen(cx, slots, args, reply),
        C::Copy => key::copy(cx, slots, args, reply),
        C::Del | C::Unlink => key::del(cx, slots, args, reply),
        C::Exists => key::exists(cx, slots, args, reply),
        C::Touch => key::touch(cx, slots, args, reply),
        C::Dump => payload::dump(cx, slots, args, reply),
        C::Restore | C::RestoreAsking => payload::restore(cx, slots, args, reply),
        C::Expire => deadline::expire(cx, slots, args, reply, &Form::seconds("expire")),
        C::ExpireAt => deadline::expire(cx, slots, args, reply, &Form::at_seconds("expireat")),
        C::ExpireTime => deadline::expiretime(cx, slots, args, reply),
        C::MemoryUsage => object::memory_usage(cx, slots, args, reply),
        C::ObjectEncoding => object::encoding(cx, slots, args, reply),
        C::ObjectFreq => object::freq(cx, slots, args, reply),
        C::ObjectIdleTime => object::idletime(cx, slots, args, reply),
        C::ObjectRefCount => object::refcount(cx, slots, args, reply),
        C::Move => key::move_to(cx, slots, args, reply),
        C::PExpire => deadline::expire(cx, slots, args, reply, &Form::millis("pexpire")),
        C::PExpireAt => deadline::expire(cx, slots, args, reply, &Form::at_millis("pexpireat")),
        C::PExpireTime => deadline::pexpiretime(cx, slots, args, reply),
        C::PTtl => deadline::pttl(cx, slots, args, reply),
        C::Persist => deadline::persist(cx, slots, args, reply),
        C::Rename => key::rename(cx, slots, args, reply),
        C::RenameNx => key::renamenx(cx, slots, args, reply),
        C::Sort => sort::sort(cx, slots, args, reply),
        C::SortRo => sort::sort_ro(cx, slots, args, reply),
        C::Ttl => deadline::ttl(cx, slots, args, reply),
        C::Type => key::type_of(cx, slots, args, reply),
        C::HDel => elements::remove::<Hash>(cx, slots, args, reply),
        C::HGet => hash::hget(cx, slots, args, reply),
        C::HGetAll => hash::hgetall(cx, slots, args, reply),
        C::HLen => elements::count::<Hash>(cx, slots, args, reply),
        C::HMGet => hash::hmget(cx, slots, args, reply),
        C::HMSet => hash::hmset(cx, slots, args, reply),
        C::HExists => hash::hexists(cx, slots, args, reply),
        C::HIncrBy => hash::hincrby(cx, slots, args, reply),
        C::HIncrByFloat => hash::hincrbyfloat(cx, slots, args, reply),
        C::HKeys => hash::hkeys(cx, slots, args, reply),
        C::HRandField => hash::hrandfield(cx, slots, args, reply),
        C::HSetNx => hash::hsetnx(cx, slots, args, reply),
        C::HStrLen => hash::hstrlen(cx, slots, args, reply),
        C::HVals => hash::hvals(cx, slots, args, reply),
        C::HExpire => hash::hexpire(cx, slots, args, reply, &Form::seconds("hexpire")),
        C::HExpireAt => hash::hexpire(cx, slots, args, reply, &Form::at_seconds("hexpireat")),
        C::HExpireTime => hash::hexpiretime(cx, slots, args, reply),
        C::HPExpire => hash::hexpire(cx, slots, args, reply, &Form::millis("hpexpire")),
        C::HPExpireAt => hash::hexpire(cx, slots, args, reply, &Form::at_millis("hpexpireat")),
        C::HPExpireTime => hash::hpexpiretime(cx, slots, args, reply),
        C::HPTtl => hash::hpttl(cx, slots, args, reply),
        C::HPersist => hash::hpersist(cx, slots, args, reply),
        C::HTtl => hash::httl(cx, slots, args, reply),
        C::HScan => hash::hscan(cx, slots, args, reply),
        C::HSet => hash::hset(cx, slots, args, reply),
        C::LIndex => list::middle::lindex(cx, slots, args, reply),
        C::LInsert => list::middle::linsert(cx, slots, args, reply),
        C::LLen => elements::count::<List>(cx, slots, args, reply),
        C::LMove => list::transfer::lmove(cx, slots, args, reply),
        C::LMPop => list::transfer::lmpop(cx, slots, args, reply),
        C::LPop => list::pop(End::Left, cx, slots, args, reply),
        C::LPos => list::search::lpos(cx, slots, args, reply),
        C::LPush => list::push(End::Left, cx, slots, args, reply),
        C::LPushX => list::push_if_there(End::Left, cx, slots, args, reply),
        C::LRange => list::lrange(cx, slots, args, reply),
        C::LRem => list::middle::lrem(cx, slots, args, reply),
        C::LSet => list::middle::lset(cx, slots, args, reply),
        C::LTrim => list::middle::ltrim(cx, slots, args, reply),
        C::RPop => list::pop(End::Right, cx, slots, args, reply),
        C::RPopLPush => list::transfer::rpoplpush(cx, slots, args, reply),
        C::RPush => list::push(End::Right, cx, slots, args, reply),
        C::RPushX => list::push_if_there(End::Right, cx, slots, args, reply),
        C::SAdd => set::sadd(cx, slots, args, reply),
        C::SCard => elements::count::<Set>(cx, slots, args, reply),
        C::SDiff => set::algebra::combine(Operation::Difference, cx, slots, args, reply),
        C::SDiffStore => set::algebra::store(Operation::Difference, cx, slots, args, reply),
        C::SInter => set::algebra::combine(Operation::Intersection, cx, slots, args, reply),
        C::SInterCard => set::algebra::sintercard(cx, slots, args, reply),
        C::SInterStore => set::algebra::store(Operation::Intersection, cx, slots, args, reply),
        C::SIsMember => set::sismember(cx, slots, args, reply),
        C::SMembers => set::smembers(cx, slots, args, reply),
        C::SMIsMember => set::smismember(cx, slots, args, reply),
        C::SMove => set::smove(cx, slots, args, reply),
        C::SPop => set::random::spop(cx, slots, args, reply),
        C::SRandMember => set::random::srandmember(cx, slots, args, reply),
        C::SRem => elements::remove::<Set>(cx, slots, args, reply),
        C::SScan => set::sscan(cx, slots, args, reply),
        C::SUnion => set::algebra::combine(Operation::Union, cx, slots, args, reply),
        C::SUnionStore => set::algebra::store(Operation::Union, cx, slots, args, reply),
        C::GeoAdd => geo::geoadd(cx, slots, args, reply),
        C::GeoDist => geo::geodist(cx, slots, args, reply),
        C::GeoHash => geo::geohash(cx, slots, args, reply),
        C::GeoPos => geo::geopos(cx, slots, args, reply),
        C::GeoRadius => geo::search(geo::Form::RADIUS, cx, slots, args, reply),
        C::GeoRadiusByMember => geo::search(geo::Form::BY_MEMBER, cx, slots, args, reply),
        C::GeoRadiusByMemberRo => geo::search(geo::Form::BY_MEMBER_RO, cx, slots, args, reply),
        C::GeoRadiusRo => geo::search(geo::Form::RADIUS_RO, cx, slots, args, reply),
        C::GeoSearch => geo::search(geo::Form::SEARCH, cx, slots, args, reply),
        C::GeoSearchStore => geo::search(geo::Form::SEARCH_STORE, cx, slots, args, reply),
        C::ZAdd => sorted_set::add(sorted_set::AddOptions::NONE, cx, slots, args, reply),
        C::ZCard => elements::count::<SortedSet>(cx, slots, args, reply),
        C::ZCount => sorted_set::count(By::Score, cx, slots, args, reply),
        C::ZDiff => sorted_set::combine(Operation::Difference, Use::Reply, cx, slots, args, reply),
        C::ZDiffStore => sorted_set::combine(Operation::Difference, Use::Store, cx, slots, args, reply),
        C::ZIncrBy => sorted_set::add(sorted_set::AddOptions::INCREMENT, cx, slots, args, reply),
        C::ZInter => sorted_set::combine(Operation::Intersection, Use::Reply, cx, slots, args, reply),
        C::ZInterCard => sorted_set::combine(Operation::Intersection, Use::Count, cx, slots, args, reply),
        C::ZInterStore => sorted_set::combine(Operation::Intersection, Use::Store, cx, slots, args, reply),
        C::ZLexCount => sorted_set::count(By::Lex, cx, slots, args, reply),
        C::ZMPop => sorted_set::zmpop(cx, slots, args, reply),
        C::ZMScore => sorted_set::zmscore(cx, slots, args, reply),
        C::ZPopMax => sorted_set::pop(Extreme::Highest, cx, slots, args, reply),
        C::ZPopMin => sorted_set::pop(Extreme::Lowest, cx, slots, args, reply),
        C::ZRandMember => sorted_set::zrandmember(cx, slots, args, reply),
        C::ZRange => sorted_set::range(sorted_set::Form::OPEN, cx, slots, args, reply),
        C::ZRangeByLex => sorted_set::range(sorted_set::Form::named(By::Lex, false), cx, slots, args, reply),
        C::ZRangeByScore => {
            sorted_set::range(sorted_set::Form::named(By::Score, false), cx, slots, args, reply)
        }
        C::ZRangeStore => sorted_set::zrangestore(cx, slots, args, reply),
        C::ZRank => sorted_set::rank(Extreme::Lowest, cx, slots, args, reply),
        C::ZRem => elements::remove::<SortedSet>(cx, slots, args, reply),
        C::ZRemRangeByLex => sorted_set::remove(By::Lex, cx, slots, args, reply),
        C::ZRemRangeByRank => sorted_set::remove(By::Index, cx, slots, args, reply),
        C::ZRemRangeByScore => sorted_set::remove(By::Score, cx, slots, args, reply),
        C::ZRevRange => sorted_set::range(sorted_set::Form::named(By::Index, true), cx, slots, args, reply),
        C::ZRevRangeByLex => {
            sorted_set::range(sorted_set::Form::named(By::Lex, true), cx, slots, args, reply)
        }
        C::ZRevRangeByScore => {
            sorted_set::range(sorted_set::Form::named(By::Score, true), cx, slots, args, reply)
        }
        C::ZRevRank => sorted_set::rank(Extreme::Highest, cx, slots, args, reply),
        C::ZScan => sorted_set::zscan(cx, slots, args, reply),
        C::ZScore => sorted_set::zscore(cx, slots, args, reply),
        C::ZUnion => sorted_set::combine(Operation::Union, Use::Reply, cx, slots, args, reply),
        C::ZUnionStore => sorted_set::combine(Operation::Union, Use::Store, cx, slots, args, reply),
    }
}

/// Runs one command on a whole database.
pub(crate) fn run_keyspace(
    command: KeyspaceCommand,
    engine: &Engine,
    cx: &mut Context<'_>,
    db: usize,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    use KeyspaceCommand as C;
    match command {
        C::DbSize => keyspace::dbsize(engine, db, reply),
        C::FlushAll => keyspace::flushall(engine, cx, args, reply),
        C::FlushDb => keyspace::flushdb(engine, cx, db, args, reply),
        C::Keys => keyspace::keys(engine, cx, db, args, reply),
        C::RandomKey => keyspace::randomkey(engine, cx, db, reply),
        C::Scan => keyspace::scan(engine, cx, db, args, reply),
        C::SwapDb => keyspace::swapdb(engine, cx, args, reply),
    }
}
