"""Who starts after whom, who stops before whom, and whose loss ends the daemon."""
import os
import unittest

from jobs import config, in_state, instances, worker
from support import Daemon, wait_until


def noting(id, directory, start="", stop="", **more):
    """A managed program that notes when it starts and when it is told to stop."""
    script = ("trap '%s echo stop %s >>%s/log; exit 0' TERM; %s echo start %s >>%s/log; while :; do sleep 0.01; done" %
              (stop, id, directory, start, id, directory))
    return {"id": id, "type": "process", "kind": "managed", "execution": {"executable_path": "/bin/sh", "args": ["-c", script]}, **more}


def log(d):
    try:
        with open(os.path.join(d.directory, "log"), encoding="ascii") as f:
            return f.read().splitlines()
    except FileNotFoundError:
        return []


class Here(Daemon):
    """`make(directory)` gives its workers."""

    def __init__(self, make):
        super().__init__(config())
        self.config = self.file("reeve.yaml", config(*make(self.directory)))


class Order(unittest.TestCase):
    timeout_s = 60

    def test_they_start_when_the_others_are_ready_and_stop_before_them(self):
        def make(here):
            ready = {"command": ["/bin/sh", "-c", "[ -e %s/db-ready ]" % here], "interval": "20ms"}
            return (noting("web", here, after=["api"]), noting("api", here, after=["db"]), noting("db", here, readiness_probe=ready))
        with Here(make) as d:
            in_state(d, "running", "db")
            wait_until(lambda: instances(d, "db")[0]["probes"]["readiness"]["consecutive_failures"] > 2, "some questions", 20)
            self.assertEqual((instances(d, "api"), instances(d, "web")), ([], []))
            d.file("db-ready", "")
            in_state(d, "running", "web")
            wait_until(lambda: "start web" in log(d), "web's note", 20)
            d.down()
            self.assertEqual(log(d), ["start db", "start api", "start web", "stop web", "stop api", "stop db"])
            d.up()

    def test_one_that_hangs_eats_only_its_own_time(self):
        def make(here):
            return (noting("stubborn", here, stop="while :; do sleep 1; done;", stop_timeout="2s"),
                    noting("web", here, after=["db"], stop="while [ ! -e %s/go ]; do sleep 0.01; done;" % here, stop_timeout="30s"),
                    noting("db", here))
        with Here(make) as d:
            for id in ("stubborn", "web", "db"):
                in_state(d, "running", id)
            wait_until(lambda: len(log(d)) == 3, "three notes", 20)
            d.file("go", "")
            d.down()
            self.assertEqual(log(d)[3:], ["stop web", "stop db"])
            d.up()

    def test_one_that_is_stopped_by_hand_holds_nobody_up(self):
        def make(here):
            return (noting("web", here, after=["db"]), noting("db", here, enabled=False))
        with Here(make) as d:
            in_state(d, "running", "web")
            self.assertEqual(instances(d, "db"), [])

    def test_an_unknown_name_and_a_circle_are_refused_with_their_place(self):
        for workers, said in (((noting("a", "/", after=["nobody"]),), '/workers/0/after: after: there is no worker "nobody"'),
                              ((noting("a", "/", after=["b"]), noting("b", "/", after=["a"])), "wait for each other"),
                              ((noting("a", "/", after=["a"]),), "wait for each other")):
            with Daemon(config()) as d:
                p = d.run("config", "check", d.file("bad.yaml", config(*workers)))
                self.assertEqual(p.returncode, 2, p)
                self.assertRegex(p.stderr, r"bad.yaml:\d+:\d+")
                self.assertIn(said, p.stderr)
                self.assertEqual(d.http("POST", "/v1/workers", workers[0]).status, 400)


class Ready(unittest.TestCase):
    timeout_s = 60

    def add(self, d, say, **how):
        """A program that is starting until the file `go` is there; then it runs `say`, a line of Python."""
        script = "import os, socket, time\nwhile not os.path.exists('%s/go'): time.sleep(0.01)\n%s\ntime.sleep(1000)\n" % (d.directory, say)
        answer = d.http("POST", "/v1/workers", {"id": "test", "type": "process", "kind": "managed", **how,
                                                "execution": {"executable_path": "/usr/bin/python3", "args": ["-c", script]}})
        self.assertEqual(answer.status, 201, answer)

    def test_it_runs_when_it_says_so(self):
        notify = ("s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ['NOTIFY_SOCKET']); "
                  "s.send(b'STATUS=warm'); s.send(b'X=1\\nREADY=1')")
        for how, say in (({"notify": True}, notify), ({"descriptor": 5}, "os.write(5, b'\\n')")):
            with self.subTest(how), Daemon(config()) as d:
                self.add(d, say, ready=how)
                in_state(d, "starting")
                d.file("go", "")
                pid = in_state(d, "running")[0]["pid"]
                if "notify" in how:
                    wait_until(lambda: "status warm" in d.reeve("logs", "test"), "its status in the log", 20)
                d.kill_engine()  # it does not say it again
                self.assertEqual(in_state(d, "running")[0]["pid"], pid)

    def test_one_that_never_says_so_is_ended_in_time(self):
        with Daemon(config()) as d:
            self.add(d, "pass", ready={"notify": True}, start_timeout="300ms", restart={"policy": "never"})
            self.assertIn("process startup timeout", in_state(d, "failed")[0]["last_error"]["details"])

    def test_a_worker_of_ours_says_it_over_its_link(self):
        with Daemon(config()) as d:
            answer = d.http("POST", "/v1/workers", {**worker("process"), "ready": {"notify": True}})
            self.assertEqual(answer.status, 400, answer)
            self.assertIn("says READY over its link", answer.json()["detail"])


class Essential(unittest.TestCase):
    timeout_s = 60

    def test_the_daemon_ends_with_an_error_when_an_essential_worker_is_given_up(self):
        d = Daemon(config())
        lost = {"id": "vital", "type": "process", "kind": "managed", "essential": True, "restart": {"max": 2, "delay": "1ms"},
                "execution": {"executable_path": "/bin/sh", "args": ["-c", "exit 3"]}}
        path = d.file("reeve.yaml", config(lost, noting("other", d.directory)))
        p = d.run("--data-dir", d.data, "--config", path, program=os.path.join(os.environ["REEVE_BUILD"], "reeved"))
        self.assertEqual(p.returncode, 69, p)
        self.assertIn("essential_worker_lost", p.stderr + p.stdout)
        self.assertIn("exited with status 3", p.stderr + p.stdout)
        d._directory.cleanup()


if __name__ == "__main__":
    unittest.main()
