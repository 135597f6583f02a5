"""killer.py - kill -9 of engine, keeper and workers at points placed by counts, never by time.

A point is a write of the victim's (faults.so): to the store, to a client, to a worker, before it or after it. So it falls before,
within and after a commit, into recovery, between a result and its acknowledgement. Where faults.so cannot be (a sanitizer), it is a
number of answers that clients have got, or of the victim's system calls (/proc/PID/io), which is less exact.
"""
import contextlib
import os
import signal

from support import alive, children_of, wait_until

PATIENCE_S = 30
POINT_S = 3  # a process that writes nothing for so long is killed all the same


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

    def __init__(self, daemon, history, journal, random, crash=None, faults=None):
        self.d, self.h, self.journal, self.random, self.crash, self.faults = daemon, history, journal, random, crash, faults
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

    def die_writing(self, what, program, most):
        """A process of that program dies at its n-th write from now. False: they did not write so often."""
        n, how, before = self.random.randrange(1, most), self.random.choice(("kill_at", "kill_after")), program.hits
        setattr(program, how, program.writes + n)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: program.hits > before, "a write", POINT_S)
        setattr(program, how, 0)
        if program.hits == before:
            return False
        pid = program.killed
        self.h.killed.add(pid)
        self.n[what] += 1
        self.h.say("kill -9 %s %d, %s write +%d" % (what, pid, how, n))
        wait_until(lambda: not alive(pid), "%s %d to be dead" % (what, pid))
        return True

    # --- what ---

    def end_engine_at_a_point(self, what, most, point):
        pid = self.engine()
        if not (self.faults and self.die_writing(what, self.faults.engine, most)):
            self.kill(what, pid, point(pid))

    def end_engine(self):
        self.end_engine_at_a_point("engine", 300, self.point)
        self.in_a_row += 1
        while self.in_a_row < 4 and self.random.random() < 0.3:
            name, most = self.random.choice((("rchar", 250000), ("syscr", 150), ("wchar", 40000), ("syscw", 60)))
            self.end_engine_at_a_point("recovering engine", 40, lambda pid: self.after_count(pid, name, most))
            self.in_a_row += 1

    def end_worker(self):
        if self.faults and self.die_writing("worker", self.faults.worker, 200):
            return
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
