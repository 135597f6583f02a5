"""kill -9 of workers at random while many jobs run: each of them is completed once. And a job that kills its workers is found out."""
import json
import os
import random
import signal
import threading
import unittest

from history import read_journal
from jobs import config, ended, submit, worker
from support import LONG, Daemon, children_of, wait_until

JOBS = 10000 if LONG else 600
KILLS = 300 if LONG else 25
REPLICAS = 3


def results(d, namespace="default"):
    """Every job of the result table and of those that are not over, by id; pages of the list."""
    jobs, cursor = {}, ""
    while cursor is not None:
        answer = d.http("GET", "/v1/jobs?namespace=%s&limit=200%s" % (namespace, "&cursor=" + cursor if cursor else "")).json()
        for job in answer["jobs"]:
            if job["job_id"] in jobs:
                raise AssertionError("job %s is listed twice" % job["job_id"])
            jobs[job["job_id"]] = job
        cursor = answer.get("cursor")
    return jobs


class WorkerDeaths(unittest.TestCase):
    timeout_s = 900 if LONG else 90

    def daemon(self):
        quick = {"retry_delay": "5ms", "retry_cap": "20ms", "max_attempts": 1000, "max_crashes": 1000}
        d = Daemon("# to come\n")
        again = {"delay": "5ms", "cap": "20ms", "max": 100000}
        p = worker("process", replicas={"min": REPLICAS}, concurrency=4, restart=again,
                   config={"journal": os.path.join(d.directory, "journal")})
        d.file("journal", "")
        d.file("reeve.yaml", config(p, jobs=quick))
        return d

    def test_each_job_is_completed_once_whichever_workers_are_killed(self):
        with self.daemon() as d:
            self.run_jobs(d)
            jobs, runs = results(d), read_journal(os.path.join(d.directory, "journal"))
            self.assertEqual({j["status"] for j in jobs.values()}, {"completed"})
            self.assertEqual(len(jobs), JOBS)
            for job, shown in jobs.items():
                good = [r for r in runs[job] if r.code == 0]
                self.assertTrue(good, "%s: completed, and no execution said so: %s" % (shown, runs[job]))
                self.assertLessEqual(len(runs[job]), shown["attempts"], "%s: %s" % (shown, runs[job]))
                for a, b in zip(runs[job], runs[job][1:]):
                    self.assertLess(a.fence, b.fence, runs[job])
                    self.assertLessEqual(a.ended_at or a.at, b.at, "ran twice at once: %s" % runs[job])
            self.assertEqual(d.http("GET", "/v1/dead").json()["dead"], [])
            again = sum(len(r) > 1 for r in runs.values())
            print("%d jobs, %d of them in more than one execution" % (len(jobs), again), flush=True)
            self.assertGreater(again, 0, "no job was in a killed worker's hands")

    def run_jobs(self, d):
        """Submits and kills at once; returns when every job is over."""
        over = threading.Event()
        killer = threading.Thread(target=self.kill, args=(d.keeper(), os.path.join(d.directory, "journal"), over))
        killer.start()
        try:
            for n in range(0, JOBS, 100):
                specs = [{"capability": "test.sleep", "input": {"ms": (n + k) % 7}} for k in range(100)]
                self.assertEqual(d.http("POST", "/v1/jobs", {"jobs": specs}).status, 202)
            wait_until(lambda: self.left(d) == 0, "the last job", self.timeout_s - 20)
        finally:
            over.set()
            killer.join()

    def left(self, d):
        return sum(q["pending"] + q["scheduled"] + q["processing"] for q in d.http("GET", "/v1/queues").json()["queues"])

    def kill(self, keeper, journal, over):
        """Some worker, each time that so many more lines stand in the journal."""
        draw = random.Random(JOBS)
        for n in range(KILLS):
            lines = draw.randrange(1, 2 * JOBS // KILLS) * 20  # of about 40 bytes, two for each job
            size = os.path.getsize(journal) + lines
            while os.path.getsize(journal) < size and not over.wait(0.001):
                pass
            if over.is_set():
                return
            pids = [p for p in children_of(keeper) if self.is_worker(p)]
            if pids:
                os.kill(draw.choice(pids), signal.SIGKILL)

    def is_worker(self, pid):
        try:
            with open("/proc/%d/comm" % pid, encoding="ascii") as f:
                return f.read().strip() == "testworker"
        except OSError:
            return False

    def test_a_job_that_kills_three_workers_is_a_dead_letter_and_the_others_are_completed(self):
        quick = {"retry_delay": "5ms", "retry_cap": "20ms", "max_attempts": 1000}
        with Daemon(config(worker("process", replicas={"min": REPLICAS}), jobs=quick)) as d:
            poison = submit(d, "crash", {"signal": 9})
            good = [submit(d, "echo", {"n": n}) for n in range(50)]
            shown = ended(d, poison, 40)
            self.assertEqual((shown["status"], shown["crashes"], shown["error"]["code"]), ("failed", 3, "crashed"))
            self.assertIn("signal 9", json.dumps(shown["error"]))
            self.assertEqual({ended(d, job)["status"] for job in good}, {"completed"})
            dead, = d.http("GET", "/v1/dead").json()["dead"]
            self.assertEqual(dead["job_id"], poison)
            history = d.http("GET", "/v1/dead/" + poison).json()["history"]
            self.assertEqual([a["error"]["code"] for a in history], ["crashed"] * 3)


if __name__ == "__main__":
    unittest.main()
