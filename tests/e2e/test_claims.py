"""The pull API: clients of any kind that claim jobs, keep them by heartbeats, and end them; and what becomes of their jobs."""
import concurrent.futures
import contextlib
import json
import os
import signal
import subprocess
import unittest

from jobs import config, ended, in_state, show, worker
from support import BUILD, LONG, TOP, Daemon, UnixConnection, alive, wait_until

QUICK = {"jobs": {"retry_delay": "10ms", "retry_cap": "50ms"}}
PULLER = os.path.join(TOP, "examples", "pull-python", "puller.py")


def submit(d, capability="pulled", n=1, **more):
    """n jobs with inputs {"n": 0} ...; their ids."""
    jobs = [{"capability": capability, "input": {"n": i}, **more} for i in range(n)]
    answer = d.http("POST", "/v1/jobs", {"jobs": jobs})
    assert answer.status == 202, answer
    return [j["job_id"] for j in answer.json()["jobs"]]


def claim(d, *capabilities, patience_s=60, **more):
    answer = d.http("POST", "/v1/claims", {"capabilities": list(capabilities or ("pulled",)), **more}, patience_s=patience_s)
    assert answer.status == 200, answer
    return answer.json()["claims"]


def say(d, claimed, verb, **more):
    return d.http("POST", "/v1/claims/%s/%s" % (claimed["job_id"], verb), {"fence": claimed["fence"], **more})


def patiently(ask):
    """Asks until somebody answers: an engine may be starting."""
    def once():
        with contextlib.suppress(OSError):
            return ask()
        return None
    return wait_until(once, "an answer of the engine")


class Pulling(unittest.TestCase):
    def test_jobs_of_a_capability_that_nobody_serves_are_pulled_and_ended(self):
        with Daemon(config(**QUICK)) as d:
            one, two, three = submit(d, n=3)
            first, second, third = claim(d, max=10, client="tester")
            self.assertEqual([c["job_id"] for c in (first, second, third)], [one, two, three])
            self.assertEqual((first["input"], first["attempt"], first["capability"]), ({"n": 0}, 1, "pulled"))
            self.assertEqual(say(d, first, "complete", result={"ok": True}).json(), {"job_id": one, "status": "completed"})
            self.assertEqual(show(d, one)["result"], {"ok": True})
            self.assertEqual(say(d, second, "fail", error={"code": "BAD", "message": "no", "retryable": False}).json()["status"], "failed")
            self.assertEqual(show(d, two)["error"], {"code": "BAD", "message": "no", "retryable": False})
            self.assertEqual(say(d, third, "fail", error={"code": "LATER"}).status, 200)
            again, = claim(d, wait="10s")
            self.assertEqual((again["job_id"], again["attempt"]), (three, 2))
            self.assertEqual(say(d, third, "complete").status, 409)
            self.assertEqual(say(d, again, "release").json(), {"job_id": three, "status": "pending"})
            last, = claim(d, "other", "default/pulled")
            self.assertEqual((last["job_id"], last["attempt"]), (three, 2))
            self.assertEqual(say(d, last, "complete").status, 200)
            client, = [c for c in d.http("GET", "/v1/claims").json()["clients"] if c["client"] == "tester"]
            self.assertEqual((client["capabilities"], client["claimed_total"], client["held"]), (["pulled"], 3, 0))

    def test_a_claim_waits_for_a_job(self):
        with Daemon(config()) as d, concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(claim, d, "a", "b", wait="30s")
            wait_until(lambda: "reeve_claims_waiting 1" in d.http("GET", "/metrics").body.decode(), "a claim that waits")
            job, = submit(d, "b")
            self.assertEqual([c["job_id"] for c in waiting.result()], [job])
            self.assertEqual(claim(d, "a", wait="20ms"), [])

    def test_a_client_that_goes_away_while_it_waits_takes_no_job(self):
        with Daemon(config()) as d:
            body = json.dumps({"capabilities": ["pulled"], "wait": "60s"}).encode()
            gone = [UnixConnection(d.socket, 20) for _ in range(5)]
            for c in gone:
                c.request("POST", "/v1/claims", body, {"Content-Type": "application/json"})
            wait_until(lambda: "reeve_claims_waiting 5" in d.http("GET", "/metrics").body.decode(), "five claims that wait")
            for c in gone:
                c.close()
            jobs = submit(d, n=3)  # at once: nobody has looked after them yet
            self.assertEqual([(c["job_id"], c["attempt"]) for c in claim(d, max=10)], [(j, 1) for j in jobs])

    def test_bad_requests_say_what_is_wrong_and_where(self):
        with Daemon(config()) as d:
            answer = d.http("POST", "/v1/claims", {"capabilities": ["a"], "lease": "2d"})
            self.assertEqual((answer.status, answer.json()["pointer"]), (400, "/lease"))
            self.assertIn("\"2d\" is not from 1s to 1d", answer.json()["detail"])
            self.assertEqual(d.http("POST", "/v1/claims/0000000000001/complete", {"fence": 1}).status, 404)

    def test_a_namespace_sees_its_own_jobs_only(self):
        with Daemon(config()) as d:
            mine, = submit(d, namespace="mine")
            self.assertEqual(claim(d), [])
            self.assertEqual([c["job_id"] for c in claim(d, namespace="mine")], [mine])


class Leases(unittest.TestCase):
    def test_a_lease_that_runs_out_gives_the_job_to_the_next_one(self):
        with Daemon(config(**QUICK)) as d:
            job, = submit(d)
            first, = claim(d, lease="1s", client="dead")
            again, = claim(d, wait="20s")
            self.assertEqual((again["job_id"], again["attempt"]), (job, 2))
            self.assertGreater(again["fence"], first["fence"])
            late = say(d, first, "complete", result=1)
            self.assertEqual((late.status, late.json()["code"]), (409, "fenced"))
            shown = show(d, job)
            self.assertEqual((shown["crashes"], shown["error"]["code"]), (1, "lease_expired"))
            self.assertIn("client dead", shown["error"]["message"])
            self.assertEqual(say(d, again, "complete", result=2).status, 200)
            self.assertEqual(show(d, job)["result"], 2)

    def test_heartbeats_keep_the_job_and_show_progress(self):
        with Daemon(config()) as d:
            job, = submit(d)
            mine, = claim(d, lease="1s")
            until = mine["lease_until"]
            for percent in range(0, 100, 10):
                beat = say(d, mine, "heartbeat", progress={"percent": percent, "message": "working"}).json()
                self.assertEqual(beat["cancelled"], False)
                self.assertGreaterEqual(beat["lease_until"], until)
                until = beat["lease_until"]
                self.assertEqual(claim(d, wait="200ms"), [])
            self.assertEqual(show(d, job)["progress"], {"percent": 90, "message": "working"})
            self.assertEqual(say(d, mine, "complete").status, 200)

    def test_items_and_a_checkpoint_are_found_by_the_next_attempt(self):
        with Daemon(config(**QUICK)) as d:
            job, = submit(d)
            mine, = claim(d)
            items = [{"key": 1, "item": {"a": 1}}, {"key": 2, "item": "b"}]
            self.assertEqual(say(d, mine, "heartbeat", items=items, checkpoint={"at": 2}).status, 200)
            say(d, mine, "fail", error={"code": "HALF"})
            again, = claim(d, wait="20s")
            self.assertEqual(again["checkpoint"], {"at": 2})
            self.assertEqual(say(d, again, "complete", items=items + [{"key": 3, "item": 3}]).status, 200)
            lines = d.http("GET", "/v1/jobs/%s/items" % job).body.splitlines()
            self.assertEqual([json.loads(x)["key"] for x in lines], [1, 2, 3])

    def test_a_cancel_is_heard_by_the_next_heartbeat(self):
        with Daemon(config()) as d:
            job, = submit(d)
            mine, = claim(d)
            self.assertEqual(d.http("DELETE", "/v1/jobs/" + job).status, 200)
            self.assertEqual(say(d, mine, "heartbeat").json()["cancelled"], True)
            late = say(d, mine, "complete", result=1)
            self.assertEqual((late.status, late.json()["code"]), (409, "cancelled"))

    def test_a_job_past_its_timeout_is_taken_from_its_client(self):
        with Daemon(config(**QUICK)) as d:
            job, = submit(d, timeout="300ms", max_attempts=1)
            mine, = claim(d)
            self.assertEqual(ended(d, job)["error"]["code"], "timeout")
            self.assertEqual(say(d, mine, "heartbeat").status, 409)


class Sharing(unittest.TestCase):
    def test_pull_clients_and_a_worker_share_a_queue(self):
        with Daemon(config(worker("process", concurrency=1, prefetch=0))) as d:
            in_state(d, "running")
            jobs = [d.http("POST", "/v1/jobs", {"capability": "test.sleep", "input": {"ms": 300}}).json()["job_id"] for _ in range(8)]
            pulled = claim(d, "test.sleep", max=3, wait="10s")
            self.assertEqual(len(pulled), 3)
            for c in pulled:
                self.assertEqual(say(d, c, "complete", result="pulled").status, 200)
            results = [ended(d, j)["result"] for j in jobs]
            self.assertEqual(sum(r == "pulled" for r in results), 3)
            self.assertTrue(all(show(d, j)["attempts"] == 1 for j in jobs))

    def test_the_limits_of_a_queue_hold_for_pull_clients(self):
        limits = {"concurrency": 3, "key": {"concurrency": 1}}
        with Daemon(config(queues=[{"capability": "pulled", "limits": limits}])) as d, concurrent.futures.ThreadPoolExecutor() as pool:
            jobs = [d.http("POST", "/v1/jobs", {"capability": "pulled", "key": key}).json()["job_id"] for key in "aabbccdd"]
            held = claim(d, max=10)
            self.assertEqual([c["job_id"] for c in held], [jobs[0], jobs[2], jobs[4]])  # three, and one of each key
            d.kill_engine()  # what is held counts after a restart, too
            self.assertEqual(patiently(lambda: (claim(d, max=10),)), ([],))
            waiting = pool.submit(claim, d, max=10, wait="30s")
            self.assertEqual(say(d, held[1], "complete").status, 200)
            self.assertEqual([c["job_id"] for c in waiting.result()], [jobs[3]])

    def test_a_rate_lets_jobs_through_to_those_who_wait(self):
        with Daemon(config(queues=[{"capability": "pulled", "limits": {"rate": 5, "burst": 1}}])) as d:
            jobs = submit(d, n=4)
            self.assertEqual([claim(d, max=10, wait="30s")[0]["job_id"] for _ in jobs], jobs)

    def test_a_paused_queue_gives_pull_clients_nothing(self):
        with Daemon(config()) as d, concurrent.futures.ThreadPoolExecutor() as pool:
            job, = submit(d)
            d.reeve("queue", "pause", "pulled")
            self.assertEqual(claim(d), [])
            waiting = pool.submit(claim, d, wait="30s")
            wait_until(lambda: "reeve_claims_waiting 1" in d.http("GET", "/metrics").body.decode(), "a claim that waits")
            d.reeve("queue", "resume", "pulled")
            self.assertEqual([c["job_id"] for c in waiting.result()], [job])


class Restarts(unittest.TestCase):
    def test_a_client_goes_on_with_its_fence_after_the_engine_died(self):
        with Daemon(config(**QUICK)) as d:
            jobs = submit(d, n=3)
            one, two = claim(d, max=2, client="survivor")
            d.kill_engine()
            rest = patiently(lambda: claim(d, max=10))  # nothing that is held; the others at once
            self.assertEqual([c["job_id"] for c in rest], jobs[2:])
            self.assertEqual(say(d, one, "heartbeat").json()["cancelled"], False)
            self.assertEqual(say(d, one, "complete", result="mine").status, 200)
            d.kill_engine()
            self.assertEqual(patiently(lambda: say(d, two, "complete", result="mine, too")).status, 200)
            self.assertEqual([show(d, j)["result"] for j in jobs[:2]], ["mine", "mine, too"])
            self.assertEqual([show(d, j)["attempts"] for j in jobs[:2]], [1, 1])
            self.assertEqual(say(d, two, "complete", result="twice").status, 409)

    def test_a_client_that_died_with_the_engine_loses_its_job_when_its_lease_is_over(self):
        with Daemon(config(**QUICK)) as d:
            job, = submit(d)
            claim(d, lease="1s", client="dead")
            d.kill_engine()
            again, = patiently(lambda: claim(d, wait="20s"))
            self.assertEqual((again["job_id"], again["attempt"]), (job, 2))

    def test_down_and_up_keep_what_is_claimed(self):
        with Daemon(config()) as d:
            job, = submit(d)
            mine, = claim(d)
            d.down()
            d.up()
            self.assertEqual(claim(d), [])
            self.assertEqual(say(d, mine, "complete", result=1).status, 200)
            self.assertEqual(show(d, job)["attempts"], 1)


class Examples(unittest.TestCase):
    """examples/pull-python and examples/pull-shell, as their READMEs start them."""

    def start(self, d, *args, **env):
        p = subprocess.Popen(args, env={**d.env, **env}, cwd=d.directory, stdin=subprocess.DEVNULL)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        return p

    def test_the_one_in_python_works_fails_and_gives_back(self):
        with Daemon(config(**QUICK)) as d:
            p = self.start(d, PULLER, "--client", "counter-1", "--max", "5")
            jobs = d.http("POST", "/v1/jobs", {"jobs": [{"capability": "text.count", "input": {"text": "a b\nc"}}] * 20}).json()["jobs"]
            self.assertEqual([ended(d, j["job_id"])["result"] for j in jobs], [{"lines": 2, "words": 3}] * 20)
            bad = d.http("POST", "/v1/jobs", {"capability": "text.count", "input": {}}).json()["job_id"]
            self.assertEqual(ended(d, bad)["error"]["code"], "KeyError")
            p.send_signal(signal.SIGTERM)
            wait_until(lambda: d.json("claim", "list")["claims"] == [], "nothing in its hands")
            self.assertRegex(d.reeve("claim", "clients"), r"counter-1 +0 +[01] +20 +1 +0 ")

    def test_the_one_in_python_goes_on_when_the_engine_is_killed(self):
        with Daemon(config(**QUICK)) as d:
            self.start(d, PULLER)
            for _ in range(3):
                d.kill_engine()
                job = patiently(lambda: d.http("POST", "/v1/jobs", {"capability": "text.count", "input": {"text": "x"}})).json()["job_id"]
                self.assertEqual(ended(d, job)["result"], {"lines": 1, "words": 1})

    def test_the_one_in_shell_works_and_says_what_failed(self):
        with Daemon(config(**QUICK)) as d:
            p = self.start(d, os.path.join(TOP, "examples", "pull-shell", "pull.sh"), "text.upper", "jq", "{shout: (.text | ascii_upcase)}",
                           PULL_JOBS="3")
            jobs = [d.http("POST", "/v1/jobs", {"capability": "text.upper", "input": {"text": t}}).json()["job_id"] for t in ("a", "b")]
            self.assertEqual([ended(d, j)["result"] for j in jobs], [{"shout": "A"}, {"shout": "B"}])
            bad = ended(d, d.http("POST", "/v1/jobs", {"capability": "text.upper", "input": {"text": 1}}).json()["job_id"])
            self.assertEqual((bad["status"], bad["error"]["code"]), ("failed", "exit_5"))
            self.assertIn("explode", bad["error"]["message"])
            self.assertEqual(p.wait(timeout=20), 0)


class Command(unittest.TestCase):
    """reeve claim run."""

    def start(self, d, *args):
        p = subprocess.Popen([os.path.join(BUILD, "reeve"), "claim", "run", *args], env=d.env, cwd=d.directory, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(p.communicate)
        self.addCleanup(p.kill)
        return p

    def test_a_command_is_run_for_each_job(self):
        with Daemon(config(**QUICK)) as d:
            script = "read x; case $x in *ok*) echo '{\"got\":'$x'}';; *text*) echo hello $REEVE_ATTEMPT;; " \
                     "*later*) [ $REEVE_ATTEMPT = 2 ] && echo now || exit 75;; *signal*) kill -9 $$;; *) echo no >&2; exit 3;; esac"
            p = self.start(d, "shell", "--jobs", "9", "--client", "runner", "--", "sh", "-c", script)

            def outcome(input, **more):
                job = d.http("POST", "/v1/jobs", {"capability": "shell", "input": input, **more}).json()["job_id"]
                return ended(d, job)
            self.assertEqual(outcome("ok")["result"], {"got": "ok"})
            self.assertEqual(outcome("text")["result"], "hello 1")
            self.assertEqual(outcome("later")["result"], "now")
            self.assertEqual(outcome("bad")["error"], {"code": "command_failed", "message": "exit 3: no\n", "retryable": False})
            self.assertEqual(outcome("signal", max_attempts=1)["error"]["code"], "crashed")
            blob = d.http("POST", "/v1/blobs", b'"ok"').json()["blob"]
            self.assertEqual(outcome({"blob": blob})["result"], {"got": "ok"})
            self.assertIn("runner", d.reeve("claim", "clients"))
            submit(d, "shell", 2)
            self.assertEqual(p.wait(timeout=20), 0)

    def test_a_job_that_is_cancelled_ends_its_command_and_all_that_it_started(self):
        with Daemon(config()) as d:
            p = self.start(d, "slow", "--lease", "1s", "--", "sh", "-c", "echo $$ >pid; sleep 600 & sleep 600")
            job, = submit(d, "slow")
            pid = int(wait_until(lambda: os.path.exists(d.directory + "/pid") and open(d.directory + "/pid").read().strip(), "its command"))
            d.http("DELETE", "/v1/jobs/" + job)
            wait_until(lambda: not members(pid), "the end of the command")
            self.assertIsNone(p.poll())

    def test_the_lease_is_kept_while_the_command_runs_and_the_first_sigterm_lets_it_end(self):
        with Daemon(config()) as d:
            p = self.start(d, "slow", "--lease", "1s", "--", "sh", "-c", "echo 40 half of it >&3; until [ -e go ]; do sleep 0.05; done; echo 1")
            job, = submit(d, "slow")
            claims = wait_until(lambda: d.json("claim", "list")["claims"], "its claim")
            wait_until(lambda: d.json("claim", "list")["claims"][0]["lease_until"] > claims[0]["lease_until"], "a heartbeat")
            self.assertEqual(show(d, job)["progress"], {"percent": 40, "message": "half of it"})
            p.send_signal(signal.SIGTERM)
            wait_until(lambda: d.json("claim", "list")["claims"][0]["lease_until"] > claims[0]["lease_until"], "one more")
            d.file("go", "")
            self.assertEqual(ended(d, job)["result"], 1)
            self.assertEqual((p.wait(timeout=20), show(d, job)["attempts"]), (0, 1))

    def test_one_that_waits_ends_at_once_and_takes_nothing(self):
        with Daemon(config()) as d:
            p = self.start(d, "slow", "--", "true")
            wait_until(lambda: d.http("GET", "/v1/claims").json()["clients"], "a claim that waits")
            p.terminate()
            self.assertEqual(p.wait(timeout=20), 0)
            job, = submit(d, "slow")
            self.assertEqual([(c["job_id"], c["attempt"]) for c in claim(d, "slow")], [(job, 1)])

    def test_the_second_sigterm_gives_the_job_back(self):
        with Daemon(config()) as d:
            p = self.start(d, "slow", "--", "sleep", "600")
            job, = submit(d, "slow")
            wait_until(lambda: d.json("claim", "list")["claims"], "its claim")
            p.send_signal(signal.SIGTERM)
            p.send_signal(signal.SIGINT)
            self.assertEqual(p.wait(timeout=20), 0)
            self.assertEqual((show(d, job)["status"], show(d, job)["attempts"]), ("pending", 0))


def members(group):
    """Pids of a process group that live."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.getpgid(int(pid)) == group and alive(int(pid)):
                found.append(int(pid))
    return found


class Load(unittest.TestCase):
    timeout_s = 180
    JOBS, CLIENTS, KILLS = (20000, 8, 60) if LONG else (2000, 4, 12)

    def test_clients_that_are_killed_leave_every_job_completed_once(self):
        """Each kill comes when some more jobs have completed, and hits whoever's turn it is; every fourth one the engine, too."""
        limits = {"jobs": {"retry_delay": "1ms", "retry_cap": "1ms", "max_attempts": 100, "max_crashes": 100}}
        with Daemon(config(**limits)) as d:
            jobs = submit(d, "text.count", self.JOBS, input={"text": "to be"})
            args = [PULLER, "--max", "16", "--lease", "1"]
            clients = [subprocess.Popen(args, env=d.env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(self.CLIENTS)]
            try:
                for n in range(self.KILLS):
                    self.completed(d, self.JOBS * (n + 1) // (self.KILLS + 1))
                    victim = clients[n % self.CLIENTS]
                    victim.kill()
                    victim.wait()
                    if n % 4 == 3:
                        d.kill_engine()
                    clients[n % self.CLIENTS] = subprocess.Popen(args, env=d.env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self.completed(d, self.JOBS)
            finally:
                for c in clients:
                    c.kill()
                    c.wait()
            self.assertEqual([self.queue(d)[state] for state in ("pending", "scheduled", "processing", "failed")], [0] * 4)
            self.assertEqual({(show(d, j)["status"], json.dumps(show(d, j)["result"])) for j in jobs},
                             {("completed", json.dumps({"lines": 1, "words": 2}))})

    def completed(self, d, n):
        def enough():
            queue = self.queue(d)
            return self.JOBS - queue["pending"] - queue["scheduled"] - queue["processing"] >= n
        wait_until(enough, "%d jobs completed" % n, 120)

    def queue(self, d):
        answer = patiently(lambda: d.http("GET", "/v1/queues"))
        return next(q for q in answer.json()["queues"] if q["capability"] == "text.count")
