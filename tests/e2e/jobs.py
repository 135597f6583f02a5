"""jobs.py - what tests of workers and jobs share: configurations with the test worker, submit and wait.

The configuration is written as JSON, which is YAML, too.
"""
import json

from support import PATIENCE_S, binary, wait_until



def worker(placement, id="test", path=None, **more):
    """The test worker's declaration in one placement."""
    declared = {"id": id, "type": placement, "concurrency": 4, "restart": {"delay": "10ms", "cap": "100ms"}}
    if placement == "module":
        declared["module"] = {"module_path": path or binary("tests/workers/testworker.so")}
    else:
        # a sanitizer would catch the signals that tests ask for
        declared["execution"] = {"executable_path": path or binary("tests/workers/testworker"),
                                 "environment": {"ASAN_OPTIONS": "handle_segv=0:handle_abort=0:detect_leaks=0",
                                                 "TSAN_OPTIONS": "handle_segv=0:handle_abort=0"}}
    declared.update(more)
    return declared


def config(*workers, **more):
    return json.dumps({"workers": list(workers), **more}, indent=1) + "\n"


def submit(d, capability, input=None, **more):
    """Submits one job; returns its id."""
    answer = d.http("POST", "/v1/jobs", {"capability": "test." + capability, "input": input or {}, **more})
    assert answer.status == 202, answer
    return answer.json()["job_id"]


def show(d, job, wait=None):
    answer = d.http("GET", "/v1/jobs/%s%s" % (job, "?wait=%s" % wait if wait else ""))
    assert answer.status == 200, answer
    return answer.json()


def ended(d, job, patience_s=PATIENCE_S):
    """Waits until the job is over; the daemon may be restarted meanwhile."""
    def over():
        try:
            shown = show(d, job, "2s")
        except OSError:
            return None
        return shown if shown["status"] in ("completed", "failed", "cancelled") else None
    return wait_until(over, "the end of job %s" % job, patience_s)


def run(d, capability, input=None, **more):
    """Submits and waits; returns the job as shown."""
    return ended(d, submit(d, capability, input, **more))


def instances(d, id="test"):
    answer = d.http("GET", "/v1/workers/" + id)
    assert answer.status == 200, answer
    return answer.json()["instances"]


def in_state(d, state, id="test", n=1):
    """Waits until n instances are in that state; returns them."""
    def found():
        try:
            answer = d.http("GET", "/v1/workers/" + id)
        except OSError:
            return None
        if answer.status == 404:  # a reload that was asked for has not come to it
            return None
        assert answer.status == 200, answer
        some = [i for i in answer.json()["instances"] if i["state"] == state]
        return some if len(some) == n else None
    return wait_until(found, "%d instances of %s %s" % (n, id, state))


def begun(d, job):
    """Waits until its handler runs (`processing` is said from the moment that a worker was given the job)."""
    return wait_until(lambda: show(d, job)["started_at"], "job %s to begin" % job)


def status_is(d, job, status):
    return wait_until(lambda: show(d, job)["status"] == status, "job %s %s" % (job, status))
