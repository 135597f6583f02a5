#!/usr/bin/env python3
"""puller.py - a worker that pulls: it asks the daemon for jobs over HTTP on its Unix socket. Standard library only.

    REEVE_SOCKET=/run/reeve/reeve.sock puller.py [--max N] [--lease SECONDS] [--client NAME] [--jobs N]

Serves the capability `text.count`: {"text": "to be"} -> {"lines": 1, "words": 2}. Copy Puller, and write your own handle.

Several jobs are claimed at once, one after the other is worked on, and one request keeps all of them alive meanwhile. What was
claimed and will not be begun any more is given back. Daemon gone: it asks again until there is one, and goes on with what it holds.
"""
import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import sys
import threading
import time


class Retry(Exception):
    """Raised by a handler: it may work later."""


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket, opened again when the daemon was started again."""

    def __init__(self, path):
        super().__init__("reeve", timeout=90)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def post(self, path, body):
        """The answer's status and JSON. Repeated until somebody answers: a claim that nobody heard the answer of ends by itself,
        and a second `complete` is refused."""
        while True:
            try:
                self.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
                answer = self.getresponse()
                content = json.loads(answer.read())
                if answer.status not in (429, 503, 507):
                    return answer.status, content
            except (OSError, http.client.HTTPException):
                self.close()
            time.sleep(0.2)


class Job:
    def __init__(self, claim):
        self.id, self.fence, self.input = claim["job_id"], claim["fence"], claim["input"]
        self.capability, self.attempt = claim["capability"], claim["attempt"]
        self.lost = False  # cancelled, or somebody else's: stop, its outcome no longer counts
        self.progress = None  # (percent, message): told with the next heartbeat


class Puller:
    def __init__(self, path, capabilities, handle, most=1, lease_s=30, client=None):
        self.path, self.handle, self.lease_s = path, handle, lease_s
        self.ask = {"capabilities": capabilities, "max": most, "wait": "20s", "lease": "%gs" % lease_s}
        if client:
            self.ask["client"] = client
        self.held, self.lock = [], threading.Lock()
        self.stopping = threading.Event()

    def run(self, limit=None):
        """Until stop(), or `limit` jobs are done."""
        connection, done = Connection(self.path), 0
        threading.Thread(target=self.keep_alive, daemon=True).start()
        while not self.stopping.is_set() and (limit is None or done < limit):
            status, answer = connection.post("/v1/claims", self.ask)
            if status != 200:
                raise SystemExit("the daemon refuses to give us jobs: %s" % answer["detail"])
            jobs = [Job(c) for c in answer["claims"]]
            with self.lock:
                self.held += jobs
            for job in jobs:
                if not job.lost:
                    done += self.work(connection, job)
                with self.lock:
                    self.held.remove(job)

    def stop(self):
        self.stopping.set()

    def work(self, connection, job):
        """True when the job has ended by us."""
        if self.stopping.is_set():
            verb, body = "release", {}
        else:
            verb, body = self.outcome(job)
        status, _ = connection.post("/v1/claims/%s/%s" % (job.id, verb), {"fence": job.fence, **body})
        return status == 200 and verb != "release"

    def outcome(self, job):
        try:
            return "complete", {"result": self.handle(job)}
        except Exception as e:  # whatever a handler raises is this job's failure, not ours
            code, again = type(e).__name__[:63], isinstance(e, Retry)
            return "fail", {"error": {"code": code, "message": str(e), "retryable": again}}

    def keep_alive(self):
        connection = Connection(self.path)
        while not self.stopping.wait(self.lease_s / 3):
            with self.lock:
                jobs = list(self.held)
            if not jobs:
                continue
            claims = [{"job_id": j.id, "fence": j.fence} for j in jobs]
            for job, answer in zip(jobs, connection.post("/v1/claims/heartbeat", {"claims": claims})[1]["claims"]):
                job.lost = answer.get("cancelled", True)  # an error instead: it is not ours any more
            self.tell_progress(connection, jobs)

    def tell_progress(self, connection, jobs):
        for job in jobs:
            if job.progress and not job.lost:
                percent, message = job.progress
                connection.post("/v1/claims/%s/heartbeat" % job.id,
                                {"fence": job.fence, "progress": {"percent": percent, "message": message}})


def count(job):
    text = job.input["text"]
    return {"lines": len(text.splitlines()), "words": len(text.split())}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--max", type=int, default=10, help="jobs to claim at once")
    p.add_argument("--lease", type=float, default=30, help="seconds")
    p.add_argument("--client", help="a name for `reeve claim list`")
    p.add_argument("--jobs", type=int, help="end after so many")
    a = p.parse_args()
    puller = Puller(os.environ["REEVE_SOCKET"], ["text.count"], count, a.max, a.lease, a.client)
    signal.signal(signal.SIGTERM, lambda *_: puller.stop())
    with contextlib.suppress(KeyboardInterrupt):
        puller.run(a.jobs)


if __name__ == "__main__":
    sys.exit(main())
