"""A redis-server and this server, started for a measurement: shared by footprint.py and freeing.py."""
import os
import socket
import subprocess
import tempfile
import time

PAGE = os.sysconf("SC_PAGE_SIZE")


def arguments_of(redis_server, ours, *more):
    """The two servers by name, as the words that start them."""
    return {
        "redis": [redis_server, "--port", "{port}", "--save", "", "--appendonly", "no"],
        "ours": [ours, "server", "--port", "{port}", "--dir", "{dir}", *more],
    }


def encoded(words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server that was started, and a connection to it."""

    def __init__(self, arguments):
        self.port, self.directory = free_port(), tempfile.TemporaryDirectory()
        words = [word.format(port=self.port, dir=self.directory.name) for word in arguments]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, cwd=self.directory.name)
        while True:
            try:
                self.socket = self.connect()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        self.reader = self.socket.makefile("rb")
        self.run([["PING"]])

    def connect(self):
        """Another connection."""
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def run(self, batch):
        """Sends commands at once; their replies must be status replies or numbers."""
        self.socket.sendall(b"".join(map(encoded, batch)))
        for _ in batch:
            reply = self.reader.readline()
            assert reply[:1] in b":+", reply

    def resident(self):
        """The resident memory in bytes, once the server has come to rest."""
        time.sleep(0.3)
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * PAGE

    def stop(self):
        self.process.kill()
        self.process.wait()
