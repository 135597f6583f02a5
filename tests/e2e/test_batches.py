"""Batches on real workers: one progress, one end, one callback, whatever is killed in between."""
import ctypes
import json
import unittest

from jobs import config, ended, worker
from receiver import Receiver
from support import Daemon, binary, wait_until
from test_callbacks import bodies, daemon


def make(d, jobs, **more):
    """Makes a batch of (capability, input) pairs; its id."""
    answer = d.http("POST", "/v1/batches", {"jobs": [{"capability": "test." + c, "input": i} for c, i in jobs], **more})
    assert answer.status == 202, answer
    return answer.json()["batch_id"]


def shown(d, batch):
    answer = d.http("GET", "/v1/batches/" + batch)
    assert answer.status == 200, answer
    return answer.json()


def over(d, batch):
    def is_over():
        try:
            b = d.http("GET", "/v1/batches/%s?wait=2s" % batch).json()
        except OSError:
            return None
        return b if b["finished_at"] else None
    return wait_until(is_over, "the end of batch %s" % batch)


class Spec(ctypes.Structure):
    """struct reeve_job_spec of include/reeve/client.h."""
    _fields_ = [("size", ctypes.c_uint32), ("capability", ctypes.c_char_p), ("namespace", ctypes.c_char_p), ("input", ctypes.c_char_p),
                ("input_size", ctypes.c_size_t), ("idempotency_key", ctypes.c_char_p), ("tags", ctypes.c_char_p),
                ("traceparent", ctypes.c_char_p), ("priority", ctypes.c_int), ("max_attempts", ctypes.c_int), ("due_at_ms", ctypes.c_int64),
                ("expires_at_ms", ctypes.c_int64), ("timeout_ms", ctypes.c_int64), ("key", ctypes.c_char_p), ("deadline_ms", ctypes.c_int64),
                ("retry_delay_ms", ctypes.c_int64), ("retry_cap_ms", ctypes.c_int64), ("unique", ctypes.c_uint), ("unique_key", ctypes.c_char_p),
                ("unique_period_ms", ctypes.c_int64), ("callback", ctypes.c_char_p), ("batch", ctypes.c_char_p)]


class Text(ctypes.Structure):
    """struct reeve_bytes."""
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t)]

    def json(self):
        return json.loads(ctypes.string_at(self.data, self.size))


class Library(unittest.TestCase):
    """The client of libreeve, against the real daemon."""

    def setUp(self):
        with open(binary("libreeve.so"), "rb") as f:
            if b"__asan_" in f.read():
                self.skipTest("a sanitized library cannot be loaded into python")
        self.lib = ctypes.CDLL(binary("libreeve.so"))
        self.lib.reeve_client_error.restype = ctypes.c_char_p

    def test_a_program_opens_fills_closes_and_waits_for_a_batch(self):
        with Receiver() as r, daemon() as d:
            client, batch, job, shown_ = ctypes.c_void_p(), ctypes.create_string_buffer(14), ctypes.create_string_buffer(14), Text()
            self.assertEqual(self.lib.reeve_client_open((d.socket + ".link").encode(), ctypes.byref(client)), 0)
            self.assertEqual(self.lib.reeve_client_batch_open(client, b'{"name":"by C","max_failures":1}', batch), 0)
            spec = Spec(size=ctypes.sizeof(Spec), capability=b"test.echo", priority=-1, batch=batch.value,
                        callback=json.dumps({"url": r.url}).encode())
            self.assertEqual(self.lib.reeve_client_submit(client, ctypes.byref(spec), 1, job), 0, self.lib.reeve_client_error(client))
            self.assertEqual(bodies(r.wait(1))[0]["batch_id"], batch.value.decode())
            refused = Spec(size=ctypes.sizeof(Spec), capability=b"test.echo", priority=-1, callback=b'{"url":"http://10.0.0.1/"}')
            self.assertNotEqual(self.lib.reeve_client_submit(client, ctypes.byref(refused), 1, job), 0)
            self.assertIn(b"may not be reached", self.lib.reeve_client_error(client))
            self.assertEqual(self.lib.reeve_client_batch_close(client, batch, ctypes.byref(shown_)), 0)
            self.assertEqual(self.lib.reeve_client_batch_wait(client, batch, ctypes.c_int64(20000), ctypes.byref(shown_)), 0)
            self.assertEqual((shown_.json()["status"], shown_.json()["name"], shown_.json()["counts"]["completed"]), ("completed", "by C", 1))
            self.assertNotEqual(self.lib.reeve_client_batch_cancel(client, batch, ctypes.byref(shown_)), 0)
            self.assertIn(b"is over", self.lib.reeve_client_error(client))
            self.lib.reeve_client_close(client)


class Batches(unittest.TestCase):
    timeout_s = 90

    def test_the_command_line_submits_follows_and_prints_results(self):
        with Daemon(config(worker("module"))) as d:
            lines = "".join(json.dumps({"capability": "test.echo", "input": {"n": n}}) + "\n" for n in range(30))
            followed = d.json("batch", "submit", d.file("jobs", lines), "--name", "thirty", "--wait")
            self.assertEqual((followed["status"], followed["name"], followed["percent"]), ("completed", "thirty", 100))
            self.assertEqual(followed["counts"]["completed"], 30)
            results = [json.loads(line) for line in d.reeve("batch", "results", followed["batch_id"]).splitlines()]
            self.assertEqual([r["result"]["n"] for r in results], list(range(30)))
            self.assertIn("thirty", d.reeve("batch", "list"))
            self.assertIn("30 completed", d.reeve("batch", "show", followed["batch_id"]))
            d.reeve("batch", "show", "0000000000001", code=4)
            d.reeve("batch", "submit", d.file("empty", "\n"), code=2)

    def test_a_file_that_is_too_long_for_one_request_becomes_one_batch(self):
        with Daemon(config(worker("module", concurrency=16))) as d:
            lines = "".join('{"capability":"test.echo","input":%d}\n' % n for n in range(12000))
            batch = d.reeve("batch", "submit", "-", "--wait", "--json", input=lines, patience_s=60)
            self.assertEqual(json.loads(batch)["counts"]["completed"], 12000)

    def test_failures_above_the_limit_fail_it_and_a_replayed_job_stands_for_itself(self):
        with Daemon(config(worker("module"))) as d:
            jobs = [("echo", {}), ("fail", {"retryable": 0, "code": "BAD_DAY"}), ("fail", {"retryable": 0})]
            some = over(d, make(d, jobs, max_failures=2))
            self.assertEqual((some["status"], some["counts"]["failed"]), ("completed", 2))
            bad = over(d, make(d, jobs, max_failures=1))
            self.assertEqual((bad["status"], len(bad["failed_jobs"])), ("failed", 2))
            d.reeve("batch", "wait", bad["batch_id"], code=1)
            dead = bad["failed_jobs"][0]
            self.assertEqual(ended(d, dead)["batch_id"], bad["batch_id"])
            d.reeve("dead", "replay", dead)
            self.assertNotIn("batch_id", ended(d, dead))
            self.assertEqual(shown(d, bad["batch_id"]), bad)  # it is over, and stays as it ended

    def test_cancelling_reaches_waiting_and_running_jobs(self):
        with Daemon(config(worker("module", concurrency=2))) as d:
            batch = make(d, [("sleep", {"ms": 60000})] * 250)
            wait_until(lambda: shown(d, batch)["counts"]["processing"], "a job to run")
            d.reeve("batch", "cancel", batch)
            self.assertEqual(over(d, batch)["counts"]["cancelled"], 250)
            d.reeve("batch", "cancel", batch, code=1)

    def test_the_end_is_told_once_and_followed_by_a_job_wherever_the_engine_is_killed(self):
        with Receiver() as r, daemon() as d:
            batches = []
            for n in range(6):
                batches.append(make(d, [("echo", {"n": i}) for i in range(20)], callback={"url": r.url},
                                    then={"capability": "test.echo", "input": {"of": n}}))
                d.kill_engine()  # somewhere between its submit and what follows from its end
            ends = [over(d, b) for b in batches]
            self.assertEqual([(e["status"], e["counts"]["completed"]) for e in ends], [("completed", 20)] * 6)
            for n, end in enumerate(ends):
                then = ended(d, end["then_job_id"])["result"]
                self.assertEqual((then["input"], then["batch"]["batch_id"], then["batch"]["counts"]["completed"]),
                                 ({"of": n}, batches[n], 20))
            jobs = d.http("GET", "/v1/jobs?limit=1000").json()["jobs"]
            self.assertEqual(len(jobs), 6 * 21)  # each was followed once
            r.wait(6)
            wait_until(lambda: d.json("callback", "list")["callbacks"] == [], "no callback left")
            self.assertEqual({b["batch_id"] for b in bodies(r.got())}, set(batches))
            self.assertEqual(len({b["delivery_id"] for b in bodies(r.got())}), 6)

    def test_an_open_batch_is_filled_over_restarts_and_ends_after_it_was_closed(self):
        with Daemon(config(worker("module"))) as d:
            batch = d.http("POST", "/v1/batches", {"open": True}).json()["batch_id"]
            for n in range(3):
                added = d.http("POST", "/v1/batches/%s/jobs" % batch, {"jobs": [
                    {"capability": "test.echo", "idempotency_key": "%d-%d" % (n, i)} for i in range(10)]})
                self.assertEqual(added.status, 202, added)
                d.kill_engine()
                again = d.http("POST", "/v1/batches/%s/jobs" % batch, {"capability": "test.echo", "idempotency_key": "%d-0" % n})
                self.assertTrue(again.json()["jobs"][0]["existing"])
            wait_until(lambda: shown(d, batch)["counts"]["completed"] == 30, "all jobs")
            self.assertEqual(shown(d, batch)["status"], "open")
            self.assertEqual(d.http("POST", "/v1/batches/%s/close" % batch).status, 200)
            self.assertEqual(over(d, batch)["status"], "completed")
            late = d.http("POST", "/v1/batches/%s/jobs" % batch, {"capability": "test.echo"})
            self.assertEqual((late.status, late.json()["code"]), (409, "wrong_state"))


if __name__ == "__main__":
    unittest.main()
