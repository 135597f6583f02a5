"""One worker, two placements: what it does is the same, and so is what can be seen of it."""
import unittest

from jobs import begun, config, ended, in_state, instances, run, submit, worker
from support import Daemon, wait_until

BOTH = ("process", "module")


class Results(unittest.TestCase):
    timeout_s = 120
    JOBS = [
        ("echo", {"a": [1, 2, {"b": None}], "text": "Gr\u00fc\u00dfe"}),
        ("fail", {"code": "NO_PAPER", "message": "the tray is empty"}),
        ("pending", {"ms": 5}),
        ("serial", {}),
        ("emit", {"n": 25}),
        ("big", {"bytes": 1000}),
        ("big", {"bytes": 1 << 21}),
        ("blob", {"x": 1}),
        ("binary", {}),
        ("call", {"capability": "test.echo", "input": {"through": "a call"}}),
        ("call", {"capability": "test.fail", "input": {}}),
        ("call", {"capability": "test.nobody_offers_this", "input": {}}),
        ("config", {}),
    ]

    def outcomes(self, placement):
        with Daemon(config(worker(placement, config={"colour": "blue", "n": 3}))) as d:
            jobs = [submit(d, name, input, max_attempts=1) for name, input in self.JOBS]
            found = [ended(d, j) for j in jobs]
        return [(name, j["status"], j.get("result"), (j.get("error") or {}).get("code"), (j.get("error") or {}).get("message"))
                for (name, _), j in zip(self.JOBS, found)]

    def test_a_process_and_a_module_give_equal_results(self):
        self.maxDiff = None
        process, module = (self.outcomes(p) for p in BOTH)
        self.assertEqual(process, module)
        self.assertEqual(process[0][2], self.JOBS[0][1])
        self.assertEqual(process[1][1:], ("failed", None, "NO_PAPER", "the tray is empty"))
        self.assertEqual(process[-1][2], {"colour": "blue", "n": 3})
        self.assertRegex(str({name: result for name, _, result, _, _ in process}["binary"]), r"^\{'blob': 'sha256:[0-9a-f]{64}'\}$")


class Life(unittest.TestCase):
    def test_both_go_through_the_same_states(self):
        seen = []
        for placement in BOTH:
            with Daemon(config(worker(placement))) as d:
                in_state(d, "running")
                self.assertEqual(d.http("POST", "/v1/workers/test/stop").status // 100, 2)
                in_state(d, "stopped")
                self.assertEqual(d.http("POST", "/v1/workers/test/stop").status, 409)
                self.assertEqual(d.http("POST", "/v1/workers/test/start").status // 100, 2)
                i, = in_state(d, "running")
                seen.append([(h["from"], h["to"]) for h in i["history"]])
                self.assertEqual(run(d, "echo", {"again": 1})["result"], {"again": 1})
        self.assertEqual(seen[0], seen[1])
        self.assertEqual([to for _, to in seen[0]],
                         ["initializing", "initialized", "starting", "running", "stopping", "stopped", "starting", "running"])

    def test_diagnostics_of_a_module(self):
        with Daemon(config(worker("module"))) as d:
            i, = in_state(d, "running")
        self.assertEqual((i["process_id"], i["resource_usage"], i["executable_path"], i["executable_exists"], i["type"]),
                         (0, None, "in-proc-module", True, "module"))

    def test_diagnostics_of_a_process(self):
        with Daemon(config(worker("process"))) as d:
            i, = in_state(d, "running")
        self.assertGreater(i["process_id"], 1)
        self.assertTrue(i["executable_exists"])
        self.assertIn("testworker", i["executable_path"])

    def test_scale_up_and_down(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement, replicas={"min": 1, "max": 3}))) as d:
                in_state(d, "running")
                d.reeve("worker", "scale", "test", "3")
                in_state(d, "running", n=3)
                self.assertEqual(d.http("POST", "/v1/workers/test/scale?replicas=4").status, 400)
                d.reeve("worker", "scale", "test", "1")
                wait_until(lambda: len(instances(d)) == 1, "two instances to go")

    def test_a_stop_lets_a_running_handler_end(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement))) as d:
                job = submit(d, "sleep", {"ms": 700})
                begun(d, job)
                d.http("POST", "/v1/workers/test/stop")
                shown = ended(d, job)
                self.assertEqual((shown["status"], shown["attempts"]), ("completed", 1))
                in_state(d, "stopped")

    def test_workers_added_at_run_time_survive_a_restart(self):
        with Daemon(config()) as d:
            self.assertEqual(d.http("POST", "/v1/workers", worker("module")).status // 100, 2)
            in_state(d, "running")
            self.assertEqual(d.http("POST", "/v1/workers", worker("process")).status, 409)
            d.kill_engine()
            in_state(d, "running")
            self.assertEqual(d.http("DELETE", "/v1/workers/test").status, 409)  # it runs
            self.assertEqual(d.http("POST", "/v1/workers/test/stop").status // 100, 2)
            in_state(d, "stopped")
            self.assertEqual(d.http("DELETE", "/v1/workers/test").status // 100, 2)
            wait_until(lambda: d.http("GET", "/v1/workers/test").status == 404, "the worker to go")
            d.kill_engine()
            self.assertEqual(d.http("GET", "/v1/workers/test").status, 404)


class Refused(unittest.TestCase):
    """What is wrong is said where the worker is shown; the daemon and other workers go on."""
    timeout_s = 120

    def failure(self, broken):
        with Daemon(config(broken, worker("module", "good"))) as d:
            i, = in_state(d, "failed")
            self.assertEqual(run(d, "echo")["status"], "completed")
            return i["last_error"]

    def test_a_missing_executable(self):
        error = self.failure(worker("process", path="/nowhere/at/all"))
        self.assertEqual((error["phase"], error["recoverable"]), ("initialize", False))
        self.assertIn("/nowhere/at/all does not exist", error["details"])

    def module(self, fault):
        from support import binary
        return worker("module", path=binary("tests/workers/broken_%s.so" % fault), start_timeout="500ms",
                      restart={"policy": "never"})

    def test_a_module_without_the_symbol(self):
        error = self.failure(self.module("no_symbol"))
        self.assertIn("broken_no_symbol.so has no symbol \"reeve_export\"", error["details"])

    def test_a_module_with_another_abi(self):
        self.assertIn("has ABI 42, this engine has ABI 1", self.failure(self.module("abi"))["details"])

    def test_a_file_that_is_no_module(self):
        self.assertIn("is not an ELF file", self.failure(worker("module", path="/etc/passwd"))["details"])

    def test_a_module_whose_start_fails(self):
        self.assertIn("start of broken returned", self.failure(self.module("start_fails"))["details"])

    def test_a_module_whose_start_hangs(self):
        self.assertIn("module startup timeout", self.failure(self.module("start_hangs"))["details"])

    def test_a_module_whose_stop_hangs(self):
        broken = dict(self.module("stop_hangs"), stop_timeout="300ms")
        with Daemon(config(broken)) as d:
            in_state(d, "running")
            d.http("POST", "/v1/workers/test/stop")
            wait_until(lambda: "module shutdown timeout" in str(instances(d)), "module shutdown timeout")

    def test_a_process_that_crashes_at_start_is_given_up(self):
        error = self.failure(worker("process", config={"start": "crash"}, restart={"delay": "1ms", "cap": "5ms", "max": 3}))
        self.assertIn("SIGSEGV", error["details"])


if __name__ == "__main__":
    unittest.main()
