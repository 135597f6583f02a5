"""The test runners count what happened: crashes, hangs and programs that say nothing are failures with a name."""
import importlib.machinery
import importlib.util
import os
import subprocess
import tempfile
import textwrap
import time
import unittest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def unit_tests():
    loader = importlib.machinery.SourceFileLoader("unit_tests", os.path.join(TOP, "tools", "unit-tests"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("unit_tests", loader))
    loader.exec_module(module)
    return module


class TapIsCounted(unittest.TestCase):
    def counted(self, out, how=""):
        passed, failed, skipped, complaint = unit_tests().count(out, how)
        return (passed, failed, skipped), complaint

    def test_each_case_counts_once(self):
        self.assertEqual(self.counted("1..3\nok 1 - a\nnot ok 2 - b\n# why\nok 3 - c\n# not ok - group\n", "exit status 1"), ((2, 1, 0), ""))

    def test_cmockas_skip_is_no_failure(self):
        self.assertEqual(self.counted("1..2\nok 1 - a\nnot ok 2 # SKIP b\n"), ((1, 0, 1), ""))

    def test_two_groups_of_one_program_add_up(self):
        self.assertEqual(self.counted("1..1\nok 1 - a\n1..1\nok 1 - b\n"), ((2, 0, 0), ""))

    def test_a_crash_is_a_failure_that_names_the_case_before(self):
        self.assertEqual(self.counted("1..3\nok 1 - a\n", "killed by SIGSEGV"), ((1, 1, 0), "killed by SIGSEGV, in the case after: a"))

    def test_a_program_that_ends_early_but_well_is_a_failure(self):
        self.assertEqual(self.counted("1..3\nok 1 - a\n")[0], (1, 1, 0))

    def test_a_program_without_a_case_is_a_failure(self):
        self.assertEqual(self.counted("")[0], (0, 1, 0))

    def test_a_leak_found_at_exit_is_a_failure(self):
        self.assertEqual(self.counted("1..1\nok 1 - a\nLeakSanitizer\n", "exit status 1")[0], (1, 1, 0))


class PythonTestsAreCounted(unittest.TestCase):
    def run_on(self, source, *names):
        """Exit status, output and counts of tests/run.py on one file."""
        with tempfile.TemporaryDirectory() as top:
            with open(os.path.join(top, "test_it.py"), "w", encoding="utf-8") as f:
                f.write("import os, subprocess, threading, unittest\n" + textwrap.dedent(source))
            counts = os.path.join(top, "counts")
            p = subprocess.run([os.path.join(TOP, "tests", "run.py"), "--counts", counts, top, "--", *names],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            with open(counts, encoding="ascii") as f:
                return p.returncode, p.stdout, f.read().strip()

    def test_passed_failed_and_skipped(self):
        rc, out, counts = self.run_on("""
            class T(unittest.TestCase):
                def test_good(self): pass
                def test_bad(self): self.assertEqual("this", "that")
                def test_skip(self): self.skipTest("no such thing here")
            """)
        self.assertEqual((rc, counts), (1, "1 1 1"))
        self.assertIn("'this' != 'that'", out)
        self.assertIn("no such thing here", out)

    def test_a_failing_subtest_fails_its_test(self):
        rc, _, counts = self.run_on("""
            class T(unittest.TestCase):
                def test_some(self):
                    for i in range(3):
                        with self.subTest(i=i): self.assertNotEqual(i, 1)
            """)
        self.assertEqual((rc, counts), (1, "0 1 0"))

    def test_a_hang_fails_with_its_place_and_the_rest_runs(self):
        rc, out, counts = self.run_on("""
            class T(unittest.TestCase):
                timeout_s = 1
                def test_a_hangs(self): threading.Event().wait()
                def test_b_runs(self): pass
            """)
        self.assertEqual((rc, counts), (1, "1 1 0"))
        self.assertIn("still running after 1 s", out)
        self.assertIn("in test_a_hangs", out)

    def test_a_crash_fails_its_test_and_the_rest_runs(self):
        rc, out, counts = self.run_on("""
            class T(unittest.TestCase):
                def test_a_dies(self): os.abort()
                def test_b_runs(self): pass
            """)
        self.assertEqual((rc, counts), (1, "1 1 0"))
        self.assertIn("its process ended with -6", out)

    def test_a_failing_set_up_fails_every_test_of_the_class(self):
        rc, _, counts = self.run_on("""
            class T(unittest.TestCase):
                @classmethod
                def setUpClass(cls): raise RuntimeError("no")
                def test_a(self): pass
                def test_b(self): pass
            """)
        self.assertEqual((rc, counts), (1, "0 2 0"))

    def test_a_set_up_that_skips_skips_every_test_of_the_class(self):
        rc, out, counts = self.run_on("""
            class T(unittest.TestCase):
                @classmethod
                def setUpClass(cls): raise unittest.SkipTest("not here")
                def test_a(self): pass
                def test_b(self): pass
            """)
        self.assertEqual((rc, counts), (0, "0 0 2"))
        self.assertIn("not here", out)

    def test_a_file_that_cannot_be_loaded_is_a_failure(self):
        self.assertEqual(self.run_on("import no_such_module\n")[::2], (1, "0 1 0"))

    def test_names_select(self):
        rc, _, counts = self.run_on("""
            class T(unittest.TestCase):
                def test_this(self): pass
                def test_that(self): self.fail()
            """, "this")
        self.assertEqual((rc, counts), (0, "1 0 0"))

    def test_what_a_test_leaves_running_is_ended(self):
        _, out, counts = self.run_on("""
            class T(unittest.TestCase):
                def test_a(self):
                    p = subprocess.Popen(["sh", "-c", "setsid sleep 1000 & echo $!"], stdout=subprocess.PIPE)
                    print("pid", p.stdout.readline().decode(), flush=True)
                    p.wait()
                def test_b(self): self.fail("so that the output is shown")
            """)
        self.assertEqual(counts, "1 1 0")
        pid = int(out.split("pid ")[1].split()[0])
        until = time.monotonic() + 10
        while self.alive(pid) and time.monotonic() < until:
            pass
        self.assertFalse(self.alive(pid))

    @staticmethod
    def alive(pid):
        try:
            with open("/proc/%d/stat" % pid, encoding="ascii") as f:
                return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
        except FileNotFoundError:
            return False


class SetUp(unittest.TestCase):
    def test_the_list_names_each_package_once(self):
        out = subprocess.run([os.path.join(TOP, "script", "setup"), "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
        names = out.split()
        self.assertEqual(len(names), len(set(names)))
        self.assertTrue({"meson", "libsqlite3-dev", "libcmocka-dev"} <= set(names))

    def test_an_unknown_flag_is_refused(self):
        self.assertEqual(subprocess.run([os.path.join(TOP, "script", "setup"), "--nonsense"], stderr=subprocess.PIPE).returncode, 2)


if __name__ == "__main__":
    unittest.main()
