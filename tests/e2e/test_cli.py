"""Every command of `reeve` against a real daemon: what it prints, for people and for machines, and how it ends."""
import json
import os
import pty
import re
import select
import subprocess
import tempfile
import unittest

from jobs import begun, config, in_state, submit, worker
from support import TOP, Daemon, binary, wait_until

PIPELINE = {"name": "p", "description": "two steps", "steps": [{"id": "emit", "capability": "test.emit"},
                                                               {"id": "nap", "capability": "test.sleep", "each": "emit"},
                                                               {"id": "sum", "capability": "test.echo", "gather": "nap"}]}


def reeve(*args, env=None, cwd=None):
    return subprocess.run([binary("reeve"), *args], env={**os.environ, **(env or {})}, cwd=cwd, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def on_a_terminal(d, *args, env=()):
    """What a person sees, and the exit code."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([binary("reeve"), *args], env={**d.env, **dict(env)}, cwd=d.directory, stdin=theirs, stdout=theirs,
                          stderr=theirs) as p:
        os.close(theirs)
        seen = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                more = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not more:
                break
            seen += more
        os.close(ours)
        return seen.decode(), p.wait(20)


class WithoutDaemon(unittest.TestCase):
    timeout_s = 120

    def test_usage(self):
        for args in ((), ("nonsense",), ("job",), ("job", "nonsense"), ("job", "show"), ("job", "show", "a", "b"), ("--colour",),
                     ("job", "list", "--colour"), ("job", "submit", "x", "--input", "{]"), ("job", "submit", "x", "--priority", "9x"),
                     ("job", "submit", "x", "--priority", "10"), ("pipeline", "run", "p", "--allow-failed", "some"),
                     ("pipeline", "run", "p", "--set", "a"), ("pipeline", "run", "p", "--data", "[]"), ("worker", "new", "No Name"),
                     ("help", "nonsense"), ("down", "--timeout", "soon")):
            with self.subTest(args):
                p = reeve(*args, env={"REEVE_SOCKET": "/nonexistent/s"})
                self.assertEqual(p.returncode, 2, p)
                self.assertTrue(p.stderr or args in ((), ("job",)), p)

    def test_help_of_every_command(self):
        all_help = reeve("--help")
        self.assertEqual(all_help.returncode, 0)
        commands = re.findall(r"^  reeve ((?:[a-z]+)(?: [a-z]+)?)", all_help.stdout, re.M)
        self.assertGreater(len(commands), 30)
        for command in commands:
            p = reeve(*command.split(), "--help")
            self.assertEqual((p.returncode, p.stderr), (0, ""), command)
            self.assertIn("Usage: reeve " + command, p.stdout)
            self.assertEqual(reeve("help", *command.split()).stdout, p.stdout)
        for noun in {c.split()[0] for c in commands if " " in c}:
            self.assertEqual(reeve(noun, "--help").stdout, reeve("help", noun).stdout)

    def test_the_page_says_what_the_tables_say(self):
        with open(os.path.join(TOP, "docs", "reference", "command-line.md"), encoding="utf-8") as f:
            page = f.read()
        made = reeve("help", "--markdown").stdout
        self.assertEqual(page[page.index("\n## daemon"):], made, "docs/reference/command-line.md: replace its tables by "
                         "what `reeve help --markdown` prints")

    def test_the_manual_page_is_clean(self):
        page = reeve("help", "--man").stdout
        self.assertTrue(page.startswith(".TH REEVE 1"))
        for word in ("pipeline run", "allow\\-failed", "REEVE_SOCKET", ".SH EXIT STATUS"):
            self.assertIn(word, page)

    def test_completion(self):
        script = reeve("completion", "bash").stdout

        def complete(*words):
            line = 'COMP_WORDS=(%s); COMP_CWORD=%d; _reeve; printf "%%s\\n" "${COMPREPLY[@]}"' % (
                " ".join("'%s'" % w for w in words), len(words) - 1)
            p = subprocess.run(["bash", "-c", script + "\n" + line], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
            self.assertEqual(p.stderr, "")
            return p.stdout.split()
        self.assertEqual(complete("reeve", "pip"), ["pipeline"])
        self.assertEqual(complete("reeve", "pipeline", "r"), ["run"])
        self.assertEqual(complete("reeve", "pipeline", "run", "--all"), ["--allow-failed"])
        self.assertEqual(complete("reeve", "up", "--data"), ["--data-dir"])

    def test_version(self):
        self.assertRegex(reeve("version").stdout, r"^reeve \d+\.\d+\.\d+\n$")
        self.assertEqual(reeve("--version").stdout, reeve("version").stdout)
        self.assertIn("version", json.loads(reeve("version", "--json").stdout))

    def test_nobody_there(self):
        env = {"REEVE_SOCKET": "/nonexistent/s"}
        for args, code in ((("status",), 3), (("down",), 3), (("job", "list"), 69), (("worker", "list"), 69), (("logs",), 69),
                           (("blob", "put", __file__), 69)):
            p = reeve(*args, env=env)
            self.assertEqual(p.returncode, code, p)
            self.assertTrue(p.stderr.startswith("reeve: "), p)

    def test_a_full_stdout_is_no_success(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            p = subprocess.run([binary("reeve"), "--help"], stdout=full, stderr=subprocess.PIPE, timeout=20)
        self.assertEqual(p.returncode, 1)
        self.assertIn(b"No space", p.stderr)

    def test_config(self):
        with tempfile.TemporaryDirectory() as t:
            good, bad = os.path.join(t, "good.yaml"), os.path.join(t, "bad.yaml")
            for path, text in ((good, "node: {name: a}\n"), (bad, "node: {name: a}\ncolour: red\n")):
                with open(path, "w", encoding="ascii") as f:
                    f.write(text)
            self.assertEqual(reeve("config", "check", good).returncode, 0)
            self.assertEqual(json.loads(reeve("config", "check", good, "--json").stdout), {"valid": True})
            p = reeve("config", "check", bad)
            self.assertNotEqual(p.returncode, 0)
            self.assertIn("bad.yaml:2:1", p.stderr)
            self.assertEqual(json.loads(reeve("config", "schema").stdout)["type"], "object")

    def test_a_new_worker_is_written_once(self):  # that it builds and runs: tests/conformance
        with tempfile.TemporaryDirectory() as t:
            p = reeve("worker", "new", "my-worker", cwd=t)
            self.assertEqual(p.returncode, 0, p)
            self.assertIn("worker.c", os.listdir(os.path.join(t, "my-worker")))
            again = reeve("worker", "new", "my-worker", cwd=t)
            self.assertEqual(again.returncode, 1, again)
            self.assertIn("my-worker", again.stderr)


class WithDaemon(unittest.TestCase):
    timeout_s = 120

    @classmethod
    def setUpClass(cls):
        cls.d = Daemon(config(worker("process"), worker("module", "second", namespace="other"), pipelines=[PIPELINE]))
        cls.d.__enter__()
        cls.addClassCleanup(cls.d.__exit__, None, None, None)
        in_state(cls.d, "running")
        in_state(cls.d, "running", "second")

    def table(self, *args):
        """Rows as dictionaries by heading."""
        lines = self.d.reeve(*args).splitlines()
        headings = re.split(r"\s{2,}", lines[0])
        return [dict(zip(headings, re.split(r"\s{2,}", line))) for line in lines[1:]]

    def test_status(self):
        self.assertIn("epoch", self.d.reeve("status"))
        self.assertIsInstance(self.d.json("status")["pid"], int)

    def test_jobs(self):
        d = self.d
        id = d.reeve("job", "submit", "test.echo", "--input", '{"a": 1}', "--tag", "x", "--tag", "y", "--priority", "7").strip()
        self.assertRegex(id, r"^\w{13}$")
        d.reeve("job", "wait", id)
        shown = d.json("job", "show", id)
        self.assertEqual((shown["result"], shown["tags"], shown["priority"]), ({"a": 1}, ["x", "y"], 7))
        self.assertIn("completed", d.reeve("job", "show", id))
        self.assertEqual([r["JOB"] for r in self.table("job", "list", "--tag", "x")], [id])
        self.assertEqual([j["job_id"] for j in d.json("job", "list", "--tag", "x")["jobs"]], [id])
        self.assertEqual(d.json("job", "submit", "test.echo", "--input", d.file("in", "[2]") and "@in", "--wait")["result"], [2])
        self.assertEqual(json.loads(d.reeve("job", "submit", "test.echo", "--input", "-", "--wait", "--json", input='"s"'))["result"], "s")
        one = d.reeve("job", "submit", "test.echo", "-k", "key").strip()
        self.assertEqual(d.reeve("job", "submit", "test.echo", "-k", "key").strip(), one)
        self.assertEqual(json.loads(d.reeve("job", "invoke", "test.echo", "--input", '{"b":2}')), {"b": 2})

    def test_a_job_s_own_end_is_the_exit_code(self):
        d = self.d
        p = d.run("job", "submit", "test.fail", "--input", '{"code":"NO","message":"no paper"}', "--wait", "--max-attempts", "1")
        self.assertEqual(p.returncode, 1)
        self.assertIn("no paper", p.stdout)
        id = d.reeve("job", "submit", "test.sleep", "--input", '{"ms":20000}').strip()
        begun(d, id)
        d.reeve("job", "cancel", id)
        d.reeve("job", "wait", id, code=1)
        self.assertEqual(d.json("job", "show", id)["status"], "cancelled")

    def test_items(self):
        id = submit(self.d, "emit", {"n": 3})
        self.d.reeve("job", "wait", id)
        self.assertEqual(len(self.d.reeve("job", "items", id).splitlines()), 3)

    def test_unknown_things(self):
        id = "0" * 12 + "7"
        for args in (("job", "show", id), ("job", "wait", id), ("job", "cancel", id), ("dead", "show", id), ("dead", "replay", id),
                     ("run", "show", id), ("run", "wait", id), ("run", "cancel", id), ("run", "items", id),
                     ("worker", "show", "nobody"), ("worker", "stop", "nobody"), ("pipeline", "show", "none"), ("pipeline", "run", "none"),
                     ("blob", "get", "sha256:" + "0" * 64), ("logs", "nobody")):
            with self.subTest(args):
                p = self.d.run(*args)
                self.assertEqual(p.returncode, 4, p)
                self.assertTrue(p.stderr.startswith("reeve: "), p)

    def test_dead_letters(self):
        d = self.d
        id = d.reeve("job", "submit", "test.fail", "--max-attempts", "1").strip()
        d.reeve("job", "wait", id, code=1)
        self.assertIn(id, [r["JOB"] for r in self.table("dead", "list")])
        self.assertIn(id, [j["job_id"] for j in d.json("dead", "list", "--capability", "test.fail")["dead"]])
        self.assertEqual(d.json("dead", "show", id)["job_id"], id)
        d.reeve("dead", "replay", id)
        d.reeve("job", "wait", id, code=1)
        d.reeve("dead", "purge", id)
        d.reeve("dead", "show", id, code=4)

    def test_queues(self):
        d = self.d
        d.reeve("job", "submit", "test.serial", "--wait")
        d.reeve("queue", "pause", "test.serial")
        row = [r for r in self.table("queue", "list") if r["CAPABILITY"] == "test.serial" and r["NAMESPACE"] == "default"]
        self.assertEqual([r["PAUSED"] for r in row], ["yes"])
        id = d.reeve("job", "submit", "test.serial").strip()
        self.assertEqual(d.json("job", "show", id)["status"], "pending")
        d.reeve("queue", "resume", "test.serial")
        d.reeve("job", "wait", id)

    def test_workers(self):
        d = self.d
        rows = self.table("worker", "list")
        self.assertLessEqual({"test", "second"}, {r["WORKER"] for r in rows})
        self.assertEqual({w["id"] for w in d.json("worker", "list", "--type", "module")["workers"]}, {"second"})
        self.assertEqual(d.json("worker", "show", "second")["type"], "module")
        declared = worker("process", "third", namespace="third")
        d.reeve("worker", "add", json.dumps(declared))
        in_state(d, "running", "third")
        d.reeve("worker", "add", json.dumps(declared), code=1)
        d.reeve("worker", "stop", "third")
        in_state(d, "stopped", "third")
        d.reeve("worker", "start", "third")
        in_state(d, "running", "third")
        d.reeve("worker", "restart", "third")
        in_state(d, "running", "third")
        self.assertIn("started", d.reeve("logs", "third"))
        d.reeve("worker", "stop", "third")
        in_state(d, "stopped", "third")
        d.reeve("worker", "remove", "third")
        wait_until(lambda: d.run("worker", "show", "third").returncode == 4, "the end of the worker")

    def test_pipelines_and_runs(self):
        d = self.d
        self.assertEqual([r["PIPELINE"] for r in self.table("pipeline", "list")], ["p"])
        self.assertEqual([r["STEP"] for r in self.table("pipeline", "show", "p")], ["emit", "nap", "sum"])
        out, items = os.path.join(d.directory, "out"), os.path.join(d.directory, "items")
        p = d.run("pipeline", "run", "p", "--set", "n=4", "--output", out, "--items", items)
        self.assertEqual((p.returncode, p.stdout, p.stderr), (0, "", ""))
        with open(out, encoding="utf-8") as f:
            self.assertEqual(json.load(f)["items"], 4)
        with open(items, encoding="utf-8") as f:
            found = f.read()
        self.assertEqual(len(found.splitlines()), 4)
        self.assertEqual(json.loads(d.reeve("pipeline", "run", "p", "--data", '{"n":2}'))["items"], 2)
        run = d.json("pipeline", "run", "p", "--set", "n=1", "--detach")["run_id"]
        d.reeve("run", "wait", run)
        self.assertEqual(d.json("run", "show", run)["status"], "completed")
        self.assertIn(run, [r["RUN"] for r in self.table("run", "list", "--pipeline", "p")])
        self.assertEqual(len(d.json("run", "list", "--limit", "1")["runs"]), 1)
        self.assertEqual(len(d.reeve("run", "items", run).splitlines()), 1)
        self.assertIn("over", d.run("run", "cancel", run).stderr)

    def test_a_cancelled_run(self):
        d = self.d
        d.reeve("queue", "pause", "test.emit")
        run = d.reeve("pipeline", "run", "p", "--detach").strip()
        self.assertEqual(d.json("run", "cancel", run)["status"], "cancelled")
        d.reeve("queue", "resume", "test.emit")
        d.reeve("run", "wait", run, code=1)

    def test_blobs(self):
        d = self.d
        name = d.reeve("blob", "put", d.file("b", b"\x00\xff" * 1000)).strip()
        self.assertRegex(name, "^sha256:[0-9a-f]{64}$")
        self.assertEqual(d.json("blob", "put", os.path.join(d.directory, "b"))["blob"], name)
        out = os.path.join(d.directory, "copy")
        d.reeve("blob", "get", name, "--output", out)
        with open(out, "rb") as f:
            self.assertEqual(f.read(), b"\x00\xff" * 1000)
        d.reeve("blob", "put", os.path.join(d.directory, "nothing"), code=1)
        d.reeve("blob", "put", d.directory, code=1)
        d.reeve("blob", "get", "sha256:12", code=1)

    def test_a_terminal_has_colours_and_a_bar_and_a_pipe_has_not(self):
        d = self.d
        seen, code = on_a_terminal(d, "worker", "list")
        self.assertEqual(code, 0)
        self.assertIn("\x1b[", seen)
        seen, _ = on_a_terminal(d, "worker", "list", env={"NO_COLOR": "1"})
        self.assertNotIn("\x1b[", seen)
        self.assertNotIn("\x1b", d.reeve("worker", "list"))
        seen, code = on_a_terminal(d, "pipeline", "run", "p", "--data", '{"n":30,"ms":30}', "--output", "terminal.json")
        self.assertEqual(code, 0, seen)
        self.assertIn("\r", seen)
        self.assertRegex(seen, r"(emit|nap|sum) ")
        lines = d.file("bar.ndjson", '{"capability":"test.echo"}\n' * 100)
        seen, code = on_a_terminal(d, "job", "submit", "--ndjson", lines)
        self.assertEqual(code, 0, seen)
        self.assertRegex(seen, r"\rsubmit +\[#+\] 100 %|submit .*100 %")

    def test_events(self):
        with subprocess.Popen([binary("reeve"), "events"], env=self.d.env, stdout=subprocess.PIPE, text=True) as p:
            try:
                def something():  # until it listens; a failed job is an event
                    submit(self.d, "fail", max_attempts=1)
                    return select.select([p.stdout], [], [], 0.2)[0]
                wait_until(something, "an event")
                self.assertIsInstance(json.loads(p.stdout.readline()), dict)
            finally:
                p.terminate()


if __name__ == "__main__":
    unittest.main()
