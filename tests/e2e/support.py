"""support.py - a daemon of the test's own, driven as a user drives it: command line, HTTP on its Unix socket, signals.

    class Jobs(unittest.TestCase):
        def test_a_job_is_acknowledged(self):
            with Daemon(CONFIG) as d:
                answer = d.http("POST", "/v1/jobs", {"capability": "echo", "input": {}})
                self.assertEqual(answer.status, 202)
                d.reeve("job", "wait", answer.json()["job_id"])

The binaries are those of $REEVE_BUILD. Everything lies in a temporary directory that goes with the daemon. Every wait has an
end and says what it waited for.
"""
import contextlib
import http.client
import json
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("REEVE_BUILD") or os.path.join(TOP, "build")
LONG = os.environ.get("REEVE_LONG") == "1"
PATIENCE_S = 20  # a sanitized binary on a busy machine


def binary(name):
    """Path of a product: "reeve", "reeved", "workers/email-parser/email-parser.so"."""
    return os.path.join(BUILD, name)


def wait_until(true, what, patience_s=PATIENCE_S):
    """Asks again and again; returns the first answer that is true. For what tells nobody when it happens."""
    until = time.monotonic() + patience_s
    while True:
        answer = true()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError("waited %d s in vain: %s" % (patience_s, what))
        select.select([], [], [], 0.01)


def parent_of(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
        return int(f.read().rsplit(")", 1)[1].split()[1])


def children_of(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        return [int(x) for x in f.read().split()]


def alive(pid):
    """Runs, and is no zombie."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, dict(response.getheaders()), response.read()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "%d %r" % (self.status, self.body[:2000])


class Daemon:
    """A keeper with its engine on a data directory of its own. `config` is the YAML text, or the path of a file."""

    def __init__(self, config, env=()):
        self._directory = tempfile.TemporaryDirectory(prefix="reeve-")
        self.directory = self._directory.name
        self.data = os.path.join(self.directory, "data")
        self.socket = os.path.join(self.directory, "s")
        self.env = {**os.environ, "REEVE_SOCKET": self.socket, **dict(env)}
        self.config = config
        if "\n" in config:
            self.config = self.file("reeve.yaml", config)

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self._directory.cleanup()
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is not None:
                print(self.logs())
            self.down()
        finally:
            self._directory.cleanup()

    def file(self, name, content):
        """Writes a file into the daemon's directory; returns its path."""
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content.encode() if isinstance(content, str) else content)
        return path

    # --- the command line ---

    def run(self, *args, input=None, patience_s=PATIENCE_S, program=binary("reeve")):
        """`reeve ARGS`, whatever its exit code."""
        return subprocess.run([program, *args], env=self.env, cwd=self.directory, input=input, text=True, timeout=patience_s,
                              stdin=subprocess.DEVNULL if input is None else None, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def reeve(self, *args, code=0, input=None, patience_s=PATIENCE_S):
        """`reeve ARGS`, which must end with `code`; returns what it printed."""
        p = self.run(*args, input=input, patience_s=patience_s)
        if p.returncode != code:
            raise AssertionError("reeve %s ended with %d, not %d:\n%s%s" % (" ".join(args), p.returncode, code, p.stdout, p.stderr))
        return p.stdout

    def json(self, *args):
        """`reeve ARGS --json`, parsed."""
        return json.loads(self.reeve(*args, "--json"))

    def up(self):
        self.reeve("up", "--config", self.config, "--data-dir", self.data, "--detach")

    def down(self):
        """Ends the daemon if it runs."""
        if self.listens():
            self.reeve("down")

    def logs(self):
        """What the daemon said, for the report of a failure."""
        with contextlib.suppress(Exception):
            return self.run("logs", patience_s=5).stdout
        return ""

    # --- HTTP ---

    def http(self, method, path, body=None, headers=(), patience_s=PATIENCE_S):
        """One request on a connection of its own; `body` is bytes, or anything that becomes JSON."""
        headers = dict(headers)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        connection = UnixConnection(self.socket, patience_s)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())

    def listens(self):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                s.connect(self.socket)
            return True
        except OSError:
            return False

    # --- the processes ---

    def engine(self):
        """The engine's pid: the kernel says who listens."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.connect(self.socket)
            return struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def keeper(self):
        return parent_of(self.engine())

    def kill_engine(self):
        """kill -9; returns when the next one listens, with its pid."""
        old = self.engine()
        os.kill(old, signal.SIGKILL)

        def another():
            with contextlib.suppress(OSError):
                new = self.engine()
                return new if new != old else 0
            return 0
        return wait_until(another, "a new engine after the death of %d" % old)
