"""Whether workers are well: asked over HTTP, gRPC, TCP, by a command, of the process table, or said by themselves."""
import os
import socket
import unittest

from jobs import config, ended, in_state, instances, submit, worker
from support import Daemon, wait_until

PYTHON = "/usr/bin/python3"  # it has grpc, by apt
SERVERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "servers")
QUICK = {"interval": "50ms", "timeout": "1s"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def server(d, port, script="web.py", id="test", **more):
    return {"id": id, "type": "process", "kind": "managed", "restart": {"delay": "1ms", "cap": "1ms", "max": 0},
            "execution": {"executable_path": PYTHON, "args": [os.path.join(SERVERS, script), str(port), d.directory]}, **more}


def add(d, declared):
    answer = d.http("POST", "/v1/workers", declared)
    assert answer.status == 201, answer


def only(d, id="test"):
    i, = instances(d, id)
    return i


def status(d, want, id="test", question="liveness"):
    """Waits until that probe of the one instance is in that status; returns the instance."""
    def found():
        some = [i for i in instances(d, id) if i["probes"].get(question, {}).get("status") == want]
        return some and some[0]
    return wait_until(found, "%s to be %s" % (question, want), 20)


class Http(unittest.TestCase):
    timeout_s = 60

    def test_one_that_stops_answering_well_is_started_again_until_it_is_well(self):
        with Daemon(config()) as d:
            port = free_port()
            add(d, server(d, port, liveness_probe={"endpoint": "http://127.0.0.1:%d/health" % port, **QUICK},
                          startup_probe={"port": port, "failure_threshold": 100000, **QUICK}))
            first = status(d, "healthy")["pid"]
            d.file("sick", "")
            wait_until(lambda: only(d)["pid"] not in (0, first), "another process", 20)
            error = only(d)["last_error"]
            self.assertEqual((error["category"], error["phase"]), ("health", "run"))
            self.assertIn("failed 3 times in a row: HTTP status 503", error["details"])
            self.assertEqual(only(d)["restart_circuit_breaker"]["last_trigger_type"], "health_failure")
            os.unlink(os.path.join(d.directory, "sick"))
            status(d, "healthy")

    def test_the_first_failure_degrades_and_costs_nothing(self):
        with Daemon(config()) as d:
            port = free_port()
            add(d, server(d, port, health_check={"endpoint": "http://127.0.0.1:%d/health" % port, "failure_threshold": 100000, **QUICK}))
            pid = status(d, "healthy")["pid"]
            d.file("sick", "")
            i = status(d, "degraded")
            self.assertEqual((i["health"], i["healthy"], i["pid"], i["health_reason"]), ("degraded", True, pid, "HTTP status 503"))
            os.unlink(os.path.join(d.directory, "sick"))
            self.assertIsNone(status(d, "healthy")["health_reason"])

    def test_nobody_who_listens_is_a_failure(self):
        with Daemon(config()) as d:
            add(d, server(d, free_port(), liveness_probe={"endpoint": "http://127.0.0.1:%d/" % free_port(), "restart": False, **QUICK}))
            self.assertIn("Failed to connect", status(d, "unhealthy")["health_reason"])

    def test_one_that_hangs_delays_no_other(self):
        with Daemon(config()) as d:
            port, other = free_port(), free_port()
            d.file("deaf", "")
            add(d, server(d, port, id="deaf", liveness_probe={"endpoint": "http://127.0.0.1:%d/health" % port, "restart": False,
                                                              "interval": "50ms", "timeout": "300ms"}))
            add(d, server(d, other, id="well", liveness_probe={"port": other, "restart": False, **QUICK}))
            wait_until(lambda: only(d, "deaf")["health_reason"] == "no answer in time", "it to be late", 20)
            asked = status(d, "healthy", "well")["probes"]["liveness"]["consecutive_successes"]
            failed = only(d, "deaf")["probes"]["liveness"]["consecutive_failures"]
            wait_until(lambda: only(d, "deaf")["probes"]["liveness"]["consecutive_failures"] > failed + 1, "two more failures", 20)
            self.assertGreater(only(d, "well")["probes"]["liveness"]["consecutive_successes"], asked + 2)


class Readiness(unittest.TestCase):
    timeout_s = 60

    def test_one_that_is_not_ready_gets_no_work_and_is_left_alone(self):
        for placement in ("process", "module"):
            with self.subTest(placement), Daemon(config()) as d:
                sick = d.file("sick", "")
                add(d, worker(placement, readiness_probe={"command": ["/bin/sh", "-c", "[ ! -e %s ]" % sick], **QUICK}))
                in_state(d, "running")
                job = submit(d, "echo", {})
                status(d, "unhealthy", question="readiness")
                i = only(d)
                self.assertEqual((i["state"], i["healthy"], i["restarts"]), ("running", False, 0))
                self.assertIn("status 1", i["health_reason"])
                self.assertEqual(d.http("GET", "/v1/jobs/" + job).json()["status"], "pending")
                os.unlink(sick)
                self.assertEqual(ended(d, job)["status"], "completed")


class Startup(unittest.TestCase):
    timeout_s = 60

    def test_it_is_starting_until_its_startup_probe_says_otherwise(self):
        with Daemon(config()) as d:
            port = free_port()
            late = d.file("late", "")
            add(d, server(d, port, startup_probe={"type": "tcp", "port": port, "failure_threshold": 100000, **QUICK}))
            status(d, "degraded", question="startup")
            self.assertEqual(only(d)["state"], "starting")
            os.unlink(late)
            in_state(d, "running")

    def test_one_that_never_starts_is_ended(self):
        with Daemon(config()) as d:
            port = free_port()
            d.file("late", "")
            add(d, {**server(d, port, startup_probe={"type": "tcp", "port": port, "failure_threshold": 2, **QUICK}),
                    "restart": {"policy": "never"}})
            i, = in_state(d, "failed")
            self.assertIn("its startup probe failed 2 times in a row", i["last_error"]["details"])
            self.assertEqual((i["last_error"]["category"], i["last_error"]["phase"]), ("health", "start"))


class Exec(unittest.TestCase):
    timeout_s = 60

    def test_a_command_that_hangs_is_ended_with_what_it_started(self):
        with Daemon(config()) as d:
            pids = os.path.join(d.directory, "pids")
            add(d, server(d, free_port(), liveness_probe={"command": ["/bin/sh", "-c", "echo $$ >>%s; sleep 1000 & echo $! >>%s; wait" %
                                                                      (pids, pids)],
                                                          "interval": "50ms", "timeout": "200ms", "restart": False}))
            self.assertIn("no answer in time", status(d, "degraded")["health_reason"])
            with open(pids, encoding="ascii") as f:
                first = [int(line) for line in f][:2]
            wait_until(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in first), "both to be gone", 20)

    def test_a_command_that_is_not_there_is_a_failure_with_its_name(self):
        with Daemon(config()) as d:
            add(d, server(d, free_port(), liveness_probe={"command": ["/no/such/command"], "restart": False, **QUICK}))
            self.assertIn("/no/such/command: No such file", status(d, "unhealthy")["health_reason"])


class Grpc(unittest.TestCase):
    timeout_s = 90

    def test_grpc_health_v1_and_any_other_call(self):
        with Daemon(config()) as d:
            port = free_port()
            for id, more, why in (("whole", {}, "NOT_SERVING"), ("service", {"service": "mail"}, "NOT_SERVING"),
                                  ("ping", {"rpc": "/proto.CoreService/Ping"}, "grpc-status 14: not now"),
                                  ("unknown", {"service": "other"}, "grpc-status 5: unknown service")):
                add(d, server(d, port if id == "whole" else free_port(), "rpc.py", id,
                              liveness_probe={"type": "grpc", "port": port, "restart": False, **QUICK, **more}))
                if id != "unknown":
                    status(d, "healthy", id)
            self.assertEqual(status(d, "unhealthy", "unknown")["health_reason"], "grpc-status 5: unknown service")
            d.file("sick", "")
            for id, why in (("whole", "NOT_SERVING"), ("service", "NOT_SERVING"), ("ping", "grpc-status 14: not now")):
                self.assertEqual(status(d, "unhealthy", id)["health_reason"], why)

    def test_a_server_of_something_else_is_a_failure(self):
        with Daemon(config()) as d:
            port = free_port()
            add(d, server(d, port, liveness_probe={"type": "grpc", "port": port, "restart": False, **QUICK}))
            status(d, "unhealthy")


class OwnWord(unittest.TestCase):
    timeout_s = 60

    def test_it_is_degraded_and_at_the_threshold_unhealthy_and_not_started_again(self):
        for placement in ("process", "module"):
            with self.subTest(placement), Daemon(config()) as d:
                sick = os.path.join(d.directory, "sick")
                add(d, worker(placement, config={"sick": sick}, health_check={"interval": "100ms", "failure_threshold": 4}))
                status(d, "healthy")
                d.file("sick", "")
                self.assertTrue(status(d, "degraded")["healthy"])
                i = status(d, "unhealthy")
                self.assertEqual((i["healthy"], i["restarts"], i["probes"]["liveness"]["type"]), (False, 0, "link"))
                self.assertGreaterEqual(i["probes"]["liveness"]["consecutive_failures"], 4)


class Refused(unittest.TestCase):
    def test_what_cannot_be_asked_is_refused_with_its_place(self):
        with Daemon(config()) as d:
            for member, value, said in (("liveness_probe", {"type": "http"}, "needs it: a URL"),
                                        ("liveness_probe", {"type": "grpc"}, "types grpc and tcp need it"),
                                        ("liveness_probe", {"address": "nowhere"}, "it is host:port"),
                                        ("liveness_probe", {"endpoint": "/health"}, "announces no URL"),
                                        ("liveness_probe", {"endpoint": "ftp://x/"}, "begins with http://"),
                                        ("liveness_probe", {"type": "link"}, "no word of its own"),
                                        ("readiness_probe", {"port": 1, "interval": "0s"}, "it must be above 0"),
                                        ("startup_probe", {"port": 1, "timeout": "soon"}, "soon")):
                answer = d.http("POST", "/v1/workers", server(d, 1, **{member: value}))
                self.assertEqual(answer.status, 400, answer)
                self.assertIn(said, answer.json()["detail"])
                self.assertIn(member, answer.json()["detail"])


if __name__ == "__main__":
    unittest.main()
