"""load.py - a client that submits jobs of all kinds, cancels, replays and looks, and goes on when the daemon dies under it.

Each client is a thread with a random sequence of its own. It keeps at most OPEN_MAX jobs open: then it waits for one.
"""
import contextlib
import http.client
import json
import os
import random
import select
import threading

from history import OVER
from support import UnixConnection

OPEN_MAX = 60
ANSWER_S = 60


def emitted(p, result):
    return result["emitted"] == p.spec["input"]["n"]


def same(p, result):
    return result == p.spec["input"]


def result_is(value):
    return lambda p, result: result == value


KINDS = {  # name: (weight, capability, input by (random, number), expectation by input, more of the spec)
    "echo": (30, "echo", lambda r, n: {"n": n}, lambda i: {"status": "completed", "result": same}, {}),
    "sleep": (14, "sleep", lambda r, n: {"ms": r.randrange(1, 60)},
              lambda i: {"status": "completed", "result": result_is({"slept_ms": i["ms"]})}, {}),
    "about": (6, "about", lambda r, n: {}, lambda i: {"status": "completed", "result": lambda p, x: x["id"] == p.id}, {}),
    "serial": (6, "serial", lambda r, n: {"ms": 1}, lambda i: {"status": "completed", "result": result_is({"most": 1})}, {}),
    "large": (2, "big", lambda r, n: {"bytes": r.randrange(60000, 200000)},
              lambda i: {"status": "completed", "result": result_is("y" * i["bytes"])}, {}),
    "retried": (10, "fail", lambda r, n: {"retryable": 1, "until": r.randrange(2, 5)},
                lambda i: {"status": "completed", "result": result_is("at last")}, {}),
    "dead": (5, "fail", lambda r, n: {"retryable": 1}, lambda i: {"status": "failed"}, {"max_attempts": 2}),
    "emit": (8, "emit", lambda r, n: {"n": r.randrange(1, 40), "from": n * 1000, "bytes": r.randrange(0, 300)},
             lambda i: {"status": "completed", "result": emitted, "items": list(range(i["from"], i["from"] + i["n"]))}, {}),
    "emit-crash": (2, "emit", lambda r, n: {"n": 30, "from": n * 1000, "crash_after": r.randrange(1, 30)},
                   lambda i: {"status": "completed", "result": emitted, "items": list(range(i["from"], i["from"] + i["n"]))}, {}),
    "crash": (2, "crash", lambda r, n: {"signal": r.choice((9, 11)), "until": 2},
              lambda i: {"status": "completed", "result": result_is("alive")}, {}),
    # within the engine nobody can tell SIGKILL from our own kills, so modules get signals that leave a breadcrumb
    "panic": (0, "crash", lambda r, n: {"signal": r.choice((6, 8, 11)), "until": 2},
              lambda i: {"status": "completed", "result": result_is("alive")}, {}),
}
CRASHING = ("crash", "emit-crash", "panic")
PIPELINE = {"name": "fan", "steps": [{"id": "emit", "capability": "test.emit"},
                                     {"id": "one", "capability": "test.echo", "each": "emit"},
                                     {"id": "all", "capability": "test.echo", "gather": "one"}]}
RUNS_MAX = 6  # open at a time


class Client(threading.Thread):
    def __init__(self, daemon, history, journal, seed, namespaces=("p", "m"), pipelines=False):
        super().__init__(daemon=True)
        self.d, self.h, self.journal, self.random = daemon, history, journal, random.Random(seed)
        self.namespaces = namespaces
        self.stopping = threading.Event()
        self.mine, self.runs, self.connection, self.failure = [], [], None, None
        self.pipelines = pipelines  # the daemon has PIPELINE

    # --- one request, whatever happens to the daemon ---

    def request(self, method, path, body=None, headers=()):
        """None: no answer came; the daemon may have done it, or not."""
        try:
            if self.connection is None:
                self.connection = UnixConnection(self.d.socket, ANSWER_S)
            self.connection.request(method, path, json.dumps(body).encode() if body is not None else None,
                                    {"Content-Type": "application/json", **dict(headers)})
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as e:
            with contextlib.suppress(Exception):
                self.connection.close()
            self.connection = None
            if isinstance(e, TimeoutError):
                raise
            if isinstance(e, (FileNotFoundError, ConnectionRefusedError)):
                select.select([], [], [], 0.003)  # nobody listens: the next engine is on its way
            return None

    def insist(self, method, path, body=None, headers=()):
        """Again until there is an answer, or the end has come."""
        while not self.stopping.is_set():
            answer = self.request(method, path, body, headers)
            if answer is not None:
                return answer
        return None

    # --- jobs ---

    def make(self):
        namespace = self.random.choice(self.namespaces)
        kinds = [k for k in KINDS if k not in CRASHING or namespace == "p"]
        return self.make_one(namespace, *self.random.choices(kinds, [KINDS[k][0] for k in kinds]))

    def make_one(self, namespace, kind):
        _, capability, input, expect, more = KINDS[kind]
        p = self.h.promise(kind, namespace, None, None)
        i = input(self.random, p.number)
        p.spec = {"capability": "test." + capability, "namespace": namespace, "input": i, "tags": ["n%d" % p.number], **more}
        if self.random.random() < 0.3:
            p.spec["priority"] = self.random.randrange(10)
        if self.random.random() < 0.15:
            p.spec["delay"] = "%dms" % self.random.randrange(1, 300)
        p.expect = expect(i)
        return p

    def kept(self, p, job_id):
        p.id = job_id
        self.mine.append(p)
        self.h.answered("job %d acknowledged as %s: %s" % (p.number, p.id, p.kind))

    def submit_panic(self):
        """Until it is acknowledged, so that a module will crash."""
        p = self.make_one("m", "panic")
        p.key = "k%d" % p.number
        answer = self.insist("POST", "/v1/jobs", p.spec, {"Idempotency-Key": p.key})
        assert answer[0] == 202, answer
        self.kept(p, json.loads(answer[1])["job_id"])

    def submit_one(self):
        p = self.make()
        answer = self.request("POST", "/v1/jobs", p.spec)
        if answer:
            assert answer[0] == 202, answer
            self.kept(p, json.loads(answer[1])["job_id"])
        else:
            self.h.say("job %d without an answer" % p.number)

    def submit_many(self):
        batch = [self.make() for _ in range(self.random.randrange(2, 16))]
        for p in batch:
            p.batch = batch[0].number
        answer = self.request("POST", "/v1/jobs", {"jobs": [p.spec for p in batch]})
        if answer:
            assert answer[0] == 202, answer
            for p, kept in zip(batch, json.loads(answer[1])["jobs"]):
                self.kept(p, kept["job_id"])
        else:
            self.h.say("job %d and %d more without an answer" % (batch[0].number, len(batch) - 1))

    def submit_once(self):
        p = self.make()
        p.key = "k%d" % p.number
        for _ in range(self.random.randrange(1, 3)):
            answer = self.insist("POST", "/v1/jobs", p.spec, {"Idempotency-Key": p.key})
            if not answer:
                return
            assert answer[0] == 202, answer
            job = json.loads(answer[1])["job_id"]
            if p.id is None:
                self.kept(p, job)
            elif p.id != job:
                raise AssertionError("%r: its key gave another job, %s" % (p, job))

    # --- runs of a pipeline ---

    def start_run(self):
        run = self.h.run(self.random.randrange(0, 25), self.random.choice(self.namespaces))
        answer = self.request("POST", "/v1/pipelines/fan/runs", {"input": {"n": run.n}, "namespace": run.namespace})
        if answer:
            assert answer[0] == 202, answer
            run.id = json.loads(answer[1])["run_id"]
            self.runs.append(run)
        self.h.answered("run %d with %d items: %s" % (run.number, run.n, run.id or "no answer"))

    def look_at_run(self, run):
        answer = self.request("GET", "/v1/runs/%s?wait=1s" % run.id)
        if not answer:
            return
        if answer[0] != 200:
            raise AssertionError("%r is not shown: %r" % (run, answer))
        if json.loads(answer[1])["status"] != "running":
            self.runs.remove(run)
            self.h.answered("run %d seen %s" % (run.number, json.loads(answer[1])["status"]))

    def cancel_run(self, run):
        run.cancel = "asked"
        answer = self.request("DELETE", "/v1/runs/" + run.id)
        if answer:
            assert answer[0] in (200, 202, 409), (run, answer)
            run.cancel = "late" if answer[0] == 409 else "done"
        self.h.answered("run %d cancel: %s" % (run.number, run.cancel))

    # --- what is done to them ---

    def look(self, p, wait=""):
        size = os.path.getsize(self.journal)
        answer = self.request("GET", "/v1/jobs/%s%s" % (p.id, wait))
        if not answer:
            return
        if answer[0] == 404 and p.purge:
            p.gone = True
            return
        if answer[0] != 200:
            raise AssertionError("%r is not shown: %r" % (p, answer))
        shown = json.loads(answer[1])
        if shown["status"] not in OVER:
            return
        if p.over is None:
            p.over = (shown["status"], shown["result"])
            p.over_at = max(size, os.path.getsize(self.journal))
            self.h.answered("job %d seen %s" % (p.number, shown["status"]))
        elif not p.replays_asked and p.over != (shown["status"], shown["result"]):
            raise AssertionError("%r was %r and is now %r" % (p, p.over, shown))

    def cancel(self, p):
        p.cancel = "asked"
        answer = self.request("DELETE", "/v1/jobs/" + p.id)
        if answer:
            assert answer[0] in (200, 409), (p, answer)
            p.cancel = "done" if answer[0] == 200 else "late"
        self.h.answered("job %d cancel: %s" % (p.number, p.cancel))

    def replay(self, p):
        p.replays_asked += 1
        answer = self.request("POST", "/v1/dead/%s/replay" % p.id)
        if answer:
            assert answer[0] in (200, 404, 409), (p, answer)
            p.replays_done += answer[0] == 200
        self.h.answered("job %d replay: %s" % (p.number, answer and answer[0]))

    def purge(self, p):
        p.purge = "asked"
        answer = self.request("DELETE", "/v1/dead/" + p.id)
        if answer:
            assert answer[0] in (200, 404, 409), (p, answer)
            p.purge = "done" if answer[0] == 200 else p.purge
        self.h.answered("job %d purge: %s" % (p.number, p.purge))

    def move(self, p):
        answer = self.request("PATCH", "/v1/jobs/" + p.id, {"priority": self.random.randrange(10)})
        if answer:
            assert answer[0] in (200, 404, 409), (p, answer)
        self.h.answered("job %d move: %s" % (p.number, answer and answer[0]))

    def step(self):
        open_ones = [p for p in self.mine if p.over is None and not p.gone]
        if len(open_ones) >= OPEN_MAX:
            self.look(open_ones[0], "?wait=2s")
            return
        x = self.random.random()
        dead = [p for p in self.mine if p.kind == "dead" and p.over and p.over[0] == "failed" and not p.purge]
        if x < 0.35:
            self.submit_one()
        elif x < 0.45:
            self.submit_many()
        elif x < 0.60:
            self.submit_once()
        elif x < 0.64 and open_ones:
            self.cancel(self.random.choice(open_ones))
        elif x < 0.67 and dead:
            self.random.choice((self.replay, self.purge))(self.random.choice(dead))
        elif x < 0.70 and open_ones:
            self.move(self.random.choice(open_ones))
        elif x < 0.73 and self.pipelines and len(self.runs) < RUNS_MAX:
            self.start_run()
        elif x < 0.74 and self.runs:
            self.cancel_run(self.random.choice(self.runs))
        elif x < 0.77 and self.runs:
            self.look_at_run(self.random.choice(self.runs))
        elif self.mine:
            self.look(self.random.choice(open_ones or self.mine))

    def run(self):
        try:
            while not self.stopping.is_set():
                self.step()
        except BaseException as e:  # told by the test, in its own thread
            self.failure = e
