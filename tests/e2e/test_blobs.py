"""Large payloads are blobs, whoever brings them; blobs live as long as something names them, and not longer."""
import hashlib
import json
import os
import threading
import unittest

from jobs import config, ended, show, submit, worker
from support import Daemon, wait_until


def put(d, content):
    answer = d.http("POST", "/v1/blobs", content, {"Content-Type": "application/octet-stream"})
    assert answer.status == 201, answer
    return answer.json()["blob"]


def there(d, blob):
    return d.http("GET", "/v1/blobs/" + blob).status == 200


def name_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def path_of(d, blob):
    return os.path.join(d.data, "blobs", blob[7:9], blob[9:])


class Blobs(unittest.TestCase):
    timeout_s = 120

    def collect(self, d):
        """Until one was whole: the daemon's own may be under way."""
        def done():
            p = d.run("blob", "gc", "--unused", "0s", "--json")
            return json.loads(p.stdout) if p.returncode == 0 else None
        return wait_until(done, "a collection of blobs")

    def test_a_blob_goes_when_nothing_names_it_and_not_before(self):
        with Daemon(config(worker("process"))) as d:
            kept, lost = put(d, b"kept"), put(d, b"lost")
            job = submit(d, "fail", {"blob": kept})
            self.assertEqual(ended(d, job)["status"], "failed")
            self.assertEqual(self.collect(d)["deleted"], 1)
            self.assertEqual((there(d, kept), there(d, lost)), (True, False))
            self.assertEqual([b["blob"] for b in d.json("blob", "list")], [kept])
            self.assertIn(kept, d.reeve("blob", "list"))

            d.reeve("dead", "replay", job)  # it moves to another table
            self.assertEqual(ended(d, job)["status"], "failed")
            self.collect(d)
            self.assertTrue(there(d, kept))
            d.reeve("dead", "purge", job)
            self.assertIn("1 blobs deleted", wait_until(lambda: d.run("blob", "gc", "--unused", "0s").stdout, "a collection"))
            self.assertFalse(there(d, kept))
            metrics = d.http("GET", "/metrics").body.decode()
            self.assertIn("reeve_blobs_collected_total 2", metrics)
            self.assertIn("reeve_blobs 0", metrics)
            self.assertEqual(d.run("blob", "gc", "--unused", "soon").returncode, 1)

    def test_the_daemon_collects_by_itself(self):
        with Daemon(config(worker("process"), blobs={"keep_unused": "1s"})) as d:
            done = ended(d, submit(d, "blob", {"store": 1, "x": "y" * 100}))  # the result names it
            kept = json.dumps(done["result"])
            kept = kept[kept.index("sha256:"):][:71]
            lost = put(d, b"lost")
            wait_until(lambda: not there(d, lost), "the end of a blob that nobody needs")
            self.assertTrue(there(d, kept))

    def test_what_a_runs_items_name_lives_as_long_as_the_run(self):
        pipeline = {"name": "p", "steps": [{"id": "emit", "capability": "test.emit"},
                                           {"id": "store", "capability": "test.blob", "each": "emit"},
                                           {"id": "sum", "capability": "test.echo", "gather": "store"}]}
        # items are blobs; when the run is over only the blob of its gathered items names them
        with Daemon(config(worker("process"), pipelines=[pipeline])) as d:
            run = d.http("POST", "/v1/pipelines/p/runs", {"input": {"n": 2, "bytes": 2 << 20}}).json()["run_id"]
            shown = wait_until(lambda: (lambda s: s if s["status"] != "running" else None)(
                d.http("GET", "/v1/runs/%s?wait=5s" % run).json()), "the end of the run")
            self.assertEqual(shown["status"], "completed", shown)
            self.collect(d)
            items = d.http("GET", "/v1/runs/%s/items" % run)
            self.assertEqual(items.status, 200, items)
            named = {word[:71] for word in items.body.decode().replace("sha256:", " sha256:").split() if word.startswith("sha256:")}
            self.assertEqual(len(named), 2, items)
            self.assertTrue(all(there(d, blob) for blob in named))

    def test_a_large_input_becomes_a_blob_and_its_worker_reads_all_of_it(self):
        for placement in ("process", "module"):
            with self.subTest(placement), Daemon(config(worker(placement))) as d:
                text = json.dumps({"text": "x" * (3 << 20)})
                answer = d.http("POST", "/v1/jobs", ('{"capability":"test.blob","input":%s}' % text).encode(),
                                {"Content-Type": "application/json"})
                self.assertEqual(answer.status, 202, answer)
                done = ended(d, answer.json()["job_id"])
                self.assertEqual(done["status"], "completed", done)
                self.assertEqual(done["result"]["bytes"], len(text))
                self.assertTrue(there(d, name_of(text.encode())))

    def test_the_input_of_a_run_is_treated_as_that_of_a_job(self):
        pipeline = {"name": "p", "steps": [{"id": "read", "capability": "test.blob"}]}
        with Daemon(config(worker("process"), pipelines=[pipeline])) as d:
            text = json.dumps({"text": "x" * (2 << 20)})
            answer = d.http("POST", "/v1/pipelines/p/runs", ('{"input":%s}' % text).encode(), {"Content-Type": "application/json"})
            self.assertEqual(answer.status, 202, answer)
            shown = wait_until(lambda: (lambda s: s if s["status"] != "running" else None)(
                d.http("GET", "/v1/runs/%s?wait=5s" % answer.json()["run_id"]).json()), "the end of the run")
            self.assertEqual((shown["status"], shown["result"]["bytes"]), ("completed", len(text)), shown)
            answer = d.http("POST", "/v1/pipelines/p/runs", {"input": {"blob": name_of(b"never")}})
            self.assertEqual((answer.status, answer.json()["pointer"]), (422, "/input/blob"))
            self.assertEqual(d.http("POST", "/v1/pipelines/p/runs", {"input": [1]}).status, 400)
            self.assertEqual(d.http("POST", "/v1/pipelines/none/runs", {}).status, 404)

    def test_a_large_item_becomes_a_blob(self):
        for placement in ("process", "module"):
            with self.subTest(placement), Daemon(config(worker(placement))) as d:
                done = ended(d, submit(d, "emit", {"n": 2, "bytes": 2 << 20}))
                self.assertEqual(done["status"], "completed", done)
                blobs = [b["blob"] for b in d.json("blob", "list")]
                self.assertEqual(len(blobs), 2)
                self.collect(d)
                self.assertEqual([b["blob"] for b in d.json("blob", "list")], blobs)

    def test_a_blob_that_is_not_there_is_refused_with_its_place(self):
        with Daemon(config(worker("process"))) as d:
            answer = d.http("POST", "/v1/jobs", {"capability": "test.echo", "input": {"blob": name_of(b"never")}})
            self.assertEqual((answer.status, answer.json()["pointer"]), (422, "/input/blob"))

    def test_a_damaged_blob_is_not_given_out_and_verify_names_it(self):
        with Daemon(config(worker("process"))) as d:
            good, bad = put(d, b"good" * 1000), put(d, b"bad" * 1000)
            os.chmod(path_of(d, bad), 0o600)
            with open(path_of(d, bad), "r+b") as f:
                f.seek(17)
                f.write(b"X")
            answer = d.http("GET", "/v1/blobs/" + bad)
            self.assertGreaterEqual(answer.status, 500)
            self.assertIn("damaged", answer.json()["detail"])
            self.assertTrue(there(d, good))
            p = d.run("blob", "verify")
            self.assertEqual(p.returncode, 1, p)
            self.assertIn("2 blobs verified", p.stdout)
            self.assertIn("1 damaged", p.stdout)
            self.assertIn(bad, p.stderr)
            self.assertEqual(d.run("blob", "verify", good).returncode, 0)

    def test_no_acknowledged_job_loses_its_blob_to_a_collection_or_a_kill(self):
        """Uploads and jobs, collections of everything that was not used in the last second, kill -9 in between."""
        kills = int(os.environ.get("REEVE_KILLS", "5"))
        with Daemon(config(worker("process"), blobs={"keep_unused": "1s"})) as d:
            acknowledged, stop = {}, threading.Event()

            def load():
                n = 0
                while not stop.is_set():
                    n += 1
                    try:
                        blob = put(d, b"content %d" % (n % 50))  # shared by content, old and new
                        for capability in ("fail", "echo"):
                            answer = d.http("POST", "/v1/jobs", {"capability": "test." + capability, "input": {"blob": blob, "n": n}})
                            if answer.status == 202:
                                acknowledged[answer.json()["job_id"]] = blob
                    except (OSError, AssertionError):
                        pass  # killed in the middle: not acknowledged
            thread = threading.Thread(target=load)
            thread.start()
            try:
                for i in range(kills):
                    before = len(acknowledged)
                    wait_until(lambda: len(acknowledged) > before + 40, "more jobs")
                    d.run("blob", "gc", "--unused", "10ms")
                    d.kill_engine()
            finally:
                stop.set()
                thread.join()
            wait_until(lambda: d.run("blob", "gc", "--unused", "1s").returncode == 0, "a collection")
            for job in acknowledged:
                ended(d, job)
            missing = [(job, blob) for job, blob in acknowledged.items() if not os.path.exists(path_of(d, blob))]
            self.assertEqual(missing, [])
            self.assertIn("0 damaged", d.reeve("blob", "verify"))


if __name__ == "__main__":
    unittest.main()
