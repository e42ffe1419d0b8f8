#!/usr/bin/env python3
"""Kills the nodes of a cluster one after the other with SIGKILL, restarts them, and checks that the metadata holds.

usage: kill_restart.py BINARY [TURNS] [BASE_PORT]

Starts BASE_PORT.. +2 as a cluster of three that share the slots. Each turn: one node dies, a slot changes hands
through a survivor (deleted and added again, timed), the node comes back on the same directory. It must return under
the same id, and in the end every node must tell the same owners. Every third turn the victim is the metadata leader.
Prints the commit times; exits with 1 at the first disagreement.
"""
import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

binary = sys.argv[1]
turns = int(sys.argv[2]) if len(sys.argv) > 2 else 20
base = int(sys.argv[3]) if len(sys.argv) > 3 else 21501
root = tempfile.mkdtemp(prefix="nuthatch-kill-")


class ReplyError(Exception):
    pass


def call(port, *words, timeout=10):
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        reader = connection.makefile("rb")
        request = b"*%d\r\n" % len(words)
        for word in words:
            word = str(word).encode()
            request += b"$%d\r\n%s\r\n" % (len(word), word)
        connection.sendall(request)
        return read(reader)


def read(reader):
    line = reader.readline()
    if not line:
        raise OSError("closed")
    kind, rest = line[:1], line[1:].strip()
    if kind == b"-":
        raise ReplyError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else reader.read(int(rest) + 2)[:-2].decode()
    if kind == b"*":
        return [read(reader) for _ in range(int(rest))]
    return rest.decode()


def wait(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except (OSError, ReplyError):
            pass
        time.sleep(0.02)
    sys.exit(f"waited {seconds} s in vain: {what}")


class Node:
    def __init__(self, port):
        self.port = port
        self.dir = os.path.join(root, str(port))
        os.makedirs(self.dir)
        self.start()
        self.id = call(port, "CLUSTER", "MYID")

    def start(self):
        # The cluster port is 10,000 higher: keep it below the ports that the system gives to clients.
        log = open(os.path.join(self.dir, "log"), "a")
        arguments = [binary, "server", "--port", str(self.port), "--cluster-enabled", "yes", "--dir", self.dir]
        self.process = subprocess.Popen(arguments, stdout=log, stderr=log)
        wait(f"{self.port} answers", lambda: call(self.port, "PING") == "PONG")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def info(node, field):
    for line in call(node.port, "CLUSTER", "INFO").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return value
    return None


def owners(node):
    """Slots by owner, as this node tells it."""
    lines = [line.split() for line in call(node.port, "CLUSTER", "NODES").splitlines()]
    return sorted((words[0], words[8:]) for words in lines)


def change_slot(node, slot):
    """Takes one of its slots from the node and gives it back; returns the seconds until both are applied."""
    begin = time.monotonic()
    while True:
        try:
            if change_slot.step == 0:
                call(node.port, "CLUSTER", "DELSLOTS", slot)
                change_slot.step = 1
            call(node.port, "CLUSTER", "ADDSLOTS", slot)
            change_slot.step = 0
            return time.monotonic() - begin
        except ReplyError as error:
            text = str(error)
            if "unassigned" in text:
                change_slot.step = 1
            elif "busy" in text:
                change_slot.step = 0
                if any(words[0] == node.id and str(slot) in words[1] for words in owners(node)):
                    return time.monotonic() - begin
            elif time.monotonic() - begin > 20:
                sys.exit(f"no slot change in 20 s: {text}")
            time.sleep(0.01)


change_slot.step = 0
nodes = []
atexit.register(lambda: [node.process.kill() for node in nodes])
for n in range(3):
    nodes.append(Node(base + n))
third = 16384 // 3
for number, node in enumerate(nodes):
    last = 16383 if number == 2 else (number + 1) * third - 1
    call(node.port, "CLUSTER", "ADDSLOTSRANGE", number * third, last)
for node in nodes[1:]:
    call(node.port, "CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
wait("three voters", lambda: all(info(node, "cluster_known_nodes") == "3" for node in nodes))
wait("three voters", lambda: info(nodes[0], "cluster_metadata_voters") in (None, "3"))

times, leader_times = [], []
for turn in range(turns):
    leader = info(nodes[0], "cluster_metadata_leader")
    victim = nodes[turn % 3]
    if turn % 3 == 2:
        victim = next((node for node in nodes if node.id == leader), victim)
    victim.kill()
    survivor = next(node for node in nodes if node is not victim)
    seconds = change_slot(survivor, nodes.index(survivor) * third + turn)
    (leader_times if victim.id == leader else times).append(seconds)
    victim.start()
    if call(victim.port, "CLUSTER", "MYID") != victim.id:
        sys.exit(f"turn {turn}: {victim.port} came back under another id")
    wait(f"turn {turn}: all tell the same owners", lambda: owners(nodes[0]) == owners(nodes[1]) == owners(nodes[2]))
for node in nodes:
    node.process.terminate()
    if node.process.wait(timeout=20) != 0:
        sys.exit(f"{node.port} ended with {node.process.returncode}")


def line(what, values):
    values = sorted(values) or [float("nan")]
    print(f"{what}: {len(values)} turns, median {values[len(values) // 2]:.3f} s, max {values[-1]:.3f} s")


line("slot change after a follower was killed", times)
line("slot change after the metadata leader was killed", leader_times)
sys.exit(bool(leader_times) and max(leader_times) > 2.0)
