"""The configuration file: what is refused, where it says so, and what a reload changes."""
import json
import os
import signal
import subprocess
import tempfile
import unittest

from jobs import config, in_state, instances, run, worker
from support import Daemon, binary, wait_until

SEED = """workers:
  # Out-of-process deployment (existing)
  - id: "data-processor-1"
    type: "process"
    package: "data-processor:1.2.3"
    execution:
      executable_path: "%(program)s"
      args: ["--config", "config.yaml"]

  # In-process deployment (NEW)
  - id: "data-processor-2"
    type: "module"
    package: "data-processor:1.2.3"  # Same package!
    module:
      module_path: "%(module)s"
      entry_point: "CreateDataProcessor"
      config:
        port: 8081
        timeout: "30s"
"""

PACKAGE = """# package.yaml - supports both deployment types
name: "data-processor"
version: "1.2.3"
description: "High-performance data processing service"

# Deployment options
supported_types: ["process", "module"]

# Process deployment
process:
  executable_path: "bin/data-processor"
  args: ["--config", "config.yaml"]

# Module deployment
module:
  module_path: "lib/data-processor.so"
  entry_point: "CreateDataProcessor"

dependencies:
  - name: "libprocessor"
    version: ">=2.1.0"

health_check:
  endpoint: "/health"
  interval: "30s"
"""


class Refused(unittest.TestCase):
    def refusal(self, text):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "reeve.yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            p = subprocess.run([binary("reeved"), "--config", path, "--data-dir", os.path.join(directory, "data"),
                                "--socket", os.path.join(directory, "s")],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
            self.assertNotEqual(p.returncode, 0)
            return p.stdout

    def test_an_unknown_key_is_refused_with_its_place(self):
        said = self.refusal("workers:\n  - id: a\n    type: process\n    package: p\n    colour: blue\n")
        self.assertRegex(said, r"reeve\.yaml:5:\d+")
        self.assertIn("colour", said)

    def test_a_bad_value_is_refused_with_its_place_and_what_would_be_right(self):
        said = self.refusal("workers:\n  - id: a\n    type: hybrid\n    package: p\n")
        self.assertRegex(said, r"reeve\.yaml:3:\d+")
        for word in ("hybrid", "process", "module"):
            self.assertIn(word, said)

    def test_a_bad_duration_is_refused_with_its_place(self):
        said = self.refusal("workers:\n  - id: a\n    type: process\n    package: p\n    start_timeout: soon\n")
        self.assertRegex(said, r"reeve\.yaml:5:\d+")
        self.assertIn("soon", said)

    def test_limits_on_a_module_are_refused_with_the_reason(self):
        said = self.refusal("workers:\n  - id: a\n    type: module\n    package: p\n    limits:\n      memory: 1GiB\n")
        self.assertRegex(said, r"reeve\.yaml:\d+:\d+")
        self.assertIn("runs inside the engine", said)

    def test_two_workers_of_one_id_are_refused(self):
        one = "  - id: a\n    type: process\n    package: p\n"
        self.assertIn("\"a\"", self.refusal("workers:\n" + one + one))


class Loaded(unittest.TestCase):
    def test_the_first_document_s_own_example_loads_as_it_stands(self):
        text = SEED % {"program": binary("tests/workers/testworker"), "module": binary("tests/workers/two.so")}
        with Daemon(text) as d:
            i, = in_state(d, "running", "data-processor-2")
            self.assertEqual(d.http("POST", "/v1/invoke/two.two", {}).json(), "two")

    def test_a_package_names_the_code_of_both_types(self):
        with Daemon(config(packages=["packages"])) as d:
            folder = os.path.join(d.directory, "packages")
            package = PACKAGE.replace("[\"--config\", \"config.yaml\"]", "[]")
            d.file("packages/data-processor/package.yaml", package)
            d.file("packages/libprocessor/package.yaml", "name: libprocessor\nversion: 2.4.0\nsupported_types: [process]\nprocess: {executable_path: x}\n")
            for name, product in (("bin/data-processor", "testworker"), ("lib/data-processor.so", "two.so")):
                path = os.path.join(folder, "data-processor", name)
                os.makedirs(os.path.dirname(path))
                os.symlink(binary("tests/workers/" + product), path)
            for placement in ("process", "module"):
                declared = {"id": placement, "type": placement, "package": "data-processor:>=1.2 <2"}
                self.assertEqual(d.http("POST", "/v1/workers", declared).status // 100, 2)
                in_state(d, "running", placement)
            missing = {"id": "missing", "type": "process", "package": "data-processor:2.0.0"}
            d.http("POST", "/v1/workers", missing)
            i, = in_state(d, "failed", "missing")
            self.assertIn("1.2.3", i["last_error"]["details"])


class Running(unittest.TestCase):
    timeout_s = 90

    def test_a_second_daemon_on_the_same_directory_is_refused(self):
        with Daemon(config()) as d:
            p = subprocess.run([binary("reeved"), "--config", d.config, "--data-dir", d.data, "--socket", d.socket + "2"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
            self.assertNotEqual(p.returncode, 0)
            self.assertIn(str(d.keeper()), p.stdout)
            self.assertEqual(d.http("GET", "/livez").status, 200)

    def test_a_reload_restarts_what_changed_and_leaves_the_rest_alone(self):
        one, two = worker("process", "one"), worker("process", "two")
        with Daemon(config(one, two)) as d:
            before = {id: in_state(d, "running", id)[0]["process_id"] for id in ("one", "two")}
            with open(d.config, "w", encoding="utf-8") as f:
                f.write(config(one, dict(two, concurrency=2), worker("module", "three")))
            os.kill(d.keeper(), signal.SIGHUP)
            in_state(d, "running", "three")
            wait_until(lambda: [i["process_id"] for i in instances(d, "two") if i["state"] == "running"] not in ([], [before["two"]]),
                       "two to run anew")
            self.assertEqual(in_state(d, "running", "one")[0]["process_id"], before["one"])

    def test_a_bad_file_changes_nothing(self):
        with Daemon(config(worker("process"))) as d:
            before, = in_state(d, "running")
            with open(d.config, "w", encoding="utf-8") as f:
                f.write("workers: [{id: x}]\n")
            os.kill(d.keeper(), signal.SIGHUP)
            self.assertEqual(run(d, "echo", {"a": 1})["result"], {"a": 1})
            after, = in_state(d, "running")
            self.assertEqual(before["process_id"], after["process_id"])
            self.assertEqual([w["id"] for w in d.http("GET", "/v1/workers").json()["workers"]], ["test"])

    def test_a_rebuilt_module_runs_its_new_code_after_a_restart(self):
        with Daemon(config()) as d:
            import shutil
            path = os.path.join(d.directory, "x.so")
            shutil.copy(binary("tests/workers/testworker.so"), path)
            d.http("POST", "/v1/workers", worker("module", path=path))
            in_state(d, "running")
            os.unlink(path)
            shutil.copy(binary("tests/workers/two.so"), path)
            d.http("POST", "/v1/workers/test/restart")
            i = wait_until(lambda: [x for x in instances(d) if x["state"] == "failed"], "the new file to be found without the symbol")
            self.assertIn("has no symbol", i[0]["last_error"]["details"])


if __name__ == "__main__":
    unittest.main()
