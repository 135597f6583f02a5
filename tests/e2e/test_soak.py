"""The daemon under a load of everything for a while: memory and descriptors do not grow with the number of jobs.

Asserted by the slope over counts of answers, never over time. Only in `script/test --long`, for REEVE_SOAK_MINUTES (10): before ten
thousand answers the caches are not full.
"""
import os
import time
import unittest

from history import History
from jobs import config, in_state, worker
from load import PIPELINE, Client
from support import LONG, Daemon, children_of, wait_until

MINUTES = float(os.environ.get("REEVE_SOAK_MINUTES") or 10)
EACH = 250  # answers between two samples
BYTES_PER_ANSWER = 64  # more is a leak; 7 were measured over 180,000 answers
FILES_PER_1000 = 0.5


class Steady(Client):
    """Everything but what ends a worker, and it forgets what is over: the client must not be the one that grows."""

    def step(self):
        super().step()
        if len(self.mine) > 400:
            self.mine = [p for p in self.mine if p.over is None]


def resident(pid):
    """Bytes of its own: what it shares with files does not count."""
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        return sum(int(line.split()[1]) * 1024 for line in f if line.startswith(("Private_Dirty:", "Anonymous:"))) // 2


def files(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def slope(points):
    """Of the line of least squares through (count, value)."""
    n = len(points)
    mx, my = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    return sum((x - mx) * (y - my) for x, y in points) / (sum((x - mx) ** 2 for x, _ in points) or 1)


@unittest.skipUnless(LONG, "script/test --long")
class Soak(unittest.TestCase):
    timeout_s = int(MINUTES * 60) + 120

    def test_memory_and_descriptors_do_not_grow_with_the_jobs(self):
        quick = {"retry_delay": "5ms", "retry_cap": "40ms", "max_attempts": 1000, "max_crashes": 1000, "keep_results": "1m"}
        again = {"delay": "10ms", "cap": "50ms", "max": 1000000}
        with Daemon(config(worker("process", "p", namespace="p", restart=again), worker("module", "m", namespace="m"),
                           pipelines=[PIPELINE], jobs=quick)) as d:
            in_state(d, "running", "p")
            in_state(d, "running", "m")
            h = History()
            journal = d.file("journal", "")
            clients = [Steady(d, h, journal, "soak.%d" % k, namespaces=("m",), pipelines=True) for k in range(3)]
            keeper, engine = d.keeper(), d.engine()
            for c in clients:
                c.start()
            try:
                samples = list(self.sample(h, keeper, engine))
            finally:
                for c in clients:
                    c.stopping.set()
                for c in clients:
                    c.join()
            for c in clients:
                if c.failure:
                    raise c.failure
            self.assertEqual(d.engine(), engine)
            self.judge(samples)

    def sample(self, h, keeper, engine):
        """(answers, process, bytes, descriptors), evenly over the answers; the first quarter is for caches to fill."""
        until = time.monotonic() + MINUTES * 60
        while time.monotonic() < until:
            self.assertTrue(h.wait_answers(h.answers + EACH, 60), "no answers any more")
            del h.events[:-100]
            for pid in [keeper, engine] + [p for p in children_of(keeper) if p != engine]:
                yield h.answers, pid, resident(pid), files(pid)

    def judge(self, samples):
        report = []
        for pid in sorted({s[1] for s in samples}):
            mine = [s for s in samples if s[1] == pid]
            mine = mine[len(mine) // 4:]
            grows = slope([(s[0], s[2]) for s in mine]), 1000 * slope([(s[0], s[3]) for s in mine])
            report.append("process %d: %.0f bytes an answer, %.2f descriptors a thousand; %d answers, %d to %d KiB, %d to %d files" % (
                pid, *grows, mine[-1][0], mine[0][2] >> 10, mine[-1][2] >> 10, mine[0][3], mine[-1][3]))
            print(report[-1], flush=True)
            self.assertLess(grows[0], BYTES_PER_ANSWER, report[-1])
            self.assertLess(grows[1], FILES_PER_1000, report[-1])


if __name__ == "__main__":
    unittest.main()
