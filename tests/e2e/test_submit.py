"""What can be asked of a job: lines of any number, unique jobs, deadlines, its own retries, trace context, another place."""
import contextlib
import datetime
import json
import os
import socket
import threading
import unittest

from jobs import config, ended, run, show, status_is, submit, worker
from support import Daemon, wait_until

BOTH = ("process", "module")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def in_seconds(n):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=n)).isoformat()


class Lines(unittest.TestCase):
    def test_a_file_of_lines_is_submitted_and_each_is_told(self):
        jobs = [{"capability": "test.echo", "input": {"n": n}} for n in range(2500)]
        lines = "".join(json.dumps(j) + "\n" for j in jobs)
        with Daemon(config(worker("module"))) as d:
            ids = d.reeve("job", "submit", "--ndjson", d.file("jobs.ndjson", lines)).split()
            self.assertEqual((len(ids), len(set(ids))), (2500, 2500))
            self.assertEqual(ended(d, ids[-1])["result"], {"n": 2499})
            p = d.run("job", "submit", "--ndjson", "-", input='{"capability":"test.echo"}\n{"capability":"test.echo","priority":10}\n')
            self.assertEqual((p.returncode, len(p.stdout.split())), (1, 1))
            self.assertIn("line 2: 10 is not a whole number from 0 to 9 at /priority", p.stderr)
            self.assertIn("1 submitted, 0 were there, 1 refused", p.stderr)
            self.assertIn("CAPABILITY is missing", d.run("job", "submit").stderr)

    def test_a_daemon_that_ends_in_the_middle_of_a_stream_ends_well(self):
        piece = b'{"capability":"a","input":"%s"}\n' % (b"x" * 100) * 3000  # long enough that some of it is always on its way
        with Daemon(config(), env={"MALLOC_PERTURB_": "165"}) as d, socket.socket(socket.AF_UNIX) as s:
            s.connect(d.socket)
            s.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")

            def feed():
                with contextlib.suppress(OSError):
                    while True:
                        s.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))

            feeding = threading.Thread(target=feed)
            feeding.start()
            wait_until(lambda: d.http("GET", "/v1/queues").json()["queues"], "a job of the stream")
            d.down()
            feeding.join()
            with open(os.path.join(d.data, "reeved.log")) as f:
                said = f.read()
            self.assertRegex(said, "engine_exited .*status=0", said[-2000:])
            self.assertNotRegex(said, "engine_died", said[-2000:])


class Unique(unittest.TestCase):
    def test_the_earlier_job_is_the_answer_also_after_a_restart(self):
        with Daemon(config()) as d:
            first = d.http("POST", "/v1/jobs", {"capability": "a", "unique": {"key": "nightly"}}).json()
            d.down()
            d.up()
            second = d.http("POST", "/v1/jobs", {"capability": "a", "unique": {"key": "nightly"}}).json()
            self.assertEqual((second["job_id"], second["existing"]), (first["job_id"], True))
            d.http("DELETE", "/v1/jobs/" + first["job_id"])
            third = d.reeve("job", "submit", "a", "--unique-key", "nightly").strip()
            self.assertNotEqual(third, first["job_id"])
            self.assertEqual(d.reeve("job", "submit", "a", "--unique", "--unique-key", "nightly").strip(), third)

    def test_what_it_is_not_is_said(self):
        with Daemon(config()) as d:
            for unique, words in (({"states": ["done"]}, 'no status \\"done\\"'), ({"kee": "x"}, "members key, period and states"),
                                  ({"states": ["completed"]}, "for a period only"), (False, "true, or an object")):
                answer = d.http("POST", "/v1/jobs", {"capability": "a", "unique": unique})
                self.assertEqual(answer.status, 400, answer)
                self.assertIn(words, answer.body.decode())


class Deadline(unittest.TestCase):
    timeout_s = 90

    def test_a_job_that_has_not_ended_by_its_deadline_is_taken_back_and_not_tried_again(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement))) as d:
                shown = run(d, "sleep", {"ms": 60000}, deadline=in_seconds(1), max_attempts=10)
                self.assertEqual((shown["status"], shown["error"]["code"], shown["attempts"]), ("failed", "deadline", 1), shown)
                self.assertLess(run(d, "about", {}, deadline=in_seconds(30))["result"]["remaining_ms"], 30001)

    def test_a_pull_client_is_told_when_it_has_come(self):
        with Daemon(config()) as d:
            job = d.http("POST", "/v1/jobs", {"capability": "pulled", "deadline": in_seconds(2)}).json()["job_id"]
            claim = d.http("POST", "/v1/claims", {"capabilities": ["pulled"], "wait": "5s", "lease": "1m"}).json()["claims"][0]
            self.assertEqual(claim["job_id"], job)
            shown = ended(d, job)
            self.assertEqual((shown["status"], shown["error"]["code"], shown["attempts"]), ("failed", "deadline", 1), shown)
            late = d.http("POST", "/v1/claims/%s/complete" % job, {"fence": claim["fence"], "result": 1})
            self.assertEqual(late.status, 409)

    def test_one_that_has_passed_is_refused(self):
        with Daemon(config()) as d:
            answer = d.http("POST", "/v1/jobs", {"capability": "a", "deadline": "2020-01-01T00:00:00Z"})
            self.assertEqual((answer.status, answer.json()["pointer"]), (400, "/deadline"))


class Retry(unittest.TestCase):
    def test_a_job_s_own_delay_and_attempts_are_over_its_capability_s(self):
        with Daemon(config(worker("module"), jobs={"retry_delay": "1h"})) as d:
            shown = run(d, "fail", {"retryable": 1, "until": 9}, retry_delay="10ms", retry_cap="20ms", max_attempts=4)
            self.assertEqual((shown["status"], shown["attempts"]), ("failed", 4))


class Evidence(unittest.TestCase):
    def test_a_dead_letter_has_the_signal_and_the_last_lines_of_each_worker_that_it_killed(self):
        with Daemon(config(worker("process"), jobs={"retry_delay": "10ms", "retry_cap": "50ms"})) as d:
            shown = run(d, "crash", {"signal": 11}, max_attempts=10)
            self.assertIn("3 times its worker was lost with it", shown["error"]["message"])
            letter = d.http("GET", "/v1/dead/" + shown["job_id"]).json()
            self.assertEqual([a["error"]["code"] for a in letter["history"]], ["crashed"] * 3)
            for attempt in letter["history"]:
                self.assertIn("SIGSEGV", attempt["error"]["message"])
                self.assertTrue(any("about to crash" in line for line in attempt["log"]), letter)
            queue = d.http("GET", "/v1/queues/test.crash").json()
            self.assertEqual((queue["crashed_total"], queue["repeated_total"]), (3, 2))
            self.assertIn("about to crash", d.reeve("dead", "show", shown["job_id"]))


class DeadLetters(unittest.TestCase):
    def test_those_that_fit_are_listed_replayed_and_purged(self):
        with Daemon(config(worker("module"), jobs={"retry_delay": "10ms"})) as d:
            for code, tag in (("A", "x"), ("A", "y"), ("B", "x")):
                run(d, "fail", {"code": code}, tags=[tag])

            def listed(*filters):
                return len(json.loads(d.reeve("dead", "list", "--json", *filters))["dead"])
            self.assertEqual((listed(), listed("--code", "A"), listed("--tag", "x"), listed("--older-than", "1h")), (3, 2, 2, 0))
            self.assertEqual(d.reeve("dead", "replay", "--all", "--code", "B"), "replayed 1\n")
            wait_until(lambda: listed() == 3, "the letter that was replayed to be back")
            self.assertEqual(d.reeve("dead", "purge", "--all", "--older-than", "1h"), "purged 0\n")
            self.assertEqual(d.reeve("dead", "purge", "--all", "--code", "A", "--tag", "x"), "purged 1\n")
            self.assertEqual(listed(), 2)
            d.reeve("dead", "purge", code=2)
            self.assertEqual(d.http("DELETE", "/v1/dead?older_than=soon").status, 400)


class Events(unittest.TestCase):
    def test_a_job_is_followed_through_its_states(self):
        with Daemon(config(worker("module"))) as d:
            job = submit(d, "echo", {}, delay="500ms")
            said = d.http("GET", "/v1/jobs/%s/events" % job).body.decode()  # ends with the job
            types = [json.loads(line[5:]).get("type") for line in said.splitlines() if line.startswith("data:")]
            self.assertEqual(types[-3:], ["job.pending", "job.processing", "job.completed"], said)


class OtherNames(unittest.TestCase):
    """Those of the system that people come from: docs/reference/names.md."""

    def test_a_job_has_them_and_is_submitted_with_them(self):
        declared = worker("module", max_concurrent_jobs=2)
        del declared["concurrency"]
        with Daemon(config(declared, jobs={"max_retries": 2, "retry_delay": "10ms", "job_timeout": "1m"})) as d:
            job = d.http("POST", "/v1/jobs", {"operation": "test.fail", "input": {"retryable": 1}, "job_timeout": "5s"}).json()
            shown = ended(d, job["job_id"])
            self.assertEqual((shown["operation"], shown["status"], shown["attempts"]), ("test.fail", "failed", 2))
            self.assertEqual(shown["timestamp"], shown["finished_at"])
            job = d.http("POST", "/v1/jobs", {"operation": "test.fail", "input": {"retryable": 1}, "max_retries": 1}).json()
            self.assertEqual(ended(d, job["job_id"])["attempts"], 1)
            self.assertEqual(d.http("GET", "/v1/workers/test").json()["instances"][0]["concurrency"], 2)

    def test_queue_stats_have_the_shape_that_they_expect(self):
        with Daemon(config(worker("module", replicas={"min": 2, "max": 2}))) as d:
            submit(d, "echo", {}, delay="1h")
            d.http("POST", "/v1/jobs", {"capability": "nobody", "namespace": "ns"})
            wait_until(lambda: d.http("GET", "/queue-stats").json() == {"connected": True, "queues": {
                "test.echo": {"message_count": 1, "consumer_count": 2}, "ns/nobody": {"message_count": 1, "consumer_count": 0}}},
                "the stats to count both instances")


class Trace(unittest.TestCase):
    timeout_s = 90

    def test_it_reaches_the_handler_and_whom_it_calls(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement), worker("process", id="other"))) as d:
                self.assertEqual(run(d, "about", {}, traceparent=TRACE)["result"]["traceparent"], TRACE)
                called = run(d, "call", {"capability": "test.about", "input": {}}, traceparent=TRACE)
                self.assertIn(TRACE, json.dumps(called["result"]), called)
                answer = d.http("POST", "/v1/jobs", {"capability": "test.about"}, headers={"traceparent": TRACE})
                self.assertEqual(ended(d, answer.json()["job_id"])["result"]["traceparent"], TRACE)
                answer = d.http("POST", "/v1/invoke/test.about", {}, headers={"traceparent": TRACE})
                self.assertEqual(answer.json()["traceparent"], TRACE)

    def test_it_follows_a_run_to_its_steps_and_what_items_become(self):
        pipeline = {"name": "p", "steps": [{"id": "emit", "capability": "test.emit"}, {"id": "each", "capability": "test.about", "each": "emit"},
                                           {"id": "last", "capability": "test.echo", "gather": "each"}]}
        with Daemon(config(worker("module"), pipelines=[pipeline])) as d:
            run_id = d.http("POST", "/v1/pipelines/p/runs", {"input": {"n": 3}}, headers={"traceparent": TRACE}).json()["run_id"]
            wait_until(lambda: d.http("GET", "/v1/runs/" + run_id).json()["status"] == "completed", "the run to complete")
            jobs = d.http("GET", "/v1/jobs").json()["jobs"]
            self.assertEqual([(j["capability"], j["traceparent"]) for j in sorted(jobs, key=lambda j: j["capability"])],
                             [("test.about", TRACE)] * 3 + [("test.echo", TRACE), ("test.emit", TRACE)])

    def test_a_broken_header_is_ignored_and_a_broken_member_is_refused(self):
        with Daemon(config()) as d:
            answer = d.http("POST", "/v1/jobs", {"capability": "a"}, headers={"traceparent": "00-xyz"})
            self.assertNotIn("traceparent", show(d, answer.json()["job_id"]))
            answer = d.http("POST", "/v1/jobs", {"capability": "a", "traceparent": "00-xyz"})
            self.assertEqual(answer.status, 400)
            self.assertIn("trace id", answer.json()["detail"])


class Move(unittest.TestCase):
    def test_a_waiting_job_is_moved_and_a_running_one_is_not(self):
        with Daemon(config(worker("module", concurrency=1, prefetch=0))) as d:
            running = submit(d, "sleep", {"ms": 60000})
            status_is(d, running, "processing")
            job = d.http("POST", "/v1/jobs", {"capability": "nobody", "input": {"here": 1}}).json()["job_id"]
            moved = d.reeve("job", "move", job, "--priority", "9", "--capability", "test.echo")
            self.assertIn("priority 9", moved)
            refused = d.http("PATCH", "/v1/jobs/" + running, {"priority": 1})
            self.assertEqual(refused.status, 409)
            self.assertIn("is processing", refused.json()["detail"])
            d.http("DELETE", "/v1/jobs/" + running)
            self.assertEqual(ended(d, job)["result"], {"here": 1})
            self.assertEqual(d.http("PATCH", "/v1/jobs/" + job, {"priority": 1}).status, 409)
            self.assertEqual(d.http("PATCH", "/v1/jobs/" + job, {"priority": 10}).status, 400)


if __name__ == "__main__":
    unittest.main()
