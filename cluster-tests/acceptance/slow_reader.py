#!/usr/bin/env python3
"""Pipelines GETs without ever reading a reply, and watches the server's resident memory.

usage: slow_reader.py PORT PID [REQUEST_BYTES] [LIMIT_BYTES]

The value is 1 KiB, so that the replies outweigh the requests by far. It writes until the total (1 GiB unless said
otherwise) is sent, the server closes, or the socket has taken nothing for 10 seconds (the server holds the client
back). Exits with 1 if the server grew by more than the limit (64 MiB), or no longer answers others.
"""
import select
import socket
import sys
import time

port, pid = int(sys.argv[1]), int(sys.argv[2])
total = int(sys.argv[3]) if len(sys.argv) > 3 else 1 << 30
limit = int(sys.argv[4]) if len(sys.argv) > 4 else 64 << 20


def resident():
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def call(request):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(1 << 16)


assert call(b"*3\r\n$3\r\nSET\r\n$4\r\nslow\r\n$1024\r\n" + b"x" * 1024 + b"\r\n") == b"+OK\r\n"
before = highest = resident()
connection = socket.create_connection(("127.0.0.1", port))
connection.setblocking(False)
chunk = b"*2\r\n$3\r\nGET\r\n$4\r\nslow\r\n" * 2000
sent, end = 0, "sent it all"
moved = time.monotonic()
while sent < total:
    _, writable, _ = select.select([], [connection], [], 0.2)
    if writable:
        try:
            sent += connection.send(chunk)
            moved = time.monotonic()
        except BlockingIOError:
            pass
        except OSError as error:
            end = f"the server closed ({error})"
            break
    highest = max(highest, resident())
    if time.monotonic() - moved > 10:
        end = "held back by the server for 10 s"
        break
grown = highest - before
answers = call(b"*1\r\n$4\r\nPING\r\n") == b"+PONG\r\n"
print(f"{sent} bytes of requests, {end}; the server grew by {grown} bytes at most (limit {limit}); others served: {answers}")
sys.exit(grown > limit or not answers)
