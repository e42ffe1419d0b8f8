#!/usr/bin/env python3
"""Sends the same random commands to a redis-server and to this server, and compares the replies.

usage: differential.py REDIS_PORT OUR_PORT [COMMANDS] [SEED] [FAMILY]

Both servers are flushed first. Commands come in RESP2 and in RESP3, right ones and wrong ones, on few keys, so that
types collide and values grow. Replies of unordered kinds (SMEMBERS, HGETALL, KEYS, SCAN) are compared sorted; what is
random is compared by its length, and what differs between Redis 7.0 and 7.2 by design is left out: scores, which 7.2 prints
shorter and whose zero keeps its sign more often, are compared as numbers. A FAMILY (hashes, sorted_sets, lists, sets, keys,
transactions) sends only that family's commands. Prints each difference with the last commands on its keys; exits with 1 if
there was one.
"""
import random
import re
import socket
import sys

redis_port, our_port = int(sys.argv[1]), int(sys.argv[2])
commands = int(sys.argv[3]) if len(sys.argv) > 3 else 20_000
seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
family = sys.argv[5] if len(sys.argv) > 5 else None
rng = random.Random(seed)
UNORDERED = {"SMEMBERS", "HGETALL", "KEYS", "SCAN", "HKEYS", "HVALS", "SUNION", "SINTER", "SDIFF", "SSCAN"}
SCANS_OF_PAIRS = {"HSCAN", "ZSCAN"}
RANDOM = {"HRANDFIELD", "SRANDMEMBER", "ZRANDMEMBER", "RANDOMKEY"}
SCORE = re.compile(rb"-?\d+\.\d+(e[+-]?\d+)?|-?\d+e[+-]?\d+|-?\d{16,}|-?0")


class Connection:
    def __init__(self, port, protocol):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.reader = self.socket.makefile("rb")
        if protocol == 3:
            self.call(["HELLO", "3"])

    def call(self, words):
        request = b"*%d\r\n" % len(words)
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            request += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(request)
        return self.read()

    def read(self):
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("closed")
        kind, rest = line[:1].decode(), line[1:-2]
        if kind in "$=!":
            length = int(rest)
            return (kind, None if length < 0 else self.reader.read(length + 2)[:-2])
        if kind in "*~>":
            return (kind, None if rest == b"-1" else [self.read() for _ in range(int(rest))])
        if kind == "%":
            return (kind, [[self.read(), self.read()] for _ in range(int(rest))])
        return (kind, rest)


KEYS = [f"k{n}" for n in range(12)]
FIELDS = ["a", "b", "c", "", "field-" + "x" * 70, "1", "-5", "99999999999"]
VALUES = ["", "0", "1", "-1", "10", "007", " 1", "1 ", "+1", "3.5", "1e3", "abc", "9223372036854775807", "-9223372036854775808",
          "9223372036854775808", "inf", "-inf", "nan", "0x10", "hello world", "y" * 100, "z" * 3000, b"\x00\xff\r\n"]
NUMBERS = ["0", "1", "-1", "2", "5", "-5", "100", "9223372036854775807", "-9223372036854775808", "abc", "", "1.5", " 3"]
FLOATS = ["0", "1", "-1", "1.5", "0.1", "3.0e3", "-2.25", "1e-7", "1e20", "123456789.123", "inf", "-inf", "nan", "abc", "", "1e400"]
TIMES = ["1000", "100", "-1", "0", "abc", "9223372036854775807", "9999999999", "50000"]


def k():
    return rng.choice(KEYS)


def pick(*pools):
    return rng.choice(rng.choice(pools))


def several(make, low=1, high=4):
    return [make() for _ in range(rng.randint(low, high))]


def flags(*words):
    return [word for word in words if rng.random() < 0.3]


def pairs(first, second, high=3):
    return [word for _ in range(rng.randint(1, high)) for word in (first(), second())]


def f():
    return pick(FIELDS, VALUES[:8])


def v():
    return pick(VALUES)


def n():
    return pick(NUMBERS)


def d():
    return pick(FLOATS)


def set_options():
    options = []
    for option in flags("NX", "XX", "GET", "KEEPTTL", "EX", "PX", "EXAT", "PXAT", "FOO"):
        options.append(rng.choice([option, option.lower()]))
        if option in ("EX", "PX", "EXAT", "PXAT") and rng.random() < 0.95:
            options.append(deadline(option))
    return options


def deadline(option):
    if option == "EXAT":
        return rng.choice(["4102444800", "-1", "0", "abc", "9223372036854775807"])
    if option == "PXAT":
        return rng.choice(["4102444800000", "-1", "0", "abc", "9223372036854775807"])
    return rng.choice(TIMES)


def expire(name):
    at = {"EXPIREAT": "EXAT", "PEXPIREAT": "PXAT"}.get(name, "EX")
    return [name, k(), deadline(at), *flags("NX", "XX", "GT", "LT")]


def zrange():
    by = rng.choice([[], [], ["BYSCORE"], ["BYLEX"]])
    if by == ["BYLEX"]:
        ends = [rng.choice(["-", "+", "[a", "(a", "[b", "(c", "a", "["]) for _ in range(2)]
    elif by:
        ends = [rng.choice(["-inf", "+inf", "0", "(1", "1.5", "(0.1", "abc", "100"]) for _ in range(2)]
    else:
        ends = [n(), n()]
    limit = ["LIMIT", rng.choice(["0", "1", "-1", "x"]), rng.choice(["1", "2", "-1", "0"])] if rng.random() < 0.3 else []
    return ["ZRANGE", k(), *ends, *by, *flags("REV"), *limit, *flags("WITHSCORES")]


GENERATORS = [
    lambda: ["SET", k(), v(), *set_options()],
    lambda: ["SET", k(), v()],
    lambda: ["GET", k()],
    lambda: ["SETNX", k(), v()],
    lambda: ["SETEX", k(), rng.choice(TIMES), v()],
    lambda: ["PSETEX", k(), rng.choice(["100000", "0", "-1", "abc", "9223372036854775807"]), v()],
    lambda: ["GETSET", k(), v()],
    lambda: ["GETDEL", k()],
    lambda: ["GETEX", k(), *set_options()],
    lambda: ["MGET", *several(k)],
    lambda: ["MSET", *pairs(k, v)],
    lambda: ["MSETNX", *pairs(k, v)],
    lambda: ["MSET", *several(k, 1, 5)],
    lambda: ["APPEND", k(), v()],
    lambda: ["STRLEN", k()],
    lambda: [rng.choice(["INCR", "DECR"]), k()],
    lambda: [rng.choice(["INCRBY", "DECRBY"]), k(), n()],
    lambda: ["INCRBYFLOAT", k(), d()],
    lambda: [rng.choice(["GETRANGE", "SUBSTR"]), k(), n(), n()],
    lambda: ["SETRANGE", k(), rng.choice(["0", "3", "-1", "20", "abc", "536870912", "600000000"]), v()],
    lambda: [rng.choice(["DEL", "UNLINK", "EXISTS", "TOUCH"]), *several(k)],
    lambda: ["TYPE", k()],
    lambda: [rng.choice(["RENAME", "RENAMENX"]), k(), k()],
    lambda: ["COPY", k(), k(), *rng.choice([[], ["REPLACE"], ["DB", "0"], ["DB", "3"], ["DB", "99"], ["DB", "x"], ["FOO"]])],
    lambda: expire(rng.choice(["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"])),
    lambda: [rng.choice(["TTL", "EXPIRETIME", "PERSIST"]), k()],
    lambda: ["KEYS", rng.choice(["*", "k*", "k[1-3]", "k?", "k[^1]", "nothing", "k\\1"])],
    lambda: ["SCAN", "0", "COUNT", "1000", *rng.choice([[], ["TYPE", "string"], ["TYPE", "hash"], ["MATCH", "k1*"], ["COUNT", "0"], ["TYPE"]])],
    lambda: ["DBSIZE"],
    lambda: [rng.choice(["HSET", "HMSET"]), k(), *pairs(f, v)],
    lambda: ["HSET", k(), *several(f, 1, 3)],
    lambda: ["HGET", k(), f()],
    lambda: ["HMGET", k(), *several(f)],
    lambda: ["HGETALL", k()],
    lambda: ["HDEL", k(), *several(f)],
    lambda: ["HLEN", k()],
    lambda: [rng.choice(["LPUSH", "RPUSH"]), k(), *several(v)],
    lambda: [rng.choice(["LPOP", "RPOP"]), k(), *rng.choice([[], [], ["1"], ["0"], ["-1"], ["3"], ["abc"]])],
    lambda: ["LRANGE", k(), n(), n()],
    lambda: ["LLEN", k()],
    lambda: ["SADD", k(), *several(f)],
    lambda: ["SREM", k(), *several(f)],
    lambda: ["SMEMBERS", k()],
    lambda: ["SISMEMBER", k(), f()],
    lambda: ["SCARD", k()],
    lambda: ["ZADD", k(), *flags("NX", "XX", "GT", "LT", "CH", "INCR"), *pairs(d, f)],
    lambda: ["ZADD", k(), *pairs(d, f)],
    zrange,
    zrange,
    lambda: ["ZSCORE", k(), f()],
    lambda: ["ZREM", k(), *several(f)],
    lambda: ["ZCARD", k()],
    lambda: ["SELECT", rng.choice(["0", "0", "99", "abc", "-1"])],
    lambda: ["ECHO", v()],
    lambda: ["PING", *several(v, 0, 2)],
    lambda: [rng.choice(["FLUSHDB", "FLUSHALL"]), *rng.choice([[], ["ASYNC"], ["SYNC"], ["FOO"]])] if rng.random() < 0.03 else ["DBSIZE"],
    lambda: [rng.choice(["NOSUCH", "GET", "CONFIG", "CLIENT", "SET"]), *several(v, 0, 3)],
]


# Keys that hold nothing but hashes, so that they grow beyond their limits and their encodings can be compared.
HASHES = [f"h{n}" for n in range(4)]


def h():
    return pick(HASHES, HASHES, HASHES, KEYS)


def hf():
    return rng.choice([f(), f(), str(rng.randint(0, 40)), f"field:{rng.randint(0, 2000)}"])


def grow():
    count = rng.choice([5, 60, 130, 513, 600])
    start, make = rng.randint(0, 600), rng.choice([str, lambda number: f"field:{number}"])
    values = rng.choice([lambda: v(), lambda: str(rng.randint(-70_000, 70_000)), lambda: "v" * rng.randint(0, 64)])
    return ["HSET", rng.choice(HASHES), *[word for number in range(start, start + count) for word in (make(number), values())]]


FAMILIES = {
    "hashes": [
        lambda: [rng.choice(["HSET", "HMSET"]), h(), *pairs(hf, v)],
        lambda: ["HSET", h(), *several(hf, 1, 3)],
        lambda: grow() if rng.random() < 0.15 else ["HLEN", h()],
        lambda: ["HSETNX", h(), hf(), v()],
        lambda: ["HGET", h(), hf()],
        lambda: ["HMGET", h(), *several(hf, 1, 8)],
        lambda: [rng.choice(["HGETALL", "HKEYS", "HVALS"]), h()],
        lambda: ["HDEL", h(), *several(hf, 1, 30)],
        lambda: [rng.choice(["HEXISTS", "HSTRLEN"]), h(), hf()],
        lambda: ["HINCRBY", h(), hf(), n()],
        lambda: ["HINCRBYFLOAT", h(), hf(), d()],
        lambda: ["HRANDFIELD", h()],
        lambda: ["HRANDFIELD", h(), n(), *rng.choice([[], ["WITHVALUES"], ["withvalues"], ["FOO"], ["WITHVALUES", "1"]])]
        if rng.random() < 0.8
        else ["HRANDFIELD", h(), "x"],
        lambda: ["HSCAN", h(), "0", "COUNT", "100000", *rng.choice([[], ["MATCH", "*1*"], ["MATCH", "f*[^3]"], ["COUNT", "0"], ["FOO"]])],
        lambda: ["HSCAN", h(), rng.choice(["x", "-1x", " 0", "99999999999999999999999"])],
        lambda: ["OBJECT", "ENCODING", rng.choice(HASHES)],
        lambda: [rng.choice(["TYPE", "EXISTS", "PERSIST"]), h()],
        lambda: ["DEL", h()] if rng.random() < 0.1 else ["TTL", h()],
        lambda: [rng.choice(["COPY", "RENAME"]), rng.choice(HASHES), rng.choice(HASHES)] if rng.random() < 0.3 else ["HLEN", h()],
    ],
}


# Keys that hold nothing but sorted sets, some of them with one score throughout, so that ranges of members mean something.
SORTED = [f"z{n}" for n in range(4)]
TIED = [f"y{n}" for n in range(2)]
SETS = [f"s{n}" for n in range(4)]
SCORES = ["0", "-0", "1", "1", "2", "-1", "1.5", "0.1", "-2.25", "1e20", "1e-7", "3.0e3", "123456789012345678", "inf", "-inf", "0.3333333333333333"]
MEMBER_ENDS = ["-", "+", "[a", "(a", "[m", "(m1", "[m15", "(m3", "[", "(", "[zz", "(99"]
SCORE_ENDS = ["-inf", "+inf", "0", "(0", "1", "(1", "2", "-1", "1.5", "(0.1", "5", "40", "1e300", "(inf"]


def z():
    return pick(SORTED, SORTED, SORTED, TIED, KEYS)


def m():
    return rng.choice([f(), f"m{rng.randint(0, 30)}", f"m{rng.randint(0, 2000)}", str(rng.randint(-5, 300))])


def score():
    return pick(SCORES, SCORES, SCORES, FLOATS) if rng.random() < 0.6 else str(rng.randint(-50, 50))


def wrong(word):
    return word if rng.random() < 0.97 else rng.choice(["", "abc", "nan", "(", "1x", " 1"])


def index():
    return wrong(str(rng.choice([0, 0, 1, 2, 5, -1, -1, -2, -10, 100, 130, 2**63 - 1, -(2**63)])))


def limit():
    if rng.random() < 0.5:
        return []
    return ["LIMIT", rng.choice(["0", "1", "5", "-1", "1000", "x"]), rng.choice(["1", "3", "100", "-1", "-2", "0"])]


def borders(by):
    if by == "LEX":
        return [wrong(rng.choice(MEMBER_ENDS)) for _ in range(2)]
    return [index(), index()] if by == "" else [wrong(rng.choice(SCORE_ENDS)) for _ in range(2)]


def ranged(name, source, options, *, open_ended=True):
    """A range of members by rank, score or name; by name only where all scores are equal."""
    by = rng.choice(["", "SCORE", "LEX"])
    key = rng.choice(TIED) if by == "LEX" else z()
    words = [*source, key, *borders(by)]
    if not open_ended:
        return [name + "BY" + (by or "RANK"), *words]
    return [name, *words, *([f"BY{by}"] if by else []), *flags("REV"), *limit(), *flags(*options)]


def older_range():
    by = rng.choice(["SCORE", "LEX"])
    key = rng.choice(TIED) if by == "LEX" else z()
    return [rng.choice(["ZRANGEBY", "ZREVRANGEBY"]) + by, key, *borders(by), *flags("WITHSCORES"), *limit()]


def grow_sorted():
    count, start = rng.choice([5, 60, 127, 130, 300]), rng.randint(0, 600)
    make = rng.choice([str, lambda number: f"m{number}"])
    tied = rng.random() < 0.3
    key = rng.choice(TIED if tied else SORTED)
    scores = (lambda _: "0") if tied else rng.choice([str, lambda _: score(), lambda number: f"{number / 4}"])
    return ["ZADD", key, *[word for number in range(start, start + count) for word in (scores(number), make(number))]]


def combined(name, destination):
    keys = [rng.choice([z(), z(), rng.choice(SETS)]) for _ in range(rng.randint(1, 4))]
    count = len(keys) if rng.random() < 0.95 else rng.choice(["0", "-1", "x", len(keys) + 1, len(keys) - 1])
    options = []
    if name == "ZINTERCARD":
        options += ["LIMIT", rng.choice(["0", "1", "3", "-1", "x"])] if rng.random() < 0.5 else []
    elif "DIFF" not in name or rng.random() < 0.05:
        if rng.random() < 0.4:
            weights = ["1", "2", "-1", "0", "0.5", "inf", "x"] if rng.random() < 0.3 else ["1", "2", "-1"]
            options += ["WEIGHTS", *[rng.choice(weights) for _ in keys]]
        if rng.random() < 0.4:
            options += ["AGGREGATE", rng.choice(["SUM", "MIN", "MAX", "sum", "AVG"])]
    options += flags("WITHSCORES") if rng.random() < (0.1 if destination else 0.9) else []
    return [name, *([rng.choice(SORTED)] if destination else []), count, *keys, *options]


def popped():
    if rng.random() < 0.5:
        return [rng.choice(["ZPOPMIN", "ZPOPMAX"]), z(), *rng.choice([[], [], ["1"], ["0"], ["3"], ["-1"], ["x"], ["1", "2"]])]
    keys = several(z, 1, 3)
    count = len(keys) if rng.random() < 0.95 else rng.choice(["0", "-1", "x", len(keys) + 1])
    options = rng.choice([[], [], ["COUNT", "2"], ["COUNT", "0"], ["COUNT"], ["COUNT", "200"], ["FOO"]])
    return ["ZMPOP", count, *keys, rng.choice(["MIN", "MAX", "min", "LEFT"]), *options]


FAMILIES["sorted_sets"] = [
    lambda: ["ZADD", pick(SORTED, KEYS), *flags("NX", "XX", "GT", "LT", "CH", "INCR"), *pairs(score, m, 5)],
    lambda: ["ZADD", rng.choice(SORTED), *pairs(score, m, 9)],
    lambda: ["ZADD", rng.choice(TIED), *pairs(lambda: "0", m, 9)],
    lambda: ["ZADD", pick(SORTED, KEYS), *several(score, 1, 4)],
    lambda: grow_sorted() if rng.random() < 0.3 else ["ZCARD", z()],
    lambda: ["ZINCRBY", pick(SORTED, KEYS), score(), m()],
    lambda: ["ZREM", z(), *several(m, 1, 30)],
    lambda: ["ZSCORE", z(), m()],
    lambda: ["ZMSCORE", z(), *several(m)],
    lambda: [rng.choice(["ZRANK", "ZREVRANK"]), z(), m()],
    lambda: ranged("ZRANGE", [], ["WITHSCORES"]),
    lambda: ranged("ZRANGE", [], ["WITHSCORES"]),
    lambda: ranged("ZRANGESTORE", [rng.choice(SORTED)], []),
    lambda: ranged("ZREMRANGE", [], [], open_ended=False) if rng.random() < 0.4 else ["ZCARD", z()],
    lambda: ["ZREVRANGE", z(), index(), index(), *flags("WITHSCORES")],
    older_range,
    lambda: ["ZCOUNT", z(), *borders("SCORE")],
    lambda: ["ZLEXCOUNT", rng.choice(TIED), *borders("LEX")],
    popped,
    lambda: combined(rng.choice(["ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD"]), False),
    lambda: combined(rng.choice(["ZUNION", "ZINTER", "ZDIFF"]) + "STORE", True),
    lambda: ["ZRANDMEMBER", z(), *rng.choice([[], ["3"], ["-5"], ["0"], ["300", "WITHSCORES"], ["-3", "withscores"], ["x"], ["1", "FOO"]])],
    lambda: ["ZSCAN", z(), "0", "COUNT", "100000", *rng.choice([[], ["MATCH", "m*1*"], ["COUNT", "0"], ["FOO"]])],
    lambda: ["SADD", rng.choice(SETS), *several(m, 1, 9)],
    lambda: ["OBJECT", "ENCODING", rng.choice(SORTED)],
    lambda: ["DEL", pick(SORTED, TIED, SETS)] if rng.random() < 0.3 else ["TYPE", z()],
    lambda: ["SET", k(), v()],
]
# Keys that hold nothing but lists.
LISTS = [f"l{number}" for number in range(4)]


def among(pool):
    return pick(pool, pool, pool, KEYS)


def number_text():
    return rng.choice([str(rng.randint(-50, 50)), str(rng.randint(-70_000, 70_000)), "9000000000"])


def element():
    return rng.choice([v(), f(), number_text(), number_text(), "e" * rng.randint(1, 200)])


def member():
    return rng.choice([f(), number_text(), str(rng.randint(0, 40)), f"m:{rng.randint(0, 600)}"])


def grow_many(name, pool, make):
    return [name, rng.choice(pool), *several(make, 100, 700)]


def intersection_count(name, pool):
    count = rng.randint(1, 3)
    keys = several(lambda: among(pool), count, count)
    return [name, rng.choice([str(count)] * 6 + ["0", "x", "5"]), *keys, *rng.choice([[], ["LIMIT", "2"], ["LIMIT", "-1"], ["LIMIT", "0"], ["LIMIT"]])]


def pop_many(name, pool, ends):
    count = rng.randint(1, 3)
    keys = several(lambda: among(pool), count, count)
    return [name, rng.choice([str(count)] * 6 + ["0", "x", "5"]), *keys, rng.choice([*ends, *ends, "FOO"]), *rng.choice([[], [], ["COUNT", "3"], ["COUNT", "0"], ["COUNT"]])]


def sort():
    words = [rng.choice(["SORT", "SORT", "SORT_RO"]), rng.choice(LISTS + SETS + SORTED + KEYS)]
    if rng.random() < 0.3:
        words += ["BY", rng.choice(["nosort", "w_*", "h*->f", "k1"])]
    words += limit()
    for pattern in flags("#", "k*", "h*->a", "nothing_*"):
        words += ["GET", pattern]
    # Without ALPHA, sets that hold texts are an error; with nosort their order is the table's own.
    words += rng.choice([["ALPHA"], ["ALPHA", "DESC"], [], ["DESC"], ["ASC"]])
    if words[0] == "SORT" and rng.random() < 0.2:
        words += ["STORE", rng.choice(LISTS)]
    return ["LLEN", "l0"] if "nosort" in words and words[1] in SETS + KEYS else words


def transaction():
    """Commands of one connection that end as one, or do not."""
    plain = [
        lambda: ["SET", k(), v()],
        lambda: ["INCR", k()],
        lambda: ["RPUSH", among(LISTS), element()],
        lambda: ["LPOP", among(LISTS)],
        lambda: ["ZADD", among(SORTED), d(), member()],
        lambda: ["GET", k()],
        lambda: ["NOSUCH", "x"],
        lambda: ["SET", "k1"],
        lambda: ["BLPOP", among(LISTS), "0"],
        lambda: ["MULTI"],
        lambda: ["WATCH", k()],
    ]
    weights = [6, 6, 6, 4, 4, 6, 1, 1, 2, 1, 1]
    inside = [make() for make in rng.choices(plain, weights, k=rng.randint(0, 5))]
    before = rng.choice([[], [], [["WATCH", k(), k()]], [["WATCH", "k1"], ["SET", "k1", "changed"]], [["WATCH", "k1"], ["UNWATCH"]]])
    return Sequence([*before, ["MULTI"], *inside, [rng.choice(["EXEC", "EXEC", "EXEC", "DISCARD"])]])


class Sequence(list):
    """Commands for one connection, one after the other."""


def copied():
    """A payload that redis-server makes is read by both."""
    source = rng.choice(KEYS + HASHES + LISTS + SETS + SORTED)
    _, payload = servers[2][0].call(["DUMP", source])
    if payload is None:
        return ["DUMP", source]
    if rng.random() < 0.1:
        at = rng.randrange(len(payload))
        payload = payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :]
    ttl = rng.choice(["0", "0", "0", "100000", "-1", "x"])
    return ["RESTORE", rng.choice([source, k()]), ttl, payload, *flags("REPLACE", "REPLACE", "ABSTTL", "FOO")]


FAMILIES |= {
    "lists": [
        lambda: [rng.choice(["LPUSH", "RPUSH", "LPUSHX", "RPUSHX"]), among(LISTS), *several(element, 1, 6)],
        lambda: grow_many("RPUSH", LISTS, element) if rng.random() < 0.15 else ["LLEN", among(LISTS)],
        lambda: [rng.choice(["LPOP", "RPOP"]), among(LISTS), *rng.choice([[], ["1"], ["20"], ["0"], ["-1"], ["x"]])],
        lambda: ["LINDEX", among(LISTS), rng.choice([n(), str(rng.randint(-300, 300))])],
        lambda: ["LSET", among(LISTS), rng.choice([n(), str(rng.randint(-100, 100))]), element()],
        lambda: ["LINSERT", among(LISTS), rng.choice(["BEFORE", "AFTER", "after", "FOO"]), element(), element()],
        lambda: ["LREM", among(LISTS), rng.choice(["x", "1", "0", "2", "-2", "-9223372036854775807"]), element()],
        lambda: ["LTRIM", among(LISTS), rng.choice([n(), "0", "1", "-200"]), rng.choice([n(), "-1", "-2", "300"])] if rng.random() < 0.5 else ["LLEN", "l1"],
        lambda: ["LPOS", among(LISTS), element(), *rng.choice([[], ["RANK", "-1"], ["RANK", "2"], ["RANK", "0"], ["COUNT", "0"], ["COUNT", "2", "RANK", "-2"], ["MAXLEN", "10"], ["MAXLEN", "-1"], ["COUNT", "-1"], ["FOO", "1"]])],
        lambda: ["LRANGE", among(LISTS), rng.choice([n(), str(rng.randint(-300, 300))]), rng.choice([n(), str(rng.randint(-300, 300))])],
        lambda: ["LMOVE", among(LISTS), among(LISTS), rng.choice(["LEFT", "RIGHT", "FOO"]), rng.choice(["LEFT", "right"])],
        lambda: ["RPOPLPUSH", among(LISTS), among(LISTS)],
        lambda: pop_many("LMPOP", LISTS, ["LEFT", "RIGHT"]),
        lambda: [rng.choice(["BLPOP", "BRPOP"]), *several(lambda: among(LISTS), 1, 3), rng.choice(["0.01", "-1", "x"])] if rng.random() < 0.1 else ["LLEN", "l2"],
        lambda: ["BLMOVE", among(LISTS), among(LISTS), "LEFT", "RIGHT", rng.choice(["0.01", "-1", "nan"])] if rng.random() < 0.1 else ["LLEN", "l2"],
        lambda: pop_many("LMPOP", LISTS, ["LEFT"]),
        lambda: ["DEL", among(LISTS)] if rng.random() < 0.1 else ["TYPE", among(LISTS)],
    ],
    "sets": [
        lambda: ["SADD", among(SETS), *several(member, 1, 6)],
        lambda: grow_many("SADD", SETS, rng.choice([member, number_text])) if rng.random() < 0.1 else ["SCARD", among(SETS)],
        lambda: ["SREM", among(SETS), *several(member, 1, 20)],
        lambda: ["SMISMEMBER", among(SETS), *several(member, 1, 5)],
        lambda: ["SMEMBERS", among(SETS)],
        lambda: ["SMOVE", among(SETS), among(SETS), member()],
        lambda: [rng.choice(["SUNION", "SINTER", "SDIFF"]), *several(lambda: among(SETS))],
        lambda: [rng.choice(["SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"]), rng.choice(SETS), *several(lambda: among(SETS))],
        lambda: intersection_count("SINTERCARD", SETS),
        lambda: ["SRANDMEMBER", among(SETS), *rng.choice([[], ["5"], ["-5"], ["0"], ["x"], ["-9223372036854775808"]])],
        lambda: ["SPOP", rng.choice(SETS), "0"],
        lambda: ["SPOP", among(SETS), rng.choice(["-1", "x", "1.5"])],
        lambda: ["SSCAN", among(SETS), "0", "COUNT", "100000", *rng.choice([[], ["MATCH", "*1*"], ["COUNT", "0"], ["FOO"]])],
        lambda: ["DEL", among(SETS)] if rng.random() < 0.1 else ["SISMEMBER", among(SETS), member()],
    ],
    "keys": [
        sort,
        lambda: ["LCS", k(), k(), *rng.choice([[], ["LEN"], ["IDX"], ["IDX", "WITHMATCHLEN"], ["IDX", "MINMATCHLEN", "3"], ["LEN", "IDX"], ["FOO"]])],
        lambda: ["MOVE", k(), rng.choice(["1", "0", "99", "x"])],
        lambda: ["SWAPDB", rng.choice(["0", "1", "99", "x"]), rng.choice(["0", "1", "-1"])] if rng.random() < 0.2 else ["DBSIZE"],
        lambda: ["OBJECT", rng.choice(["REFCOUNT", "FREQ", "FOO"]), rng.choice(["nokey", "nokey2"])],
        lambda: [rng.choice(["SETBIT", "SETBIT", "GETBIT"]), k(), rng.choice(["0", "7", "100", "-1", "x", "4294967296"]), rng.choice(["0", "1", "2"])],
        lambda: ["RANDOMKEY"],
        lambda: ["WAIT", rng.choice(["0", "-1", "x"]), "0"],
        copied,
        lambda: ["DUMP", "nosuchkey"],
        lambda: [rng.choice(["EXPIRE", "TTL", "PERSIST", "TYPE"]), rng.choice(LISTS + SETS + SORTED), *rng.choice([[], ["100000"]])],
        lambda: [rng.choice(["RENAME", "COPY"]), rng.choice(LISTS + SETS + SORTED), rng.choice(LISTS + SETS + SORTED)] if rng.random() < 0.3 else ["DBSIZE"],
    ],
    "transactions": [
        transaction,
        lambda: [rng.choice(["EXEC", "DISCARD", "UNWATCH", "WATCH"])],
        lambda: ["PUBLISH", "channel", v()],
        lambda: ["PUBSUB", rng.choice(["CHANNELS", "NUMPAT", "NUMSUB", "FOO"])],
    ],
}
for members in FAMILIES.values():
    GENERATORS += members
if family:
    GENERATORS = FAMILIES[family]


def scores_as_numbers(reply):
    kind, value = reply
    if isinstance(value, list):
        return (kind, [scores_as_numbers(part) for part in value])
    return (kind, float(value)) if isinstance(value, bytes) and SCORE.fullmatch(value) else reply


def shape(words, reply):
    name = words[0]
    if name[0] == "Z":
        reply = scores_as_numbers(reply)
    kind, value = reply
    if name in RANDOM and isinstance(value, list):
        return (kind, len(value))
    if name in RANDOM and kind == "$":
        return (kind, value is None)
    if name in SCANS_OF_PAIRS and isinstance(value, list):
        return (kind, [value[0], sorted(zip(value[1][1][::2], value[1][1][1::2]), key=repr)])
    if name in UNORDERED and isinstance(value, list):
        if name == "HGETALL" and kind == "*":
            value = sorted(zip(value[::2], value[1::2]), key=repr)
        elif name in ("SCAN", "SSCAN") and len(value) == 2 and isinstance(value[1][1], list):
            value = [value[0], sorted(value[1][1], key=repr)]
        else:
            value = sorted(value, key=repr)
    return (kind, value)


servers = {protocol: (Connection(redis_port, protocol), Connection(our_port, protocol)) for protocol in (2, 3)}
for connection in servers[2]:
    connection.call(["FLUSHALL"])
history, differences = [], 0
waiting, protocol = [], 2
for number in range(commands):
    if not waiting:
        made, protocol = rng.choice(GENERATORS)(), rng.choice([2, 3])
        waiting = list(made) if isinstance(made, Sequence) else [made]
    words = waiting.pop(0)
    theirs, ours = (shape(words, connection.call(words)) for connection in servers[protocol])
    history.append(words)
    if theirs != ours:
        differences += 1
        print(f"\n#{number} RESP{protocol} {words!r:.300}\n  redis {theirs!r:.300}\n  ours  {ours!r:.300}")
        touched = set(map(str, words[1:])) & set(KEYS + HASHES + SORTED + TIED + SETS + LISTS)
        for earlier in [line for line in history[:-1] if touched & set(map(str, line[1:]))][-4:]:
            print(f"    before: {earlier!r:.200}")
        if differences >= 25:
            break
        for connection in servers[2]:
            connection.call(["FLUSHALL"])
print(f"{number + 1} commands, seed {seed}: {differences} differences")
sys.exit(bool(differences))
