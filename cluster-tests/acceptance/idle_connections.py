#!/usr/bin/env python3
"""Opens idle connections to a server and prints what each adds to the server's resident memory.

usage: idle_connections.py PORT PID [CONNECTIONS] [LIMIT_BYTES]

Each connection says PING once, so that it has been through the whole path. Exits with 1 above the limit. The server
needs `--maxclients` above the number, both sides enough file descriptors (`ulimit -n`).
"""
import resource
import socket
import sys
import time

port, pid = int(sys.argv[1]), int(sys.argv[2])
count = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
limit = int(sys.argv[4]) if len(sys.argv) > 4 else 4096
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 100), hard))


def resident():
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def settled():
    """The resident size once two readings agree."""
    last = resident()
    for _ in range(100):
        time.sleep(0.1)
        now = resident()
        if now == last:
            break
        last = now
    return last


def open_one():
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"*1\r\n$4\r\nPING\r\n")
    assert connection.recv(64) == b"+PONG\r\n"
    return connection


warm = [open_one() for _ in range(10)]
before = settled()
connections = [open_one() for _ in range(count)]
each = (settled() - before) / count
print(f"{count} idle connections: {each:.0f} bytes of RSS each (limit {limit})")
sys.exit(each > limit)
