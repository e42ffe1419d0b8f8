"""The random commands of differential.py: families of generators, each of which makes one command or a few in a row.

A generator answers the words of a command, or a list of `Step`s that belong together: a transaction, commands of other
clients in between, a client that waits and the push that ends its wait. Deadlines are long, or gone at once with a
pause before the next command, and no two are the same, so that no reply depends on which server was asked first.
"""
import random

rng = random.Random()
# Set by differential.py: a payload of DUMP (of redis-server if 0, of ours if 1), and whether encodings have 7.0's names.
payload_of = None
SAME_ENCODINGS = False


class Step:
    """A command of one of four clients, or a pause.

    `send` is for what may make a client of number 1 or more wait, `read` for the reply to it, `unblock` ends the wait
    if nothing did. Of a random reply only the size is compared.
    """

    def __init__(self, words, client=0, how="call", random=False):
        self.words, self.client, self.how, self.random = words, client, how, random


PAUSE = Step([], how="sleep")


def steps(made):
    """What a generator made as steps."""
    if made and isinstance(made[0], (Step, list)):
        return [step if isinstance(step, Step) else Step(step) for step in made]
    return [Step(made)]


KEYS = [f"k{n}" for n in range(12)]
# Keys that hold little but one type, so that they grow beyond its limits. In the `TIED` sorted sets all scores are equal, so
# that ranges of members mean something.
HASHES = [f"h{n}" for n in range(4)]
LISTS = [f"l{n}" for n in range(4)]
SETS = [f"s{n}" for n in range(4)]
SORTED = [f"z{n}" for n in range(4)]
SKETCHES = [f"p{n}" for n in range(4)]
TIED = [f"y{n}" for n in range(2)]
TYPED = HASHES + LISTS + SETS + SORTED + TIED + SKETCHES
ALL_KEYS = set(KEYS + TYPED)
FIELDS = ["a", "b", "c", "", "field-" + "x" * 70, "1", "-5", "99999999999"]
VALUES = ["", "0", "1", "-1", "10", "007", " 1", "1 ", "+1", "3.5", "1e3", "abc", "9223372036854775807", "-9223372036854775808",
          "9223372036854775808", "inf", "-inf", "nan", "0x10", "hello world", "y" * 100, "z" * 3000, b"\xff\x00\r\n"]
NUMBERS = ["0", "1", "-1", "2", "5", "-5", "100", "9223372036854775807", "-9223372036854775808", "abc", "", "1.5", " 3"]
FLOATS = ["0", "1", "-1", "1.5", "0.1", "3.0e3", "-2.25", "1e-7", "1e20", "123456789.123", "inf", "-inf", "nan", "abc", "", "1e400"]


def k():
    return rng.choice(KEYS)


def anyone():
    return rng.choice(KEYS) if rng.random() < 0.8 else rng.choice(TYPED)


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


def seconds():
    return rng.choice([str(rng.randint(1_000, 10**9)), str(rng.randint(1_000, 10**9)), "-1", "0", "abc", "9223372036854775807"])


def milliseconds():
    return rng.choice([str(rng.randint(10**6, 10**12)), str(rng.randint(10**6, 10**12)), "-1", "0", "abc", "9223372036854775807"])


def deadline(option):
    """Not one in the past, which SET would take: when such a key is gone from DBSIZE is nobody's promise."""
    if option == "EXAT":
        return rng.choice([str(4 * 10**9 + rng.randint(0, 10**9)), "-1", "0", "abc", "9223372036854775807"])
    if option == "PXAT":
        return rng.choice([str(4 * 10**12 + rng.randint(0, 10**12)), "-1", "0", "abc", "9223372036854775807"])
    return seconds() if option == "EX" else milliseconds()


def expire(name):
    of = {"EXPIREAT": "EXAT", "PEXPIREAT": "PXAT", "EXPIRE": "EX", "PEXPIRE": "PX"}[name]
    return [name, anyone(), rng.choice([deadline(of)] * 9 + ["1"]) if of.endswith("AT") else deadline(of), *rng.choice([[], [], flags("NX", "XX", "GT", "LT", "FOO")])]


def gone():
    """A key whose deadline passes, and the first command that meets it afterwards."""
    key = anyone()
    ended = rng.choice(
        [
            [["PEXPIRE", key, "1"]],
            [["SET", key, v(), "PX", "1"]],
            [["PSETEX", key, "1", v()]],
            [["GETEX", key, "PX", "1"]],
            [["RPUSH", key, "a", "b"], ["PEXPIRE", key, "1"]],
            [["SADD", key, "a"], ["PEXPIRE", key, "1"]],
            [["ZADD", key, "0", "a"], ["PEXPIRE", key, "1"]],
            [["HSET", key, "a", "b"], ["PEXPIRE", key, "1"]],
            [["WATCH", key], ["SET", key, v(), "PX", "1"], ["MULTI"], ["GET", key], PAUSE, ["EXEC"]],
        ]
    )
    use = rng.choice(
        [
            ["GET", key],
            ["SET", key, v(), "NX", "GET"],
            ["SET", key, v(), "XX"],
            ["SET", key, v(), "KEEPTTL"],
            ["SETNX", key, v()],
            ["INCR", key],
            ["APPEND", key, "x"],
            ["SETRANGE", key, "2", "x"],
            ["RPUSH", key, "x"],
            ["LPUSHX", key, "x"],
            ["SADD", key, "a"],
            ["HSET", key, "x", "y"],
            ["ZADD", key, "XX", "0", "x"],
            ["ZADD", key, "INCR", "0", "x"],
            ["EXPIRE", key, "100"],
            ["PERSIST", key],
            ["TTL", key],
            ["TYPE", key],
            ["DEL", key],
            ["EXISTS", key, key],
            ["RENAME", key, k()],
            ["COPY", key, k(), "REPLACE"],
            ["COPY", k(), key],
            ["MOVE", key, "1"],
            ["SUNIONSTORE", rng.choice(SETS), key],
            ["LMOVE", key, "l0", "LEFT", "RIGHT"],
            ["OBJECT", "ENCODING", key],
            ["DUMP", key],
            ["MSETNX", key, "x", k(), "y"],
        ]
    )
    return [*ended, PAUSE, use, ["EXISTS", key]]


def zrange():
    by = rng.choice([[], [], ["BYSCORE"], ["BYLEX"]])
    if by == ["BYLEX"]:
        ends = [rng.choice(["-", "+", "[a", "(a", "[b", "(c", "a", "["]) for _ in range(2)]
    elif by:
        ends = [rng.choice(["-inf", "+inf", "0", "(1", "1.5", "(0.1", "abc", "100"]) for _ in range(2)]
    else:
        ends = [n(), n()]
    limit = ["LIMIT", rng.choice(["0", "1", "-1", "x"]), rng.choice(["1", "2", "-1", "0"])] if rng.random() < 0.3 else []
    # Ranges of names among members of different scores are not defined.
    return ["ZRANGE", rng.choice(TIED) if by == ["BYLEX"] else k(), *ends, *by, *flags("REV"), *limit, *flags("WITHSCORES")]


STRINGS = [
    lambda: ["SET", k(), v(), *set_options()],
    lambda: ["SET", k(), v()],
    lambda: ["GET", k()],
    lambda: ["SETNX", k(), v()],
    lambda: ["SETEX", k(), seconds(), v()],
    lambda: ["PSETEX", k(), milliseconds(), v()],
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
    gone,
    lambda: ["TYPE", k()],
    lambda: [rng.choice(["RENAME", "RENAMENX"]), k(), k()],
    lambda: ["COPY", k(), k(), *rng.choice([[], ["REPLACE"], ["DB", "0"], ["DB", "3"], ["DB", "99"], ["DB", "x"], ["FOO"]])],
    lambda: expire(rng.choice(["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"])),
    lambda: [rng.choice(["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST"]), anyone()],
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
    "strings": STRINGS,
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


def among(pool):
    return pick(pool, pool, pool, KEYS)


def number_text():
    return rng.choice([str(rng.randint(-50, 50)), str(rng.randint(-70_000, 70_000)), "9000000000"])


def element():
    return rng.choice([v(), f(), number_text(), number_text(), "e" * rng.randint(1, 200)])


def member():
    return rng.choice([f(), number_text(), str(rng.randint(0, 40)), f"m:{rng.randint(0, 600)}"])


def grow_many(name, pool, make):
    # No more than 512 in a command: 7.2 chooses the encoding of a new set by their number.
    return [[name, rng.choice(pool), *several(make, 100, 500)] for _ in range(rng.randint(1, 2))]


def intersection_count(name, pool):
    count = rng.randint(1, 3)
    keys = several(lambda: among(pool), count, count)
    return [name, rng.choice([str(count)] * 6 + ["0", "x", "5"]), *keys, *rng.choice([[], ["LIMIT", "2"], ["LIMIT", "-1"], ["LIMIT", "0"], ["LIMIT"]])]


def pop_many(name, pool, ends):
    count = rng.randint(1, 3)
    keys = several(lambda: among(pool), count, count)
    return [name, rng.choice([str(count)] * 6 + ["0", "x", "5"]), *keys, rng.choice([*ends, *ends, "FOO"]), *rng.choice([[], [], ["COUNT", "3"], ["COUNT", "0"], ["COUNT"]])]


def renamed():
    """A key of one type over another of the same."""
    pool = rng.choice([HASHES, LISTS, SETS, SORTED, TIED, KEYS])
    name = rng.choice(["RENAME", "RENAMENX", "COPY", "COPY"])
    return [name, rng.choice(pool), rng.choice(pool), *flags(*(["REPLACE"] * 3 if name == "COPY" else []))]


def sort():
    """A SORT of a copy, because Redis converts a sorted set that it sorts, without being asked to. A ZADD comes before it,
    because Redis takes whatever number was out of range before as one of those that it sorts by, until the next is read.

    Sets and sorted sets have no order of their own, so where SORT leaves elements as they were, only lists are compared; a
    part of elements that are equal by name is any part of them.
    """
    source = rng.choice(KEYS + TYPED)
    words = [rng.choice(["SORT", "SORT", "SORT_RO"]), "sorting"]
    by = ["BY", rng.choice(["w_*", "h*->f", "h0->*", "k*"])] if rng.random() < 0.3 else []
    order = rng.choice([["ALPHA"], ["ALPHA", "DESC"], [], ["DESC"], ["ASC"], ["alpha", "asc"], ["FOO"] if rng.random() < 0.1 else []])
    if source in LISTS + SORTED and rng.random() < 0.2:
        by = ["BY", rng.choice(["nosort", "k1"])]
    elif by and "ALPHA" in [word.upper() for word in order] and source not in LISTS:
        by = []
    ranked = by and "ALPHA" in [word.upper() for word in order] and "*" in by[1]
    words += by + ([] if ranked else limit())
    for pattern in flags("#", "k*", "h*->a", "nothing_*"):
        words += ["GET", pattern]
    words += order
    if words[0] == "SORT" and rng.random() < 0.2:
        words += ["STORE", rng.choice(LISTS)]
    ranks = ["MSET", *pairs(lambda: f"w_{rng.randint(0, 40)}", lambda: rng.choice([str(rng.randint(-9, 9)), d()]), 9)]
    copies = [["DEL", "sorting"], ["COPY", source, "sorting"]]
    return [*([ranks] if rng.random() < 0.1 else []), *copies, ["ZADD", "in-range", "1", "a"], words]


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
    other = [Step(rng.choice(plain[:6])(), client=1)] if rng.random() < 0.4 else []
    return [*before, *other, ["MULTI"], *inside, *other, [rng.choice(["EXEC", "EXEC", "EXEC", "DISCARD"])]]


def wait_for():
    """A command that waits until a key has something."""
    timeout = "0"
    kind = rng.choice(["BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP"])
    pool = SORTED[:2] if "Z" in kind else LISTS[:2]
    keys = several(lambda: pick(pool, pool, pool, KEYS[:2]), 1, 3)
    if kind == "BLMOVE":
        return [kind, keys[0], rng.choice(LISTS[:2]), rng.choice(["LEFT", "RIGHT"]), rng.choice(["LEFT", "RIGHT"]), timeout]
    if kind == "BRPOPLPUSH":
        return [kind, keys[0], rng.choice(LISTS[:2]), timeout]
    if "MPOP" in kind:
        return [kind, timeout, len(keys), *keys, rng.choice(["MIN", "MAX"] if "Z" in kind else ["LEFT", "RIGHT"]), *rng.choice([[], ["COUNT", "2"]])]
    return [kind, *keys, timeout]


def blocked():
    """Up to three clients that wait, what another one does meanwhile, and the end of each wait.

    STORE forms write to keys that are not there: after one has overwritten a key of another type, Redis lets those who wait
    for it wait on, beside what they wait for, and we do not.
    """
    waiters = range(1, rng.randint(2, 4))
    key = lambda pool: pick(pool[:2], pool[:2], KEYS[:2])
    feed = [
        lambda: [rng.choice(["LPUSH", "RPUSH"]), key(LISTS), *several(element, 1, 4)],
        lambda: [rng.choice(["LPUSH", "RPUSH"]), key(LISTS), *several(element, 1, 4)],
        lambda: ["ZADD", key(SORTED), *pairs(lambda: str(rng.randint(0, 9)), member, 4)],
        lambda: ["SADD", key(LISTS), "a"],
        lambda: [rng.choice(["RENAME", "COPY"]), rng.choice(LISTS), key(LISTS)],
        lambda: ["LMOVE", rng.choice(LISTS), key(LISTS), "LEFT", "RIGHT"],
        lambda: [["DEL", "sorting"], ["COPY", rng.choice(LISTS[2:]), "sorting"], *stored(["SORT", "sorting", "ALPHA", "STORE"], [key(LISTS)])],
        lambda: stored(["ZUNIONSTORE"], [key(SORTED), "1", rng.choice(SORTED[2:])]),
        lambda: ["DEL", key(LISTS)],
        lambda: ["LINSERT", key(LISTS), "BEFORE", "a", "b"],
    ]
    stored = lambda before, after: [["DEL", after[0]], [*before, *after]]
    done = [step.words for _ in range(rng.randint(1, 4)) for step in steps(rng.choice(feed)())]
    if rng.random() < 0.3:
        done = [["MULTI"], *done, ["EXEC"]]
    emptied = [["DEL", *LISTS[:2], *SORTED[:2]]] if rng.random() < 0.7 else []
    begun = [Step(wait_for(), client=client, how="send") for client in waiters]
    ends = [
        step
        for client in waiters
        for step in (Step(rng.choice([[], ["TIMEOUT"], ["ERROR"], ["ERROR"]]), client, "unblock"), Step(["REPLY"], client, "read"))
    ]
    return [*emptied, *begun, *done, *ends]


def elsewhere():
    """Commands in another database."""
    made = [step for _ in range(rng.randint(1, 4)) for step in steps(rng.choice(ELSEWHERE)())]
    return [["SELECT", rng.choice(["1", "3"])], *made, ["SELECT", "0"]]


def popped_at_random():
    """Random members of a set: how many, and what is left of it."""
    key = among(SETS)
    return [Step(["SPOP", key, *rng.choice([[], [], ["1"], ["3"], ["40"]])], random=True), ["SCARD", key], ["DEL", key]]


CRC64 = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x95AC9329AC4BC9B5 if byte & 1 else 0)
    CRC64.append(byte)


def with_older_version(payload):
    """A payload of DUMP with the version of 7.0 in its footer; None if its type came after 7.0."""
    if payload[0] > 19:
        return None
    payload = payload[:-10] + b"\x0a\x00"
    checksum = 0
    for byte in payload:
        checksum = CRC64[(checksum ^ byte) & 255] ^ checksum >> 8
    return payload + checksum.to_bytes(8, "little")


def copied():
    """A payload that one of the servers makes is read by both."""
    source = rng.choice(KEYS + TYPED)
    payload = payload_of(source, rng.choice([0, 1]))
    if payload is None:
        return ["EXISTS", source]
    if rng.random() < 0.1:
        at = rng.randrange(len(payload))
        payload = payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :]
    ttl, absolute = (milliseconds(), []) if rng.random() < 0.5 else (deadline("PXAT"), ["ABSTTL"])
    ttl, absolute = rng.choice([("0", flags("ABSTTL")), ("0", []), (ttl, absolute)])
    target = rng.choice([source, source, k()])
    options = [*flags("REPLACE", "REPLACE", "REPLACE", "FOO"), *absolute]
    if rng.random() < 0.1:
        options = ["IDLETIME", n(), "FREQ", n()]
    return [["RESTORE", target, ttl, payload, *options], ["OBJECT", "ENCODING", target], *whole(target)]


def whole(key):
    """Reads of a key as whatever type it may have."""
    return [["GET", key], ["LRANGE", key, "0", "-1"], ["SMEMBERS", key], ["HGETALL", key], ["ZRANGE", key, "0", "-1", "WITHSCORES"]]


def counted():
    """Elements of a HyperLogLog: a few of few, or many of many, which makes it dense."""
    of, most = rng.choice([(30, 8), (2_000, 30), (10**9, 300), (10**9, 2_000)])
    return [str(rng.randrange(of)) for _ in range(rng.randint(0, most))]


def sketched():
    """A change of a HyperLogLog, and its string."""
    key = among(SKETCHES)
    made = rng.choice(
        [
            ["PFADD", key, *counted()],
            ["PFADD", key, *counted()],
            ["PFMERGE", key, *several(lambda: among(SKETCHES), 0, 3)],
            ["PFDEBUG", "TODENSE", key],
            ["PFDEBUG", "GETREG", key],
        ]
    )
    return [made, ["GET", key], ["OBJECT", "ENCODING", key], ["PFCOUNT", key], ["GET", key]]


def damaged():
    """A HyperLogLog in which something is wrong, and what is said of it."""
    key = rng.choice(SKETCHES)
    change = rng.choice(
        [
            ["SETRANGE", key, str(rng.choice([rng.randrange(20), rng.randrange(300)])), bytes([rng.randrange(256)])],
            ["SETRANGE", key, "4", "\0"],
            ["APPEND", key, bytes(rng.randrange(256) for _ in range(rng.randint(1, 4)))],
            ["SET", key, b"HYLL" + bytes(rng.randrange(256) for _ in range(rng.randint(0, 30)))],
            ["SET", key, b"HYLL\1" + bytes(11) + bytes(rng.randrange(256) for _ in range(rng.randint(0, 30)))],
        ]
    )
    asked = [["PFCOUNT", key], ["PFCOUNT", key, "none"], ["PFDEBUG", "ENCODING", key], ["PFMERGE", "p9", key], ["PFDEBUG", "TODENSE", key]]
    return [["PFADD", key, *counted()], change, *rng.sample(asked, 3), ["PFADD", key, "x"], ["DEL", key, "p9"]]


FAMILIES |= {
    "hyperloglogs": [
        sketched,
        sketched,
        damaged,
        lambda: ["PFCOUNT", *several(lambda: among(SKETCHES), 1, 4)],
        lambda: ["PFDEBUG", rng.choice(["DECODE", "decode", "ENCODING", "FOO"]), among(SKETCHES)],
        lambda: [rng.choice(["PFADD", "PFCOUNT", "PFMERGE"]), anyone(), *several(anyone)],
        lambda: ["CONFIG", "SET", "hll-sparse-max-bytes", rng.choice(["0", "100", "3000", "3000", "3000", "12000"])],
        lambda: ["DEL", among(SKETCHES)] if rng.random() < 0.3 else ["STRLEN", among(SKETCHES)],
    ],
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
        lambda: ["SPOP", rng.choice(SETS), rng.choice(["0", "100000"])],
        popped_at_random,
        lambda: ["SPOP", among(SETS), rng.choice(["-1", "x", "1.5"])],
        lambda: ["SSCAN", among(SETS), "0", "COUNT", "100000", *rng.choice([[], ["MATCH", "*1*"], ["COUNT", "0"], ["FOO"]])],
        lambda: ["DEL", among(SETS)] if rng.random() < 0.1 else ["SISMEMBER", among(SETS), member()],
    ],
    "keys": [
        sort,
        lambda: ["LCS", k(), k(), *rng.choice([[], ["LEN"], ["IDX"], ["IDX", "WITHMATCHLEN"], ["IDX", "MINMATCHLEN", "3"], ["LEN", "IDX"], ["FOO"]])],
        lambda: ["MOVE", k(), rng.choice(["1", "0", "99", "x"])],
        lambda: ["SWAPDB", rng.choice(["0", "1", "99", "x"]), rng.choice(["0", "1", "-1"])] if rng.random() < 0.2 else ["DBSIZE"],
        lambda: ["OBJECT", rng.choice(["REFCOUNT", "FREQ", "IDLETIME", "ENCODING", "ENCODING", "FOO"]), rng.choice([anyone(), anyone(), "nokey"])],
        lambda: ["OBJECT", "ENCODING", rng.choice(TYPED)],
        lambda: expire(rng.choice(["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"])),
        gone,
        elsewhere,
        lambda: [rng.choice(["SETBIT", "SETBIT", "GETBIT"]), k(), rng.choice(["0", "7", "100", "1000", "-1", "x", "4294967296"]), rng.choice(["0", "1", "2"])],
        lambda: ["RANDOMKEY"],
        lambda: ["WAIT", rng.choice(["0", "-1", "x"]), "0"],
        copied,
        lambda: ["DUMP", "nosuchkey"],
        lambda: [rng.choice(["TTL", "PTTL", "PERSIST", "TYPE", "TOUCH", "EXISTS"]), rng.choice(TYPED), *rng.choice([[], [], [k()]])],
        renamed,
    ],
    "transactions": [
        transaction,
        lambda: [rng.choice(["EXEC", "DISCARD", "UNWATCH", "WATCH"])],
        lambda: ["PUBLISH", "channel", v()],
        lambda: ["PUBSUB", rng.choice(["CHANNELS", "NUMPAT", "NUMSUB", "FOO"])],
    ],
    "blocking": [blocked],
}
ELSEWHERE = [
    make for name in ("hashes", "lists", "sets", "sorted_sets") for make in FAMILIES[name]
] + [lambda: ["SET", k(), v()], lambda: ["GET", k()], lambda: ["MOVE", k(), "0"], lambda: ["COPY", k(), k(), "DB", "0"], lambda: ["DBSIZE"]]


def generators(family=None):
    """All of a family, or of all; waits are rarer than the rest."""
    if family:
        return FAMILIES[family]
    return [make for members in FAMILIES.values() for make in members]
