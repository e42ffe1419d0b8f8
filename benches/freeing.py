#!/usr/bin/env python3
"""Measures how long other clients wait while a big value is freed, in a redis-server and in this server.

usage: freeing.py REDIS_SERVER OUR_BINARY [ROW ...]

A value of a million elements, or a string of 512 MB, is made and got rid of in one of many ways, while another client sends
PING after PING to the same thread for two seconds. Shown is the longest time that one of them took, in milliseconds: the
least of three runs, since what else the machine does only makes it longer. `nothing` is the same without a value to free.
The command itself may have much to do besides freeing; its own time is shown behind.
"""
import sys
import threading
import time

from side_by_side import Server, arguments_of

redis_server, ours, *wanted = sys.argv[1:]
MANY, RUNS, SECONDS = 1_000_000, 3, 2.0


def fill(name, make):
    return [[name, "big", *[word for index in range(first, first + 1_000) for word in make(index)]] for first in range(0, MANY, 1_000)]


VALUES = {
    "hash": fill("HSET", lambda index: (f"field:{index}", f"value:{index}")),
    "list": fill("RPUSH", lambda index: (f"item:{index}",)),
    "set": fill("SADD", lambda index: (f"member:{index}",)),
    "sorted set": fill("ZADD", lambda index: (str(index), f"member:{index}")),
    "string": [["SETRANGE", "big", "0", "x" * (16 << 20)]] + [["APPEND", "big", "x" * (16 << 20)]] * 31,
    "keys": [["MSET", *[word for index in range(first, first + 1_000) for word in (f"key:{index}", "x" * 50)]] for first in range(0, MANY, 1_000)],
    "nothing": [],
}
ENDS = {
    "DEL": [["DEL", "big"]],
    "UNLINK": [["UNLINK", "big"]],
    "SET over": [["SET", "big", "x"]],
    "RENAME over": [["SET", "small", "x"], ["RENAME", "small", "big"]],
    "EXPIRE": [["PEXPIRE", "big", "1"], ["EXISTS", "big"]],
    "FLUSHALL": [["FLUSHALL"]],
}
ROWS = [(value, end, commands) for value in ("hash", "list", "set", "sorted set", "string") for end, commands in ENDS.items()]
ROWS += [
    ("list", "LTRIM", [["LTRIM", "big", "1", "0"]]),
    ("sorted set", "ZREMRANGEBYRANK", [["ZREMRANGEBYRANK", "big", "0", "-1"]]),
    ("set", "SINTERSTORE over", [["SADD", "other", "x"], ["SINTERSTORE", "big", "other"]]),
    ("sorted set", "ZRANGESTORE over", [["ZADD", "other", "1", "x"], ["ZRANGESTORE", "big", "other", "0", "-1"]]),
    ("list", "SORT STORE over", [["RPUSH", "other", "x"], ["SORT", "other", "ALPHA", "STORE", "big"]]),
    ("keys", "FLUSHALL", [["FLUSHALL"]]),
    ("nothing", "PING", [["PING"]]),
]


class Pings(threading.Thread):
    """A client that waits for the reply to each PING before the next."""

    def __init__(self, server):
        super().__init__()
        self.connection, self.longest, self.going = server.connect(), 0.0, True

    def run(self):
        while self.going:
            began = time.perf_counter()
            self.connection.sendall(b"PING\r\n")
            self.connection.recv(64)
            self.longest = max(self.longest, time.perf_counter() - began)


def measured(arguments, value, commands):
    """The longest PING, and how long the last command took, in milliseconds."""
    server = Server(arguments)
    for batch in VALUES[value]:
        server.run([batch])
    time.sleep(0.5)
    pings = Pings(server)
    pings.start()
    time.sleep(0.1)
    pings.longest = 0.0
    server.run(commands[:-1])
    if len(commands) > 1:
        time.sleep(0.01)
    began = time.perf_counter()
    server.run(commands[-1:])
    took = time.perf_counter() - began
    time.sleep(SECONDS)
    pings.going = False
    pings.join()
    server.stop()
    return pings.longest * 1e3, took * 1e3


SERVERS = arguments_of(redis_server, ours, "--io-threads", "1")
print(f"{'longest PING in ms, least of 3 runs':36} {'redis':>8} {'ours':>8}   command itself: {'redis':>8} {'ours':>8}")
for value, end, commands in ROWS:
    row = f"{value}, {end}"
    if wanted and not any(word in row for word in wanted):
        continue
    figures = {name: [measured(arguments, value, commands) for _ in range(RUNS)] for name, arguments in SERVERS.items()}
    longest = [min(run[0] for run in runs) for runs in figures.values()]
    took = [min(run[1] for run in runs) for runs in figures.values()]
    print(f"{row:36} {longest[0]:8.2f} {longest[1]:8.2f}                   {took[0]:8.2f} {took[1]:8.2f}", flush=True)
