"""Jobs on real workers: order, time limits, cancelling, retries, dead letters."""
import json
import unittest

from jobs import begun, config, ended, in_state, run, show, status_is, submit, worker
from support import Daemon, alive, wait_until

BOTH = ("process", "module")


class Time(unittest.TestCase):
    timeout_s = 90

    def test_a_job_past_its_timeout_is_taken_back(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement))) as d:
                shown = run(d, "sleep", {"ms": 60000}, timeout="300ms", max_attempts=1)
                self.assertEqual((shown["status"], shown["error"]["code"]), ("failed", "timeout"))

    def test_cancelling_reaches_a_running_handler(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement, concurrency=1))) as d:
                job = submit(d, "sleep", {"ms": 60000})
                status_is(d, job, "processing")
                self.assertEqual(d.http("DELETE", "/v1/jobs/" + job).status // 100, 2)
                self.assertEqual(ended(d, job)["status"], "cancelled")
                self.assertEqual(run(d, "echo", {"free": 1})["result"], {"free": 1})  # its only thread is free again

    def test_progress_is_shown(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement))) as d:
                job = submit(d, "sleep", {"ms": 3000})
                wait_until(lambda: (show(d, job).get("progress") or {}).get("message") == "sleeping", "progress")
                d.http("DELETE", "/v1/jobs/" + job)

    def test_a_delayed_job_waits(self):
        with Daemon(config(worker("module"))) as d:
            job = submit(d, "echo", {"late": 1}, delay="1s")
            self.assertEqual(show(d, job)["status"], "scheduled")
            self.assertEqual(ended(d, job)["result"], {"late": 1})


class Order(unittest.TestCase):
    def test_urgent_jobs_go_first_and_equal_ones_in_their_order(self):
        with Daemon(config(worker("module", concurrency=1, prefetch=0))) as d:
            blocker = submit(d, "sleep", {"ms": 1000})
            status_is(d, blocker, "processing")
            jobs = [(p, submit(d, "sleep", {"ms": 20}, priority=p)) for p in (1, 5, 9, 5, 1, 9)]
            order = sorted(jobs, key=lambda j: ended(d, j[1])["started_at"])
        self.assertEqual([p for p, _ in order], [9, 9, 5, 5, 1, 1])
        for p in (9, 5, 1):
            self.assertEqual([j for q, j in order if q == p], [j for q, j in jobs if q == p])


class Failure(unittest.TestCase):
    timeout_s = 90
    QUICK = {"jobs": {"retry_delay": "10ms", "retry_cap": "50ms"}}

    def test_a_failed_attempt_is_tried_again(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement), **self.QUICK)) as d:
                shown = run(d, "fail", {"retryable": 1, "until": 3})
                self.assertEqual((shown["status"], shown["result"], shown["attempts"]), ("completed", "at last", 3))

    def test_what_cannot_be_retried_is_a_dead_letter_that_can_be_replayed(self):
        with Daemon(config(worker("module"), **self.QUICK)) as d:
            job = submit(d, "fail", {"retryable": 0, "code": "BAD_DAY"})
            self.assertEqual(ended(d, job)["attempts"], 1)
            dead = d.http("GET", "/v1/dead").json()
            self.assertIn(job, json.dumps(dead))
            self.assertEqual(d.http("POST", "/v1/dead/%s/replay" % job).status // 100, 2)
            self.assertEqual(ended(d, job)["error"]["code"], "BAD_DAY")

    def test_a_job_that_kills_its_process_three_times_is_a_dead_letter(self):
        with Daemon(config(worker("process"), **self.QUICK)) as d:
            shown = run(d, "crash", {"signal": 11}, max_attempts=10)
            self.assertEqual((shown["status"], shown["error"]["code"]), ("failed", "crashed"))
            self.assertIn("SIGSEGV", shown["error"]["message"])
            self.assertEqual(run(d, "echo", {"alive": 1})["result"], {"alive": 1})

    def test_a_crash_costs_an_attempt_and_the_next_one_counts(self):
        with Daemon(config(worker("process"), **self.QUICK)) as d:
            shown = run(d, "crash", {"signal": 9, "until": 2})
            self.assertEqual((shown["result"], shown["attempts"]), ("alive", 2))

    def test_a_checkpoint_survives_the_crash_and_no_item_is_kept_twice(self):
        with Daemon(config(worker("process"), **self.QUICK)) as d:
            shown = run(d, "emit", {"n": 500, "crash_after": 450})  # more than the window: the first ones are durable
            self.assertEqual(shown["attempts"], 2)
            self.assertEqual(shown["result"]["emitted"], 500)
            self.assertGreater(shown["result"]["resumed_at"], 0)


class Calls(unittest.TestCase):
    def test_invoke_waits_for_the_answer(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement))) as d:
                in_state(d, "running")
                answer = d.http("POST", "/v1/invoke/test.echo", {"q": 1})
                self.assertEqual((answer.status, answer.json()), (200, {"q": 1}))

    def test_invoke_of_what_nobody_offers_is_unavailable(self):
        with Daemon(config(worker("module"))) as d:
            in_state(d, "running")
            self.assertEqual(d.http("POST", "/v1/invoke/no.such.thing", {}).status, 503)

    def test_invoke_has_a_time_limit(self):
        with Daemon(config(worker("module"))) as d:
            in_state(d, "running")
            self.assertEqual(d.http("POST", "/v1/invoke/test.sleep?timeout=300ms", {"ms": 60000}).status, 504)

    def test_a_process_calls_a_module_and_the_other_way_round(self):
        for caller, callee in (BOTH, BOTH[::-1]):
            one = worker(caller, "caller", namespace="default")
            with self.subTest(caller), Daemon(config(one, worker(callee, "callee"))) as d:
                in_state(d, "running", "caller")
                in_state(d, "running", "callee")
                for n in range(20):
                    shown = run(d, "call", {"capability": "test.serial", "input": {"ms": 1}})
                    self.assertEqual(shown["status"], "completed", shown)


class Nested(unittest.TestCase):
    timeout_s = 90

    def test_cancelling_reaches_the_handler_that_was_called(self):
        for caller, callee in (("process", "process"), ("process", "module"), ("module", "process"), ("module", "module")):
            with self.subTest(caller=caller, callee=callee), Daemon(config(worker(caller, "caller"), worker(callee, "callee"))) as d:
                in_state(d, "running", "caller")
                in_state(d, "running", "callee")
                job = submit(d, "call", {"capability": "test.sleep", "input": {"ms": 60000}})
                begun(d, job)
                self.assertEqual(d.http("DELETE", "/v1/jobs/" + job).status, 200)
                wait_until(lambda: d.http("GET", "/v1/instances").json()["instances"] and not any(
                    i["in_flight"] for i in d.http("GET", "/v1/instances").json()["instances"]), "both handlers to end", 4)


class Exec(unittest.TestCase):
    def test_any_command_is_a_worker(self):
        shouter = {"id": "shouter", "type": "process", "exec": [
            {"capability": "test.shout", "command": ["tr", "a-z", "A-Z"]},
            {"capability": "test.later", "command": ["sh", "-c", "exit 75"]},
            {"capability": "test.broken", "command": ["sh", "-c", "echo the disk fell out >&2; exit 3"]}]}
        with Daemon(config(shouter)) as d:
            self.assertEqual(run(d, "shout", {"say": "hello"})["result"], {"SAY": "HELLO"})
            broken = run(d, "broken", {}, max_attempts=1)
            self.assertEqual(broken["status"], "failed")
            self.assertIn("the disk fell out", broken["error"]["message"])


class Tree(unittest.TestCase):
    def test_a_stopped_process_leaves_nothing_behind(self):
        script = "#!/bin/sh\nsetsid sleep 1000 &\necho $! > \"$1\"\nexec %s\n"
        with Daemon(config()) as d:
            from support import binary
            path = d.file("wrapper", script % binary("tests/workers/testworker"))
            import os
            os.chmod(path, 0o755)
            pid_file = os.path.join(d.directory, "pid")
            declared = worker("process", path=path)
            declared["execution"]["args"] = [pid_file]
            self.assertEqual(d.http("POST", "/v1/workers", declared).status // 100, 2)
            in_state(d, "running")
            with open(pid_file, encoding="ascii") as f:
                stray = int(f.read())
            self.assertTrue(alive(stray))
            d.http("POST", "/v1/workers/test/stop")
            in_state(d, "stopped")
            wait_until(lambda: not alive(stray), "the whole tree to end")


if __name__ == "__main__":
    unittest.main()
