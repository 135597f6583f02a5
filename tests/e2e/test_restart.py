"""Whether a process that ended is started again: by policy, exit status and signal; and until when."""
import json
import os
import unittest

from jobs import config, in_state, instances
from support import Daemon, wait_until

CONTEXT = {"default": {"max_retries": 3, "retry_delay": "1ms", "backoff_rate": 1}}


def shell(script, policy, id="test", **more):
    """A managed program: each start adds a line to the file `starts` of its directory, then the script runs."""
    return {"id": id, "type": "process", "kind": "managed", "restart": {"policy": policy, "delay": "1ms", "cap": "1ms"},
            "execution": {"executable_path": "/bin/sh", "args": ["-c", "echo >>starts; " + script], "working_directory": "."}, **more}


def starts(d):
    try:
        with open(os.path.join(d.directory, "starts"), encoding="ascii") as f:
            return len(f.readlines())
    except FileNotFoundError:
        return 0


def breaker(d):
    i, = instances(d)
    return i["restart_circuit_breaker"]


class Here(Daemon):
    """Its workers' working directory is its own."""

    def __init__(self, *workers):
        super().__init__(config())
        for w in workers:
            w["execution"]["working_directory"] = self.directory
        self.file("reeve.yaml", config(*workers))
        self.config = os.path.join(self.directory, "reeve.yaml")


class Policy(unittest.TestCase):
    timeout_s = 60

    def test_on_failure_is_not_after_status_0(self):
        with Here(shell("exit 0", "on-failure")) as d:
            in_state(d, "stopped")
            self.assertEqual((starts(d), breaker(d)["restart_attempts"]), (1, 0))

    def test_on_failure_is_after_another_status_and_after_a_signal(self):
        for end in ("exit 1", "kill -KILL $$"):
            with self.subTest(end), Here(shell("[ $(wc -l <starts) -gt 1 ] && exec sleep 1000; " + end, "on-failure")) as d:
                wait_until(lambda: starts(d) == 2, "a second start", 20)
                in_state(d, "running")

    def test_never_is_never(self):
        with Here(shell("exit 1", "never")) as d:
            in_state(d, "failed")
            self.assertEqual(starts(d), 1)

    def test_always_is_after_status_0_too_and_counts_no_attempt(self):
        with Here(shell("[ $(wc -l <starts) -gt 15 ] && exec sleep 1000; exit 0", "always")) as d:
            wait_until(lambda: starts(d) == 16, "15 starts after the first", 30)
            in_state(d, "running")
            self.assertEqual((breaker(d)["is_open"], breaker(d)["restart_attempts"]), (False, 0))


class Breaker(unittest.TestCase):
    timeout_s = 60

    def test_it_opens_after_exactly_max_retries_and_a_start_by_hand_closes_it(self):
        with Here(shell("exit 1", "on-failure", context_aware_restart=CONTEXT)) as d:
            wait_until(lambda: instances(d) and breaker(d)["is_open"], "the breaker to open", 20)
            in_state(d, "failed")
            self.assertEqual(starts(d), 4)
            self.assertEqual((breaker(d)["restart_attempts"], breaker(d)["last_trigger_type"]), (3, "exit"))
            self.assertIn("exited with status 1", instances(d)[0]["last_error"]["details"])
            d.reeve("worker", "start", "test")
            wait_until(lambda: starts(d) == 8 and breaker(d)["is_open"], "as many starts again", 20)

    def test_the_profile_of_a_worker_multiplies_its_retries(self):
        with Here(shell("exit 1", "on-failure", profile_type="batch", context_aware_restart=CONTEXT)) as d:
            wait_until(lambda: instances(d) and breaker(d)["is_open"], "the breaker to open", 20)
            self.assertEqual(starts(d), 10)

    def test_a_program_that_was_missing_can_be_started_when_it_is_there(self):
        with Here({**shell("", "on-failure"), "execution": {"executable_path": "program"}}) as d:
            i, = in_state(d, "failed")
            self.assertFalse(i["executable_exists"])
            self.assertIn("does not exist", i["last_error"]["details"])
            os.chmod(d.file("program", "#!/bin/sh\nexec sleep 1000\n"), 0o755)
            d.reeve("worker", "start", "test")
            self.assertTrue(in_state(d, "running")[0]["executable_exists"])


class ByHand(unittest.TestCase):
    timeout_s = 60

    def test_one_stopped_by_hand_stays_so_over_a_restart_of_the_daemon_where_that_is_the_policy(self):
        with Here(shell("exec sleep 1000", "unless-stopped", "kept"), shell("exec sleep 1000", "always", "forgotten")) as d:
            for id in ("kept", "forgotten"):
                in_state(d, "running", id)
                d.reeve("worker", "stop", id)
                in_state(d, "stopped", id)
            d.down()
            d.up()
            in_state(d, "running", "forgotten")
            self.assertEqual([i["state"] for i in instances(d, "kept") if i["state"] != "stopped"], [])
            d.reeve("worker", "start", "kept")
            in_state(d, "running", "kept")
            d.down()
            d.up()
            in_state(d, "running", "kept")

    def test_one_that_is_removed_and_added_again_is_another_and_starts(self):
        added = json.dumps({**shell("", "unless-stopped", "again"), "execution": {"executable_path": "/bin/sleep", "args": ["1000"]}})
        with Here() as d:
            d.reeve("worker", "add", added)
            in_state(d, "running", "again")
            d.reeve("worker", "stop", "again")
            in_state(d, "stopped", "again")
            d.reeve("worker", "remove", "again")
            d.reeve("worker", "add", added)
            in_state(d, "running", "again")


if __name__ == "__main__":
    unittest.main()
