"""A disk that is full: said clearly, still readable, and when there is space again everything goes on."""
import contextlib
import ctypes
import os
import shutil
import signal
import tempfile
import time
import unittest

from jobs import begun, config, ended, show, submit, worker
from support import LONG, Daemon, wait_until

CLONE_NEWNS, CLONE_NEWUSER, MS_REC, MS_PRIVATE = 0x20000, 0x10000000, 0x4000, 1 << 18
MIB = 1 << 20
libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def own_mounts():
    """From now on what this process mounts only it and its children see. Each test class has a process of its own."""
    uid = os.getuid()
    check(libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if uid else 0)))
    if uid:
        with open("/proc/self/uid_map", "w", encoding="ascii") as f:
            f.write("%d %d 1" % (uid, uid))
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))


@contextlib.contextmanager
def disk(megabytes):
    """A directory that holds no more than that."""
    with tempfile.TemporaryDirectory(prefix="reeve-disk-") as path:
        check(libc.mount(b"none", path.encode(), b"tmpfs", 0, b"size=%dm" % megabytes))
        try:
            yield path
        finally:
            check(libc.umount2(path.encode(), 2))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())


def fill(path):
    ballast = os.path.join(path, "ballast")
    with open(ballast, "wb", buffering=0) as f, contextlib.suppress(OSError):
        while f.write(bytes(MIB)):
            pass
        while f.write(b"x"):
            pass
    return ballast


class FullDisk(unittest.TestCase):
    timeout_s = 120

    @classmethod
    def setUpClass(cls):
        try:
            own_mounts()
            with disk(1):
                pass
        except OSError as e:
            raise unittest.SkipTest("no small disk can be mounted here: %s" % e)

    @contextlib.contextmanager
    def daemon(self, *workers, **more):
        with disk(24) as path:
            d = Daemon(config(*workers, **more))
            d.data = os.path.join(path, "data")
            with d:
                yield d, path

    def until_full(self, d):
        """Submits until it is refused; the jobs that were acknowledged, and the refusal."""
        kept = []
        for _ in range(2000):
            answer = d.http("POST", "/v1/jobs", {"capability": "test.echo", "input": {"text": "x" * 50000}})
            if answer.status != 202:
                return kept, answer
            kept.append(answer.json()["job_id"])
        raise AssertionError("the disk is never full")

    def test_a_submit_is_refused_and_nothing_acknowledged_is_lost(self):
        with self.daemon(worker("process")) as (d, path):
            before = submit(d, "sleep", {"ms": 400})
            begun(d, before)
            ballast = fill(path)
            kept, refused = self.until_full(d)
            self.assertEqual(refused.status, 507)
            self.assertIn("full", refused.json()["detail"])
            p = d.run("job", "submit", "test.echo")
            self.assertEqual(p.returncode, 75, p)
            self.assertIn("full", p.stderr)

            self.assertEqual(d.http("GET", "/readyz").status, 503)
            self.assertEqual(d.http("GET", "/livez").status, 200)
            self.assertEqual(d.http("GET", "/v1/jobs").status, 200)
            self.assertEqual(show(d, before)["capability"], "test.sleep")
            engine = d.engine()

            os.unlink(ballast)
            wait_until(lambda: d.http("GET", "/readyz").status == 200, "ready again")
            self.assertEqual({ended(d, j)["status"] for j in [before] + kept}, {"completed"})
            after = ended(d, submit(d, "echo", {"n": 1}))
            self.assertEqual(after["result"], {"n": 1})
            self.assertEqual(d.engine(), engine)

    def test_whichever_page_is_the_last_one_the_next_write_is_refused_and_nothing_is_lost(self):
        """The disk is left with a page less, or more, each time: so every write is once the first that finds it full."""
        with self.daemon(worker("process")) as (d, path):
            engine, kept = d.engine(), []
            for pages in range(0, 120, 1 if LONG else 15):
                ballast = fill(path)
                os.truncate(ballast, max(0, os.path.getsize(ballast) - pages * 4096))
                for n in range(400):
                    answer = d.http("POST", "/v1/jobs", {"capability": "test.echo", "input": "x" * (100 << n % 10)})
                    if answer.status != 202:
                        break
                    kept.append(answer.json()["job_id"])
                self.assertEqual(answer.status, 507, "%d pages: %r" % (pages, answer))
                self.assertIn("full", answer.json()["detail"])
                self.assertEqual(d.http("GET", "/readyz").status, 503)
                self.assertEqual(d.http("GET", "/v1/jobs?limit=5").status, 200)
                os.unlink(ballast)
                wait_until(lambda: d.http("GET", "/readyz").status == 200, "ready again")
                self.assertEqual({ended(d, j)["status"] for j in kept[-20:]} - {"completed"}, set())
            self.assertEqual({show(d, j)["status"] for j in kept} - {"completed"}, set())
            self.assertEqual(d.engine(), engine)

    def test_a_blob_is_refused_and_its_part_is_gone(self):
        with self.daemon(worker("process")) as (d, path):
            large = os.path.join(d.directory, "large")
            with open(large, "wb") as f:
                f.truncate(40 * MIB)
            p = d.run("blob", "put", large)
            self.assertEqual(p.returncode, 75, p)
            self.assertRegex(p.stderr, "^reeve: .*(full|No space)")
            small = d.http("POST", "/v1/blobs", bytes(MIB), {"Content-Type": "application/octet-stream"})
            self.assertEqual(small.status, 201, small)

    def test_a_run_is_refused_and_one_under_way_ends_when_there_is_space(self):
        pipeline = {"name": "p", "steps": [{"id": "emit", "capability": "test.emit"},
                                           {"id": "nap", "capability": "test.sleep", "each": "emit"},
                                           {"id": "sum", "capability": "test.echo", "gather": "nap"}]}
        with self.daemon(worker("process"), pipelines=[pipeline]) as (d, path):
            answer = d.http("POST", "/v1/pipelines/p/runs", {"input": {"n": 40}})
            self.assertEqual(answer.status, 202, answer)
            run = answer.json()["run_id"]
            wait_until(lambda: d.http("GET", "/v1/runs/" + run).json()["items"], "the first item")
            ballast = fill(path)
            self.until_full(d)
            refused = d.http("POST", "/v1/pipelines/p/runs", {"input": {"n": 1}})
            self.assertEqual(refused.status, 507, refused)
            self.assertIn("full", refused.json()["detail"])
            os.unlink(ballast)

            def over():
                shown = d.http("GET", "/v1/runs/%s?wait=5s" % run).json()
                return shown if shown["status"] != "running" else None
            shown = wait_until(over, "the end of the run", 60)
            self.assertEqual((shown["status"], shown["items"], shown["items_failed"]), ("completed", 40, 0), shown.get("error"))
            self.assertEqual(shown["result"]["items"], 40)

    def test_a_schedule_waits_for_space_and_piles_nothing_up(self):
        ticks = {"name": "tick", "every": "1s", "overlap": "allow", "job": {"capability": "test.echo"}}
        with self.daemon(worker("process"), schedules=[ticks]) as (d, path):
            def shown():
                return d.http("GET", "/v1/schedules/tick").json()
            wait_until(lambda: shown()["fired_total"], "the first occurrence")
            ballast = fill(path)
            self.until_full(d)
            wait_until(lambda: d.http("GET", "/readyz").status == 503, "a full disk")
            refused = d.http("POST", "/v1/schedules", {**ticks, "name": "other"})
            self.assertEqual(refused.status, 507, refused)
            self.assertIn("full", refused.json()["detail"])
            full = shown()["fired_total"]
            wait_until(lambda: d.http("GET", "/v1/schedules/tick").json()["next_at"] < now(), "an occurrence that nobody makes")
            self.assertLessEqual(shown()["fired_total"], full + 1)  # the one that waits for space
            os.unlink(ballast)
            wait_until(lambda: shown()["fired_total"] > full + 1, "it goes on")
            self.assertEqual(d.http("POST", "/v1/schedules", {**ticks, "name": "other"}).status, 201)

    def test_an_engine_that_dies_on_a_full_disk_comes_back_readable_and_takes_jobs_when_there_is_space(self):
        with self.daemon(worker("process")) as (d, path):
            done = ended(d, submit(d, "echo", {"n": 7}))
            wait_until(lambda: os.path.exists(os.path.join(d.data, "reserve")), "the reserve")
            ballast = fill(path)
            kept, _ = self.until_full(d)
            wait_until(lambda: os.path.getsize(os.path.join(d.data, "reeve.db-wal")) < MIB, "the store to give its log back")
            fill(path)  # that, too
            for _ in range(2):  # and again: what the reserve gave is not used up by the first start
                d.kill_engine()
                self.assertEqual(d.http("GET", "/readyz").status, 503)
                self.assertEqual(show(d, done["job_id"])["result"], {"n": 7})
                refused = d.http("POST", "/v1/jobs", {"capability": "test.echo"})
                self.assertEqual(refused.status, 507, refused)
                self.assertIn("full", refused.json()["detail"])
                refused = d.http("POST", "/v1/blobs", b"x", {"Content-Type": "application/octet-stream"})
                self.assertEqual(refused.status, 507, refused)
            os.unlink(ballast)
            wait_until(lambda: d.http("GET", "/readyz").status == 200, "ready again")
            self.assertTrue(os.path.exists(os.path.join(d.data, "reserve")))
            self.assertEqual({ended(d, j)["status"] for j in kept}, {"completed"} if kept else set())
            self.assertEqual(ended(d, submit(d, "echo", {"n": 8}))["result"], {"n": 8})

    def test_a_restore_on_a_disk_that_is_nearly_full_brings_back_everything_or_says_that_it_cannot(self):
        n = 12000
        with Daemon(config()) as d:
            d.reeve("job", "submit", "--ndjson", d.file("jobs", ('{"capability":"none","input":"%s"}\n' % ("x" * 1000)) * n))
            backup = os.path.join(d.directory, "backup")
            d.reeve("backup", backup)
            d.down()
            restored = []
            for megabytes in (12, 20, 24, 28, 60):
                with disk(megabytes) as path:
                    data = os.path.join(path, "data")
                    if d.run("restore", backup, "--data-dir", data).returncode == 0:
                        restored.append(shutil.copytree(data, os.path.join(d.directory, "of%d" % megabytes)))
            self.assertGreater(len(restored), 1)
            for d.data in restored:
                d.up()
                queue, = d.http("GET", "/v1/queues").json()["queues"]
                self.assertEqual(queue["pending"], n, d.data)
                d.down()


if __name__ == "__main__":
    unittest.main()
