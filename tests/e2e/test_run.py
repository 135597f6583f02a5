"""A running job, wherever it runs: progress, cancelling, and time limits, also of handlers that do not listen."""
import os
import unittest

from jobs import begun, config, ended, in_state, instances, run, show, status_is, submit, worker
from support import Daemon, alive, wait_until

QUICK = {"jobs": {"retry_delay": "10ms", "retry_cap": "50ms"}}


def commands(**scripts):
    """An exec worker: a shell script for each capability."""
    return {"id": "test", "type": "process", "concurrency": 2, "restart": {"delay": "10ms", "cap": "100ms"}, "exec": [
        {"capability": "test." + name, "command": ["sh", "-c", script]} for name, script in scripts.items()]}


def cancel(d, job):
    answer = d.http("DELETE", "/v1/jobs/" + job)
    assert answer.status == 200, answer
    return answer.json()


class Progress(unittest.TestCase):
    def test_a_command_tells_its_progress_on_descriptor_3(self):
        with Daemon(config()) as d:
            script = "echo 30 first >&3; until [ -e {0}/go ]; do sleep 0.02; done; echo 60 second >&3; " \
                     "until [ -e {0}/on ]; do sleep 0.02; done; echo 1".format(d.directory)
            self.assertEqual(d.http("POST", "/v1/workers", commands(slow=script)).status, 201)
            job = submit(d, "slow")
            wait_until(lambda: show(d, job)["progress"] == {"percent": 30, "message": "first"}, "the first word of progress")
            d.file("go", "")
            wait_until(lambda: show(d, job)["progress"] == {"percent": 60, "message": "second"}, "the second")
            d.file("on", "")
            self.assertEqual(ended(d, job)["result"], 1)


class Cancel(unittest.TestCase):
    timeout_s = 90

    def test_a_job_that_waits_is_cancelled_at_once(self):
        with Daemon(config(worker("process", concurrency=1, prefetch=0), **QUICK)) as d:
            delayed = submit(d, "echo", delay="1h")
            self.assertEqual(cancel(d, delayed)["status"], "cancelled")
            running = submit(d, "sleep", {"ms": 60000})
            begun(d, running)
            pending = submit(d, "echo")
            self.assertEqual(cancel(d, pending)["status"], "cancelled")
            self.assertEqual(cancel(d, running)["status"], "cancelled")
            retried = submit(d, "fail", {"retryable": 1}, max_attempts=1000, retry_delay="1h", retry_cap="1h")
            status_is(d, retried, "scheduled")
            self.assertEqual(cancel(d, retried)["status"], "cancelled")
            self.assertEqual(d.http("DELETE", "/v1/jobs/" + retried).status, 409)
            self.assertEqual(run(d, "echo", {"free": 1})["result"], {"free": 1})

    def test_a_command_that_ignores_signals_is_ended_with_all_that_it_started(self):
        with Daemon(config()) as d:
            script = "trap '' TERM INT; setsid sh -c 'echo $$ >{0}/hidden; exec sleep 1000' & echo $$ >{0}/pid; sleep 1000; sleep 1000"
            d.http("POST", "/v1/workers", commands(slow=script.format(d.directory), echo="cat"))
            job = submit(d, "slow")
            pids = [int(wait_until(lambda f=f: self.content(d, f), f)) for f in ("hidden", "pid")]
            self.assertEqual(cancel(d, job)["status"], "cancelled")
            for pid in pids:
                wait_until(lambda pid=pid: not alive(pid), "the end of process %d" % pid)
            self.assertEqual([i["restarts"] for i in instances(d)], [0])  # the worker itself is well
            self.assertEqual(run(d, "echo", {"free": 1})["result"], {"free": 1})

    def content(self, d, name):
        path = os.path.join(d.directory, name)
        return os.path.exists(path) and open(path, encoding="ascii").read().strip()


class Timeout(unittest.TestCase):
    timeout_s = 90

    def test_a_command_that_takes_too_long_is_ended_and_tried_again(self):
        with Daemon(config(commands(slow="[ $REEVE_ATTEMPT = 2 ] && echo 2 || sleep 1000"), **QUICK)) as d:
            job = run(d, "slow", timeout="500ms")
            self.assertEqual((job["result"], job["attempts"], job["crashes"]), (2, 2, 0))

    def test_a_process_that_does_not_listen_is_ended_and_its_neighbour_is_not_blamed(self):
        with Daemon(config(worker("process", concurrency=2), **QUICK)) as d:
            i, = in_state(d, "running")
            job = submit(d, "deaf", {"ms": 600000}, timeout="200ms", max_attempts=1)
            neighbour = submit(d, "sleep", {"ms": 8000})
            begun(d, neighbour)
            self.assertEqual(ended(d, job)["error"]["code"], "timeout")  # at once: nobody waits for the handler
            wait_until(lambda: not alive(i["process_id"]), "the process to be ended", 30)
            wait_until(lambda: [x for x in instances(d) if x["state"] == "running" and x["process_id"] != i["process_id"]], "another one")
            shown = ended(d, neighbour, 30)
            self.assertEqual((shown["status"], shown["attempts"], shown["crashes"]), ("completed", 1, 0))

    def test_a_thread_that_does_not_listen_makes_its_module_unhealthy_until_it_is_replaced(self):
        with Daemon(config(worker("module", concurrency=2), **QUICK)) as d:
            i, = in_state(d, "running")
            job = submit(d, "deaf", {"ms": 20000})
            begun(d, job)
            neighbour = submit(d, "sleep", {"ms": 8000})
            begun(d, neighbour)
            self.assertEqual(cancel(d, job)["status"], "cancelled")
            stuck, = wait_until(lambda: [x for x in instances(d) if not x["healthy"]], "an unhealthy instance", 30)
            self.assertIn("a handler of test.deaf did not end within 5000 ms after it was cancelled", stuck["health_reason"])
            waiting = submit(d, "echo", {"later": 1})
            self.assertEqual(ended(d, neighbour, 30)["attempts"], 1)  # it may end in peace
            self.assertEqual(ended(d, waiting, 30)["result"], {"later": 1})  # by the one that takes its place
            well, = wait_until(lambda: [x for x in instances(d) if x["healthy"] and x["state"] == "running"], "a healthy instance", 30)
            self.assertGreater(well["restarts"], i["restarts"])


if __name__ == "__main__":
    unittest.main()
