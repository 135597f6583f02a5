"""killer.py - kill -9 of engine, keeper and workers at points placed by counts, never by time.

A point is a number of answers that clients have got, of bytes that the victim has read and written, or of its system calls
(/proc/PID/io). So it falls before, within and after a commit, into recovery, between a result and its acknowledgement.
"""
import contextlib
import os
import signal

from support import alive, children_of, wait_until

PATIENCE_S = 30


def io_of(pid):
    """{"rchar", "wchar", "syscr", "syscw", ...}; empty when it is gone."""
    with contextlib.suppress(OSError):
        with open("/proc/%d/io" % pid, encoding="ascii") as f:
            return {k: int(v) for k, v in (line.split(": ") for line in f)}
    return {}


def named(pid, name):
    with contextlib.suppress(OSError):
        with open("/proc/%d/comm" % pid, encoding="utf-8") as f:
            return f.read().strip() == name[:15]
    return False


class Killer:
    """`crash`: submits a job that crashes a module, and with it the engine; or None."""

    def __init__(self, daemon, history, journal, random, crash=None):
        self.d, self.h, self.journal, self.random, self.crash = daemon, history, journal, random, crash
        self.keeper = daemon.keeper()
        self.engines = {daemon.engine()}
        self.n = {"engine": 0, "recovering engine": 0, "module": 0, "keeper": 0, "worker": 0}
        self.in_a_row = 0
        self.log = []

    def kill(self, what, pid, why):
        self.h.killed.add(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.n[what] += 1
        self.h.say("kill -9 %s %d %s" % (what, pid, why))

    # --- who ---

    def engine(self):
        """The pid of the engine that runs now, also when it does not listen yet; waits for one."""
        def there():
            for pid in children_of(self.keeper):
                if named(pid, "reeve-engine") and pid not in self.h.killed and alive(pid):
                    self.engines.add(pid)
                    return pid
            return 0
        return wait_until(there, "an engine below keeper %d" % self.keeper, PATIENCE_S)

    def worker(self):
        """A process that has worked lately, or 0."""
        with open(self.journal, "rb") as f:
            f.seek(max(0, os.path.getsize(self.journal) - 4000))
            lines = f.read().split(b"\n")[1:-1]
        pids = {int(line.split()[4]) for line in lines} - self.engines - self.h.killed
        return self.random.choice(sorted(p for p in pids if named(p, "testworker") and alive(p)) or [0])

    # --- when ---

    def after_answers(self, pid):
        n = self.random.randrange(1, 60)
        self.h.wait_answers(self.h.answers + n, 5)
        return "after %d answers" % n

    def after_count(self, pid, name, most):
        """Watches until it has counted that much more, or is gone."""
        n, before = self.random.randrange(1, most), io_of(pid)
        if before:
            def far_enough():
                now = io_of(pid)
                return not now or now[name] >= before[name] + n
            with contextlib.suppress(AssertionError):  # nothing to do for it: then now
                busy_wait(far_enough)
        return "after %s +%d" % (name, n)

    def point(self, pid):
        which = self.random.randrange(4)
        if which == 0:
            return self.after_answers(pid)
        name, most = (("wchar", 60000), ("syscw", 120), ("syscr", 200))[which - 1]
        return self.after_count(pid, name, most)

    # --- what ---

    def end_engine(self):
        pid = self.engine()
        self.kill("engine", pid, self.point(pid))
        self.in_a_row += 1
        while self.in_a_row < 4 and self.random.random() < 0.3:
            pid = self.engine()
            name, most = self.random.choice((("rchar", 250000), ("syscr", 150), ("wchar", 40000), ("syscw", 60)))
            self.kill("recovering engine", pid, self.after_count(pid, name, most))
            self.in_a_row += 1

    def end_worker(self):
        pid = self.worker()
        if pid:
            self.kill("worker", pid, self.point(pid))

    def end_keeper(self):
        engine, keeper = self.engine(), self.keeper
        self.kill("keeper", keeper, self.point(engine))
        self.h.killed.add(engine)  # it follows
        self.in_a_row = 0
        if self.random.random() < 0.5:
            wait_until(lambda: not alive(engine), "engine %d to follow its keeper" % engine)
        wait_until(lambda: not alive(keeper), "keeper %d to be gone" % keeper)
        wait_until(lambda: not self.d.listens(), "engine %d to stop listening" % engine)
        self.keep_log()
        self.d.up()
        self.keeper = wait_until(self.another_keeper, "another keeper than %d" % keeper)
        self.h.say("keeper %d, engine %d" % (self.keeper, self.engine()))

    def another_keeper(self):
        with contextlib.suppress(OSError):  # its engine may be crashed by a module
            return self.d.keeper()
        return 0

    def end_engine_by_module(self):
        pid = self.engine()
        self.crash()
        wait_until(lambda: not alive(pid), "engine %d to be crashed" % pid, PATIENCE_S)
        self.h.killed.add(pid)
        self.n["module"] += 1
        self.h.say("engine %d crashed" % pid)
        self.in_a_row += 1

    def keep_log(self):
        """`reeve up` begins a new one; all of them are in self.log."""
        with open(os.path.join(self.d.data, "reeved.log"), encoding="utf-8", errors="replace") as f:
            self.log += f.read().splitlines()

    def one(self):
        x = self.random.random()
        if self.in_a_row >= 4 or x < 0.1:  # the next keeper does not wait before it starts an engine again
            self.end_keeper()
        elif x < 0.35:
            self.end_worker()
        elif self.crash and x < 0.55:
            self.end_engine_by_module()
        else:
            self.end_engine()


def busy_wait(true):
    """wait_until without its pauses: the point is a few system calls wide."""
    for _ in range(20000):
        if true():
            return
    raise AssertionError("waited in vain")
