"""Every operation of the engine that can fail, failing in turn: a full disk, an fsync that reports an error, no memory.

faults.so (tests/faults) fails the n-th operation, for one n after the other; the clients remember what was acknowledged.
REEVE_LONG=1 tries every n, CI a part of them.
"""
import http.client
import json
import os
import re
import tempfile
import unittest

from faults import Faults
from jobs import config, ended, in_state, show, worker
from support import LONG, Daemon, UnixConnection, alive, wait_until

PIPELINE = {"name": "p", "steps": [{"id": "emit", "capability": "test.emit"},
                                   {"id": "one", "capability": "test.echo", "each": "emit"},
                                   {"id": "all", "capability": "test.echo", "gather": "one"}]}


class Refused(Exception):
    """The engine said that it cannot do it now; it may have been done."""


BROKEN = (OSError, http.client.HTTPException, Refused)  # or it died while it answered


class Client:
    """One connection; `kept`: what was acknowledged, by id, and what it must end as."""

    def __init__(self, d):
        self.d, self.kept, self.runs, self.n, self.connection = d, {}, [], 0, None

    def ask(self, method, path, body=None, headers=(), expect=(200, 201, 202, 404, 409)):
        if self.connection is None:
            self.connection = UnixConnection(self.d.socket, 20)
        try:
            data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
            self.connection.request(method, path, data, {"Content-Type": "application/json", **dict(headers)})
            answer = self.connection.getresponse()
            status, text = answer.status, answer.read()
        except BROKEN:
            self.connection.close()
            self.connection = None
            raise
        if status not in expect and status in (500, 503):
            raise Refused("%s %s: %d %s" % (method, path, status, text))
        if status not in expect:
            raise AssertionError("%s %s: %d %s" % (method, path, status, text))
        return status, text

    def submit(self, *specs, expect=(202,)):
        """The specs are one decision. Returns the ids, or the refusal's text."""
        for s in specs:
            self.n += 1
            s["tags"] = ["n%d" % self.n]
        status, text = self.ask("POST", "/v1/jobs", {"jobs": list(specs)} if len(specs) > 1 else specs[0], expect=expect)
        if status != 202:
            return text.decode()
        answer = json.loads(text)
        ids = [j["job_id"] for j in answer.get("jobs", [answer])]
        for job, s in zip(ids, specs):
            self.kept[job] = "failed" if s["capability"] == "test.fail" else "completed"
        return ids

    def start(self):
        self.runs.append(json.loads(self.ask("POST", "/v1/pipelines/p/runs", {"input": {"n": 3}})[1])["run_id"])

    def round(self, files=True):
        """A little of everything; or only what is written to the store."""
        self.submit({"capability": "test.echo", "input": {"a": [1, {"b": "c"}]}})
        self.submit({"capability": "test.emit", "input": {"n": 12}, "priority": 7},
                    {"capability": "test.fail", "input": {}},
                    {"capability": "test.big", "input": {"bytes": 100000}},
                    {"capability": "test.echo", "input": "x" * 100000, "delay": "1ms"})
        if files:
            self.start()
        job = next(reversed(self.kept))
        self.ask("GET", "/v1/jobs/%s?wait=1s" % job, expect=(200,))
        for path in ("/v1/jobs?limit=3", "/v1/queues", "/v1/workers", "/v1/dead?limit=3", "/status", "/metrics"):
            self.ask("GET", path, expect=(200,))
        self.ask("DELETE", "/v1/jobs/" + job)
        if files:
            self.ask("POST", "/v1/blobs", bytes(5000), {"Content-Type": "application/octet-stream"})
        self.ask("POST", "/v1/invoke/test.echo", {"q": 1}, expect=(200, 503))

    def check(self, test):
        """Everything that was acknowledged is over, and as it should be."""
        for job, status in self.kept.items():
            test.assertEqual(ended(self.d, job)["status"], status, job)
        for run in self.runs:
            def over():
                shown = json.loads(self.ask("GET", "/v1/runs/%s?wait=2s" % run, expect=(200,))[1])
                return shown if shown["status"] != "running" else None
            shown = wait_until(over, "the end of run %s" % run)
            test.assertEqual((shown["status"], shown["items"]), ("completed", 3), shown)
        self.kept.clear()
        self.runs.clear()


class Faulty:
    timeout_s = 1800 if LONG else 120

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="reeve-faults-")
        self.addCleanup(directory.cleanup)
        self.faults = Faults(directory.name)
        quick = {"retry_delay": "5ms", "retry_cap": "20ms", "max_attempts": 100}
        self.d = Daemon(config(worker("process"), pipelines=[PIPELINE], jobs=quick), env=self.faults.env)

    def tearDown(self):
        print("%s: %d faults" % (self.id(), self.faults.engine.hits + self.faults.worker.hits))

    def ready(self):
        def is_ready():
            try:
                return self.d.http("GET", "/readyz").status == 200
            except BROKEN:
                return False
        wait_until(is_ready, "ready")

    def until_it_is_gone(self, engine, client):
        """Rounds until the engine has died. A refusal on the way says what it is."""
        try:
            for _ in range(200):
                client.round(files=False)
        except BROKEN as e:
            why = repr(e)
        wait_until(lambda: not alive(engine), "engine %d to be gone after %s" % (engine, why))

    def next_engine(self, old, deaths):
        """The keeper starts it. After some quick deaths it would wait first, so then it is another keeper's first."""
        def another():
            try:
                return self.d.engine() != old
            except OSError:
                return False
        wait_until(another, "an engine after %d" % old)
        if deaths % 2 == 0:
            self.d.down()
            self.d.up()
        self.ready()

    def ends(self):
        """How engines ended, from the keeper's log."""
        with open(os.path.join(self.d.data, "reeved.log"), encoding="utf-8", errors="replace") as f:
            return re.findall(r"engine_(?:died|exited) pid=\d+ (\w+=\w+)", f.read())


class Sync(Faulty, unittest.TestCase):
    def test_an_fsync_that_fails_ends_the_engine_which_recovers_from_the_disk(self):
        e = self.faults.engine
        with self.d as d:
            client = Client(d)
            for n in range(1, 60 if LONG else 13):
                engine, hits = d.engine(), e.hits
                e.sync_fails_at = e.syncs + n
                self.until_it_is_gone(engine, client)
                self.assertEqual(e.hits, hits + 1)
                self.next_engine(engine, n)
                client.check(self)
            self.assertEqual(set(self.ends()) - {"status=0"}, {"status=1"})


class Full(Faulty, unittest.TestCase):
    def test_a_disk_that_is_full_from_any_write_on_is_said_and_survived(self):
        e = self.faults.engine
        with self.d as d:
            engine, client = d.engine(), Client(d)
            client.round()
            client.check(self)
            for n in range(0, 200, 1 if LONG else 6):
                e.full(after=n)
                refused = None
                for _ in range(300):
                    refused = client.submit({"capability": "test.echo", "input": "x" * (40 << n % 9)}, expect=(202, 507))
                    if isinstance(refused, str):
                        break
                self.assertIsInstance(refused, str, "full from write %d on, and every submit was accepted" % n)
                self.assertIn("full", json.loads(refused)["detail"])
                self.assertEqual((d.http("GET", "/readyz").status, d.http("GET", "/livez").status), (503, 200))
                self.assertIn("full", d.http("GET", "/readyz").body.decode())
                for job in list(client.kept)[-2:]:
                    show(d, job)
                e.space()
                self.ready()
                client.check(self)
            self.assertEqual(d.engine(), engine)


class Cancelled(Faulty, unittest.TestCase):
    def test_a_run_is_cancelled_at_whichever_write_the_engine_dies(self):
        """Also between the run's end and that of its jobs."""
        e = self.faults.engine
        with self.d as d:
            in_state(d, "running")
            for n in range(1, 41 if LONG else 13):
                engine, before = d.engine(), e.hits
                run = d.http("POST", "/v1/pipelines/p/runs", {"input": {"n": 2000}}).json()["run_id"]
                wait_until(lambda: d.http("GET", "/v1/runs/" + run).json()["items"], "the first item")
                e.kill_after = e.writes + n
                try:
                    told = d.http("DELETE", "/v1/runs/" + run).status == 200
                except BROKEN:
                    told = False
                for _ in range(50):
                    if e.hits > before:
                        break
                    try:
                        d.http("GET", "/livez")
                    except BROKEN:
                        pass
                e.kill_after = 0
                if e.hits > before:  # else it had fewer writes to make
                    self.next_engine(engine, n)
                shown = d.http("GET", "/v1/runs/%s?wait=20s" % run).json()
                self.assertIn(shown["status"], ("cancelled",) if told else ("cancelled", "completed"), shown)
                wait_until(lambda: not self.left(d), "the run's jobs to be gone")
            self.assertGreater(e.hits, 3)
            self.assertEqual(set(self.ends()) - {"status=0"}, {"signal=KILL"})

    def left(self, d):
        return sum(q["pending"] + q["scheduled"] + q["processing"] for q in d.http("GET", "/v1/queues").json()["queues"])


class WorkerMemory(Faulty, unittest.TestCase):
    def setUp(self):
        super().setUp()
        p = worker("process")
        p["execution"]["environment"].update(self.faults.env)
        self.d = Daemon(config(p, pipelines=[PIPELINE], jobs={"retry_delay": "5ms", "retry_cap": "20ms", "max_attempts": 100}))

    def jobs(self, d):
        """One of each kind that allocates, and what became of them."""
        specs = [{"capability": "test." + name, "input": i} for name, i in (
            ("echo", "x" * 70000), ("emit", {"n": 25}), ("big", {"bytes": 200000}), ("blob", {"store": 1}), ("scratch", {}),
            ("call", {"capability": "test.echo"}), ("config", {}), ("fail", {"retryable": 1, "until": 2}))]
        return [j["job_id"] for j in d.http("POST", "/v1/jobs", {"jobs": specs}).json()["jobs"]]

    def test_libreeve_without_memory_fails_the_job_and_never_its_worker(self):
        w = self.faults.worker
        with self.d as d:
            before, = in_state(d, "running")
            [ended(d, j) for j in self.jobs(d)]
            start = w.allocations
            usual = [ended(d, j)["status"] for j in self.jobs(d)]
            of_a_round = w.allocations - start
            self.assertGreater(of_a_round, 20)
            for n in range(1, of_a_round + 1, 1 if LONG else max(1, of_a_round // 40)):
                hits = w.hits
                w.no_memory(w.allocations + n)
                for job, status in zip(self.jobs(d), usual):
                    shown = ended(d, job)
                    if shown["status"] != status:  # it was not tried again: then it says why
                        error = shown["error"]
                        if error["code"] == "CALLEE_FAILED":  # the one that it called had none: it passes that on
                            error = json.loads(error["message"])
                        self.assertIn(error["code"], ("no_memory", "internal"), shown)
                w.no_memory(0)
                self.assertLessEqual(w.hits, hits + 1)
            self.assertGreater(w.hits, 10)
            after, = in_state(d, "running")
            self.assertEqual(after["process_id"], before["process_id"])


class Memory(Faulty, unittest.TestCase):
    def test_an_engine_without_memory_refuses_or_ends_and_nothing_acknowledged_is_lost(self):
        """What it does not do is go on with half of something: see docs/decisions."""
        e = self.faults.engine
        with self.d as d:
            client = Client(d)
            in_state(d, "running")
            client.round()
            before = e.allocations
            client.round()
            of_a_round, deaths, n = e.allocations - before, 0, 0
            while n < of_a_round:
                n += 1 if LONG else of_a_round // 30
                engine = d.engine()
                e.no_memory(e.allocations + n)
                try:
                    client.round()
                except Refused:
                    pass
                except BROKEN:
                    wait_until(lambda: not alive(engine), "engine %d to be gone" % engine)
                e.no_memory(0)
                if not alive(engine):
                    deaths += 1
                    self.next_engine(engine, deaths)
            client.check(self)
            self.assertGreater(deaths, 5)
            self.assertEqual(set(self.ends()) - {"status=0"}, {"signal=ABRT"})


if __name__ == "__main__":
    unittest.main()
