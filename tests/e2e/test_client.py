"""What a C program changes by libreeve's client, against the real daemon: jobs, dead letters, queues."""
import ctypes
import unittest

from jobs import config, ended, run, show, status_is, submit, worker
from support import Daemon, binary

INVALID, NOT_FOUND, STATE = -2, -6, -8  # reeve/worker.h


class Client:
    """The calls of include/reeve/client.h that take an id or a queue."""

    def __init__(self, d):
        self.lib = ctypes.CDLL(binary("libreeve.so"))
        self.lib.reeve_client_error.restype = ctypes.c_char_p
        self.client = ctypes.c_void_p()
        assert self.lib.reeve_client_open((d.socket + ".link").encode(), ctypes.byref(self.client)) == 0, self.error()

    def error(self):
        return self.lib.reeve_client_error(self.client).decode()

    def __getattr__(self, name):
        def call(*arguments):
            given = [a.encode() if isinstance(a, str) else a for a in arguments]
            return getattr(self.lib, "reeve_client_" + name)(self.client, *given)
        return call

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.lib.reeve_client_close(self.client)


class Changes(unittest.TestCase):
    def setUp(self):
        with open(binary("libreeve.so"), "rb") as f:
            if b"__asan_" in f.read():
                self.skipTest("a sanitized library cannot be loaded into python")

    def refused(self, c, code, words, got):
        self.assertEqual(got, code, c.error())
        self.assertIn(words, c.error())

    def test_a_job_is_cancelled_while_it_waits_and_while_it_runs(self):
        with Daemon(config(worker("module"))) as d, Client(d) as c:
            waits, runs = submit(d, "echo", delay="1h"), submit(d, "sleep", {"ms": 60000})
            status_is(d, runs, "processing")
            self.assertEqual(c.cancel(waits), 0, c.error())
            self.assertEqual(show(d, waits)["status"], "cancelled")  # it is durable: nothing to wait for
            self.assertEqual(c.cancel(runs), 0, c.error())
            self.assertEqual(ended(d, runs)["status"], "cancelled")
            self.refused(c, STATE, "the job is over; only one that waits or runs", c.cancel(waits))
            self.refused(c, NOT_FOUND, "is not live", c.cancel("0000000000001"))

    def test_a_waiting_job_is_moved_and_stays_there_when_the_engine_dies(self):
        with Daemon(config(worker("module"))) as d, Client(d) as c:
            job = submit(d, "nobody")
            self.assertEqual(c.move(job, "test.else", "lab", 9), 0, c.error())
            d.kill_engine()
            moved = show(d, job)
            self.assertEqual((moved["capability"], moved["namespace"], moved["priority"]), ("test.else", "lab", 9))

    def test_a_job_is_moved_to_where_somebody_serves_it(self):
        with Daemon(config(worker("module"))) as d, Client(d) as c:
            job, done = submit(d, "nobody"), run(d, "echo")["job_id"]
            self.refused(c, INVALID, "where to?", c.move(job, None, None, -1))
            self.refused(c, INVALID, "must consist of letters", c.move(job, "not a name", None, -1))
            self.refused(c, STATE, "the job is over; only one that is pending", c.move(done, None, None, 1))
            self.assertEqual(c.move(job, "test.echo", None, -1), 0, c.error())
            self.assertEqual(ended(d, job)["status"], "completed")

    def test_a_dead_letter_is_replayed_and_purged(self):
        with Daemon(config(worker("module"))) as d, Client(d) as c:
            dead = run(d, "fail", {"retryable": 0})["job_id"]
            self.assertEqual(c.replay(dead), 0, c.error())
            self.assertEqual(ended(d, dead)["status"], "failed")  # again
            self.assertEqual(c.purge(dead), 0, c.error())
            self.assertEqual(d.http("GET", "/v1/dead/" + dead).status, 404)
            self.refused(c, NOT_FOUND, "is not there", c.purge(dead))
            self.refused(c, NOT_FOUND, "is not there", c.replay(dead))

    def test_a_queue_is_paused_before_its_first_job_and_resumed(self):
        with Daemon(config(worker("module"))) as d, Client(d) as c:
            self.assertEqual(c.pause("test.echo", None), 0, c.error())
            job = submit(d, "echo")
            self.assertTrue(d.http("GET", "/v1/queues/test.echo").json()["paused"])
            self.assertEqual(show(d, job)["status"], "pending")
            self.assertEqual(c.resume("test.echo", None), 0, c.error())
            self.assertEqual(ended(d, job)["status"], "completed")
            self.assertEqual(c.pause("test.echo", "lab"), 0, c.error())
            self.assertTrue(d.http("GET", "/v1/queues/test.echo?namespace=lab").json()["paused"])
            self.refused(c, INVALID, "capability", c.pause(None, None))


if __name__ == "__main__":
    unittest.main()
