#!/usr/bin/env python3
"""Sends what RedisInsight sends to a database, and checks that each reply has the form it reads.

usage: redisinsight.py PORT

The node may be alone or a member of a cluster; in a cluster the keys are written and read at the node that serves them,
as ioredis does for it. Both protocols are spoken, one after the other. A command that does not exist here must be
refused in the words after which RedisInsight falls back to another; each of those is named in the output. Exits with 1
after the first reply of the wrong form.
"""
import socket
import sys
import time

port = int(sys.argv[1])


class ReplyError(Exception):
    pass


class Connection:
    """A connection that answers with Python's values: maps are dicts, status replies `Status`."""

    def __init__(self, port, protocol):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.reader = self.socket.makefile("rb")
        self.hello = self.call("HELLO", protocol)

    def send(self, *words):
        request = b"*%d\r\n" % len(words)
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            request += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(request)

    def call(self, *words):
        self.send(*words)
        return self.read()

    def pipeline(self, commands):
        for words in commands:
            self.send(*words)
        return [self.read() for _ in commands]

    def read(self):
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise OSError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return Status(rest.decode())
        if kind == b"-":
            raise ReplyError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == b"t"
        if kind == b"_":
            return None
        if kind in b"$=":
            if rest == b"-1":
                return None
            body = self.reader.read(int(rest) + 2)[:-2]
            return (body[4:] if kind == b"=" else body).decode()
        if kind in b"*~>":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return {self.read(): self.read() for _ in range(int(rest))}
        sys.exit(f"a reply of an unknown type: {line!r}")


class Status(str):
    pass


def check(what, good, got):
    if not good:
        sys.exit(f"{what}: {got!r}")


def pairs(reply):
    """A map, which RESP2 sends flat."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))


def refused_or(what, ask, good):
    """A reply of that form, or a refusal that RedisInsight understands."""
    try:
        reply = ask()
    except ReplyError as error:
        check(what, str(error).startswith(("ERR unknown command", "ERR unknown subcommand", "ERR This instance has cluster")), error)
        return f"{what} (refused)"
    check(what, good(reply), reply)
    return None


def info(connection):
    """INFO, its sections as dicts."""
    sections, section = {}, None
    reply = connection.call("INFO")
    check("INFO", isinstance(reply, str) and "\r\n" in reply, reply)
    for line in reply.split("\r\n"):
        if line.startswith("# "):
            section = sections.setdefault(line[2:].lower(), {})
        elif line:
            name, colon, value = line.partition(":")
            check("INFO", colon and section is not None, line)
            section[name] = value
    return sections


NUMBERS = {
    "server": ["uptime_in_seconds", "tcp_port"],
    "clients": ["connected_clients", "blocked_clients"],
    "memory": ["used_memory", "maxmemory"],
    "stats": [
        "total_connections_received",
        "total_commands_processed",
        "instantaneous_ops_per_sec",
        "keyspace_hits",
        "keyspace_misses",
        "expired_keys",
        "evicted_keys",
    ],
    "replication": ["connected_slaves", "master_repl_offset"],
    "cpu": [],
}


def overview(connection, in_cluster):
    sections = info(connection)
    server = sections["server"]
    check("redis_version", server["redis_version"].split(".")[0].isdigit(), server)
    check("redis_mode", server["redis_mode"] == ("cluster" if in_cluster else "standalone"), server)
    check("role", sections["replication"]["role"] == "master", sections["replication"])
    check("cluster_enabled", sections["cluster"]["cluster_enabled"] == str(int(in_cluster)), sections["cluster"])
    for section, names in NUMBERS.items():
        for name in names:
            check(name, sections[section].get(name, "").lstrip("-").isdigit(), sections[section])
    for name in ("used_cpu_sys", "used_cpu_user"):
        float(sections["cpu"][name])
    for name in ("instantaneous_input_kbps", "instantaneous_output_kbps"):
        float(sections["stats"][name])
    for name, value in sections.get("keyspace", {}).items():
        fields = dict(field.split("=") for field in value.split(","))
        check(name, name.startswith("db") and all(fields[f].isdigit() for f in ("keys", "expires")), value)
    check("DBSIZE", isinstance(connection.call("DBSIZE"), int), "no number")
    databases = pairs(connection.call("CONFIG", "GET", "databases"))
    check("CONFIG GET databases", databases.get("databases", "").isdigit(), databases)
    pairs(connection.call("CONFIG", "GET", "io-threads"))
    clients = connection.call("CLIENT", "LIST")
    check("CLIENT LIST", all("id=" in line and " name=" in line for line in clients.strip().split("\n")), clients)
    return server["redis_version"]


def topology(connection, version):
    """The nodes of the cluster, and who serves which slots."""
    lines = dict(line.split(":", 1) for line in connection.call("CLUSTER", "INFO").strip().split("\r\n"))
    check("cluster_state", lines["cluster_state"] == "ok", lines)
    owners = []
    for first, last, (host, port, node_id, *_), *_ in connection.call("CLUSTER", "SLOTS"):
        check("CLUSTER SLOTS", host and 0 < port < 65536 and len(node_id) == 40, (host, port, node_id))
        owners.append((first, last, port))
    check("CLUSTER SLOTS", sum(last - first + 1 for first, last, _ in owners) == 16384, owners)
    for line in connection.call("CLUSTER", "NODES").strip().split("\n"):
        words = line.split(" ")
        check("CLUSTER NODES", len(words[0]) == 40 and "@" in words[1] and words[7] in ("connected", "disconnected"), line)
    if int(version.split(".")[0]) >= 7:
        for shard in map(pairs, connection.call("CLUSTER", "SHARDS")):
            check("CLUSTER SHARDS", len(shard["slots"]) % 2 == 0 and shard["nodes"], shard)
            for node in map(pairs, shard["nodes"]):
                check("CLUSTER SHARDS", node["role"] in ("master", "replica") and node["health"] == "online", node)
                check("CLUSTER SHARDS", node["id"] and node["ip"] and isinstance(node["replication-offset"], int), node)
    return owners


def slot(key):
    crc = 0
    for byte in key.encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc % 16384


KEYS = {
    "ri:string": ("string", [("SET", "ri:string", "text")]),
    "ri:list": ("list", [("RPUSH", "ri:list", "a", "b")]),
    "ri:set": ("set", [("SADD", "ri:set", "a", "b")]),
    "ri:zset": ("zset", [("ZADD", "ri:zset", 1.5, "a", 2, "b")]),
    "ri:hash": ("hash", [("HSET", "ri:hash", "f", "v")]),
}

VIEWS = {
    "ri:string": [("STRLEN", "ri:string"), ("GETRANGE", "ri:string", 0, 4999)],
    "ri:list": [("LLEN", "ri:list"), ("LRANGE", "ri:list", 0, 499), ("LINDEX", "ri:list", 0)],
    "ri:set": [("SCARD", "ri:set"), ("SSCAN", "ri:set", 0, "MATCH", "*", "COUNT", 500)],
    "ri:zset": [("ZCARD", "ri:zset"), ("ZRANGE", "ri:zset", 0, 499, "WITHSCORES"), ("ZSCAN", "ri:zset", 0, "MATCH", "*")],
    "ri:hash": [("HLEN", "ri:hash"), ("HSCAN", "ri:hash", 0, "MATCH", "*", "COUNT", 500)],
}


def browse(at):
    """Keys of every type, listed, described and opened. `at`: the connection to whoever serves a key."""
    for key, (kind, commands) in KEYS.items():
        at(key).call("DEL", key)
        at(key).pipeline(commands)
    at("ri:string").call("EXPIRE", "ri:string", 1000)
    found = set()
    for connection in {id(at(key)): at(key) for key in KEYS}.values():
        cursor = "0"
        while True:
            cursor, keys = connection.call("SCAN", cursor, "MATCH", "ri:*", "COUNT", 500)
            check("SCAN", isinstance(cursor, str) and cursor.isdigit(), cursor)
            found |= set(keys)
            if cursor == "0":
                break
    check("SCAN", found == set(KEYS), found)
    for key, (kind, _) in KEYS.items():
        described = at(key).pipeline([("TTL", key), ("MEMORY", "USAGE", key, "SAMPLES", 0), ("TYPE", key)])
        ttl, bytes_used, shown = described
        check("TYPE", isinstance(shown, Status) and shown == kind, shown)
        check("TTL", ttl > 0 if key == "ri:string" else ttl == -1, ttl)
        check("MEMORY USAGE", bytes_used > 0, bytes_used)
        check("OBJECT ENCODING", isinstance(at(key).call("OBJECT", "ENCODING", key), str), key)
        length, *_ = at(key).pipeline(VIEWS[key])
        check(VIEWS[key][0][0], isinstance(length, int) and length > 0, length)
        cursor, keys = at(key).call("SCAN", 0, "TYPE", kind, "COUNT", 10000)
        check("SCAN TYPE", cursor != "0" or key in keys, keys)


def watch(connection, port, protocol):
    """The profiler, the slow log and the subscriptions."""
    settings = pairs(connection.call("CONFIG", "GET", "slowlog*"))
    check("CONFIG GET slowlog*", {"slowlog-max-len", "slowlog-log-slower-than"} <= set(settings), settings)
    connection.call("CONFIG", "SET", "slowlog-log-slower-than", 0)
    connection.call("DBSIZE")
    connection.call("CONFIG", "SET", "slowlog-log-slower-than", settings["slowlog-log-slower-than"])
    for number, at, micros, words, addr, name in connection.call("SLOWLOG", "GET", 50):
        good = at > 10**9 and micros >= 0 and isinstance(words, list) and ":" in addr and isinstance(name, str)
        check("SLOWLOG GET", good and isinstance(number, int), (number, at, micros, words, addr, name))
    check("SLOWLOG LEN", connection.call("SLOWLOG", "LEN") > 0, 0)

    profiler = Connection(port, 2)
    check("MONITOR", profiler.call("MONITOR") == "OK", "no OK")
    connection.call("ECHO", 'a "quoted" word')
    line = profiler.read()
    stamp, _, rest = line.partition(" ")
    float(stamp)
    check("MONITOR", rest.startswith("[0 127.0.0.1:") and rest.endswith('] "ECHO" "a \\"quoted\\" word"'), line)

    subscriber = Connection(port, protocol)
    check("PSUBSCRIBE", subscriber.call("PSUBSCRIBE", "*") == ["psubscribe", "*", 1], "no confirmation")
    # Another connection may publish at the same time.
    connection.call("PUBLISH", "ri:channel", "hello")
    check("PMESSAGE", subscriber.read() == ["pmessage", "*", "ri:channel", "hello"], "no message")


def session(protocol):
    connection = Connection(port, protocol)
    hello = pairs(connection.hello)
    check("HELLO", hello["proto"] == protocol and hello["role"] == "master", hello)
    in_cluster = hello["mode"] == "cluster"
    check("CLIENT SETNAME", connection.call("CLIENT", "SETNAME", "redisinsight-browser-12345678") == "OK", "no OK")
    fallbacks = [
        refused_or("CLIENT SETINFO", lambda: connection.call("CLIENT", "SETINFO", "LIB-NAME", "ioredis"), lambda r: r == "OK"),
        refused_or("MODULE LIST", lambda: connection.call("MODULE", "LIST"), lambda r: r == []),
        refused_or("COMMAND INFO", lambda: connection.call("COMMAND", "INFO", "ft.info", "get"), lambda r: r[0] is None and r[1][0] == "get"),
        refused_or("ACL CAT", lambda: connection.call("ACL", "CAT", "dangerous"), lambda r: "flushall" in r),
        refused_or("ACL WHOAMI", lambda: connection.call("ACL", "WHOAMI"), lambda r: r == "default"),
    ]
    if not in_cluster:
        fallbacks.append(refused_or("CLUSTER INFO", lambda: connection.call("CLUSTER", "INFO"), lambda r: "cluster_state" in r))
    version = overview(connection, in_cluster)
    if in_cluster:
        owners = topology(connection, version)
        nodes = {owner: Connection(owner, protocol) for _, _, owner in owners}
        browse(lambda key: next(nodes[owner] for first, last, owner in owners if first <= slot(key) <= last))
    else:
        browse(lambda key: connection)
    watch(connection, port, protocol)
    return in_cluster, [fallback for fallback in fallbacks if fallback]


began = time.monotonic()
for protocol in (2, 3):
    in_cluster, fallbacks = session(protocol)
    kind = "a cluster" if in_cluster else "one node"
    print(f"RESP{protocol}, {kind}: every reply has its form; falls back after: {', '.join(fallbacks) or 'none'}")
print(f"{time.monotonic() - began:.1f} s")
