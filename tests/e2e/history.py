"""history.py - what a daemon has promised, what was done to it, and whether it kept its word. For test_kills.py.

The clients write down each job before they submit it and each answer when it comes; the killer writes down each kill; the
test workers write down each execution (tests/workers/testworker/journal.h). When all is quiet, check() compares the three
with what the daemon shows. A broken promise is a sentence; none may be left over.
"""
import collections
import threading
import time

OVER = ("completed", "failed", "cancelled")


class Promise:
    """One job as its client sees it. `id` stays None while no answer came: then it may exist, or not."""

    def __init__(self, number, kind, namespace, spec, expect):
        self.number, self.kind, self.namespace, self.spec, self.expect = number, kind, namespace, spec, expect
        self.id = self.batch = self.key = None
        self.cancel = None  # "asked", "done": 200, "late": 409
        self.purge = None  # "asked", "done": 200
        self.gone = False  # it was purged, and is not shown any more
        self.replays_asked = self.replays_done = 0
        self.over = None  # as it was first shown when it was over: (status, result)
        self.over_at = 0  # the journal's size then

    def __repr__(self):
        return "job %d (%s, %s in %s)" % (self.number, self.id or "no answer", self.kind, self.namespace)


class Run:
    """One run of the pipeline as its client sees it; as Promise."""

    def __init__(self, number, n, namespace):
        self.number, self.n, self.namespace, self.id, self.cancel = number, n, namespace, None, None

    def __repr__(self):
        return "run %d (%s, %d items in %s)" % (self.number, self.id or "no answer", self.n, self.namespace)


class Execution:
    def __init__(self, at, fence, attempt, pid):
        self.at, self.fence, self.attempt, self.pid, self.ended_at, self.code = at, fence, attempt, pid, None, None

    def __repr__(self):
        return "fence %d:%d attempt %d pid %d at %d-%s code %s" % (
            self.fence >> 32, self.fence & 0xffffffff, self.attempt, self.pid, self.at, self.ended_at, self.code)


def read_journal(path):
    """{job id: [executions in order]}"""
    runs, at = collections.defaultdict(list), 0
    with open(path, encoding="ascii") as f:
        for line in f:
            verb, job, fence, attempt, pid, _, *code = line.split()
            if verb == "begin":
                runs[job].append(Execution(at, int(fence), int(attempt), int(pid)))
            else:
                run = next(r for r in reversed(runs[job]) if (r.fence, r.pid) == (int(fence), int(pid)))
                run.ended_at, run.code = at, int(code[0])
            at += len(line)
    return runs


class History:
    def __init__(self):
        self.changed = threading.Condition()
        self.promises, self.runs, self.events = [], [], []
        self.answers = 0
        self.killed = set()  # pids of processes and engines that we have ended
        self.begun = time.monotonic()

    def say(self, text):
        with self.changed:
            self.events.append("%9.3f %s" % (time.monotonic() - self.begun, text))

    def promise(self, kind, namespace, spec, expect):
        with self.changed:
            p = Promise(len(self.promises), kind, namespace, spec, expect)
            self.promises.append(p)
        return p

    def run(self, n, namespace):
        with self.changed:
            run = Run(len(self.runs), n, namespace)
            self.runs.append(run)
        return run

    def answered(self, text):
        with self.changed:
            self.answers += 1
            self.events.append("%9.3f %s" % (time.monotonic() - self.begun, text))
            self.changed.notify_all()

    def wait_answers(self, n, patience_s):
        """Until n answers have come since the beginning. False: they do not come."""
        with self.changed:
            return self.changed.wait_for(lambda: self.answers >= n, patience_s)

    def of(self, p):
        """All that is known of one job, and the kills between."""
        mark = "job %d " % p.number
        return "\n".join(e for e in self.events if mark in e or "kill" in e or "engine" in e)


# --- what must hold ---

def check_promise(p, shown, runs, items, died):
    """The broken ones, as sentences. `shown` is None when the daemon does not know the job."""
    if p.id is None:
        return []
    if shown is None:
        return [] if p.purge else ["is lost"]
    if p.purge == "done":
        return ["is %s although its purge was acknowledged" % shown["status"]]
    status = shown["status"]
    bad = []
    if status not in OVER:
        return ["is not over but %s" % status]
    if p.over and not p.replays_asked and p.over != (status, shown["result"]):
        bad.append("was over as %s and is now %s" % (p.over, (status, shown["result"])))
    if status == "cancelled":
        if not p.cancel:
            bad.append("is cancelled, and nobody asked")
    elif p.cancel == "done":
        bad.append("is %s although its cancellation was acknowledged" % status)
    elif status != p.expect["status"]:
        bad.append("is %s, not %s: %s" % (status, p.expect["status"], shown["error"]))
    elif "result" in p.expect and not p.expect["result"](p, shown["result"]):
        bad.append("has a wrong result: %.300r" % shown["result"])
    elif "items" in p.expect and items != p.expect["items"]:
        bad.append("has items %s, not %s" % (items, p.expect["items"]))
    return bad + check_runs(p, shown, runs, died)


def check_run(run, shown):
    """The broken promises of a run of the pipeline, as sentences."""
    if shown is None:
        return ["is lost"]
    status, items = shown["status"], (shown["items"], shown["items_failed"])
    if run.cancel == "done" or (run.cancel and status == "cancelled"):  # an earlier one, which had no answer
        return [] if status == "cancelled" else ["is %s although its cancellation was acknowledged" % status]
    if status != "completed":
        return ["is %s, not completed: %s" % (status, shown["error"])]
    if items != (run.n, 0) or shown["result"]["items"] != run.n:
        return ["has %d items, %d failed, and the result %.300s" % (*items, shown["result"])]
    return []


def check_runs(p, shown, runs, died):
    bad = []
    if shown["status"] == "completed" and not runs:
        bad.append("completed without an execution")
    # a worker says STARTED before its handler runs, so one that is killed between the two counts for an attempt
    if not p.replays_asked and shown["attempts"] > len(runs) + shown["crashes"]:
        bad.append("counts %d attempts and %d crashes of %d executions" % (shown["attempts"], shown["crashes"], len(runs)))
    for a, b in zip(runs, runs[1:]):
        if b.fence <= a.fence:
            bad.append("was given out under a fence that is not greater: %s, then %s" % (a, b))
        if a.ended_at is not None and a.ended_at > b.at:
            bad.append("ran twice at once: %s and %s" % (a, b))
        if a.pid not in died and a.code in (None, 0):
            bad.append("ran again although its first worker lived on: %s, then %s" % (a, b))
    if p.over and not p.replays_asked and runs and runs[-1].at > p.over_at:
        bad.append("ran after it was over: %s" % runs[-1])
    return bad


def check_unanswered(promises, tags):
    """Submits without an answer: each job is there at most once, a batch as a whole or not at all."""
    bad, batches = [], collections.defaultdict(set)
    for p in promises:
        if p.purge:
            continue
        n = tags["n%d" % p.number]
        if n > 1 or (p.id and n != 1):
            bad.append("%r is listed %d times" % (p, n))
        if p.batch is not None:
            batches[p.batch].add(n)
    return bad + ["batch %s was kept in part" % b for b, seen in batches.items() if len(seen) > 1]
