"""What users of the seed documents look for by name, and what they do by mistake."""
import os
import shutil
import subprocess
import tempfile
import unittest

from jobs import config, ended, in_state, instances, submit, worker
from support import Daemon, binary, wait_until

BOTH = ("process", "module")


def module(file, id="m", entry_point=None, **more):
    declared = {"id": id, "type": "module", "module": {"module_path": file}, "restart": {"policy": "never"}, **more}
    if entry_point:
        declared["module"]["entry_point"] = entry_point
    return declared


class Diagnostics(unittest.TestCase):
    def test_a_module_says_what_it_is_and_when_it_was_loaded(self):
        with Daemon(config(module(binary("tests/workers/two.so"), entry_point="CreateDataProcessor"))) as d:
            i, = in_state(d, "running", "m")
        self.assertEqual((i["kind"], i["version"]), ("integrated_module", "1.0.0"))
        self.assertEqual((i["module"]["id"], i["module"]["version"], i["module"]["entry_point"]),
                         ("second", "1.0.0", "CreateDataProcessor"))
        self.assertRegex(i["module"]["load_time"], r"^20\d\d-.*Z$")

    def test_two_workers_in_one_file_are_told_apart_by_entry_point(self):
        two = binary("tests/workers/two.so")
        with Daemon(config(module(two, "a", "first_worker"), module(two, "b", "CreateDataProcessor"))) as d:
            for id, name in (("a", "one"), ("b", "two")):
                in_state(d, "running", id)
                self.assertEqual(d.http("POST", "/v1/invoke/two." + name).json(), name)

    def test_a_server_of_the_worker_s_own_is_shown_with_its_metadata(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement, config={"announce": True}))) as d:
                i, = in_state(d, "running")
                self.assertEqual(i["endpoint"], {"type": "url", "address": "http://127.0.0.1:8081",
                                                 "metadata": {"health": "/health"}})

    def test_one_that_does_not_run_is_not_healthy_and_a_missing_file_does_not_exist(self):
        with Daemon(config(module("nowhere.so"))) as d:
            i, = in_state(d, "failed", "m")
            self.assertEqual((i["healthy"], i["executable_exists"]), (False, False))


class Health(unittest.TestCase):
    timeout_s = 90

    def test_an_unhealthy_instance_is_shown_and_given_nothing_until_it_is_well_again(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config()) as d:
                sick = os.path.join(d.directory, "sick")
                declared = worker(placement, config={"sick": sick}, health_check={"interval": "200ms"})
                self.assertEqual(d.http("POST", "/v1/workers", declared).status, 201)
                in_state(d, "running")
                d.file("sick", "")
                wait_until(lambda: not instances(d)[0]["healthy"], "the instance to be unhealthy", 3)
                self.assertIn("there is a file", instances(d)[0]["health_reason"])
                self.assertIn("running (unhealthy)", d.reeve("worker", "list"))
                answer = d.http("POST", "/v1/invoke/test.echo?timeout=200ms", {})
                self.assertEqual((answer.status, answer.json()["code"]), (503, "unavailable"))
                job = submit(d, "echo", {})
                os.unlink(sick)
                self.assertEqual(ended(d, job)["status"], "completed")


class Configuration(unittest.TestCase):
    def test_a_configuration_that_the_worker_s_schema_refuses_fails_before_start_in_both_placements(self):
        errors = []
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement, config={"n": "three", "start": "crash"}))) as d:
                i, = in_state(d, "failed")
                errors.append({k: v for k, v in i["last_error"].items() if k != "timestamp"})
        self.assertEqual(errors[0], errors[1])
        self.assertEqual((errors[0]["category"], errors[0]["phase"], errors[0]["recoverable"]), ("config", "initialize", False))
        self.assertIn("config/n", errors[0]["details"])

    def check(self, *workers):
        """`reeve config check` of a file with these workers: its exit code and what it says."""
        with tempfile.TemporaryDirectory() as t:
            path = os.path.join(t, "reeve.yaml")
            with open(path, "w", encoding="ascii") as f:
                f.write(config(*workers))
            p = subprocess.run([binary("reeve"), "config", "check", path], text=True, timeout=60, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        return p.returncode, p.stderr

    def test_config_check_asks_the_code_in_both_placements_and_starts_nothing(self):
        for placement in BOTH:
            with self.subTest(placement):
                self.assertEqual(self.check(worker(placement, config={"n": 3, "start": "crash"})), (0, ""))
                code, said = self.check(worker(placement, config={"n": "three"}))
                self.assertEqual(code, 2)
                self.assertRegex(said, r'reeve.yaml:\d+:\d+: /workers/0/config/n: "three" is of type string')

    def test_config_check_runs_no_program_that_is_no_worker_of_ours(self):
        with tempfile.TemporaryDirectory() as t:
            ran, program = os.path.join(t, "ran"), os.path.join(t, "program")
            with open(program, "w", encoding="ascii") as f:
                f.write("#!/bin/sh\ntouch %s\n" % ran)
            os.chmod(program, 0o755)
            self.assertEqual(self.check(worker("process", path=program)), (0, ""))
            self.assertFalse(os.path.exists(ran))

    def test_config_check_warns_of_code_that_is_not_there(self):
        code, said = self.check(module("nowhere.so"))
        self.assertEqual(code, 0)
        self.assertIn('warning: worker "m": its config was not checked', said)


class Files(unittest.TestCase):
    def refusal(self, d, path):
        self.assertEqual(d.http("POST", "/v1/workers", module(path)).status, 201)
        i, = in_state(d, "failed", "m")
        self.assertEqual((i["last_error"]["phase"], i["last_error"]["recoverable"]), ("initialize", False))
        d.reeve("worker", "remove", "m")
        wait_until(lambda: d.http("GET", "/v1/workers/m").status == 404, "the worker to go")
        return i["last_error"]["details"]

    def test_a_file_that_cannot_be_a_module_is_refused_and_the_engine_lives(self):
        with Daemon(config()) as d:
            engine = d.engine()
            self.assertIn("Windows library", self.refusal(d, d.file("x.dll", b"MZ\x90\0")))
            with open(binary("tests/workers/testworker.so"), "rb") as f:
                half = f.read()[:3000]
            self.assertIn("is cut short", self.refusal(d, d.file("half.so", half)))
            self.assertIn("is not an ELF file", self.refusal(d, d.file("empty.so", b"")))
            self.assertEqual(d.engine(), engine)


class Obedience(unittest.TestCase):
    timeout_s = 120

    def test_a_handler_that_does_not_obey_is_a_timeout_and_its_worker_is_replaced(self):
        for placement in BOTH:
            with self.subTest(placement), Daemon(config(worker(placement))) as d:
                shown = ended(d, submit(d, "serial", {"ms": 60000}, timeout="300ms", max_attempts=1))
                self.assertEqual((shown["status"], shown["error"]["code"], shown["error"]["message"]),
                                 ("failed", "timeout", "the attempt took longer than its timeout (300 ms)"))
                # another job of the serial capability waits behind it; it must not wait for the 60 s
                shown = ended(d, submit(d, "serial", {"ms": 1}))
                self.assertEqual((shown["status"], shown["attempts"], shown["crashes"]), ("completed", 1, 0))

    def test_a_module_that_does_not_stop_has_failed_at_that_and_can_be_started_again(self):
        broken = module(binary("tests/workers/broken_stop_hangs.so"), stop_timeout="300ms")
        with Daemon(config(broken)) as d:
            in_state(d, "running", "m")
            d.reeve("worker", "stop", "m")
            i, = in_state(d, "failed", "m")
            self.assertEqual((i["last_error"]["phase"], i["last_error"]["details"]), ("stop", "module shutdown timeout"))
            self.assertEqual((i["history"][-1]["from"], i["history"][-1]["to"]), ("stopping", "failed"))
            d.reeve("worker", "start", "m")
            in_state(d, "running", "m")


class Rebuilt(unittest.TestCase):
    def test_a_restarted_module_runs_the_code_of_the_file_as_it_is_then(self):
        with Daemon(config()) as d:
            path = os.path.join(d.directory, "v.so")
            shutil.copyfile(binary("tests/workers/testworker.so"), path)
            d.http("POST", "/v1/workers", module(path))
            in_state(d, "running", "m")
            for file, name in (("broken_stop_hangs", "broken"), ("testworker", "testworker")):
                os.unlink(path)  # as compilers and `install` do it: one that runs must not be written into
                shutil.copyfile(binary("tests/workers/%s.so" % file), path)
                d.reeve("worker", "restart", "m", "--force")
                wait_until(lambda: any(i["state"] == "running" and i["module"]["id"] == name for i in instances(d, "m")),
                           "the module %s to run" % name)


class Output(unittest.TestCase):
    def test_what_a_worker_prints_is_shown_as_utf_8_whatever_it_is(self):
        script = "#!/bin/sh\nprintf 'gr\\374n \\342\\202\\254\\n'\nexec %s\n" % binary("tests/workers/testworker")
        with Daemon(config()) as d:
            path = d.file("wrapper", script)
            os.chmod(path, 0o755)
            d.http("POST", "/v1/workers", worker("process", path=path))
            in_state(d, "running")
            wait_until(lambda: "gr\ufffdn \u20ac" in d.http("GET", "/v1/workers/test/logs").body.decode(), "the line")


class Namespaces(unittest.TestCase):
    def test_every_listing_shows_one_namespace_when_asked_to(self):
        with Daemon(config(worker("process", "a"), worker("module", "b", namespace="other"))) as d:
            in_state(d, "running", "a")
            in_state(d, "running", "b")
            ended(d, submit(d, "fail", {}, namespace="other"))
            ended(d, submit(d, "fail", {}))
            for list, name in (("jobs", "jobs"), ("dead", "dead"), ("queues", "queues"), ("capabilities", "capabilities"),
                               ("workers", "workers"), ("instances", "instances")):
                for namespace in ("default", "other"):
                    found = d.http("GET", "/v1/%s?namespace=%s" % (list, namespace)).json()[name]
                    self.assertEqual({x["namespace"] for x in found}, {namespace}, list)
                self.assertEqual(d.http("GET", "/v1/%s?namespace=nobody" % list).json()[name], [])


class Mistakes(unittest.TestCase):
    def test_a_job_without_a_timeout_cannot_be_had(self):
        with Daemon(config(worker("module"))) as d:
            in_state(d, "running")
            for member in ("timeout", "ttl"):
                answer = d.http("POST", "/v1/jobs", {"capability": "test.echo", member: "0s"})
                self.assertEqual((answer.status, answer.json()["pointer"]), (400, "/" + member))
            self.assertEqual(d.http("POST", "/v1/invoke/test.echo?timeout=0s", {}).status, 400)
            answer = d.http("POST", "/v1/invoke/test.sleep?timeout=100ms", {"ms": 60000})
            self.assertEqual((answer.status, answer.json()["code"]), (504, "timeout"))

    def test_force_is_true_or_false(self):
        with Daemon(config(worker("module"))) as d:
            in_state(d, "running")
            self.assertEqual(d.http("POST", "/v1/workers/test/restart?force=maybe").status, 400)

    def test_a_second_daemon_on_a_socket_that_is_taken_says_so(self):
        with Daemon(config()) as d:
            p = d.run("up", "--config", d.config, "--data-dir", os.path.join(d.directory, "other"), "--detach")
            self.assertNotEqual(p.returncode, 0)
            self.assertIn("listens on", p.stderr)


if __name__ == "__main__":
    unittest.main()
