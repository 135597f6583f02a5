"""A backup under load has every job that was acknowledged before it began; the restored daemon completes them. And reeve doctor."""
import contextlib
import json
import os
import shutil
import stat
import tarfile
import threading
import unittest

from jobs import begun, config, ended, show, submit, worker
from support import Daemon, wait_until


class Restored(Daemon):
    """A daemon on the data that was restored into `data`."""

    def __init__(self, config, data):
        super().__init__(config)
        self.data = data


class Backup(unittest.TestCase):
    timeout_s = 180

    def test_what_was_acknowledged_before_is_in_it_and_is_completed_after_the_restore(self):
        setup = config(worker("process"))
        with Daemon(setup) as d:
            blob = d.http("POST", "/v1/blobs", b"payload" * 1000, {"Content-Type": "application/octet-stream"}).json()["blob"]
            done = ended(d, submit(d, "echo", {"n": 1}))
            dead = ended(d, submit(d, "fail", {"blob": blob}))
            running = submit(d, "sleep", {"ms": 500})
            begun(d, running)
            d.reeve("queue", "pause", "test.echo")
            acknowledged, stop = [submit(d, "echo", {"n": n}) for n in range(200)], threading.Event()

            def load():
                with contextlib.suppress(OSError, AssertionError):
                    while not stop.is_set():
                        acknowledged.append(submit(d, "echo", {"pad": "x" * 2000}))
            threads = [threading.Thread(target=load) for _ in range(3)]
            for t in threads:
                t.start()
            wait_until(lambda: len(acknowledged) > 300, "some load")
            before = list(acknowledged)
            d.reeve("backup", "saved.tar")
            stop.set()
            for t in threads:
                t.join()
            saved = os.path.join(d.directory, "saved.tar")
            self.assertEqual(stat.S_IMODE(os.stat(saved).st_mode), 0o600)
            self.assertFalse(os.path.exists(saved + ".part"))
            with tarfile.open(saved) as tar:  # anyone can look into it
                names = tar.getnames()
            self.assertEqual((names[0], names[-1]), ("backup.json", "end.json"))
            self.assertIn("blobs/" + blob[7:], names)

            epoch = d.json("status")["store"]["epoch"]
            data = os.path.join(d.directory, "restored")
            p = d.run("restore", saved, "--data-dir", data)
            self.assertEqual(p.returncode, 0, p)
            self.assertIn("1 blobs", p.stdout)
            self.assertEqual(d.run("doctor", "--data-dir", data).returncode, 0)
            with Restored(setup, data) as again:
                self.assertGreater(again.json("status")["store"]["epoch"], epoch + 1000)
                self.assertEqual(show(again, done["job_id"])["result"], {"n": 1})
                self.assertEqual(show(again, dead["job_id"])["status"], "failed")
                self.assertEqual(again.http("GET", "/v1/blobs/" + blob).body, b"payload" * 1000)
                self.assertIn("true", again.reeve("queue", "list", "--json"))  # the queue is paused, as it was
                again.reeve("queue", "resume", "test.echo")
                for job in before + [running]:
                    self.assertEqual(ended(again, job)["status"], "completed")

    def test_a_restore_overwrites_nothing_without_a_word_and_nothing_that_runs(self):
        with Daemon(config(worker("process"))) as d:
            ended(d, submit(d, "echo", {"n": 1}))
            d.reeve("backup", "saved.tar")
            p = d.run("restore", "saved.tar", "--data-dir", d.data, "--force")
            self.assertEqual(p.returncode, 1, p)
            self.assertIn("process", p.stderr)
            after = ended(d, submit(d, "echo", {"n": 2}))
            d.reeve("down")
            p = d.run("restore", "saved.tar", "--data-dir", d.data)
            self.assertEqual(p.returncode, 1, p)
            self.assertIn("--force", p.stderr)
            restored = json.loads(d.reeve("restore", "saved.tar", "--data-dir", d.data, "--force", "--json"))
            self.assertEqual(restored["blobs"], 0)
            d.up()
            self.assertEqual(d.http("GET", "/v1/jobs/" + after["job_id"]).status, 404)

    def test_a_file_that_is_none_or_not_whole_is_refused(self):
        with Daemon(config(worker("process"))) as d:
            submit(d, "echo", {"n": 1})
            d.reeve("backup", "saved.tar")
            saved = os.path.join(d.directory, "saved.tar")
            os.truncate(saved, os.path.getsize(saved) - 1500)
            for file, why in (("saved.tar", "saved.tar: "), ("reeve.yaml", "reeve.yaml: "), ("nothing", "nothing: ")):
                p = d.run("restore", file, "--data-dir", os.path.join(d.directory, "new"))
                self.assertEqual(p.returncode, 1, p)
                self.assertIn(why, p.stderr)
            self.assertFalse(os.path.exists(os.path.join(d.directory, "new", "reeve.db")))

    def test_a_directory_may_have_any_name(self):
        with Daemon(config()) as d:
            d.reeve("backup", os.path.join(d.directory, "file"))
            strange = os.fsdecode(os.fsencode(d.directory) + b"/\xff")
            d.reeve("restore", os.path.join(d.directory, "file"), "--data-dir", strange)
            self.assertIn("every page", d.reeve("doctor", "--data-dir", strange))

    def test_a_backup_goes_through_a_pipe(self):
        with Daemon(config(worker("process"))) as d:
            job = ended(d, submit(d, "echo", {"n": 5}))["job_id"]
            data = os.path.join(d.directory, "restored")
            p = d.run("-c", '"$0" backup - | gzip | "$0" restore - --data-dir "$1"', shutil.which("true") and
                      os.path.join(os.environ.get("REEVE_BUILD", "build"), "reeve"), data, program="/bin/sh")
            self.assertEqual(p.returncode, 0, p)
            with Restored(config(worker("process")), data) as again:
                self.assertEqual(show(again, job)["result"], {"n": 5})


class Doctor(unittest.TestCase):
    timeout_s = 120

    def test_it_looks_while_a_daemon_works_and_names_what_is_wrong_when_none_does(self):
        with Daemon(config(worker("process"))) as d:
            blob = d.http("POST", "/v1/blobs", b"x" * 100, {"Content-Type": "application/octet-stream"}).json()["blob"]
            ended(d, submit(d, "fail", {"blob": blob}))
            table = d.reeve("doctor", "--data-dir", d.data)
            self.assertRegex(table, r"lock +ok +a daemon works here")
            self.assertRegex(table, r"store +ok")
            self.assertNotIn("error", table)
            d.reeve("down")
            path = os.path.join(d.data, "blobs", blob[7:9], blob[9:])
            with open(path, "r+b") as f:
                f.write(b"Y")
            os.chmod(d.data, 0o755)
            p = d.run("doctor", "--data-dir", d.data, "--json")
            self.assertEqual(p.returncode, 1, p)
            findings = json.loads(p.stdout)
            wrong = {(f["check"], f["status"]) for f in findings if f["status"] != "ok"}
            self.assertEqual(wrong, {("blobs", "error"), ("directory", "warning")})
            self.assertIn(blob, p.stdout)
            p = d.run("doctor", "--data-dir", d.data, "--repair")
            self.assertRegex(p.stdout, r"directory +repaired")
            self.assertEqual(stat.S_IMODE(os.stat(d.data).st_mode), 0o700)
            self.assertEqual(d.run("doctor", "--data-dir", "/nonexistent").returncode, 1)


if __name__ == "__main__":
    unittest.main()
