"""The main job: a mailbox through parser, classifier and insights, in every placement and through every death."""
import contextlib
import json
import os
import subprocess
import time
import unittest

import mail
from jobs import in_state
from support import TOP, binary, wait_until

REAL = os.path.join(os.path.dirname(TOP), "shared", "data", "mail")


class Demo(unittest.TestCase):
    """What a user runs first: the shipped mailbox, whole."""
    timeout_s = 200

    def run_small(self, d):
        out = os.path.join(d.directory, "result.json")
        items = os.path.join(d.directory, "items.ndjson")
        said = d.run("pipeline", "run", "email-processing", "--input", mail.SMALL, "--output", out, "--items", items,
                     patience_s=mail.LONG_S)
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        return json.loads(mail.read(out)), mail.read(items)

    def test_all_placements_give_the_same_items(self):
        sums, results = {}, {}
        for placement in mail.PLACEMENTS:
            with mail.daemon(*placement) as d:
                results[placement], ndjson = self.run_small(d)
            sums[placement] = mail.sha256(ndjson)
            self.assertEqual(ndjson, b"".join(sorted(ndjson.splitlines(True), key=lambda l: json.loads(l)["key"])))
        self.assertEqual(len(set(sums.values())), 1, sums)

    def test_every_message_is_there_once_with_its_classifications(self):
        with mail.daemon() as d:
            result, ndjson = self.run_small(d)
        with open(os.path.join(mail.EXAMPLE, "small.tsv"), encoding="utf-8") as f:
            known = [line.split("\t")[:2] for line in f if not line.startswith("#")]
        found = mail.lines(ndjson)
        self.assertEqual([(i["key"], i["message_id"].strip("<>")) for i in found], [(int(k), m.strip("<>")) for k, m in known])
        types = {"spam_detection", "bill_detection", "receipt_detection", "sentiment_analysis", "category", "priority",
                 "language_detection"}
        for item in found:
            self.assertEqual({c["type"] for c in item["classifications"]}, types)
            for c in item["classifications"]:
                self.assertLessEqual({"prediction", "confidence"}, set(c))
        self.assertLessEqual({"pipeline_summary", "parsing_results", "ml_classification_results", "enhanced_insights",
                              "recommendations"}, set(result))

    def test_a_damaged_message_is_kept_with_what_is_wrong_and_the_rest_goes_on(self):
        damaged = (b"From x@y.example Mon Mar  4 10:00:00 2024\nSubject: broken\nContent-Type: multipart/mixed; boundary=b\n"
                   b"Content-Transfer-Encoding: base64\n\n--b\nContent-Transfer-Encoding: base64\n\n\xff\xfe!!!\n\n")
        mbox = mail.mailbox(1)[:747] + damaged + mail.mailbox(1)[747:]
        with mail.daemon() as d:
            run = mail.start(d, d.file("damaged.mbox", mbox))
            shown = mail.at_end(d, run)
            self.assertEqual((shown["status"], shown["items_failed"]), ("completed", 0))
            found = mail.lines(mail.items(d, run))
        self.assertEqual(len(found), mail.messages_in(mail.mailbox(1)) + 1)
        broken = [i for i in found if i["subject"] == "broken"]
        self.assertEqual(len(broken), 1)
        self.assertTrue(broken[0]["damaged"])


class Refusals(unittest.TestCase):
    timeout_s = 200

    def test_garbage_is_an_error_and_never_completed_with_nothing(self):
        with mail.daemon() as d:
            for name, content in (("noise", bytes(range(256)) * 40), ("empty", b""), ("text", b"no mail at all\n" * 50)):
                with self.subTest(name):
                    p = d.run("pipeline", "run", "email-processing", "--input", d.file(name, content))
                    self.assertEqual(p.returncode, 1, p)
                    self.assertIn("INVALID_EMAIL", p.stderr)
                    self.assertEqual(p.stdout, "")

    def test_a_failed_item_is_counted_kept_and_judged_by_allow_failed(self):
        mbox = mail.mailbox(1)
        n = mail.messages_in(mbox)
        broken = """\
case $(cat) in
*0004.reeve-sample*) echo "it is the fourth" >&2; exit 1;;
*) echo '{"classifications":[]}';;
esac
"""
        def by_script(text):
            before, _, after = text.partition("  - id: email-classifier")
            return before + ("  - id: email-classifier\n    type: process\n    concurrency: 4\n    exec:\n"
                             "      - capability: email.classify\n        command: [sh, -c, %s]\n" % json.dumps(broken)
                             ) + after[after.index("  - id: email-insights"):]
        with mail.daemon(change=by_script) as d:
            path = d.file("small.mbox", mbox)
            items = os.path.join(d.directory, "items")
            run = ("pipeline", "run", "email-processing", "--input", path, "--items", items)
            p = d.run(*run, patience_s=mail.LONG_S)
            self.assertEqual(p.returncode, 1, p)
            self.assertIn("1 of %d items failed" % n, p.stderr)
            found = mail.lines(mail.read(items))
            self.assertEqual(len(found), n)
            failed = [i for i in found if "error" in i]
            self.assertEqual(len(failed), 1)
            self.assertIn("0004.reeve-sample", failed[0]["message_id"])
            self.assertIn("it is the fourth", failed[0]["error"]["message"])
            d.reeve(*run, "--allow-failed", "1", patience_s=mail.LONG_S)


class Deaths(unittest.TestCase):
    """One mailbox, large enough that every death falls into the middle; what comes out is the same as without."""
    timeout_s = 300
    COPIES = 60

    @classmethod
    def setUpClass(cls):
        cls.mbox = mail.mailbox(cls.COPIES)
        cls.n = mail.messages_in(cls.mbox)
        with mail.daemon("module", "process") as d:
            run = mail.start(d, d.file("m.mbox", cls.mbox))
            shown = mail.at_end(d, run)
            assert shown["status"] == "completed", shown
            cls.expected = mail.items(d, run)
            cls.result = shown["result"]

    def check(self, d, run):
        shown = mail.at_end(d, run)
        self.assertEqual((shown["status"], shown["items"], shown["items_failed"]), ("completed", self.n, 0), shown.get("error"))
        ndjson = mail.items(d, run)
        keys = [i["key"] for i in mail.lines(ndjson)]
        self.assertEqual(len(keys), self.n)
        self.assertEqual(keys, sorted(set(keys)))
        for found, expected in zip(ndjson.splitlines(), self.expected.splitlines()):
            self.assertEqual(found, expected)
        self.assertEqual(mail.sha256(ndjson), mail.sha256(self.expected))

    def middle(self, d):
        run = mail.start(d, d.file("m.mbox", self.mbox))
        mail.at_item(d, run, self.n // 4)
        return run

    def test_undisturbed(self):
        for placement in mail.PLACEMENTS:
            with self.subTest(placement), mail.daemon(*placement) as d:
                self.check(d, mail.start(d, d.file("m.mbox", self.mbox)))

    def test_the_parser_is_killed(self):
        with mail.daemon("process", "module") as d:
            run = self.middle(d)
            parser, = mail.pids(d, "email-parser")
            mail.kill(parser)
            self.check(d, run)

    def test_the_classifier_is_killed(self):
        with mail.daemon("module", "process") as d:
            run = self.middle(d)
            classifier, = mail.pids(d, "email-classifier")
            mail.kill(classifier)
            self.check(d, run)

    def test_the_engine_is_killed(self):
        for placement in mail.PLACEMENTS:
            with self.subTest(placement), mail.daemon(*placement) as d:
                run = self.middle(d)
                d.kill_engine()
                self.check(d, run)

    def test_the_engine_is_killed_again_and_again(self):
        with mail.daemon("process", "process") as d:
            run = mail.start(d, d.file("m.mbox", self.mbox))
            for part in (1, 2, 3):
                mail.at_item(d, run, self.n * part // 5)
                d.kill_engine()
            self.check(d, run)

    def test_the_keeper_is_killed_and_started_again(self):
        for placement in (("process", "module"), ("module", "process")):
            with self.subTest(placement), mail.daemon(*placement) as d:
                run = self.middle(d)
                mail.kill(d.keeper())
                wait_until(lambda: not d.listens(), "the end of the engine whose keeper died")
                d.up()
                self.check(d, run)

    def test_the_daemon_is_taken_down_and_up(self):
        for placement in mail.PLACEMENTS:
            with self.subTest(placement), mail.daemon(*placement) as d:
                run = self.middle(d)
                began = time.monotonic()
                d.reeve("down")
                self.assertLess(time.monotonic() - began, 15)  # the parser does not sit out its grace
                d.up()
                self.check(d, run)
                self.assertEqual(d.http("GET", "/v1/dead").json()["dead"], [])

    def test_the_classifier_is_stopped_and_started(self):
        with mail.daemon("process", "process") as d:
            run = self.middle(d)
            d.reeve("worker", "stop", "email-classifier")
            in_state(d, "stopped", "email-classifier")
            self.assertEqual(mail.show(d, run)["status"], "running")
            d.reeve("worker", "start", "email-classifier")
            self.check(d, run)

    def test_the_command_line_follows_its_run_over_the_engine_s_death(self):
        with mail.daemon("process", "module") as d, contextlib.ExitStack() as stack:
            out = os.path.join(d.directory, "items")
            p = stack.enter_context(subprocess.Popen(
                [binary("reeve"), "pipeline", "run", "email-processing", "--input", d.file("m.mbox", self.mbox), "--items", out],
                env=d.env, cwd=d.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))

            def running():
                runs = d.http("GET", "/v1/runs").json()["runs"]
                return runs and runs[0]["items"] >= self.n // 4
            wait_until(running, "the run to be in its middle")
            d.kill_engine()
            said = p.communicate(timeout=mail.LONG_S)
            self.assertEqual((p.returncode, said[1]), (0, ""))
            self.assertEqual(mail.sha256(mail.read(out)), mail.sha256(self.expected))


@unittest.skipUnless(os.path.exists(os.path.join(REAL, "ham.mbox")), "no real mail beside the checkout (../shared/data/mail)")
class RealMail(unittest.TestCase):
    timeout_s = 900
    MESSAGES = {"ham.mbox": 2625, "spam.mbox": 1198}

    def runs(self, d, disturb=None):
        """Both mailboxes; `disturb` is called in the middle of each. The sum of each one's items."""
        sums = {}
        for name, n in self.MESSAGES.items():
            run = mail.start(d, os.path.join(REAL, name))
            if disturb:
                mail.at_item(d, run, n // 3)
                disturb(d)
            shown = mail.at_end(d, run)
            self.assertEqual((shown["status"], shown["items"], shown["items_failed"]), ("completed", n, 0), shown.get("error"))
            ndjson = mail.items(d, run)
            keys = [i["key"] for i in mail.lines(ndjson)]
            self.assertEqual((len(keys), keys), (n, sorted(set(keys))))
            sums[name] = mail.sha256(ndjson)
        return sums

    def test_every_message_once_in_every_placement_and_through_kills(self):
        sums = {}
        for placement in mail.PLACEMENTS:
            with mail.daemon(*placement) as d:
                sums[placement] = self.runs(d)
        with mail.daemon("process", "module") as d:
            sums["engine killed"] = self.runs(d, lambda d: d.kill_engine())
            sums["parser killed"] = self.runs(d, lambda d: mail.kill(mail.pids(d, "email-parser")[0]))
        self.assertEqual(len({json.dumps(s) for s in sums.values()}), 1, sums)


if __name__ == "__main__":
    unittest.main()
