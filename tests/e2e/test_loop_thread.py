"""The engine's loop thread under load waits for events and for nothing else: strace of that thread shows no fsync and no open.

Nor a futex wait, but for a few: pthread_cond_signal may wait for a thread that it has just woken, and malloc for one that frees.
"""
import collections
import os
import re
import subprocess
import unittest

from history import History
from jobs import config, in_state, worker
from load import CRASHING, KINDS, Client
from support import LONG, Daemon

# What may take as long as it likes; a futex only when the kernel has put the thread to sleep. Polls with a timeout of 0 and
# locks of files that are tried do not wait.
WAITS = ("fsync", "fdatasync", "sync_file_range", "msync", "syncfs", "open", "openat", "creat", "flock", "nanosleep",
         "clock_nanosleep", "wait4", "waitid", "select", "pause")
SLEPT = re.compile(r"futex\(.*FUTEX_(WAIT|LOCK_PI).* = (?!-1 EAGAIN)")
ONCE = "/proc/sys/vm/overcommit_memory"  # glibc's free asks that once in a process, and it is no disk
ANSWERS = 20000 if LONG else 1500
SLEEPS_MAX = ANSWERS // 100


class Calm(Client):
    """Jobs of every kind but those that end a worker: another one is started then, which opens files."""

    def make(self):
        kinds = [k for k in KINDS if k not in CRASHING]
        return self.make_one(self.random.choice(self.namespaces), *self.random.choices(kinds, [KINDS[k][0] for k in kinds]))


class Strace:
    def __init__(self, pid, path):
        self.path = path
        calls = "trace=futex,fcntl," + ",".join(WAITS)
        self.process = subprocess.Popen(["strace", "-e", calls, "-o", path, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        said = self.process.stderr.readline()  # "Process N attached", or why not
        if "attached" not in said:
            self.process.wait()
            raise unittest.SkipTest("strace may not look at the engine here: %s" % said.strip())

    def lines(self):
        self.process.terminate()
        self.process.communicate()
        with open(self.path, encoding="utf-8", errors="replace") as f:
            return f.read().splitlines()


class LoopThread(unittest.TestCase):
    timeout_s = 300 if LONG else 90

    def test_it_waits_for_nothing_but_events(self):
        quick = {"retry_delay": "5ms", "retry_cap": "40ms", "max_attempts": 1000}
        with Daemon(config(worker("process", "p", namespace="p"), worker("module", "m", namespace="m"), jobs=quick)) as d:
            in_state(d, "running", "p")
            in_state(d, "running", "m")
            h, journal = History(), d.file("journal", "")
            clients = [Calm(d, h, journal, "loop.%d" % k) for k in range(4)]
            try:
                strace = Strace(d.engine(), os.path.join(d.directory, "trace"))
            except FileNotFoundError as e:
                raise unittest.SkipTest("there is no strace") from e
            for c in clients:
                c.start()
            enough = h.wait_answers(ANSWERS, self.timeout_s - 30)
            lines = strace.lines()
            for c in clients:
                c.stopping.set()
            for c in clients:
                c.join()
                if c.failure:
                    raise c.failure
        self.assertTrue(enough, "%d answers in %d s" % (h.answers, self.timeout_s - 30))
        self.assertGreater(sum("FUTEX_WAKE" in line for line in lines), 100, "was this the thread that hands work to others?")
        sleeps = [line for line in lines if SLEPT.search(line)]
        print("%d futex waits in %d answers" % (len(sleeps), h.answers))
        self.assertLessEqual(len(sleeps), SLEEPS_MAX, "\n".join(sleeps[:40]))
        waits = [line for line in lines if ONCE not in line
                 and (any(line.startswith(w + "(") for w in WAITS) or "F_SETLKW" in line)]
        kinds = collections.Counter(line.split("(")[0] for line in waits)
        self.assertEqual(waits, [], "%s\n%s" % (kinds, "\n".join(waits[:40])))


if __name__ == "__main__":
    unittest.main()
