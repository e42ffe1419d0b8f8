#!/usr/bin/env python3
"""Sends the same random commands to a redis-server and to this server, and compares the replies.

usage: differential.py REDIS_PORT OUR_PORT [COMMANDS] [SEED] [FAMILY]

Both servers are flushed first. Commands come in RESP2 and in RESP3, right ones and wrong ones, on few keys, so that
types collide and values grow; `differential_commands.py` makes them, and `differential_geography.py` those on positions.
Besides the replies, all that the databases hold is compared every 2,000 commands. A FAMILY (strings, hashes, lists, sets,
sorted_sets, hyperloglogs, geography, keys, transactions, blocking) sends only that family's commands. Prints each difference
with the last commands on its keys; exits with 1 if there was one.

Not compared, or not word for word, because Redis 7.0 and 7.2 differ by design, or because Redis does not define it:
- scores, which 7.2 prints shorter and whose zero keeps its sign more often, are compared as numbers;
- the encodings of lists and sets, which 7.2 renamed, unless this server runs with `compatibility-version 7.0`;
- payloads of DUMP are compared by what RESTORE makes of them; those of types that 7.0 does not know (packed
  sets) are not sent to it, and of those that it knows, the version in the footer is set back to its own;
- commands that 7.0 has not: deadlines of hash fields, ZRANK WITHSCORE, HSCAN NOVALUES, CLIENT NO-TOUCH and SETINFO;
- the order of SMEMBERS, HGETALL, KEYS, SCAN and their kind, and which element a random one is (of those, how many);
- what is left of a deadline, and how long a key was idle, up to five minutes.
"""
import random
import re
import select
import socket
import sys
import time

import differential_commands as commands_of
import differential_geography  # adds its family to those
from differential_commands import Step

redis_port, our_port = int(sys.argv[1]), int(sys.argv[2])
commands = int(sys.argv[3]) if len(sys.argv) > 3 else 20_000
seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
family = sys.argv[5] if len(sys.argv) > 5 else None
MOST_DIFFERENCES = 25
SWEEP_EVERY = 2_000
SHOWN = 600
UNORDERED = {"SMEMBERS", "KEYS", "HKEYS", "HVALS", "SUNION", "SINTER", "SDIFF", "SPOP"}
SCANS = {"SCAN", "SSCAN"}
SCANS_OF_PAIRS = {"HSCAN", "ZSCAN"}
RANDOM = {"HRANDFIELD", "SRANDMEMBER", "ZRANDMEMBER", "RANDOMKEY", "DUMP"}
# A machine that is stopped for a while stops between the two servers' turns.
TIMES = {"TTL": 300, "EXPIRETIME": 300, "PTTL": 300_000, "PEXPIRETIME": 300_000, "IDLETIME": 300}
SCORE = re.compile(rb"-?\d+\.\d+(e[+-]?\d+)?|-?\d+e[+-]?\d+|-?\d{16,}|-?0")


class Connection:
    def __init__(self, port, protocol):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")
        if protocol == 3:
            self.call(["HELLO", "3"])
        self.id = self.call(["CLIENT", "ID"])[1]

    def send(self, words):
        request = b"*%d\r\n" % len(words)
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            request += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(request)

    def call(self, words):
        self.send(words)
        return self.read()

    def has_reply(self):
        return bool(self.reader.peek(1) if select.select([self.socket], [], [], 0)[0] else False)

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


class Server:
    """A server with the connections of one protocol: the first one's commands make the others' wait and end."""

    def __init__(self, port, protocol):
        self.clients = [Connection(port, protocol) for _ in range(4)]

    def take(self, step):
        client = self.clients[step.client]
        if step.how == "call":
            return client.call(step.words)
        if step.how == "read":
            return client.read()
        if step.how == "unblock":
            return self.clients[0].call(["CLIENT", "UNBLOCK", client.id, *step.words])
        client.send(step.words)
        return self.until_waits(client)

    def until_waits(self, client):
        """Whether a client waits after what it sent; the next command of another one comes after this one's."""
        while not client.has_reply():
            _, lines = self.clients[0].call(["CLIENT", "LIST", "ID", client.id])
            if re.search(rb" flags=\w*b", lines):
                return ("waits", True)
        return ("waits", False)


def scores_as_numbers(reply):
    kind, value = reply
    if isinstance(value, list):
        return (kind, [scores_as_numbers(part) for part in value])
    return (kind, float(value)) if isinstance(value, bytes) and SCORE.fullmatch(value) else reply


def pairs_in_order(values):
    return sorted(zip(values[::2], values[1::2]), key=repr)


def encoding(value):
    """One name for those of which 7.0 and 7.2 use one another for a list or set that is small."""
    return b"quicklist or hashtable" if value in (b"quicklist", b"listpack", b"hashtable") else value


def shape(step, reply):
    """What of a reply is compared."""
    words = step.words
    if step.how != "call":
        return scores_as_numbers(reply)
    name = str(words[0]).upper()
    if name == "OBJECT" and len(words) > 2:
        name = str(words[1]).upper()
    if name[0] == "Z" or name == "BZMPOP" or name.startswith("BZPOP"):
        reply = scores_as_numbers(reply)
    kind, value = reply
    if name == "ENCODING" and not commands_of.SAME_ENCODINGS:
        return (kind, encoding(value) if kind == "$" else value)
    if (name in RANDOM or step.random) and isinstance(value, list):
        return (kind, len(value))
    if (name in RANDOM or step.random) and kind == "$":
        return (kind, value is None)
    if not isinstance(value, list):
        return reply
    if name in SCANS_OF_PAIRS:
        return (kind, [value[0], pairs_in_order(value[1][1])])
    if name == "HGETALL" and kind == "*":
        return (kind, pairs_in_order(value))
    if name in SCANS:
        return (kind, [value[0], sorted(value[1][1], key=repr)])
    if name in UNORDERED or name == "HGETALL":
        return (kind, sorted(value, key=repr))
    return reply


def same(words, theirs, ours):
    name = str(words[1] if words[:1] == ["OBJECT"] and len(words) > 1 else (words or [""])[0]).upper()
    if name in TIMES and theirs[0] == ours[0] == ":":
        theirs, ours = int(theirs[1]), int(ours[1])
        return theirs == ours or (min(theirs, ours) >= 0 and abs(theirs - ours) <= TIMES[name])
    return theirs == ours


def sweep():
    """Asks for everything that the databases hold."""
    steps, read = [], {b"string": ["GET"], b"list": ["LRANGE", "0", "-1"], b"set": ["SMEMBERS"], b"hash": ["HGETALL"]}
    for database in ("0", "1", "3"):
        steps += [Step(["SELECT", database]), Step(["KEYS", "*"])]
        asked = servers[2][0].clients[0]
        asked.call(["SELECT", database])
        for _, key in sorted(asked.call(["KEYS", "*"])[1]):
            name, *rest = read.get(asked.call(["TYPE", key])[1], ["ZRANGE", "0", "-1", "WITHSCORES"])
            steps += [Step([name, key, *rest]), Step(["PEXPIRETIME", key])]
        asked.call(["SELECT", "0"])
    return [*steps, Step(["SELECT", "0"])]


def payload_of(source, ours):
    """A key's payload as one of the servers makes it, in a form that both load."""
    payload = servers[2][ours].clients[0].call(["DUMP", source])[1]
    if payload is not None and ours:
        return commands_of.with_older_version(payload)
    return payload


servers = {protocol: (Server(redis_port, protocol), Server(our_port, protocol)) for protocol in (2, 3)}
for server in servers[2]:
    server.clients[0].call(["FLUSHALL"])
version = servers[2][1].clients[0].call(["CONFIG", "GET", "compatibility-version"])[1]
commands_of.SAME_ENCODINGS = bool(version) and version[1][1].startswith(b"7.0")
commands_of.payload_of = payload_of
commands_of.rng.seed(seed)
choose = random.Random(seed)
generators = commands_of.generators(family)
history, differences, swept = [], 0, 0
waiting, protocol = [], 2
for number in range(commands):
    if not waiting:
        protocol = choose.choice([2, 3])
        if number - swept >= SWEEP_EVERY:
            waiting, swept = sweep(), number
        else:
            waiting = commands_of.steps(choose.choice(generators)())
        together = [step.words for step in waiting]
    step = waiting.pop(0)
    if step.how == "sleep":
        time.sleep(0.004)
        continue
    words = step.words
    theirs, ours = (shape(step, server.take(step)) for server in servers[protocol])
    history.append(words)
    del history[: -10_000 if len(history) > 20_000 else 0]
    if not same(words, theirs, ours):
        differences += 1
        print(f"\n#{number} RESP{protocol} {words!r:.300}\n  redis {theirs!r:.{SHOWN}}\n  ours  {ours!r:.{SHOWN}}")
        if 1 < len(together) < 30:
            print(f"    one of: {together!r:.{SHOWN}}")
        touched = set(map(str, words[1:])) & commands_of.ALL_KEYS
        for earlier in [line for line in history[:-1] if touched & set(map(str, line[1:]))][-6:]:
            print(f"    before: {earlier!r:.300}")
        if differences >= MOST_DIFFERENCES:
            break
        for server in servers[2]:
            server.clients[0].call(["FLUSHALL"])
            server.clients[0].call(["SELECT", "0"])
print(f"{number + 1} commands, seed {seed}: {differences} differences")
sys.exit(bool(differences))
