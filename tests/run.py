#!/usr/bin/python3
"""run.py [--counts FILE] [--list] DIR... [-- NAME...]: run the test cases in DIR/test_*.py (unittest, stdlib only).

Each class runs in a process of its own, several at a time. A class may say:
    timeout_s = 60    no single test may take longer; a hang is a failure with the stack where it hung
    alone = False     True: nothing else runs meanwhile (for what measures time)
The NAMEs select test cases whose id (file.Class.method) contains one of them.

What a test leaves running (a daemon that was not taken down) is ended when its class is done. Appends a line
"passed failed skipped" to FILE. Exits with 1 if anything failed.
"""
import argparse
import ctypes
import faulthandler
import importlib.util
import os
import selectors
import signal
import subprocess
import sys
import time
import traceback
import unittest

PR_SET_CHILD_SUBREAPER = 36
DEFAULT_TIMEOUT_S = 60


def adopt_orphans():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
            return [int(x) for x in f.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def end_tree(pid):
    """Kills pid and all below it, parents first, so that nobody starts them again."""
    below = children(pid)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    for child in below:
        end_tree(child)


def load(path):
    """The classes of one file with their test ids; an unreadable file is a failure, not an empty set."""
    name = os.path.splitext(os.path.basename(path))[0]
    sys.path.insert(0, os.path.dirname(path))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    found = {}
    for suite in unittest.defaultTestLoader.loadTestsFromModule(module):
        for case in suite:
            found.setdefault(type(case), []).append(case.id())
    return found


# --- one class, in its own process: reports "start ID", "pass ID", "fail ID", "skip ID reason" ---

class Reporter(unittest.TestResult):
    def __init__(self, out, timeout_s):
        super().__init__()
        self.out, self.timeout_s, self.failed = out, timeout_s, False

    def tell(self, verb, test, text=""):
        self.out.write("%s %s %s\n" % (verb, test.id().replace(" ", "_"), text.replace("\n", " ")))
        self.out.flush()

    def startTest(self, test):
        super().startTest(test)
        self.failed = self.done = False
        faulthandler.dump_traceback_later(self.timeout_s, exit=False)
        self.tell("start", test)

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        if self.failed:
            self.tell("fail", test)
        elif not self.done:
            self.tell("pass", test)
        super().stopTest(test)

    def note(self, test, err):
        text = "".join(traceback.format_exception(*err))
        print("%s:\n%s" % (test.id(), text), flush=True)
        self.failed = True

    def addError(self, test, err):
        self.note(test, err)
        if not hasattr(test, "_testMethodName"):  # setUpClass or the like: the class as a whole
            self.tell("fail", test)

    def addFailure(self, test, err):
        self.note(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(subtest, err)

    def addUnexpectedSuccess(self, test):
        print("%s: passed, and was expected to fail" % test.id(), flush=True)
        self.failed = True

    def addSkip(self, test, reason):
        self.done = True
        self.tell("skip", test, reason)


def run_class(events, path, class_name, ids):
    adopt_orphans()
    faulthandler.enable()
    out = os.fdopen(events, "w", encoding="utf-8")
    os.set_inheritable(events, False)
    for cls, all_ids in load(path).items():
        if cls.__qualname__ != class_name:
            continue
        suite = unittest.TestSuite(cls(i.rsplit(".", 1)[1]) for i in all_ids if i in ids)
        suite.run(Reporter(out, getattr(cls, "timeout_s", DEFAULT_TIMEOUT_S)))
    for pid in children(os.getpid()):
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            command = f.read().replace(b"\0", b" ").decode(errors="replace")
        if command:  # a zombie has none; it has ended
            print("left running, now ended: %s" % command, flush=True)
        end_tree(pid)
    sys.stdout.flush()
    os._exit(0)  # threads that a test left behind do not keep us


# --- the parent: starts classes, watches the clock, prints ---

class Job:
    def __init__(self, path, cls, ids):
        self.path, self.name, self.ids = path, cls.__qualname__, list(ids)
        self.alone = getattr(cls, "alone", False)
        self.timeout_s = getattr(cls, "timeout_s", DEFAULT_TIMEOUT_S)
        self.running, self.since, self.text, self.buffer, self.broken = None, 0.0, b"", b"", False

    def start(self):
        self.events, write_end = os.pipe()
        self.process = subprocess.Popen([sys.executable, __file__, "--class", str(write_end), self.path, self.name] + self.ids,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True, pass_fds=(write_end,))
        os.close(write_end)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.running, self.since = None, time.monotonic()


class Runner:
    def __init__(self, jobs):
        self.waiting, self.active, self.width = jobs, [], int(os.environ.get("REEVE_JOBS") or os.cpu_count())
        self.passed = self.failed = self.skipped = 0
        self.selector = selectors.DefaultSelector()

    def say(self, verdict, test, seconds, why=""):
        print("%-5s %s (%.1f s)%s" % (verdict, test, seconds, ": " + why if why else ""), flush=True)

    def start_some(self):
        while self.waiting and len(self.active) < self.width:
            job = self.waiting[0]
            if self.active and (job.alone or self.active[0].alone):
                return
            self.waiting.pop(0)
            job.start()
            self.active.append(job)
            self.selector.register(job.events, selectors.EVENT_READ, job)
            self.selector.register(job.process.stdout, selectors.EVENT_READ, job)

    def event(self, job, line):
        verb, test, why = (line.decode("utf-8", "replace") + "  ").split(" ", 2)
        now = time.monotonic()
        if verb == "start":
            job.running, job.since = test, now
            return
        known = test in job.ids
        if known:
            job.ids.remove(test)
        elif verb == "fail":
            job.broken = True  # setUpClass or tearDownClass; the tests that do not run for it are counted when it ends
        elapsed, job.running, job.since = now - job.since, None, now
        if verb == "pass":
            self.passed += 1
        elif verb == "skip":
            self.skipped += 1 if known else len(job.ids)  # not known: setUpClass skips the class as a whole
            if not known:
                job.ids.clear()
        elif known or not job.ids:
            self.failed += 1
        self.say({"pass": "ok", "skip": "skip", "fail": "FAIL"}[verb], test, elapsed, why.strip())
        if verb == "fail":
            self.drain(job)
            self.show(job)

    def drain(self, job):
        """Takes over what the class has printed; False when nothing more can come."""
        try:
            while chunk := os.read(job.process.stdout.fileno(), 65536):
                job.text += chunk
        except BlockingIOError:
            return True
        return False

    def show(self, job):
        for line in job.text.decode("utf-8", "replace").splitlines()[-200:]:
            print("      | " + line)
        sys.stdout.flush()
        job.text = b""

    def ended(self, job, why):
        """The process of a class is gone, or is made to go. What it did not come to runs in a new one."""
        for f in (job.events, job.process.stdout):
            if f in self.selector.get_map():
                self.selector.unregister(f)
        end_tree(job.process.pid)
        self.drain(job)
        job.process.wait()
        os.close(job.events)
        job.process.stdout.close()
        self.active.remove(job)
        test = job.running or (job.ids[0] if job.ids and not job.broken else None)
        if test is None:
            if job.broken and job.ids:
                self.failed += len(job.ids)
                print("FAIL  %d cases of %s did not run" % (len(job.ids), job.name))
            elif b"left running" in job.text:
                self.show(job)
            return
        self.failed += 1
        self.say("FAIL", test, time.monotonic() - job.since, why)
        self.show(job)
        job.ids.remove(test)
        if job.ids:
            job.broken, job.buffer = False, b""
            self.waiting.insert(0, job)

    def read(self, job):
        data = os.read(job.events, 65536)
        job.buffer += data
        *lines, job.buffer = job.buffer.split(b"\n")
        for line in lines:
            self.event(job, line)
        if not data:
            job.process.wait()
            self.ended(job, "its process ended with %d" % job.process.returncode)

    def run(self):
        while self.waiting or self.active:
            self.start_some()
            limit = min(j.since + j.timeout_s for j in self.active) - time.monotonic() + 1
            for key, _ in self.selector.select(max(0.0, limit)):
                if key.data not in self.active:
                    continue
                if key.fileobj == key.data.events:
                    self.read(key.data)
                elif not self.drain(key.data):
                    self.selector.unregister(key.fileobj)
            for job in list(self.active):
                if time.monotonic() > job.since + job.timeout_s + 1:
                    self.ended(job, "still running after %d s" % job.timeout_s)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


def main():
    if sys.argv[1:2] == ["--class"]:
        run_class(int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5:])
    p = argparse.ArgumentParser()
    p.add_argument("--counts")
    p.add_argument("--list", action="store_true")
    p.add_argument("dirs", nargs="+")
    argv, names = sys.argv[1:], []
    if "--" in argv:
        names, argv = argv[argv.index("--") + 1:], argv[:argv.index("--")]
    a = p.parse_args(argv)
    jobs, broken = [], 0
    for path in sorted(os.path.join(d, f) for d in a.dirs for f in os.listdir(d) if f.startswith("test_") and f.endswith(".py")):
        try:
            classes = load(path)
        except Exception:
            print("FAIL  %s cannot be loaded" % path)
            traceback.print_exc(file=sys.stdout)
            broken += 1
            continue
        for cls, ids in classes.items():
            ids = [i for i in ids if not names or any(n in i for n in names)]
            if ids:
                jobs.append(Job(path, cls, ids))
    if a.list:
        print("\n".join(i for j in jobs for i in j.ids))
        sys.exit(1 if broken else 0)
    adopt_orphans()
    runner = Runner(jobs)
    runner.failed = broken
    runner.run()
    if a.counts:
        with open(a.counts, "a", encoding="ascii") as f:
            f.write("%d %d %d\n" % (runner.passed, runner.failed, runner.skipped))
    sys.exit(1 if runner.failed else 0)


if __name__ == "__main__":
    main()
