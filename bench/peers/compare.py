"""compare.py - Reeve and other people's queues, interleaved: each measurement of all of them, then the next, then all again.

All servers are started afresh for each round, and asked for latency and end to end while their queues are empty, then for puts.
Their driver is bench/peers/*.c, Reeve's is client_bench, both in the same way: a window is that many jobs put and confirmed."""
import contextlib
import json
import os
import subprocess

import harness
import plot
from harness import client, daemon, rounds, status_mib
from peers import servers

RESULTS = os.path.join(harness.TOP, "bench", "results")
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
FILL_S = 15  # a server that needs longer for a million jobs gets fewer
COLUMNS = (("enqueue w1", "jobs/s"), ("enqueue 8 x w1", "jobs/s"), ("enqueue w64", "jobs/s"), ("end to end w64", "jobs/s"),
           ("latency p50", "us"), ("latency p99", "us"), ("server CPU, enqueue w64", "us/job"), ("server CPU, end to end w64", "us/job"),
           ("memory idle", "MiB"), ("memory per waiting job", "bytes"))
PLOTTED = COLUMNS[:4]


def cpu_us(pids):
    used = 0
    for pid in pids:
        try:
            with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            used += sum(map(int, fields[11:15]))  # with those of its children that it has reaped
        except OSError:
            pass  # a child that has ended
    return used * TICK_US


class Session:
    """A running server of one round, and how it is asked."""

    def __init__(self, system, pids, drive, enqueues=True):
        self.system, self.pids, self.drive, self.enqueues = system, pids, drive, enqueues


class Comparison:
    def __init__(self, seconds, driver, fill, only):
        self.seconds, self.driver, self.fill, self.samples = seconds, driver, fill, {}
        self.systems = [(name, lambda a=(name, peer, start): self.peer(*a)) for name, peer, _, start in servers.SERVERS if only in name]
        self.systems += [("Reeve, " + p, lambda p=p: self.reeve(p)) for p in ("process", "module")]

    def add(self, system, column, value):
        self.samples.setdefault(system, {}).setdefault(column, []).append(value)

    # --- the systems ---

    @contextlib.contextmanager
    def peer(self, name, peer, start):
        with start() as (where, pids):
            def drive(mode, *args):
                p = subprocess.run([self.driver, peer, mode, where, *map(str, args)], stdout=subprocess.PIPE, text=True, timeout=300, check=True)
                return json.loads(p.stdout)
            yield Session(name, pids, drive)

    @contextlib.contextmanager
    def reeve(self, placement):
        names = {"latency": "bench.age." + placement, "e2e": "bench.empty." + placement}
        with daemon(placement) as d:
            def drive(mode, *args):
                args = [*args[:1], 1, *args[1:]] if mode == "e2e" else args
                return client(mode, d.link, names.get(mode, "bench.nobody"), *args)
            yield Session("Reeve, " + placement, lambda: servers.tree(d.keeper()), drive, enqueues=placement == "process")

    # --- the measurements, in an order that leaves the queue empty where it must be ---

    def idle(self, s):
        self.add(s.system, "memory idle", sum(status_mib(p) for p in s.pids()))

    def latency(self, s):
        r = s.drive("latency", int(150 * self.seconds))
        self.add(s.system, "latency p50", r["p50_us"])
        self.add(s.system, "latency p99", r["p99_us"])

    def end_to_end(self, s):
        self.with_cpu(s, "end to end w64", "e2e", 64, self.seconds)

    def enqueue_w1(self, s):
        self.add(s.system, "enqueue w1", s.drive("enqueue", 1, 1, self.seconds)["per_s"])

    def enqueue_8(self, s):
        self.add(s.system, "enqueue 8 x w1", s.drive("enqueue", 1, 8, self.seconds)["per_s"])

    def enqueue_w64(self, s):
        self.with_cpu(s, "enqueue w64", "enqueue", 64, 1, self.seconds)

    def with_cpu(self, s, what, *args):
        before = cpu_us(s.pids())
        r = s.drive(*args)
        self.add(s.system, what, r["per_s"])
        self.add(s.system, "server CPU, " + what, (cpu_us(s.pids()) - before) / r["done"])

    def waiting(self, s):
        if not self.fill or "memory per waiting job" in self.samples[s.system]:
            return
        before = sum(status_mib(p) for p in s.pids())
        n = s.drive("fill", int(min(1e6, self.samples[s.system]["enqueue w64"][-1] * FILL_S)))["done"]
        self.add(s.system, "memory per waiting job", (sum(status_mib(p) for p in s.pids()) - before) * (1 << 20) / n)

    def round(self):
        """All servers run, one of them is asked: what the neighbours do meanwhile is the same for all. Who comes first changes."""
        self.systems.append(self.systems.pop(0))
        with contextlib.ExitStack() as stack:
            sessions = [stack.enter_context(start()) for _, start in self.systems]
            for measure in (self.idle, self.latency, self.end_to_end):
                self.all(sessions, measure)
            for measure in (self.enqueue_w1, self.enqueue_8, self.enqueue_w64, self.waiting):
                self.all([s for s in sessions if s.enqueues], measure)

    def all(self, sessions, measure):
        for s in sessions:
            os.sync()  # what the one before has left to be written is not to hold up the next one's fsyncs
            measure(s)

    def medians(self, column):
        """Of each system that has this column."""
        return {s: harness.median(c[column]) for s, c in self.samples.items() if column in c}


DURABLE = {name: durable for name, _, durable, _ in servers.SERVERS}


def durable(system):
    return DURABLE.get(system, True)  # Reeve


def show(c):
    print("\n%-30s %-8s" % ("system", "durable") + "".join("%17s" % n for n, _ in COLUMNS[:6]) + "%17s%17s%12s%12s" % (
        "CPU us enqueue", "CPU us e2e", "idle MiB", "bytes/job"))
    for system, columns in c.samples.items():
        cells = ["%.0f" % harness.median(columns[n]) if n in columns else "-" for n, _ in COLUMNS]
        print("%-30s %-8s" % (system, "yes" if durable(system) else "no") + "".join("%17s" % x for x in cells[:8]) + "".join(
            "%12s" % x for x in cells[8:]))
    print("\nReeve to the best durable peer (above 1 is better; of latency and CPU, below)")
    for column, unit in COLUMNS[:8]:
        m = c.medians(column)
        less = unit != "jobs/s"
        ours = {s: v for s, v in m.items() if s.startswith("Reeve")}
        theirs = {s: v for s, v in m.items() if durable(s) and s not in ours}
        if ours and theirs:
            best = (min if less else max)(theirs, key=theirs.get)
            print("  %-28s " % column + ", ".join("%s %.2f" % (s, v / theirs[best]) for s, v in ours.items()) + "  to %s" % best)


def write(c):
    units = dict(COLUMNS)
    rows = [{"system": s, "setting": "durable" if durable(s) else "not durable", "test": t, "unit": units[t], "median": round(harness.median(v), 2),
             "min": round(min(v), 2), "max": round(max(v), 2), "runs": len(v)} for s, columns in c.samples.items() for t, v in columns.items()]
    with open(os.path.join(RESULTS, "peers.json"), "w", encoding="utf-8") as f:
        f.write("[\n%s\n]\n" % ",\n".join("  " + json.dumps(r) for r in rows))
    plot.bars(os.path.join(RESULTS, "peers.svg"), "Jobs per second, 256 bytes each", [
        (title, [(s, "reeve" if s.startswith("Reeve") else "durable" if durable(s) else "other", v) for s, v in c.medians(title).items()])
        for title, _ in PLOTTED])


def run(runs, seconds, fill=True, only=""):
    """`only`: of the others those with this in their name."""
    servers.install()
    with harness.temporary() as directory:
        driver = os.path.join(directory, "peers")
        servers.build(driver)
        c = Comparison(seconds, driver, fill, only)
        rounds(runs, [("peers", c.round)])
    show(c)
    if not only:
        write(c)
    return c
