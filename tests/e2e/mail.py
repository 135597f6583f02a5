"""mail.py - what tests of the e-mail pipeline share: the example's configuration in any placement, mailboxes, runs."""
import hashlib
import json
import os
import re
import signal

from support import TOP, Daemon, alive, wait_until

EXAMPLE = os.path.join(TOP, "examples", "email")
SMALL = os.path.join(EXAMPLE, "small.mbox")
PLACEMENTS = [(p, c) for p in ("process", "module") for c in ("process", "module")]
LONG_S = 100  # for one run of some thousand messages on a busy machine, sanitized


def read(path):
    with open(path, "rb") as f:
        return f.read()


def daemon(parser="process", classifier="module", change=lambda text: text):
    """A daemon with the example's own files; only the two `type` lines are changed, and what `change` makes of the text."""
    text = read(os.path.join(EXAMPLE, "reeve.yaml")).decode()
    for worker, placement in (("email-parser", parser), ("email-classifier", classifier)):
        text, n = re.subn(r"(- id: %s\n +type: )\w+" % worker, r"\g<1>" + placement, text)
        assert n == 1, worker
    d = Daemon(change(text))
    d.file("email-processing.yaml", read(os.path.join(EXAMPLE, "email-processing.yaml")))
    return d


def mailbox(copies):
    """The shipped mailbox, again and again: each message at an offset, and so under a key, of its own."""
    return (read(SMALL).rstrip(b"\n") + b"\n\n") * copies


def messages_in(mbox):
    return len(re.findall(rb"(?:^|\n\n)From \S+ \w{3} \w{3} ", mbox))


def lines(ndjson):
    return [json.loads(line) for line in ndjson.decode().splitlines()]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def start(d, path, *options):
    """Starts a run; returns its id at once."""
    return d.reeve("pipeline", "run", "email-processing", "--input", path, "--detach", *options).strip()


def show(d, run):
    answer = d.http("GET", "/v1/runs/" + run)
    assert answer.status == 200, answer
    return answer.json()


def at_item(d, run, n):
    """Returns when n messages have been read, and fails when the run is over by then: the test would prove nothing."""
    def there():
        try:
            shown = show(d, run)
        except OSError:
            return None
        assert shown["status"] == "running", shown
        return shown if shown["items"] >= n else None
    return wait_until(there, "item %d of run %s" % (n, run), LONG_S)


def at_end(d, run):
    """The run when it is over; the daemon may be restarted meanwhile."""
    def over():
        try:
            answer = d.http("GET", "/v1/runs/%s?wait=5s" % run)
        except OSError:
            return None
        return answer.json() if answer.status == 200 and answer.json()["status"] != "running" else None
    return wait_until(over, "the end of run %s" % run, LONG_S)


def items(d, run):
    answer = d.http("GET", "/v1/runs/%s/items" % run)
    assert answer.status == 200, answer
    return answer.body


def pids(d, worker):
    answer = d.http("GET", "/v1/workers/" + worker)
    return [i["process_id"] for i in answer.json()["instances"] if i["process_id"]]


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid), "the end of process %d" % pid)
