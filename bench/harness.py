"""harness.py - what bench/queue and bench/call share: a daemon with the bench worker in both placements, the client, the rows.

A measurement is one daemon on a fresh data directory, so that none pays for another's. The repetitions are interleaved (all
measurements once, then all again), because a shared machine has good and bad minutes; the disk's own limit is measured in
each round, and ratios are to that of the same round.
"""
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("REEVE_BUILD") or os.path.join(TOP, "build")
sys.path.insert(0, os.path.join(TOP, "tests", "e2e"))
from support import Daemon, children_of, wait_until  # noqa: E402


def start_client(*args):
    return subprocess.Popen([os.path.join(BUILD, "bench", "client_bench"), *map(str, args)], text=True, stdout=subprocess.PIPE)


def client(*args):
    """One run of client_bench; its JSON object."""
    with start_client(*args) as p:
        text, _ = p.communicate(timeout=300)
    if p.returncode:
        raise SystemExit("client_bench %s ended with %d" % (" ".join(map(str, args)), p.returncode))
    return json.loads(text)


def config(*placements, replicas=1, concurrency=4, **more):
    workers = []
    for p in placements:
        where = {"module": {"module_path": os.path.join(BUILD, "bench", "bench_worker.so")}} if p == "module" else {
            "execution": {"executable_path": os.path.join(BUILD, "bench", "bench_worker")}}
        workers.append({"id": p, "type": p, "replicas": {"min": replicas, "max": replicas}, "concurrency": concurrency, **where, **more})
    return json.dumps({"workers": workers}, indent=1) + "\n"


def running(d, placement):
    answer = d.http("GET", "/v1/workers/" + placement).json()
    return bool(answer["instances"]) and all(i["state"] == "running" for i in answer["instances"])


@contextlib.contextmanager
def daemon(*placements, **more):
    """A daemon whose workers run."""
    with Daemon(config(*placements, **more)) as d:
        for p in placements:
            wait_until(lambda p=p: running(d, p), "worker %s to run" % p)
        d.link = d.socket + ".link"
        yield d


def metric(d, name):
    for line in d.http("GET", "/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise SystemExit("/metrics has no %s" % name)


def status_mib(pid, key="VmRSS:"):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        for line in f:
            if line.startswith(key):
                return int(line.split()[1]) / 1024
    return 0


def written_bytes(pid):
    """What the process caused to be written to the disk."""
    with open("/proc/%d/io" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("write_bytes:"))


median = statistics.median


class Rows:
    """Samples by (setting, test, unit), in the order of their first appearance."""

    def __init__(self, system="reeve"):
        self.system, self.samples = system, {}

    def add(self, setting, test, unit, value):
        self.samples.setdefault((setting, test, unit), []).append(value)

    def rows(self):
        return [{"system": self.system, "setting": s, "test": t, "unit": u, "median": round(statistics.median(v), 3), "min": round(min(v), 3),
                 "max": round(max(v), 3), "runs": len(v)} for (s, t, u), v in self.samples.items()]

    def write(self, name, *others):
        """Prints all of them and writes bench/results/NAME.json."""
        rows = self.rows() + [row for o in others for row in o.rows()]
        path = os.path.join(TOP, "bench", "results", name + ".json")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write("[\n%s\n]\n" % ",\n".join("  " + json.dumps(row) for row in rows))
        print("%-26s %-34s %12s %12s %12s %5s" % ("setting", "test", "median", "min", "max", "runs"))
        for row in rows:
            print("%-26s %-34s %12s %12s %12s %5d" % (row["setting"] if row["system"] == self.system else row["system"] + " " + row["setting"], "%(test)s, %(unit)s" % row, *(
                ("%.0f" if abs(row[k]) >= 1000 else "%.3g") % row[k] for k in ("median", "min", "max")), row["runs"]))


def rounds(n, measurements, only=""):
    """Each measurement n times, interleaved; a measurement is (name, function)."""
    chosen = [(name, run) for name, run in measurements if only in name]
    if not chosen:
        raise SystemExit("no measurement is named %s; there are: %s" % (only, ", ".join(name for name, _ in measurements)))
    for k in range(n):
        for i, (name, run) in enumerate(chosen):
            if sys.stderr.isatty():
                sys.stderr.write("\r\033[K%d/%d  %d/%d  %s" % (k + 1, n, i + 1, len(chosen), name))
            run()
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")


def temporary():
    return tempfile.TemporaryDirectory(prefix="reeve-bench-")


__all__ = ["Rows", "children_of", "client", "config", "daemon", "median", "metric", "rounds", "start_client", "status_mib", "temporary", "wait_until", "written_bytes"]
