#!/usr/bin/env python3
"""A worker in Python, standard library only, written from docs/reference/link-protocol.md.
python.count counts words and emits an item per line (of {"text":…} or of a blob); python.echo gives back what it is given.
One job at a time, on a thread of its own; the main thread reads the link.
"""
import array, json, os, queue, signal, socket, struct, sys, threading, time

HELLO, WELCOME, READY, FAILED, ERROR, BYE, PING, PONG, DRAIN = 1, 2, 3, 4, 5, 6, 7, 8, 9
JOB, STARTED, RESULT, SETTLED, GIVEN_BACK, CANCEL, FORGET, ITEM, ITEM_DONE, CHECKPOINT = range(32, 42)
MORE, PAYLOAD, GIVE_UP_S = 1, 65520, 15 * 60


class Cancelled(Exception):
    pass


class Job:
    def __init__(self, link, number, payload, files):
        self.link, self.id = link, number
        (self.fence, self.deadline, self.attempt, self.capability, self.window, size, checkpoint, trace, name,
         form) = struct.unpack_from("<QqIHHIIHBB", payload)
        self.input = payload[36:36 + size] if form == 1 else os.pread(files[0], size, 0) if form == 2 else None
        at = 36 + (size if form == 1 else 0)
        self.resume = payload[at:at + checkpoint]
        self.blob = os.fdopen(files.pop(), "rb") if name else None
        for fd in files:
            os.close(fd)
        self.started, self.cancelled, self.result = False, False, None  # result: the payload of RESULT
        self.kept = []  # (type, payload): ITEMs without ITEM_DONE
        self.changed = threading.Condition(link.lock)

    def simple(self, number=0, data=b""):
        return struct.pack("<Qq", self.fence, number) + data

    def emit(self, key, item):
        with self.link.lock:
            while len(self.kept) >= self.window and not self.cancelled:
                self.changed.wait()
            if self.cancelled:
                raise Cancelled
            self.kept.append((ITEM, struct.pack("<QQ", self.fence, key) + json.dumps(item).encode()))
            self.link.send(ITEM, self.id, self.kept[-1][1])

    def end(self, outcome, result=b"", code="", message=""):
        code, message = code.encode()[:63], message.encode()[:500]
        with self.link.lock:
            self.result = struct.pack("<QiBBHHHI", self.fence, outcome, 0, 1 if result else 0, len(code), len(message), 0,
                                      len(result)) + code + message + result
            self.link.send(RESULT, self.id, self.result)
            if self.id >> 63:  # a call: no SETTLED comes
                self.link.jobs.pop((self.id, self.fence), None)

    def cancel(self, forget):
        self.cancelled = True
        self.changed.notify_all()
        if forget:
            self.link.jobs.pop((self.id, self.fence), None)


class Link:
    def __init__(self, capabilities):
        self.capabilities, self.lock, self.jobs, self.waiting = capabilities, threading.RLock(), {}, queue.Queue()
        self.socket, self.reader, self.ready, self.draining = None, None, False, False  # socket: reader, once welcome
        self.files = []  # descriptors that came and belong to no frame yet

    def send(self, kind, number, payload=bytes(16), to=None):
        parts = [payload[i:i + PAYLOAD] for i in range(0, len(payload), PAYLOAD)]
        frames = b"".join(struct.pack("<IBBHQ", len(p), kind, MORE if i + 1 < len(parts) else 0, 0, number) + p
                          for i, p in enumerate(parts))
        with self.lock:
            try:
                if to or self.socket:
                    (to or self.socket).sendall(frames)
            except OSError:
                pass  # the reader sees it, too; what counts is sent again

    def connect(self):
        with self.lock:
            self.socket, self.files = None, []
        self.reader = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.reader.connect(os.environ["REEVE_LINK"])
        token = os.environ.get("REEVE_TOKEN") or open(os.environ["REEVE_TOKEN_FILE"], encoding="ascii").readline().strip()
        with self.lock:
            held = [{"id": str(j.id), "fence": str(j.fence), "started": j.started} for j in self.jobs.values()]
        self.reader.sendall(b"REEVE\0" + struct.pack("<HQ", 1, 1))
        self.send(HELLO, 0, json.dumps({"token": token, "name": "python-worker", "version": "1.0.0", "pid": os.getpid(),
                  "ready": self.ready, "capabilities": self.capabilities, "held": held}).encode(), self.reader)
        if self.read(16)[:8] != b"REEVE\0\x01\0":
            sys.exit("the daemon speaks another version of the link")

    def read(self, size):
        data = b""
        while len(data) < size:
            part, ancillary, _, _ = self.reader.recvmsg(size - len(data), socket.CMSG_SPACE(64 * 4))
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self.files.extend(array.array("i", content[:len(content) // 4 * 4]))
            if not part:
                raise ConnectionError("the daemon is gone")
            data += part
        return data

    def message(self):
        payload, count, flags = b"", 0, MORE
        while flags & MORE:
            size, kind, flags, n, number = struct.unpack("<IBBHQ", self.read(16))
            payload, count = payload + self.read(size), count + n
        files, self.files = self.files[:count], self.files[count:]
        return kind, number, payload, files

    def welcome(self, welcome):
        self.socket = self.reader
        for h in welcome["held"]:
            job = self.jobs.get((int(h["id"]), int(h["fence"])))
            if job and not h["keep"]:
                job.cancel(forget=True)
            elif job:
                again = [(STARTED, job.simple())] * job.started + job.kept + [(RESULT, job.result)] * bool(job.result)
                for kind, payload in again:
                    self.send(kind, job.id, payload)
        if not self.ready:
            self.ready = True
            self.send(READY, 0)

    def take(self, kind, number, payload, files):
        job = self.jobs.get((number, struct.unpack_from("<Q", payload)[0])) if kind > JOB else None
        if kind == WELCOME:
            self.welcome(json.loads(payload))
        elif kind == JOB:
            job = self.jobs[number, struct.unpack_from("<Q", payload)[0]] = Job(self, number, payload, files)
            self.waiting.put(job)
        elif kind == ERROR:
            sys.exit(payload.decode())
        elif kind == PING:
            self.send(PONG, number, struct.pack("<Qq", 0, 1))
        elif kind == DRAIN:
            self.drain()
        elif job and kind == SETTLED:
            del self.jobs[job.id, job.fence]
        elif job and kind in (CANCEL, FORGET):
            job.cancel(forget=kind == FORGET)
        elif job and kind == ITEM_DONE:
            del job.kept[0]
            job.changed.notify_all()

    def drain(self):
        self.draining = True
        while not self.waiting.empty():
            self.give_back(self.waiting.get())

    def give_back(self, job):
        self.send(GIVEN_BACK, job.id, job.simple())
        self.jobs.pop((job.id, job.fence), None)


def count(job):
    text = job.blob.read() if job.blob else json.loads(job.input)["text"].encode()
    words = [len(line.split()) for line in text.splitlines()]
    for i, n in enumerate(words):
        job.emit(i, {"line": i, "words": n})
    return {"lines": len(words), "words": sum(words)}


def work(link, handlers):
    while True:
        job = link.waiting.get()
        with link.lock:
            if job.cancelled or link.draining:
                job.end(-4, code="cancelled") if job.cancelled else link.give_back(job)
                continue
            job.started = True
            link.send(STARTED, job.id, job.simple())
        try:
            job.end(0, json.dumps(handlers[job.capability](job)).encode())
        except Cancelled:
            job.end(-4, code="cancelled")
        except Exception as e:  # a handler's fault is the job's, not the worker's
            job.end(-1, code=type(e).__name__, message=str(e))


def main():
    link = Link([{"name": "python.count", "version": "1.0.0", "summary": "Counts words and lines.", "flags": 16},
                 {"name": "python.echo", "version": "1.0.0", "summary": "Gives back what it is given.", "flags": 2}])
    threading.Thread(target=work, args=(link, [count, lambda job: json.loads(job.input)]), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: (link.send(DRAIN, 0), link.drain()))
    wait, heard_at = 0.01, time.monotonic()
    while time.monotonic() - heard_at < GIVE_UP_S:
        try:
            link.connect()
            while not (link.draining and not link.jobs):
                message = link.message()
                with link.lock:
                    link.take(*message)
                wait, heard_at = 0.01, time.monotonic()
            return link.send(BYE, 0)
        except OSError:
            time.sleep(wait := min(1.0, 2 * wait))


main()
