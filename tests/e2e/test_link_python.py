"""The worker of examples/link-worker-python, written from the protocol's page alone, run by the daemon as a process."""
import os
import unittest

from jobs import config, ended, in_state, instances
from support import TOP, Daemon, wait_until

WORKER = {"id": "counter", "type": "process",
          "execution": {"executable_path": os.path.join(TOP, "examples", "link-worker-python", "worker.py")}}


def submit(d, capability, input):
    answer = d.http("POST", "/v1/jobs", {"capability": "python." + capability, "input": input})
    assert answer.status == 202, answer
    return answer.json()["job_id"]


class LinkPython(unittest.TestCase):
    timeout_s = 120

    def test_its_capabilities_are_known_and_its_jobs_completed(self):
        with Daemon(config(WORKER)) as d:
            in_state(d, "running", "counter")
            known = [c["name"] for c in d.http("GET", "/v1/capabilities").json()["capabilities"]]
            self.assertIn("python.count", known)
            jobs = [submit(d, "echo", {"n": n}) for n in range(50)]
            self.assertEqual([ended(d, j)["result"] for j in jobs], [{"n": n} for n in range(50)])
            self.assertEqual(ended(d, submit(d, "count", {"text": "a b\nc"}))["result"], {"lines": 2, "words": 3})

    def test_its_fault_fails_the_job(self):
        with Daemon(config(WORKER)) as d:
            job = ended(d, submit(d, "count", {}))
            self.assertEqual((job["status"], job["error"]["code"]), ("failed", "KeyError"))

    def test_it_goes_on_when_the_engine_is_killed(self):
        with Daemon(config(WORKER)) as d:
            i, = in_state(d, "running", "counter")
            job = submit(d, "count", {"text": "word\n" * 2000})
            d.kill_engine()
            self.assertEqual(ended(d, job)["result"], {"lines": 2000, "words": 2000})
            wait_until(lambda: [x["pid"] for x in instances(d, "counter")] == [i["pid"]], "the same process, still there")


if __name__ == "__main__":
    unittest.main()
