"""Schedules: jobs and runs at times, each once, whatever is killed."""
import collections
import datetime
import json
import os
import signal
import subprocess
import unittest

from jobs import config, ended, worker
from support import LONG, Daemon, binary, wait_until

PIPELINE = {"name": "p", "steps": [{"id": "only", "capability": "test.echo"}]}


def schedule(name, capability="echo", input=None, **more):
    return {"name": name, "job": {"capability": "test." + capability, "input": input or {}}, **more}


def show(d, name):
    answer = d.http("GET", "/v1/schedules/" + name)
    assert answer.status == 200, answer
    return answer.json()


def all_jobs(d):
    jobs, path = [], "/v1/jobs?limit=1000"
    while path:
        page = d.http("GET", path).json()
        jobs += page["jobs"]
        path = page["cursor"] and "/v1/jobs?limit=1000&cursor=" + page["cursor"]
    return jobs


def occurrences(d):
    """The time that each completed job was made for: the test's worker gives its input back."""
    return [ended(d, job["job_id"])["result"]["at"] for job in all_jobs(d)]


class Making(unittest.TestCase):
    def test_jobs_are_made_at_their_times_and_done(self):
        declared = schedule("tick", every="1s", overlap="allow", time_as="at")
        with Daemon(config(worker("module"), schedules=[declared])) as d:
            wait_until(lambda: show(d, "tick")["fired_total"] >= 3, "three occurrences")
            shown = show(d, "tick")
            self.assertEqual((shown["origin"], shown["missed_total"], len(shown["next"])), ("config", 0, 5))
            times = sorted(occurrences(d))
            self.assertEqual(len(times), len(set(times)))
            self.assertTrue(all(t.endswith(".000Z") for t in times), times)
            job = ended(d, shown["last"][0]["job_id"])
            self.assertEqual(job["result"]["at"], shown["last"][0]["occurrence"])

    def test_a_run_of_a_pipeline_is_started(self):
        declared = {"name": "r", "every": "1s", "overlap": "queue_one", "time_as": "at", "run": {"pipeline": "p", "input": {"n": 1}}}
        with Daemon(config(worker("module"), pipelines=[PIPELINE], schedules=[declared])) as d:
            wait_until(lambda: show(d, "r")["fired_total"] >= 2, "two runs")
            first = show(d, "r")["last"][-1]
            run = d.http("GET", "/v1/runs/%s?wait=20s" % first["run_id"]).json()
            self.assertEqual(run["status"], "completed")
            self.assertEqual(run["result"], {"n": 1, "at": first["occurrence"]})

    def test_while_its_job_lives_the_next_one_is_left_out(self):
        declared = schedule("slow", "sleep", {"ms": 60000}, every="1s")
        with Daemon(config(worker("module"), schedules=[declared])) as d:
            wait_until(lambda: show(d, "slow")["skipped_total"] >= 2, "two that were left out")
            self.assertEqual((show(d, "slow")["fired_total"], len(all_jobs(d))), (1, 1))
            d.http("DELETE", "/v1/jobs/" + all_jobs(d)[0]["job_id"])
            wait_until(lambda: show(d, "slow")["fired_total"] == 2, "the next one, when the job is over")
            d.reeve("schedule", "pause", "slow")
            for job in all_jobs(d):
                d.http("DELETE", "/v1/jobs/" + job["job_id"])

    def test_a_queue_that_is_full_is_said_and_the_schedule_goes_on(self):
        declared = schedule("tick", "nobody", every="1s", overlap="allow")
        with Daemon(config(worker("module"), schedules=[declared],
                           queues=[{"capability": "test.nobody", "limits": {"max_length": 2}}])) as d:
            wait_until(lambda: show(d, "tick")["failed_total"] >= 1, "an occurrence that had no room")
            self.assertEqual(show(d, "tick")["fired_total"], 2)
            self.assertIn("max_length", show(d, "tick")["last_error"])
            d.http("DELETE", "/v1/jobs/" + all_jobs(d)[0]["job_id"])
            wait_until(lambda: show(d, "tick")["fired_total"] == 3, "the next one, when there is room")

    def test_what_happens_is_told_as_events_and_metrics(self):
        with Daemon(config(worker("module"))) as d:
            d.reeve("schedule", "create", "a", "--every", "1s", "--capability", "test.echo")
            with subprocess.Popen([binary("reeve"), "events"], env=d.env, stdout=subprocess.PIPE, text=True) as p:
                told = next(e for e in map(json.loads, p.stdout) if e["type"] == "schedule.fired")
                p.terminate()
            self.assertEqual((told["schedule"], told["job_id"]), ("a", show(d, "a")["last"][0]["job_id"]))
            metrics = d.http("GET", "/metrics").body.decode()
            self.assertRegex(metrics, r'reeve_schedule_fired_total\{namespace="default",schedule="a"\} [1-9]')


class Changing(unittest.TestCase):
    def test_the_command_line_creates_shows_pauses_runs_and_deletes(self):
        with Daemon(config(worker("module"))) as d:
            times = d.reeve("schedule", "create", "nightly", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin",
                            "--capability", "test.echo", "--input", '{"n":1}', "--tag", "night", "--priority", "8")
            self.assertEqual(len(times.splitlines()), 5)
            self.assertIn("there is a schedule", d.run("schedule", "create", "nightly", "--every", "1h", "--capability", "x").stderr)
            job = d.reeve("schedule", "run", "nightly").strip()
            self.assertEqual((ended(d, job)["result"], ended(d, job)["tags"], ended(d, job)["priority"]), ({"n": 1}, ["night"], 8))
            self.assertIn(job, d.reeve("schedule", "show", "nightly"))
            d.reeve("schedule", "pause", "nightly")
            self.assertIn("paused", d.reeve("schedule", "list"))
            d.reeve("schedule", "resume", "nightly")
            d.reeve("schedule", "create", "nightly", "--replace", "--every", "1h", "--capability", "test.echo")
            self.assertEqual(d.json("schedule", "show", "nightly")["every"], "1h")
            d.reeve("schedule", "delete", "nightly")
            d.reeve("schedule", "show", "nightly", code=4)

    def test_a_rule_is_tried_before_it_is_used(self):
        with Daemon(config(worker("module"))) as d:
            said = d.reeve("schedule", "next", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin",
                           "--from", "2026-10-24T12:00:00Z", "-N", "2")
            self.assertEqual([line.split()[0] for line in said.splitlines()],
                             ["2026-10-25T02:30:00.000+02:00", "2026-10-26T02:30:00.000+01:00"])
            wrong = d.run("schedule", "next", "--cron", "0 24 * * *")
            self.assertEqual(wrong.returncode, 1)
            self.assertIn('hour "24" at position 3: a number from 0 to 23 is needed', wrong.stderr)

    def test_a_schedule_of_the_configuration_is_changed_there_and_only_paused_here(self):
        one, two = schedule("one", every="1h"), schedule("two", every="1h")
        with Daemon(config(worker("module"), schedules=[one, two])) as d:
            refused = d.http("DELETE", "/v1/schedules/one")
            self.assertEqual(refused.status, 409)
            self.assertIn("configuration", refused.json()["detail"])
            d.reeve("schedule", "pause", "one")
            d.reeve("schedule", "create", "mine", "--every", "1h", "--capability", "test.echo")
            d.file("reeve.yaml", config(worker("module"), schedules=[one]))
            os.kill(d.keeper(), signal.SIGHUP)
            wait_until(lambda: d.http("GET", "/v1/schedules/two").status == 404, "the schedule that went from the file")
            d.down()
            d.up()
            listed = {s["name"]: (s["origin"], s["paused"]) for s in d.http("GET", "/v1/schedules").json()["schedules"]}
            self.assertEqual(listed, {"mine": ("api", False), "one": ("config", True)})

    def test_a_wrong_one_in_the_file_is_refused_with_its_place(self):
        wrong = {
            '{name: a, cron: "0 24 * * *", job: {capability: x}}': ':3:', '{name: a, every: 1h, job: {capability: x, priority: 11}}': "11",
            '{name: a, cron: "0 2 * * *", timezone: Mars/Base, job: {capability: x}}': "Mars/Base",
            '{name: a, every: 1h}': "either `job` or `run`",
            '{name: a, every: 1h, run: {pipeline: nobody}}': 'there is no pipeline "nobody"',
        }
        with Daemon(config(worker("module"))) as d:
            for text, word in wrong.items():
                path = d.file("wrong.yaml", "node: {name: a}\nschedules:\n  - %s\n" % text)
                said = d.run("config", "check", path)
                self.assertNotEqual(said.returncode, 0, text)
                self.assertRegex(said.stderr, r"wrong.yaml:3:\d+: ")
                self.assertIn(word, said.stderr)
            refused = d.http("POST", "/v1/schedules", {"name": "a", "every": "1h", "run": {"pipeline": "nobody"}})
            self.assertEqual((refused.status, refused.json()["pointer"]), (400, "/run/pipeline"))


class Kills(unittest.TestCase):
    timeout_s = 900 if LONG else 180

    def test_each_occurrence_is_made_once_although_the_engine_is_killed_around_it(self):
        kills = 20 if LONG else 8
        declared = [schedule("s%d" % i, every="1s", missed="all", overlap="allow", time_as="at", input={"s": i}) for i in range(5)]
        with Daemon(config(worker("process"), schedules=declared)) as d:
            for n in range(kills):
                before = show(d, "s%d" % (n % 5))["fired_total"]
                wait_until(lambda: show(d, "s%d" % (n % 5))["fired_total"] > before, "an occurrence")
                d.kill_engine()  # the others of this second may be made, under way, or still to come
            for i in range(5):
                d.reeve("schedule", "pause", "s%d" % i)
            made = collections.Counter()
            by_schedule = collections.defaultdict(list)
            for job in all_jobs(d):
                result = ended(d, job["job_id"])["result"]
                made[result["s"], result["at"]] += 1
                by_schedule[result["s"]].append(result["at"])
            twice = [k for k, n in made.items() if n > 1]
            self.assertEqual(twice, [])
            for i in range(5):
                shown = show(d, "s%d" % i)
                self.assertEqual((shown["fired_total"], shown["missed_total"]), (len(by_schedule[i]), 0), shown)
                times = sorted(by_schedule[i])
                self.assertEqual(times, every_second(times[0], len(times)), "an occurrence is missing")


def every_second(first, n):
    at = datetime.datetime.fromisoformat(first.replace("Z", "+00:00"))
    return [(at + datetime.timedelta(seconds=i)).strftime("%Y-%m-%dT%H:%M:%S.000Z") for i in range(n)]
