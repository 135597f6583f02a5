"""kill -9 of everything, everywhere: what was acknowledged ends exactly once, and right.

REEVE_KILLS=n and REEVE_SEED=s choose another number of kills and another sequence; REEVE_LONG=1 asks for many.
"""
import collections
import concurrent.futures
import contextlib
import json
import os
import random
import re
import tempfile
import unittest

from faults import Faults
from history import History, check_promise, check_run, check_unanswered, read_journal
from jobs import config, worker
from killer import Killer
from load import CRASHING, PIPELINE, Client
from support import LONG, Daemon, alive, wait_until

KILLS = int(os.environ.get("REEVE_KILLS") or (3000 if LONG else 120))
AT_ONCE = 4  # rounds: most of the time each of them waits for an engine
SEED = int(os.environ.get("REEVE_SEED") or 1)
ROUND = 30  # kills between two quiet moments at which everything is checked
CLIENTS = 3
NAMESPACES = ("p", "m")
OWN_FAULT = re.compile(r"engine_died .*signal=(?!KILL)|engine_exited .*status=[^0]|Sanitizer: (?!SEGV|FPE|ABRT)|runtime error: |tree_not_ended")
QUIET_S = 60


def listed(d, namespace):
    jobs, cursor = [], ""
    while cursor is not None:
        answer = d.http("GET", "/v1/jobs?namespace=%s&limit=200%s" % (namespace, "&cursor=" + cursor if cursor else "")).json()
        jobs += answer["jobs"]
        cursor = answer.get("cursor")
    return jobs


def open_jobs(d):
    with_work = [q for q in d.http("GET", "/v1/queues").json()["queues"] if q["pending"] + q["scheduled"] + q["processing"]]
    return with_work


class Kills(unittest.TestCase):
    timeout_s = 1800 if LONG else 180

    def daemon(self, journal, faults):
        limits = {"retry_delay": "5ms", "retry_cap": "40ms", "max_attempts": 1000, "max_crashes": 1000}
        said = {"journal": journal}
        again = {"delay": "10ms", "cap": "50ms", "max": 1000}
        process = worker("process", "p", namespace="p", replicas={"min": 2}, config=said, restart=again)
        env = faults.env if faults else {}
        process["execution"]["environment"].update(env)
        return Daemon(config(process, worker("module", "m", namespace="m", config=said, restart=again),
                             pipelines=[PIPELINE], jobs=limits), env=env)

    def test_what_was_acknowledged_ends_exactly_once_whoever_is_killed(self):
        self.torture(KILLS, False)

    def test_also_when_a_module_crashes_the_engine(self):
        self.torture(max(KILLS // 4, 4), True)

    def torture(self, kills, modules):
        rounds = [min(ROUND, kills - done) for done in range(0, kills, ROUND)]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(self.round, SEED + k, n, modules) for k, n in enumerate(rounds)]:
                done.result()
        self.bury()

    def round(self, seed, kills, modules):
        h = History()
        points = tempfile.TemporaryDirectory(prefix="reeve-faults-")
        self.addCleanup(points.cleanup)
        faults = Faults(points.name) if Faults.there() else None
        d = self.daemon("JOURNAL", faults)
        journal = os.path.join(d.directory, "journal")
        with open(d.config, encoding="utf-8") as f:
            text = f.read()
        d.file("reeve.yaml", text.replace("JOURNAL", journal))
        d.file("journal", "")
        try:
            with d:
                crasher = Client(d, h, journal, "%d.crash" % seed)
                killer = Killer(d, h, journal, random.Random(seed), crasher.submit_panic if modules else None,
                                faults)
                clients = [Client(d, h, journal, "%d.%d" % (seed, k), pipelines=True) for k in range(CLIENTS)]
                for c in clients:
                    c.start()
                try:
                    while sum(killer.n.values()) < kills and not any(c.failure for c in clients):
                        killer.one()
                finally:
                    for c in clients:
                        c.stopping.set()
                for c in clients:
                    c.join(QUIET_S)
                    if c.failure:
                        raise c.failure
                killer.keep_log()
                self.check(d, h, journal, killer)
        except BaseException:
            print("seed %d, %s" % (seed, h.events and "the last of %d events:" % len(h.events)))
            print("\n".join(h.events[-60:]))
            raise
        print("seed %d: %s; %d jobs, %d answers" % (seed, killer.n, len(h.promises), h.answers), flush=True)

    def bury(self):
        """The orphans of killed keepers are our children (tests/run.py is their subreaper)."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def quiet(self, d):
        def nothing_left():
            try:
                return d.http("GET", "/readyz").status == 200 and not open_jobs(d)
            except OSError:
                return False
        try:
            wait_until(nothing_left, "every job to end", QUIET_S)
        except AssertionError:
            print(json.dumps(open_jobs(d), indent=1))
            for w in NAMESPACES:
                print(json.dumps(d.http("GET", "/v1/workers/" + w).json(), indent=1))
            raise

    def check(self, d, h, journal, killer):
        self.quiet(d)
        reader = Client(d, h, journal, "reader")
        shown = {job["job_id"]: job for n in NAMESPACES for job in listed(d, n) if job["tags"]}  # without: of a run
        tags = collections.Counter(job["tags"][0] for job in shown.values())
        runs = read_journal(journal)
        pids = {r.pid for some in runs.values() for r in some}
        died = {pid for pid in pids if not alive(pid)}
        bad = check_unanswered(h.promises, tags)
        for p in h.promises:
            full = json.loads(reader.insist("GET", "/v1/jobs/" + p.id)[1]) if p.id in shown else None
            items = None
            if "items" in p.expect and full and full["status"] == "completed":
                lines = reader.insist("GET", "/v1/jobs/%s/items" % p.id)[1].splitlines()
                items = [json.loads(line)["key"] for line in lines]
            broken = check_promise(p, full, runs.get(p.id, []), items, died)
            for sentence in broken:
                bad.append("%r %s" % (p, sentence))
            if broken:
                print("%r\n%s\n%s\n%s" % (p, h.of(p), runs.get(p.id), full))
        for run in (r for r in h.runs if r.id):
            status, body = reader.insist("GET", "/v1/runs/" + run.id)
            bad += ["%r %s" % (run, sentence) for sentence in check_run(run, json.loads(body) if status == 200 else None)]
        engines = {int(line.rsplit("=", 1)[1]) for line in killer.log if "engine_started" in line}  # their ends: OWN_FAULT
        for pid in died - h.killed - engines - self.crashed(h, shown, runs):
            bad.append("process %d ended, and nobody killed it" % pid)
            print("\n".join(line for line in killer.log if str(pid) in line))
        bad += [line for line in killer.log if OWN_FAULT.search(line) and not (killer.crash and "keeper engine_" in line)]
        self.assertEqual(bad, [], "\n".join(bad))

    def crashed(self, h, shown, runs):
        """Pids of those whom a job was to kill, also one whose submit had no answer."""
        kinds = {job: h.promises[int(shown[job]["tags"][0][1:])].kind for job in shown}
        return {r.pid for job, some in runs.items() if kinds.get(job) in CRASHING for r in some if r.ended_at is None}
