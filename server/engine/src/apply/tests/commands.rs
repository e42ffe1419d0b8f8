//! Random commands of all families, on few keys, so that they meet.

use nuthatch_proto::command_table::{self, CommandSpec, Flags, Handler};

use crate::Rng;

/// Every command that writes, in its forms. A word that begins with `$` stands for something random: a key of a type
/// (`$k` string, `$u` HyperLogLog, `$l` list, `$h` hash, `$s` set, `$z` sorted set, `$a` any), a value `$v`, a field `$f`, a member `$m`, a score
/// `$r`, a small number `$n`, a count `$c`, a position `$p`, milliseconds `$d` and the absolute time `$t` that far away, seconds
/// `$D` and `$T`, a database `$b`, a dumped value `$P`.
const WRITES: &[&str] = &[
    "APPEND $k $v",
    "BLMOVE $l $l LEFT RIGHT 0",
    "BLMOVE $l $l RIGHT LEFT 0",
    "BLMPOP 0 2 $l $l LEFT COUNT $c",
    "BLPOP $l $l 0",
    "BRPOP $l 0",
    "BRPOPLPUSH $l $l 0",
    "BZMPOP 0 2 $z $z MAX COUNT $c",
    "BZPOPMAX $z $z 0",
    "BZPOPMIN $z 0",
    "COPY $a $a",
    "COPY $a $a DB $b REPLACE",
    "DECR $k",
    "DECRBY $k $n",
    "DEL $a $a",
    "EXPIRE $a $D",
    "EXPIREAT $a $T",
    "FLUSHALL",
    "FLUSHDB",
    "GEOADD $z $r $r $m",
    "GEORADIUS $z 0 0 20000 km STORE $z",
    "GEORADIUSBYMEMBER $z $m 20000 km STOREDIST $z",
    "GEOSEARCHSTORE $z $z FROMLONLAT 0 0 BYRADIUS 20000 km",
    "GETDEL $k",
    "GETEX $k PX $d",
    "GETEX $k PERSIST",
    "GETSET $k $v",
    "HDEL $h $f $f",
    "HEXPIRE $h $D FIELDS 2 $f $f",
    "HEXPIREAT $h $T FIELDS 1 $f",
    "HINCRBY $h $f $n",
    "HINCRBYFLOAT $h $f $r",
    "HMSET $h $f $v $f $v",
    "HPERSIST $h FIELDS 2 $f $f",
    "HPEXPIRE $h $d FIELDS 3 $f $f $f",
    "HPEXPIRE $h $d NX FIELDS 1 $f",
    "HPEXPIREAT $h $t FIELDS 1 $f",
    "HSET $h $f $v",
    "HSET $h $f $v $f $v $f $v",
    "HSETNX $h $f $v",
    "INCR $k",
    "INCRBY $k $n",
    "INCRBYFLOAT $k $r",
    "LINSERT $l BEFORE $v $v",
    "LINSERT $l AFTER $v $v",
    "LMOVE $l $l LEFT RIGHT",
    "LMOVE $l $l RIGHT LEFT",
    "LMPOP 2 $l $l LEFT COUNT $c",
    "LPOP $l",
    "LPOP $l $c",
    "LPUSH $l $v $v $v",
    "LPUSHX $l $v",
    "LREM $l $n $v",
    "LSET $l $p $v",
    "LTRIM $l $p $p",
    "MOVE $a $b",
    "MSET $k $v $k $v",
    "MSETNX $k $v $k $v",
    "PERSIST $a",
    "PEXPIRE $a $d",
    "PEXPIRE $a $d GT",
    "PEXPIREAT $a $t",
    "PFADD $u $v $m $m",
    "PFCOUNT $u",
    "PFDEBUG GETREG $u",
    "PFMERGE $u $u $u",
    "PSETEX $k $d $v",
    "RENAME $a $a",
    "RENAMENX $a $a",
    "RESTORE $a $d $P",
    "RESTORE $a 0 $P REPLACE",
    "RESTORE-ASKING $a $t $P REPLACE ABSTTL",
    "RPOP $l",
    "RPOP $l $c",
    "RPOPLPUSH $l $l",
    "RPUSH $l $v $v",
    "RPUSHX $l $v $v",
    "SADD $s $m $m $m",
    "SDIFFSTORE $s $s $s",
    "SET $k $v",
    "SET $k $v PX $d",
    "SET $k $v PXAT $t",
    "SET $k $v KEEPTTL",
    "SET $k $v XX GET",
    "SETBIT $k $c 1",
    "SETEX $k $c $v",
    "SETNX $k $v",
    "SETRANGE $k $c $v",
    "SINTERSTORE $s $s $s",
    "SMOVE $s $s $m",
    "SORT $l ALPHA STORE $l",
    "SORT $s BY nosort STORE $l",
    "SPOP $s",
    "SPOP $s $c",
    "SREM $s $m $m",
    "SUNIONSTORE $s $s $s $s",
    "SWAPDB $b $b",
    "UNLINK $a",
    "ZADD $z $r $m $r $m $r $m",
    "ZADD $z GT CH $r $m",
    "ZADD $z INCR $r $m",
    "ZDIFFSTORE $z 2 $z $z",
    "ZINCRBY $z $r $m",
    "ZINTERSTORE $z 2 $z $s",
    "ZMPOP 2 $z $z MIN COUNT $c",
    "ZPOPMAX $z",
    "ZPOPMIN $z $c",
    "ZRANGESTORE $z $z $p $p",
    "ZREM $z $m $m",
    "ZREMRANGEBYLEX $z [a [c",
    "ZREMRANGEBYRANK $z $p $p",
    "ZREMRANGEBYSCORE $z $n $n",
    "ZUNIONSTORE $z 2 $z $s WEIGHTS $n $n",
];

/// Commands whose reply says what is there, and is the same in every form that it may be kept in, but for its order.
const READS: &[&str] = &[
    "EXISTS $a $a",
    "GET $k",
    "GETRANGE $k 0 -1",
    "HEXISTS $h $f",
    "HGET $h $f",
    "HGETALL $h",
    "HKEYS $h",
    "HLEN $h",
    "HMGET $h $f $f",
    "HPEXPIRETIME $h FIELDS 2 $f $f",
    "HSTRLEN $h $f",
    "HVALS $h",
    "KEYS *",
    "LINDEX $l $p",
    "LLEN $l",
    "LRANGE $l 0 -1",
    "MGET $k $k $k",
    "PEXPIRETIME $a",
    "PFCOUNT $u",
    "PFCOUNT $u $u",
    "PTTL $a",
    "SCARD $s",
    "SISMEMBER $s $m",
    "SMEMBERS $s",
    "STRLEN $k",
    "TYPE $a",
    "ZCARD $z",
    "ZRANGE $z 0 -1 WITHSCORES",
    "ZRANK $z $m",
    "ZSCORE $z $m",
];

/// The keys' hash tags: so many slots.
pub(super) const TAGS: [&str; 3] = ["{a}", "{b}", "{c}"];

/// How many databases there are.
pub(super) const DATABASES: usize = 3;

/// A command, and what must be found out for it first.
pub(super) struct Command {
    pub(super) words: Vec<Vec<u8>>,
    /// The word that is to become a dump of the key that it is now.
    pub(super) dumped: Option<usize>,
}

/// The row of a command, if there is one of that name.
pub(super) fn row(words: &[Vec<u8>]) -> Option<&'static CommandSpec> {
    command_table::lookup(&words[0])
}

/// Which commands and keys there are in one run, so that in some runs few of them meet often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Swarm {
    seed: u64,
    /// How many of eight commands there are.
    commands: usize,
    /// How many keys of a type, and with how many tags.
    keys: usize,
    tags: usize,
}

impl Swarm {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let (commands, keys, tags) = (1 + rng.below(8), 1 + rng.below(3), 1 + rng.below(TAGS.len()));
        Self { seed, commands, keys, tags }
    }

    fn has(&self, template: usize) -> bool {
        Rng::new(self.seed ^ template as u64).below(8) < self.commands
    }

    fn key(&self, kind: &str, rng: &mut Rng) -> String {
        format!("{}{kind}{}", TAGS[rng.below(self.tags)], rng.below(self.keys))
    }
}

pub(super) fn write(rng: &mut Rng, swarm: Swarm, now: u64) -> Command {
    // Some take all away, and are wanted less often.
    let is_rare = |template: &str| template.starts_with("FLUSH") || template.starts_with("SWAPDB");
    loop {
        let number = rng.below(WRITES.len());
        if swarm.has(number) && (!is_rare(WRITES[number]) || rng.below(8) == 0) || rng.below(64) == 0 {
            return filled(WRITES[number], rng, swarm, now);
        }
    }
}

pub(super) fn read(rng: &mut Rng, swarm: Swarm, now: u64) -> Command {
    filled(READS[rng.below(READS.len())], rng, swarm, now)
}

fn filled(template: &str, rng: &mut Rng, swarm: Swarm, now: u64) -> Command {
    let mut dumped = None;
    let words = template.split(' ').enumerate().map(|(index, word)| {
        if word == "$P" {
            dumped = Some(index);
        }
        match word.strip_prefix('$') {
            Some(what) => value(what, rng, swarm, now).into_bytes(),
            None => word.as_bytes().to_vec(),
        }
    });
    Command { words: words.collect(), dumped }
}

fn value(what: &str, rng: &mut Rng, swarm: Swarm, now: u64) -> String {
    let types = ["k", "u", "l", "h", "s", "z"];
    match what {
        "k" | "u" | "l" | "h" | "s" | "z" if rng.below(16) > 0 => swarm.key(what, rng),
        "k" | "u" | "l" | "h" | "s" | "z" | "a" | "P" => swarm.key(types[rng.below(types.len())], rng),
        "v" => match rng.below(8) {
            0 => "x".repeat(rng.below(200)),
            1 => "long and compressible ".repeat(rng.below(400)),
            2 => String::new(),
            _ => (rng.below(6) as i64 - 2).to_string(),
        },
        "f" | "m" => match rng.below(12) {
            0 => {
                "longer than what a compact one takes in its place, and so a reason to be another".to_owned()
            }
            1..=3 => rng.below(3).to_string(),
            _ => char::from(b'a' + rng.below(4) as u8).to_string(),
        },
        "r" => ["1", "2.5", "-3", "0", "-0", "1e10", "0.1", "80"][rng.below(8)].to_owned(),
        "n" => (rng.below(9) as i64 - 3).to_string(),
        "p" => (rng.below(9) as i64 - 4).to_string(),
        "c" => (1 + rng.below(9)).to_string(),
        "d" => (1 + rng.below(300)).to_string(),
        "t" => (now + rng.below(300) as u64).to_string(),
        "D" => rng.below(3).to_string(),
        "T" => (now / 1000 + rng.below(3) as u64).to_string(),
        "b" => rng.below(DATABASES).to_string(),
        _ => panic!("nothing is called ${what}"),
    }
}

/// A command that comes into being has to be tried as well.
#[test]
fn every_command_that_writes_is_among_them() {
    let rows = command_table::commands().iter().filter(|row| {
        matches!(row.handler, Handler::Data(_) | Handler::Keyspace(_))
            && row.flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE)
    });
    for row in rows {
        let is_it = |template: &&&str| {
            template.split(' ').next().is_some_and(|name| row.name.eq_ignore_ascii_case(name))
        };
        assert!(WRITES.iter().any(|template| is_it(&template)), "{} is not", row.name);
    }
}
