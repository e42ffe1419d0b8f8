#!/usr/bin/env python3
"""Measures the memory that collections take in a redis-server and in this server, side by side.

usage: footprint.py REDIS_SERVER OUR_BINARY [ROW ...]

For each row both servers are started anew and filled with the same commands, of a hundred elements each. Compared is their
resident memory (RSS, of /proc/PID/statm): all of it, and what it has grown by; a ratio above 1 is more than Redis. Rows: one collection of a million elements
of each type, and 10,000 of each type with 100 elements each; `ints` are integers, `strings` texts of 7 to 11 bytes.
"""
import random
import sys

from side_by_side import Server, arguments_of

redis_server, ours, *wanted = sys.argv[1:]
MANY, SMALL, EACH = 1_000_000, 10_000, 100


def number(key, index):
    return str((key * 7919 + index * 104_729) % 30_000)


def wide(key, index):
    return str((key * 7919 + index * 15_485_863) % 2_000_000_000)


def text(key, index):
    return f"item:{(key * 7919 + index * 104_729) % 1_000_003}"


def fill(name, make):
    """Adds elements in commands of up to a hundred."""
    return lambda key, first, last: [name, f"{name.lower()}:{key}", *[word for index in range(first, last) for word in make(key, index)]]


KINDS = {
    "hash": fill("HSET", lambda key, index: (f"field:{index}", text(key, index))),
    "list": fill("RPUSH", lambda key, index: (text(key, index),)),
    "list of ints": fill("RPUSH", lambda key, index: (number(key, index),)),
    "set of strings": fill("SADD", lambda key, index: (f"member:{index}",)),
    "set of ints": fill("SADD", lambda key, index: (wide(key, index),)),
    "sorted set": fill("ZADD", lambda key, index: (str(index), f"member:{index}")),
}
ROWS = {f"{kind}, 1 of {MANY:,}": (make, 1, MANY) for kind, make in KINDS.items()}
ROWS |= {f"{kind}, {SMALL:,} of {EACH}": (make, SMALL, EACH) for kind, make in KINDS.items()}
ROWS[f"set of small ints, {SMALL:,} of {EACH}"] = (fill("SADD", lambda key, index: (number(key, index),)), SMALL, EACH)
ROWS[f"sorted set of ints, {SMALL:,} of {EACH}"] = (fill("ZADD", lambda key, index: (number(key, index), wide(key, index))), SMALL, EACH)


def measured(arguments, make, keys, elements):
    """A server's memory once it is filled, and by how much it has grown."""
    server = Server(arguments)
    before, order = server.resident(), random.Random(1)
    batch = []
    for key in order.sample(range(keys), keys):
        for first in range(0, elements, EACH):
            batch.append(make(key, first, min(first + EACH, elements)))
            if len(batch) == 10:
                server.run(batch)
                batch = []
    server.run(batch)
    after = server.resident()
    server.stop()
    return after, after - before


SERVERS = arguments_of(redis_server, ours)
print(f"{'':36} {'redis':>10} {'ours':>10}  ratio   {'grown by':>10} {'':>10}  ratio")
for row, (make, keys, elements) in ROWS.items():
    if wanted and not any(word in row for word in wanted):
        continue
    (theirs, their_growth), (own, growth) = [measured(words, make, keys, elements) for words in SERVERS.values()]
    print(
        f"{row:36} {theirs / 1e6:7.1f} MB {own / 1e6:7.1f} MB  {own / theirs:5.2f}   "
        f"{their_growth / 1e6:7.1f} MB {growth / 1e6:7.1f} MB  {growth / their_growth:5.2f}",
        flush=True,
    )
