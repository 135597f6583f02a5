"""Callbacks of jobs to real HTTP servers: told once it is on disk, until it has arrived, whatever is killed in between."""
import hashlib
import hmac
import json
import unittest

from jobs import config, ended, run, submit, worker
from receiver import Receiver, silent
from support import Daemon, wait_until

QUICK = {"allow": ["localhost", "127.0.0.0/8"], "retry_delay": "20ms", "retry_cap": "100ms", "timeout": "2s"}


def daemon(callbacks=(), **more):
    return Daemon(config(worker("module"), callbacks={**QUICK, **dict(callbacks)}, **more))


def bodies(requests):
    return [json.loads(r["body"]) for r in requests]


class Told(unittest.TestCase):
    def test_every_end_is_told_with_result_error_and_names(self):
        with Receiver() as r, daemon() as d:
            done = run(d, "echo", {"a": 1}, callback={"url": r.url}, tags=["red"])
            first = bodies(r.wait(1))[0]
            self.assertEqual((first["job_id"], first["status"], first["result"], first["error"]), (done["job_id"], "completed", {"a": 1}, None))
            self.assertEqual((first["namespace"], first["capability"], first["operation"], first["tags"], first["attempts"]),
                             ("default", "test.echo", "test.echo", ["red"], 1))
            for name in ("submitted_at", "started_at", "finished_at"):
                self.assertEqual(first[name], done[name], name)
            bad = run(d, "fail", {"retryable": 0, "code": "BAD_DAY"}, callback={"url": r.url})
            second = bodies(r.wait(2))[1]
            self.assertEqual((second["type"], second["job_id"], second["error"]["code"]), ("job.failed", bad["job_id"], "BAD_DAY"))
            late = submit(d, "echo", {}, delay="1h", callback={"url": r.url})
            d.reeve("job", "cancel", late)
            self.assertEqual(bodies(r.wait(3))[2]["status"], "cancelled")
            wait_until(lambda: d.json("callback", "list")["callbacks"] == [], "no callback left")

    def test_it_is_signed_with_the_secret_of_a_file_and_carries_headers_of_the_submitter(self):
        with Receiver() as r, daemon() as d:
            d.down()
            secret = d.file("secret", "very secret\n")
            with open(d.config, encoding="utf-8") as f:
                settings = json.load(f)
            settings["callbacks"]["secret_file"] = secret
            d.file("reeve.yaml", json.dumps(settings))
            d.up()
            run(d, "echo", {}, callback={"url": r.url + "?q=1", "headers": {"Authorization": "Bearer mine"}})
            got = r.wait(1)[0]
            mac = hmac.new(b"very secret", got["body"].encode(), hashlib.sha256).hexdigest()
            self.assertEqual(got["headers"]["Reeve-Signature"], "sha256=" + mac)
            self.assertEqual((got["path"], got["headers"]["Authorization"], got["headers"]["Content-Type"], got["headers"]["Reeve-Event"]),
                             ("/hook?q=1", "Bearer mine", "application/json", "job.completed"))
            self.assertEqual(got["headers"]["Reeve-Delivery"], json.loads(got["body"])["delivery_id"])
            self.assertNotIn("very secret", d.logs())

    def test_a_result_in_a_blob_is_named_by_its_checksum(self):
        with Receiver() as r, daemon() as d:
            blob = d.http("POST", "/v1/blobs", b"an artifact").json()["blob"]
            run(d, "echo", {"blob": blob, "name": "report"}, callback={"url": r.url})
            said = bodies(r.wait(1))[0]
            self.assertEqual(said["artifact"], {"blob": blob, "sha256": hashlib.sha256(b"an artifact").hexdigest()})

    def test_https_is_checked_against_the_configured_authority(self):
        with Receiver(tls=True) as r, daemon({"ca_file": r.certificate}) as d, daemon({"max_attempts": 1}) as other:
            run(d, "echo", {"tls": 1}, callback={"url": r.url})
            self.assertEqual(bodies(r.wait(1))[0]["result"], {"tls": 1})
            run(other, "echo", {}, callback={"url": r.url})
            failed = wait_until(lambda: other.json("callback", "list", "--status", "failed")["callbacks"], "a failed callback")
            self.assertIn("certificate", failed[0]["error"])
            self.assertEqual(len(r.got()), 1)


class Again(unittest.TestCase):
    timeout_s = 90

    def test_a_receiver_that_is_killed_gets_it_when_it_is_back(self):
        with Receiver() as r, daemon() as d:
            r.kill()
            job = run(d, "echo", {}, callback={"url": r.url})["job_id"]
            waiting = wait_until(lambda: [c for c in d.json("callback", "list")["callbacks"] if c["attempts"] > 2], "some attempts")[0]
            self.assertEqual((waiting["status"], waiting["job_id"], waiting["last_status"]), ("pending", job, None))
            self.assertIn("connect", waiting["error"])
            r.start()
            got = r.wait(1)
            self.assertGreater(int(got[0]["headers"]["Reeve-Attempt"]), 3)
            wait_until(lambda: d.json("callback", "list")["callbacks"] == [], "its arrival to be noted")
            self.assertEqual(len(r.got()), 1)

    def test_a_status_of_trouble_is_tried_again_and_retry_after_is_kept(self):
        with Receiver() as r, daemon() as d:
            r.answer(503, Retry_After=1)
            run(d, "echo", {}, callback={"url": r.url})
            r.wait(1)
            shown = wait_until(lambda: [c for c in d.json("callback", "list")["callbacks"] if c["attempts"] == 1], "the answer")[0]
            self.assertEqual((shown["last_status"], shown["error"]), (503, "the receiver answered 503"))
            self.assertGreater(shown["next_at"], shown["last_at"])
            r.answer(204)
            got = r.wait(2)
            self.assertEqual(len({g["headers"]["Reeve-Delivery"] for g in got}), 1)
            self.assertEqual([g["headers"]["Reeve-Attempt"] for g in got], ["1", "2"])

    def test_gone_gives_up_and_a_person_can_try_again_or_purge(self):
        with Receiver() as r, daemon() as d:
            r.answer(410)
            run(d, "echo", {}, callback={"url": r.url})
            failed = wait_until(lambda: d.json("callback", "list", "--status", "failed")["callbacks"], "a failed callback")[0]
            self.assertEqual((failed["last_status"], failed["next_at"]), (410, None))
            self.assertIn(failed["callback_id"], d.reeve("callback", "list"))
            self.assertIn(r.url, d.reeve("callback", "show", failed["callback_id"]))
            r.answer(200)
            d.reeve("callback", "retry", failed["callback_id"])
            r.wait(2)
            wait_until(lambda: d.json("callback", "list")["callbacks"] == [], "its arrival to be noted")
            d.reeve("callback", "show", failed["callback_id"], code=4)
            r.answer(410)
            run(d, "echo", {}, callback={"url": r.url})
            wait_until(lambda: d.json("callback", "list", "--status", "failed")["callbacks"], "a failed callback")
            self.assertEqual(d.json("callback", "purge", "--all"), {"purged": 1})
            self.assertEqual(d.json("callback", "list")["callbacks"], [])
            d.reeve("callback", "purge", code=2)

    def test_a_dead_engine_tells_what_it_had_not_told(self):
        with Receiver() as r, daemon() as d:
            r.kill()
            jobs = [submit(d, "echo", {"n": n}, callback={"url": r.url}) for n in range(20)]
            for job in jobs:
                ended(d, job)
            for _ in range(3):
                d.kill_engine()
            r.start()
            got = r.wait(20)
            self.assertEqual({b["job_id"] for b in bodies(got)}, set(jobs))
            wait_until(lambda: d.json("callback", "list")["callbacks"] == [], "no callback left")

    def test_kills_between_end_and_delivery_lose_none_and_repeat_only_under_the_same_delivery(self):
        with Receiver() as r, daemon() as d:
            jobs = []
            for n in range(8):
                jobs += [submit(d, "echo", {"n": n}, callback={"url": r.url}) for _ in range(15)]
                d.kill_engine()  # somewhere between ends, posts and their commits
            for job in jobs:
                ended(d, job)
            r.wait(len(jobs))
            wait_until(lambda: d.json("callback", "list")["callbacks"] == [], "no callback left")
            deliveries = {}
            for b in bodies(r.got()):
                deliveries.setdefault(b["job_id"], set()).add(b["delivery_id"])
            self.assertEqual(set(deliveries), set(jobs))
            self.assertEqual([job for job, ids in deliveries.items() if len(ids) != 1], [])


class Apart(unittest.TestCase):
    timeout_s = 90

    def test_receivers_that_hang_or_are_dead_hold_up_neither_others_nor_the_queue(self):
        with Receiver() as r, silent() as hanging, daemon({"timeout": "30s"}) as d:
            for _ in range(30):
                submit(d, "echo", {}, callback={"url": "http://127.0.0.1:%d/" % hanging.getsockname()[1]})
                submit(d, "echo", {}, callback={"url": "http://127.0.0.1:1/"})
            jobs = [submit(d, "echo", {}, callback={"url": r.url}) for _ in range(50)]
            self.assertEqual({b["job_id"] for b in bodies(r.wait(50, patience_s=15))}, set(jobs))  # long before the 30 s of the first

    def test_what_may_not_be_reached_is_refused_by_its_text_or_by_its_address(self):
        with Receiver() as r, daemon({"allow": ["public"]}) as d:
            refused = d.http("POST", "/v1/jobs", {"capability": "test.echo", "callback": {"url": "http://127.0.0.1:%d/" % r.port}})
            self.assertEqual((refused.status, refused.json()["pointer"]), (403, "/callback"))
            self.assertIn("callbacks.allow", refused.json()["detail"])
            run(d, "echo", {}, callback={"url": r.url})  # a name: only its address tells
            failed = wait_until(lambda: d.json("callback", "list", "--status", "failed")["callbacks"], "a failed callback")[0]
            self.assertIn("may not be reached", failed["error"])
            self.assertEqual((failed["attempts"], r.got()), (1, []))

    def test_a_bad_entry_of_the_allow_list_is_refused_with_its_place(self):
        with Daemon(config()) as d:
            path = d.file("bad.yaml", "callbacks:\n  allow:\n    - localhost\n    - http://h\n")
            p = d.run("config", "check", path)
            self.assertNotEqual(p.returncode, 0)
            self.assertIn("bad.yaml:4:7", p.stdout + p.stderr)

    def test_metrics_and_events_say_how_it_goes(self):
        with Receiver() as r, daemon({"max_attempts": 1}) as d:
            run(d, "echo", {}, callback={"url": r.url})
            r.wait(1)
            run(d, "echo", {}, callback={"url": "http://127.0.0.1:1/"})
            wait_until(lambda: d.json("callback", "list", "--status", "failed")["callbacks"], "a failed callback")
            text = d.http("GET", "/metrics").body.decode()
            for line in ("reeve_callbacks_delivered_total 1", "reeve_callbacks_failed_total 1", 'reeve_callbacks{state="failed"} 1',
                         'reeve_callbacks{state="pending"} 0'):
                self.assertIn(line + "\n", text)


if __name__ == "__main__":
    unittest.main()
