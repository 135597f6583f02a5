"""Limits and fairness on real workers: how many at once, how often, how many waiting; keys and namespaces; pauses."""
import concurrent.futures
import datetime
import json
import os
import signal
import unittest

from jobs import begun, config, ended, show, status_is, submit, worker
from support import Daemon, wait_until

BOTH = ("process", "module")


def queue(d, name, **more):
    path = "/v1/queues/test." + name + "".join("?namespace=" + n for n in more.values())
    answer = d.http("GET", path)
    assert answer.status == 200, answer
    return answer.json()


def limit(d, name, **limits):
    answer = d.http("PUT", "/v1/queues/test.%s/limits" % name, limits)
    assert answer.status == 200, answer
    return answer.json()


def milliseconds(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def most_at_once(jobs):
    """How many of the jobs ran at the same time, by when they say that they began and ended."""
    changes = []
    for job in jobs:
        changes += [(milliseconds(job["started_at"]), 1), (milliseconds(job["finished_at"]), -1)]
    n = most = 0
    for _, by in sorted(changes):  # an end goes before a begin of the same millisecond
        n += by
        most = max(most, n)
    return most


def blocked(d, name, by):
    return wait_until(lambda: queue(d, name)["blocked"] == by, "%s blocked by %s" % (name, by))


class Concurrency(unittest.TestCase):
    timeout_s = 90

    def test_no_more_run_at_once_than_the_queue_allows_over_all_workers(self):
        limits = [{"capability": "test.sleep", "limits": {"concurrency": 3}}]
        workers = [worker(p, id=p) for p in BOTH]
        with Daemon(config(*workers, queues=limits)) as d:
            jobs = [submit(d, "sleep", {"ms": 60}) for _ in range(24)]
            done = [ended(d, j) for j in jobs]
        self.assertEqual({j["status"] for j in done}, {"completed"})
        self.assertEqual(most_at_once(done), 3)

    def test_a_key_at_its_limit_does_not_hold_up_other_keys(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement, concurrency=8))) as d:
                limit(d, "sleep", key={"concurrency": 1})
                long = submit(d, "sleep", {"ms": 60000}, key="acme")
                behind = submit(d, "sleep", {"ms": 1}, key="acme")
                begun(d, long)
                others = [submit(d, "sleep", {"ms": 40}, key=k) for k in ("bolt", "corp", "bolt", "corp", "bolt", "corp")]
                done = [ended(d, j) for j in others]
                for key in ("bolt", "corp"):
                    self.assertEqual(most_at_once([j for j in done if j["key"] == key]), 1)
                self.assertEqual(show(d, behind)["status"], "pending")
                self.assertEqual({j["job_id"] for j in d.json("job", "list", "--key", "acme")["jobs"]}, {long, behind})
                shown = queue(d, "sleep")
                self.assertEqual((shown["blocked"], shown["keys"], shown["keys_blocked"]), ("keys", 1, 1))
                self.assertEqual(shown["top_keys"], [{"key": "acme", "pending": 1, "processing": 1, "blocked": "concurrency"}])
                d.http("DELETE", "/v1/jobs/" + long)
                self.assertEqual(ended(d, behind)["status"], "completed")

    def test_a_namespace_limits_its_queues_together(self):
        spaces = [{"name": "lab", "limits": {"concurrency": 2}}]
        with Daemon(config(worker("module", concurrency=8, namespace="lab"), namespaces=spaces)) as d:
            jobs = [submit(d, "sleep", {"ms": 60}, namespace="lab") for _ in range(8)]
            jobs += [submit(d, "emit", {"n": 3}, namespace="lab") for _ in range(8)]
            done = [ended(d, j) for j in jobs]
            self.assertEqual(most_at_once(done), 2)
            shown = d.http("GET", "/v1/namespaces").json()["namespaces"]
            self.assertEqual([n["limits"] for n in shown if n["namespace"] == "lab"], [{"concurrency": 2}])

    def test_jobs_that_outlive_the_engine_keep_their_places(self):
        with Daemon(config(worker("process", concurrency=8))) as d:
            limit(d, "sleep", concurrency=2)
            held = [submit(d, "sleep", {"ms": 60000}, key=k) for k in ("acme", "bolt")]
            for job in held:
                begun(d, job)
            waits = submit(d, "sleep", {"ms": 1}, key="acme")
            d.kill_engine()
            for job in held:
                status_is(d, job, "processing")
            blocked(d, "sleep", "concurrency")
            shown = queue(d, "sleep")
            self.assertEqual((shown["processing"], shown["pending"], shown["limits"]), (2, 1, {"concurrency": 2}))
            self.assertEqual({k["key"]: (k["pending"], k["processing"]) for k in shown["top_keys"]}, {"acme": (1, 1), "bolt": (0, 1)})
            self.assertEqual([show(d, j)["attempts"] for j in held], [1, 1])
            d.http("DELETE", "/v1/jobs/" + held[1])
            self.assertEqual(ended(d, waits)["status"], "completed")
            d.http("DELETE", "/v1/jobs/" + held[0])


class Claims(unittest.TestCase):
    def claim(self, d, **more):
        answer = d.http("POST", "/v1/claims", {"capabilities": ["pulled"], "max": 10, **more}, patience_s=60)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["claims"]

    def test_limits_hold_for_who_pulls_too_and_a_claim_that_waits_hears_of_a_free_place(self):
        with Daemon(config()) as d, concurrent.futures.ThreadPoolExecutor() as pool:
            self.assertEqual(d.http("PUT", "/v1/queues/pulled/limits", {"concurrency": 2, "key": {"concurrency": 1}}).status, 200)
            jobs = [{"capability": "pulled", "input": {}, "key": k} for k in ("acme", "acme", "bolt", "corp")]
            ids = [j["job_id"] for j in d.http("POST", "/v1/jobs", {"jobs": jobs}).json()["jobs"]]
            first, second = self.claim(d)
            self.assertEqual([first["job_id"], second["job_id"]], [ids[0], ids[2]])
            self.assertEqual(self.claim(d), [])
            waiting = pool.submit(self.claim, d, wait="30s")
            wait_until(lambda: "reeve_claims_waiting 1" in d.http("GET", "/metrics").body.decode(), "a claim that waits")
            done = d.http("POST", "/v1/claims/%s/complete" % first["job_id"], {"fence": first["fence"], "result": 1})
            self.assertEqual(done.status, 200, done)
            self.assertIn(waiting.result()[0]["job_id"], (ids[1], ids[3]))


class Rate(unittest.TestCase):
    timeout_s = 90

    def test_after_its_burst_a_queue_waits_for_tokens_and_goes_on_when_the_limit_goes(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement, concurrency=8))) as d:
                limit(d, "echo", rate=0.001, burst=3)
                jobs = [submit(d, "echo", {"n": n}) for n in range(8)]
                for job in jobs[:3]:
                    self.assertEqual(ended(d, job)["status"], "completed")
                shown = queue(d, "echo")
                self.assertEqual((shown["blocked"], shown["pending"]), ("rate", 5))
                self.assertGreater(milliseconds(shown["opens_at"]), milliseconds(show(d, jobs[0])["submitted_at"]))
                answer = d.http("PATCH", "/v1/queues/test.echo/limits", {"rate": None})
                self.assertEqual((answer.status, answer.json()["limits"]), (200, {}))
                for job in jobs:
                    self.assertEqual(ended(d, job)["result"], {"n": jobs.index(job)})

    def test_every_token_is_met_by_a_wake_up(self):
        with Daemon(config(worker("module"), queues=[{"capability": "test.echo", "limits": {"rate": 50, "burst": 1}}])) as d:
            jobs = [submit(d, "echo") for _ in range(20)]
            done = [ended(d, j) for j in jobs]
        took = max(milliseconds(j["started_at"]) for j in done) - milliseconds(done[0]["submitted_at"])
        self.assertGreaterEqual(took, 19 * 20)  # how much longer is the machine's business

    def test_a_key_has_tokens_of_its_own(self):
        with Daemon(config(worker("process"))) as d:
            limit(d, "echo", key={"rate": 0.001, "burst": 2})
            acme = [submit(d, "echo", key="acme") for _ in range(4)]
            bolt = [submit(d, "echo", key="bolt") for _ in range(2)]
            for job in acme[:2] + bolt:
                self.assertEqual(ended(d, job)["status"], "completed")
            self.assertEqual([show(d, j)["status"] for j in acme[2:]], ["pending"] * 2)
            self.assertEqual(queue(d, "echo")["top_keys"], [{"key": "acme", "pending": 2, "processing": 0, "blocked": "rate"}])


class Turns(unittest.TestCase):
    def test_a_tenant_with_hundreds_of_jobs_does_not_hold_up_one_with_three(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement, concurrency=1, prefetch=0))) as d:
                d.reeve("queue", "pause", "test.sleep")
                many = {"jobs": [{"capability": "test.sleep", "input": {"ms": 2}, "key": "big"} for _ in range(200)]}
                big = [j["job_id"] for j in d.http("POST", "/v1/jobs", many).json()["jobs"]]
                small = [submit(d, "sleep", {"ms": 2}, key="small") for _ in range(3)]
                d.reeve("queue", "resume", "test.sleep")
                done = [ended(d, j) for j in small]
                began = [milliseconds(ended(d, j)["started_at"]) for j in big[:20]]
                for i, job in enumerate(done):
                    before = sum(at < milliseconds(job["started_at"]) for at in began)
                    self.assertLessEqual(before, i + 1, "turns of `big` before job %d of `small`" % (i + 1))
                self.assertEqual(began, sorted(began))
                d.reeve("queue", "pause", "test.sleep")


    def test_namespaces_share_a_worker_by_their_weights(self):
        spaces = [{"name": "a"}, {"name": "b", "weight": 3}]
        for placement in BOTH:
            declared = worker(placement, concurrency=1, prefetch=0, namespaces=["a", "b"])
            with self.subTest(placement), Daemon(config(declared, namespaces=spaces)) as d:
                d.reeve("queue", "pause", "--all")
                jobs = {}
                for name in "ab":
                    many = {"namespace": name, "jobs": [{"capability": "test.sleep", "input": {"ms": 1}}] * 100}
                    jobs[name] = [j["job_id"] for j in d.http("POST", "/v1/jobs", many).json()["jobs"]]
                d.reeve("queue", "resume", "--all")
                at = milliseconds(ended(d, jobs["b"][59])["started_at"])
                began = [milliseconds(ended(d, j)["started_at"]) for j in jobs["a"][:40]]
                self.assertIn(sum(t < at for t in began), range(17, 23))  # 60 / 3, and what fell into the same millisecond
                self.assertEqual(d.json("worker", "show", "test")["namespaces"], ["a", "b"])


class Length(unittest.TestCase):
    def test_a_full_queue_refuses_with_its_numbers_whole_and_says_when(self):
        with Daemon(config(worker("module"), queues=[{"capability": "test.echo", "limits": {"max_length": 3}}])) as d:
            d.reeve("queue", "pause", "test.echo")
            job = {"capability": "test.echo", "input": {}}
            self.assertEqual(d.http("POST", "/v1/jobs", {"jobs": [job] * 4}).status, 429)
            self.assertEqual(queue(d, "echo")["pending"], 0)
            self.assertEqual(d.http("POST", "/v1/jobs", {"jobs": [job] * 2}).status, 202)
            answer = d.http("POST", "/v1/jobs", {"jobs": [job] * 2})
            self.assertEqual((answer.status, answer.headers["Retry-After"]), (429, "1"))
            problem = answer.json()
            self.assertEqual([problem[k] for k in ("code", "capability", "namespace", "length", "max_length", "asked")],
                             ["limited", "test.echo", "default", 2, 3, 2])
            self.assertIn("2 jobs wait, at most 3 may", problem["detail"])
            self.assertEqual(queue(d, "echo")["pending"], 2)
            d.reeve("job", "submit", "test.echo")
            refused = d.run("job", "submit", "test.echo")
            self.assertEqual(refused.returncode, 75)
            self.assertIn("is full: 3 jobs wait, at most 3 may", refused.stderr)
            d.reeve("queue", "resume", "test.echo")
            wait_until(lambda: queue(d, "echo")["pending"] == 0, "an empty queue")
            d.reeve("queue", "pause", "test.echo")
            lines = (json.dumps(job) + "\n").encode() * 5
            answer = d.http("POST", "/v1/jobs", lines, {"Content-Type": "application/x-ndjson"})
            told = [json.loads(line) for line in answer.body.splitlines()]
            self.assertEqual([t.get("code") for t in told[:5]], [None] * 3 + ["limited"] * 2)  # a line is a submit of its own
            self.assertEqual((told[5]["submitted"], told[5]["refused"], queue(d, "echo")["pending"]), (3, 2, 3))


class Settings(unittest.TestCase):
    timeout_s = 90

    def test_what_was_set_survives_the_death_of_the_engine(self):
        with Daemon(config(worker("module"), queues=[{"capability": "test.echo", "limits": {"concurrency": 5}}])) as d:
            d.reeve("queue", "limit", "test.echo", "--concurrency", "2", "--key-rate", "1.5", "--max-length", "100")
            d.reeve("namespace", "limit", "lab", "--max-length", "7")
            for on, off in ((("queue", "pause", "test.echo"), ("queue", "resume", "test.echo")),
                            (("namespace", "pause", "default"), ("namespace", "resume", "default")),
                            (("queue", "pause", "--all"), ("queue", "resume", "--all"))):
                d.reeve(*on)
                job = submit(d, "echo")
                d.kill_engine()
                word = {"pause test.echo": "paused", "pause default": "namespace_paused", "pause --all": "all_paused"}[" ".join(on[1:])]
                blocked(d, "echo", word)
                self.assertEqual(show(d, job)["status"], "pending")
                d.reeve(*off)
                self.assertEqual(ended(d, job)["status"], "completed")
            shown = queue(d, "echo")
            self.assertEqual((shown["limits"], shown["limits_from"]),
                             ({"concurrency": 2, "max_length": 100, "key": {"rate": 1.5, "burst": 2}}, "api"))
            self.assertEqual([n["limits"] for n in d.json("namespace", "list")["namespaces"] if n["namespace"] == "lab"],
                             [{"max_length": 7}])
            d.reeve("queue", "limit", "test.echo", "--reset")
            d.kill_engine()
            self.assertEqual(queue(d, "echo")["limits"], {"concurrency": 5})

    def test_a_reload_brings_other_limits_and_takes_them_away(self):
        def limited(limits):
            return config(worker("module"), queues=[{"capability": "test.echo", "limits": limits}] if limits else [])
        with Daemon(limited({"concurrency": 5})) as d:
            for limits in ({"rate": 2, "burst": 4}, {}):
                d.file("reeve.yaml", limited(limits))
                os.kill(d.keeper(), signal.SIGHUP)
                wait_until(lambda: queue(d, "echo")["limits"] == limits, "limits of the file")

    def test_the_command_line_shows_and_changes_limits(self):
        with Daemon(config(worker("module"))) as d:
            d.reeve("queue", "pause", "test.echo")
            submit(d, "echo", key="acme")
            self.assertEqual(d.reeve("queue", "limit", "test.echo", "--rate", "5", "--concurrency", "3"), "concurrency 3, rate 5, burst 5\n")
            self.assertEqual(d.reeve("queue", "limit", "test.echo", "--rate", "none", "--key-concurrency", "1"),
                             "concurrency 3, key concurrency 1\n")
            shown = d.reeve("queue", "show", "test.echo")
            for words in ("1 pending", "concurrency 3, key concurrency 1 (from the api)", "blocked  paused", "acme"):
                self.assertIn(words, shown)
            self.assertIn("paused", d.reeve("queue", "list"))
            for wrong, says in ((("--rate", "fast"), "--rate fast: a number or `none` is needed"), ((), "say which limit"),
                                (("--burst", "5"), "burst: must be absent without a rate")):
                p = d.run("queue", "limit", "test.echo", *wrong)
                self.assertIn(says, p.stderr)
                self.assertNotEqual(p.returncode, 0)
            self.assertIn("name a CAPABILITY, or say --all", d.run("queue", "pause").stderr)
            answer = d.http("PUT", "/v1/queues/test.echo/limits", {"key": {"concurrency": 0}})
            self.assertEqual((answer.status, answer.json()["pointer"]), (400, "/key/concurrency"))
            self.assertEqual(queue(d, "echo")["limits"], {"concurrency": 3, "key": {"concurrency": 1}})


if __name__ == "__main__":
    unittest.main()
