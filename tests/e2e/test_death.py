"""kill -9 of each part while jobs run: nothing acknowledged is lost, nothing that lives is started twice."""
import os
import signal
import unittest

from jobs import begun, config, ended, in_state, instances, run, submit, worker
from support import Daemon, alive, binary, wait_until

BOTH = ("process", "module")


QUICK = {"jobs": {"retry_delay": "10ms", "retry_cap": "50ms"}}


class Engine(unittest.TestCase):
    timeout_s = 120

    def test_a_process_s_job_goes_on_over_the_engine_s_death_and_finishes_once(self):
        with Daemon(config(worker("process"))) as d:
            job = submit(d, "sleep", {"ms": 3000})
            begun(d, job)
            before, = in_state(d, "running")
            d.kill_engine()
            shown = ended(d, job)
            after, = in_state(d, "running")
            self.assertEqual((shown["status"], shown["attempts"], shown["result"]), ("completed", 1, {"slept_ms": 3000}))
            self.assertEqual((before["id"], before["process_id"]), (after["id"], after["process_id"]))

    def test_a_module_s_job_is_given_out_again_without_blame(self):
        with Daemon(config(worker("module"))) as d:
            job = submit(d, "sleep", {"ms": 1500})
            begun(d, job)
            d.kill_engine()
            shown = ended(d, job)
            self.assertEqual((shown["status"], shown["result"]), ("completed", {"slept_ms": 1500}))

    def test_nothing_acknowledged_is_lost_when_the_engine_dies_again_and_again(self):
        with Daemon(config(worker("process"), worker("module", "other"))) as d:
            jobs = []
            for round in range(3):
                jobs += [submit(d, "sleep", {"ms": 30}) for n in range(40)]
                d.kill_engine()
            self.assertEqual({ended(d, j)["status"] for j in jobs}, {"completed"})

    def test_a_module_that_crashes_the_engine_costs_only_its_own_job(self):
        quick = {"jobs": {"retry_delay": "10ms", "retry_cap": "50ms"}}
        with Daemon(config(worker("module"), worker("process", "other", namespace="quiet"), **quick)) as d:
            innocent = submit(d, "sleep", {"ms": 4000}, namespace="quiet")
            begun(d, innocent)
            engine = d.engine()
            guilty = submit(d, "crash", {"signal": 11, "until": 2}, delay="200ms")  # so that the answer comes before the crash
            shown = ended(d, guilty)
            self.assertEqual((shown["status"], shown["attempts"]), ("completed", 2))
            self.assertNotEqual(d.engine(), engine)
            shown = ended(d, innocent)
            self.assertEqual((shown["status"], shown["attempts"]), ("completed", 1))

    def test_a_job_that_crashes_its_module_every_time_is_a_dead_letter(self):
        quick = {"jobs": {"retry_delay": "10ms", "retry_cap": "50ms"}}
        with Daemon(config(worker("module"), **quick)) as d:
            shown = ended(d, submit(d, "crash", {"signal": 11}, max_attempts=10, delay="200ms"), 60)
            self.assertEqual((shown["status"], shown["error"]["code"]), ("failed", "crashed"))
            self.assertIn("module panic: SIGSEGV in capability test.crash", shown["error"]["message"])
            in_state(d, "running")
            self.assertEqual(run(d, "echo", {"a": 1})["result"], {"a": 1})

    def test_a_module_that_crashes_at_start_is_given_up(self):
        bad = worker("module", "bad", config={"start": "crash"}, restart={"delay": "10ms", "cap": "20ms", "max": 2})
        with Daemon(config(bad, worker("process"))) as d:
            def given_up():
                try:
                    i, = instances(d, "bad")
                except (OSError, ValueError, AssertionError):
                    return False
                return i["state"] == "failed" and "module panic: SIGSEGV" in i["last_error"]["details"]
            wait_until(given_up, "the module to be given up", 40)
            self.assertEqual(run(d, "echo", {"a": 1})["result"], {"a": 1})


    def test_a_module_that_is_to_be_demoted_goes_on_as_a_process(self):
        declared = worker("module", on_crash="demote")
        declared["execution"] = {"executable_path": binary("tests/workers/testworker")}
        with Daemon(config(declared, **QUICK)) as d:
            shown = ended(d, submit(d, "crash", {"signal": 11, "until": 2}, delay="200ms"))
            self.assertEqual((shown["status"], shown["attempts"]), ("completed", 2))
            i, = in_state(d, "running")
            self.assertEqual(i["type"], "process")
            d.kill_engine()
            i, = in_state(d, "running")
            self.assertEqual(i["type"], "process")
            d.reeve("worker", "promote", "test")
            wait_until(lambda: [(i["type"], i["state"]) for i in instances(d)] == [("module", "running")], "the module", 20)
            self.assertEqual(run(d, "echo", {"a": 1})["result"], {"a": 1})
            d.kill_engine()
            self.assertEqual(in_state(d, "running")[0]["type"], "module")
            self.assertIn("was not demoted", d.run("worker", "promote", "test").stderr)

    def test_a_module_that_is_to_be_quarantined_stays_off_until_it_is_started(self):
        with Daemon(config(worker("module", on_crash="quarantine"), worker("module", id="other"), **QUICK)) as d:
            in_state(d, "running")
            in_state(d, "running", "other")
            d.http("POST", "/v1/workers/other/stop")
            in_state(d, "stopped", "other")
            job = submit(d, "crash", {"signal": 11, "until": 2})
            i, = in_state(d, "failed")
            self.assertIn("quarantined after module panic: SIGSEGV in capability test.crash", i["last_error"]["details"])
            self.assertEqual(ended(d, job)["status"], "completed")  # by the other, which this engine has started
            d.kill_engine()
            in_state(d, "failed")
            d.reeve("worker", "start", "test")
            in_state(d, "running")
            d.kill_engine()
            in_state(d, "running")


class Poison(unittest.TestCase):
    timeout_s = 120

    def test_a_job_that_kills_its_worker_does_not_take_those_beside_it_into_the_dead_letters(self):
        quick = {"jobs": {"retry_delay": "10ms", "retry_cap": "50ms"}}
        for placement in ("process", "module"):
            with self.subTest(placement), Daemon(config(worker(placement), **quick)) as d:
                in_state(d, "running")
                beside = [submit(d, "sleep", {"ms": 2000}) for n in range(3)]
                for job in beside:
                    begun(d, job)
                poison = submit(d, "crash", {"signal": 11}, delay="100ms")
                shown = ended(d, poison, 60)
                self.assertEqual((shown["status"], shown["crashes"]), ("failed", 3))
                for job in beside:
                    shown = ended(d, job, 60)
                    self.assertEqual(shown["status"], "completed", shown)
                    self.assertLessEqual(shown["crashes"], 1)


class Keeper(unittest.TestCase):
    timeout_s = 120

    def test_a_process_s_job_goes_on_over_the_keeper_s_death(self):
        with Daemon(config(worker("process"))) as d:
            job = submit(d, "sleep", {"ms": 3000})
            begun(d, job)
            before, = in_state(d, "running")
            engine, keeper = d.engine(), d.keeper()
            os.kill(keeper, signal.SIGKILL)
            wait_until(lambda: not alive(engine), "the engine to follow its keeper")
            self.assertTrue(alive(before["process_id"]))
            d.up()
            shown = ended(d, job)
            after, = in_state(d, "running")
            self.assertEqual((shown["status"], shown["attempts"]), ("completed", 1))
            self.assertEqual(before["process_id"], after["process_id"])

    def test_down_ends_everything(self):
        with Daemon(config(worker("process"), worker("module", "other"))) as d:
            i, = in_state(d, "running")
            keeper, engine = d.keeper(), d.engine()
            d.reeve("down")
            for pid in (keeper, engine, i["process_id"]):
                wait_until(lambda: not alive(pid), "process %d to end" % pid)


class Worker(unittest.TestCase):
    def test_a_killed_worker_is_started_again_and_its_job_runs_a_second_time(self):
        with Daemon(config(worker("process"))) as d:
            job = submit(d, "sleep", {"ms": 1000})
            begun(d, job)
            i, = in_state(d, "running")
            os.kill(i["process_id"], signal.SIGKILL)
            shown = ended(d, job)
            self.assertEqual((shown["status"], shown["attempts"]), ("completed", 2))

    def test_a_stuck_worker_does_not_keep_the_daemon_from_ending(self):
        with Daemon(config(worker("process", stop_timeout="500ms"))) as d:
            i, = in_state(d, "running")
            os.kill(i["process_id"], signal.SIGSTOP)
            d.reeve("down")
            self.assertFalse(alive(i["process_id"]))


if __name__ == "__main__":
    unittest.main()
