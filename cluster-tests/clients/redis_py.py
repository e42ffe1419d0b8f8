#!/usr/bin/env python3
"""Runs mixed commands through redis-py's cluster client, default settings, and checks each reply against a model.

usage: redis_py.py PORT [COMMANDS] [SEED]      (pip install redis)

One client, keys over all slots. The model is the obvious one in memory; a wrong reply or any exception ends the run
with exit code 1. The seed makes a run repeatable.
"""
import os
import random
import sys

import redis
from redis.cluster import RedisCluster

port = int(sys.argv[1])
commands = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
rng = random.Random(seed)
client = RedisCluster(host="127.0.0.1", port=port)
tag = f"py{seed}:{os.getpid()}"
strings, counters, hashes, lists, sets, zsets = {}, {}, {}, {}, {}, {}


def key(kind):
    return f"{tag}:{kind}:{rng.randrange(2000)}"


def expect(what, got, want):
    if got != want:
        sys.exit(f"{what}: got {got!r}, wanted {want!r}")


def b(text):
    return text.encode()


def step():
    kind = rng.randrange(16)
    if kind == 0:
        k, v = key("s"), str(rng.random())
        expect("SET", client.set(k, v, ex=rng.choice([None, 1000])), True)
        strings[k] = b(v)
    elif kind == 1:
        k = key("s")
        expect("GET", client.get(k), strings.get(k))
    elif kind == 2:
        k = key("c")
        counters[k] = counters.get(k, 0) + 3
        expect("INCRBY", client.incrby(k, 3), counters[k])
    elif kind == 3:
        k, f, v = key("h"), str(rng.randrange(20)), str(rng.random())
        new = b(f) not in hashes.setdefault(k, {})
        hashes[k][b(f)] = b(v)
        expect("HSET", client.hset(k, f, v), int(new))
    elif kind == 4:
        k = key("h")
        expect("HGETALL", client.hgetall(k), hashes.get(k, {}))
    elif kind == 5:
        k, v = key("l"), str(rng.random())
        lists.setdefault(k, []).append(b(v))
        expect("RPUSH", client.rpush(k, v), len(lists[k]))
    elif kind == 6:
        k = key("l")
        expect("LRANGE", client.lrange(k, 0, -1), lists.get(k, []))
    elif kind == 7:
        k = key("l")
        want = lists.get(k, [])
        expect("LPOP", client.lpop(k), want.pop(0) if want else None)
        if not want:
            lists.pop(k, None)
    elif kind == 8:
        k, m = key("t"), str(rng.randrange(30))
        new = b(m) not in sets.setdefault(k, set())
        sets[k].add(b(m))
        expect("SADD", client.sadd(k, m), int(new))
    elif kind == 9:
        k = key("t")
        expect("SMEMBERS", set(client.smembers(k)), sets.get(k, set()))
    elif kind == 10:
        k, m, s = key("z"), str(rng.randrange(30)), rng.randrange(1000) / 4
        new = b(m) not in zsets.setdefault(k, {})
        zsets[k][b(m)] = s
        expect("ZADD", client.zadd(k, {m: s}), int(new))
    elif kind == 11:
        k = key("z")
        want = sorted(zsets.get(k, {}).items(), key=lambda item: (item[1], item[0]))
        got = [(pair[0], pair[1]) for pair in client.zrange(k, 0, -1, withscores=True)]
        expect("ZRANGE", got, want)
    elif kind == 12:
        k = key("s")
        expect("DEL", client.delete(k), int(strings.pop(k, None) is not None))
    elif kind == 13:
        group = rng.randrange(500)
        mine = [f"{{{tag}:{group}}}:{n}" for n in range(5)]
        value = str(rng.random())
        expect("MSET", client.mset({k: value for k in mine}), True)
        expect("MGET", client.mget(mine), [b(value)] * 5)
    elif kind == 14:
        k = key("s")
        expect("EXISTS", client.exists(k), int(k in strings))
        expect("TYPE", client.type(k), b"string" if k in strings else b"none")
    else:
        k, v = key("s"), str(rng.random())
        pipe = client.pipeline()
        pipe.set(k, v)
        pipe.get(k)
        pipe.strlen(k)
        expect("pipeline", pipe.execute(), [True, b(v), len(v)])
        strings[k] = b(v)


try:
    for _ in range(commands):
        step()
except redis.RedisError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(f"redis-py {redis.__version__}: {commands} steps, no error")
