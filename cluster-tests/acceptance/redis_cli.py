#!/usr/bin/env python3
"""Runs redis-cli in every mode against redis-server and against Nuthatch, and compares what a person would see.

usage: redis_cli.py REDIS_PORT OUR_PORT

Both servers are flushed and filled alike. Output is compared word by word after numbers that depend on the moment
(times, rates, addresses, percentages) have been replaced; what is left differs only where the servers do. A prompt runs
on a terminal of its own, so that hints and completion are seen too. Exits with 1 when a mode differs.
"""
import difflib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

SERVERS = {"redis": sys.argv[1], "ours": sys.argv[2]}
FAMILIES = "string list hash set zset".split()


def cli(port, *words, stdin=b"", seconds=20):
    """What redis-cli prints, ended after that time."""
    child = subprocess.Popen(["redis-cli", "-p", port, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    try:
        output, _ = child.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        child.terminate()
        output, _ = child.communicate()
    return output.decode(errors="replace")


def read_until_silent(terminal, seconds=5):
    """What comes from a terminal: something, and then nothing for a while."""
    output, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 0.15 if output else 0.1)[0]:
            if output:
                break
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            piece = b""
        if not piece:
            break
        output += piece
    return output


def on_a_terminal(port, words, typed=(), seconds=5):
    """What redis-cli draws on a terminal, while somebody types; each piece is typed when the last has been answered."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", HOME=tempfile.gettempdir())
        # Without a size redis-cli asks the terminal for it, and takes what is typed for the answer.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
        os.execvp("redis-cli", ["redis-cli", "-p", port, *words])
    output = read_until_silent(terminal) if typed else b""
    for keys in typed:
        os.write(terminal, keys.encode())
        output += read_until_silent(terminal)
    end = time.monotonic() + seconds
    while not typed and time.monotonic() < end:
        output += read_until_silent(terminal, 0.5)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    return output.decode(errors="replace")


def prompt(port, *words):
    """The lines that stand there in the end: what is drawn while one types is drawn again with each key."""
    drawn = on_a_terminal(port, words, [line + "\r" for line in PROMPT]).split("\n")
    return "\n".join(line.split("\r")[-1] or line.split("\r")[-2:][0] for line in drawn)


def fill(port):
    cli(port, "flushall")
    lines = [f"SET string:{i} {'x' * (i % 90)}" for i in range(300)]
    lines += [f"RPUSH list:{i} a b {i}" for i in range(50)] + [f"HSET hash:{i} f{i} v g w" for i in range(50)]
    lines += [f"SADD set:{i} a b c{i}" for i in range(50)] + [f"ZADD zset:{i} 1 a 2 b{i}" for i in range(50)]
    lines += ["RPUSH list:big " + " ".join(map(str, range(500))), "HSET hash:big " + " ".join(map(str, range(500)))]
    lines += ["SADD set:big " + " ".join(map(str, range(700))), "ZADD zset:big " + " ".join(f"{i} {i}" for i in range(300))]
    lines += ["SET string:big " + "y" * 5000]
    pipe = "\r\n".join(lines) + "\r\n"
    return cli(port, "--pipe", stdin=pipe.encode())


def with_traffic(port, words, begun, commands):
    """A mode that listens: once it has said that it has begun, commands run beside it."""
    child = subprocess.Popen(["redis-cli", "-p", port, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, end = b"", time.monotonic() + 10
    while begun.encode() not in output and time.monotonic() < end:
        output += read_until_silent(child.stdout.fileno(), 0.5)
    for command in commands:
        cli(port, *command)
        output += read_until_silent(child.stdout.fileno())
    child.terminate()
    return (output + child.communicate()[0]).decode(errors="replace")


def to_a_file(port, option):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "dump.rdb")
        said = cli(port, option, path)
        with open(path, "rb") as file:
            begin = file.read(5)
        check = subprocess.run(["redis-check-rdb", path], capture_output=True, text=True, check=False)
        keys = re.findall(r"(\d+) keys read", check.stdout)
        return f"{said.replace(path, 'PATH')}\n{begin!r} {keys} {check.returncode}"


def script_file(port, body, *words):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(body)
        file.flush()
        return cli(port, "--eval", file.name, *words)


HINTS = ["set k", " v", "\x15hse\t", "\x15zrange k ", "\x15client ", "\x15\r"]
PROMPT = ["set greeting hello", "get greeting", "lrange list:1 0 -1", "hgetall hash:1", "zrange zset:1 0 -1 withscores", "nosuch",
          "get", "select 3", "select 0", "multi", "incr n", "exec", "help set", "help @pubsub", "2 ping",
          "eval 'return {1,\"a\",{2}}' 0", "hgetall hash:1", "zscore zset:1 a", "client getname", "monitor"]

MODES = {
    "pipe": fill,
    "prompt": lambda port: prompt(port),
    "prompt -3": lambda port: prompt(port, "-3"),
    "hints": lambda port: on_a_terminal(port, [], HINTS),
    "--stat": lambda port: on_a_terminal(port, ["--stat", "-i", "1"], seconds=3.5),
    "--bigkeys": lambda port: cli(port, "--bigkeys"),
    "--memkeys": lambda port: "\n".join(line for line in cli(port, "--memkeys").splitlines() if "found so far" not in line),
    "--hotkeys refused": lambda port: cli(port, "--hotkeys"),
    "--hotkeys": lambda port: cli(port, "config", "set", "maxmemory-policy", "allkeys-lfu") + cli(port, "--hotkeys")
    + cli(port, "config", "set", "maxmemory-policy", "noeviction"),
    "--latency": lambda port: cli(port, "--latency", seconds=2),
    "--latency-history": lambda port: on_a_terminal(port, ["--latency-history", "-i", "1"], seconds=3),
    "--scan": lambda port: "\n".join(sorted(cli(port, "--scan").splitlines())),
    "--scan pattern": lambda port: "\n".join(sorted(cli(port, "--scan", "--pattern", "list:1*").splitlines())),
    "monitor": lambda port: with_traffic(port, ["monitor"], "OK", [["set", "a", "b"], ["get", 'q"uote'], ["-n", "2", "ping"]]),
    "subscribe": lambda port: with_traffic(port, ["subscribe", "news", "more"], "more", [["publish", "news", "one"], ["publish", "more", "two"]]),
    "psubscribe -3": lambda port: with_traffic(port, ["-3", "psubscribe", "n*"], "n*", [["publish", "news", "one"]]),
    "ssubscribe": lambda port: with_traffic(port, ["ssubscribe", "shard"], "shard", [["spublish", "shard", "one"]]),
    "--rdb": lambda port: to_a_file(port, "--rdb"),
    "--functions-rdb": lambda port: re.sub(r".*", "", cli(port, "--functions-rdb", "/tmp/functions.rdb")),
    "--replica": lambda port: "\n".join(line.lower() for line in with_traffic(port, ["--replica"], "done", [["set", "r", "1"]]).splitlines()
                                        if '"set"' in line.lower()),
    "--eval": lambda port: script_file(port, "return {KEYS[1], ARGV[1], redis.call('get', KEYS[1])}", "string:3", ",", "x"),
    "--eval error": lambda port: script_file(port, "return redis.call('nosuch')"),
    "-r -i": lambda port: cli(port, "-r", "3", "-i", "0.1", "incr", "counted"),
    "-x": lambda port: cli(port, "-x", "set", "stdin", stdin=b"from stdin"),
    "-X": lambda port: cli(port, "-X", "tag", "set", "stdin2", "tag", stdin=b"from stdin"),
    "--csv": lambda port: cli(port, "--csv", "lrange", "list:big", "0", "5"),
    "--json": lambda port: cli(port, "-3", "--json", "hgetall", "hash:1"),
    "--no-raw": lambda port: cli(port, "--no-raw", "lrange", "list:1", "0", "-1"),
    "-D -e": lambda port: cli(port, "-e", "get"),
    "-n": lambda port: cli(port, "-n", "5", "set", "five", "5") + cli(port, "-n", "99", "ping"),
    "-a wrong": lambda port: cli(port, "-a", "wrong", "ping"),
    "--user": lambda port: cli(port, "--user", "nobody", "--pass", "x", "ping"),
    "-u": lambda port: cli(port, "-u", f"redis://127.0.0.1:{port}/4", "set", "u", "1"),
    "lines from stdin": lambda port: cli(port, stdin=b"set l 1\nincr l\nget\n\nlrange list:2 0 -1\n"),
    "--cluster on one": lambda port: cli(port, "--cluster", "check", f"127.0.0.1:{port}"),
}


def normal(port, text):
    """The text without what depends on the moment."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").replace(port, "PORT")
    text = re.sub(r"0x[0-9a-f]+|[0-9a-f]{40}", "ADDR", text)
    text = re.sub(r"\d+\.\d+[KMG]?|\d+[KMG]\b", "F", text)
    text = text.replace("samples)", "samples)\n")
    lines = [re.sub(r" +", " ", line).strip() for line in text.split("\n")]
    return [line for line in lines if line]


def settled(mode, lines):
    """Modes that print measurements are compared by their words alone, and repeated lines count once."""
    if mode in ("--stat", "--latency", "--latency-history", "--memkeys", "--hotkeys", "--bigkeys", "monitor", "--rdb", "--replica"):
        lines = [re.sub(r"\d+", "N", line) for line in lines]
        lines = [re.sub(r"F( \[N)", r"T\1", line) for line in lines]
        return list(dict.fromkeys(line for line in lines if "found so far" not in line and "Sampled N keys so far" not in line))
    return lines


def main():
    # It would wait for more replicas before it begins to send.
    cli(SERVERS["redis"], "config", "set", "repl-diskless-sync", "no")
    differ = []
    for mode, run in MODES.items():
        seen = {name: settled(mode, normal(port, run(port))) for name, port in SERVERS.items()}
        difference = list(difflib.unified_diff(seen["redis"], seen["ours"], "redis", "ours", lineterm="", n=0))
        print(f"{mode}: {'differs' if difference else 'alike'} ({len(seen['redis'])} lines)")
        if difference:
            differ.append(mode)
            print("    " + "\n    ".join(line[:160] for line in difference[2:40]))
    print(f"{len(MODES) - len(differ)} of {len(MODES)} modes are alike" + (f"; not: {', '.join(differ)}" if differ else ""))
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
