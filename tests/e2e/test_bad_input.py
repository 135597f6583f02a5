"""What others send that they should not: a clear refusal each time, and the daemon goes on."""
import contextlib
import json
import os
import socket
import struct
import unittest

from jobs import config, in_state, run, worker
from support import Daemon, UnixConnection, Answer

PREFACE = b"REEVE\0" + struct.pack("<HQ", 1, 0)
HELLO, ERROR, RESULT, MORE, IGNORABLE = 1, 5, 34, 1, 2
JSON = {"Content-Type": "application/json"}


class Bodies(unittest.TestCase):
    timeout_s = 120

    def refused(self, d, body, status, *words, path="/v1/jobs"):
        answer = d.http("POST", path, body, JSON)
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        problem = answer.json()
        self.assertEqual(problem["status"], status)
        for word in words:
            self.assertIn(word, json.dumps(problem))

    def test_what_is_no_job_is_refused_with_the_place_and_what_would_be_right(self):
        with Daemon(config(worker("process"))) as d:
            self.refused(d, b"", 400)
            self.refused(d, b"hello", 400, "line 1")
            self.refused(d, b'{"capability":"test.echo",\n "input":{]}', 400, "line 2")
            self.refused(d, b'{"capability":"test.echo","input":"\xff\xfe"}', 400, "UTF-8")
            self.refused(d, b'\xff\xfe{\0}\0', 400)
            self.refused(d, b'{"capability":"test.echo"', 400)
            self.refused(d, b"[1]", 400)
            self.refused(d, b'{"capability":"test echo"}', 400, "test ")
            self.refused(d, b'{"input":{}}', 400, "capability")
            self.refused(d, b'{"capability":"test.echo","colour":"red"}', 400, "colour")
            self.refused(d, b'{"capability":"test.echo","priority":10}', 400, "priority", "10")
            self.refused(d, b'{"capability":"test.echo","input":' + b"[" * 5000 + b"]" * 5000 + b"}", 400)
            self.assertEqual(run(d, "echo", {"still": "here"})["result"], {"still": "here"})

    def test_too_many_jobs_in_one_submit_are_refused_whole(self):
        with Daemon(config(worker("process"))) as d:
            many = json.dumps({"jobs": [{"capability": "test.echo"}] * 10001}).encode()
            self.assertIn(d.http("POST", "/v1/jobs", many, JSON).status, (400, 413))
            self.assertEqual(d.http("GET", "/v1/jobs").json()["jobs"], [])

    def test_a_body_that_is_longer_than_any_may_be_is_refused_before_it_is_read(self):
        with Daemon(config(worker("process"))) as d, contextlib.closing(UnixConnection(d.socket, 20)) as c:
            c.putrequest("POST", "/v1/jobs")
            c.putheader("Content-Type", "application/json")
            c.putheader("Content-Length", str(1 << 40))
            c.endheaders()
            answer = Answer(c.getresponse())
            self.assertEqual(answer.status, 413, answer)
            self.assertEqual(run(d, "echo", {})["result"], {})

    def test_a_client_that_goes_away_in_its_body_leaves_nothing(self):
        with Daemon(config(worker("process"))) as d:
            for path in ("/v1/jobs", "/v1/blobs"):
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                    s.connect(d.socket)
                    s.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{\"cap" % path.encode())
            self.assertEqual(run(d, "echo", {})["result"], {})
            self.assertEqual(len(d.http("GET", "/v1/jobs").json()["jobs"]), 1)
            self.assertEqual(os.listdir(os.path.join(d.data, "blobs", "tmp")), [])


def frame(kind, payload=b"", flags=0, id=0, length=None, descriptors=0):
    return struct.pack("<IBBHQ", len(payload) if length is None else length, kind, flags, descriptors, id) + payload


class Frames(unittest.TestCase):
    """On an instance's own socket, beside the worker that is connected there, and on the clients' socket."""
    timeout_s = 120

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.d = self.stack.enter_context(Daemon(config(worker("process"))))
        i, = in_state(self.d, "running")
        with open("/proc/%d/environ" % i["pid"], "rb") as f:
            env = dict(e.split(b"=", 1) for e in f.read().split(b"\0") if e)
        self.worker_socket, self.pid = env[b"REEVE_LINK"].decode(), i["pid"]
        self.sockets = (self.worker_socket, self.d.socket + ".link")

    def answer(self, path, *pieces, shut=False):
        """What is said to these bytes until the connection ends: the ERROR's JSON, or None."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(20)
            s.connect(path)
            data = b""
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for piece in pieces:
                    s.sendall(piece)
                if shut:
                    s.shutdown(socket.SHUT_WR)
                while more := s.recv(65536):
                    data += more
        data = data[16:]
        while len(data) >= 16:
            length, kind = struct.unpack_from("<IB", data)
            if kind == ERROR:
                return json.loads(data[16:16 + length])
            data = data[16 + length:]
        return None

    def still_works(self):
        self.assertEqual(run(self.d, "echo", {"n": 1})["result"], {"n": 1})
        i, = in_state(self.d, "running")
        self.assertEqual(i["pid"], self.pid)

    def test_each_ends_only_its_own_connection_and_says_why(self):
        for path in self.sockets:
            said = {
                "too long": self.answer(path, PREFACE, frame(HELLO, b"", length=65521)),
                "much too long": self.answer(path, PREFACE, frame(HELLO, b"", length=0xffffffff)),
                "unknown": self.answer(path, PREFACE, frame(200, b"x")),
                "unknown flag": self.answer(path, PREFACE, frame(HELLO, b"{}", flags=0x80)),
                "out of turn": self.answer(path, PREFACE, frame(RESULT, bytes(40))),
                "descriptors that never come": self.answer(path, PREFACE, frame(HELLO, b"{}", descriptors=200)),
            }
            if path == self.worker_socket:  # a client's HELLO says nothing
                said["no JSON"] = self.answer(path, PREFACE, frame(HELLO, b"{]"))
                said["no UTF-8"] = self.answer(path, PREFACE, frame(HELLO, b'{"token":"\xff"}'))
            for what, error in said.items():
                with self.subTest(what, socket=os.path.basename(path)):
                    self.assertTrue(error and error["message"], "%s: %r" % (what, error))
        self.still_works()

    def test_what_is_no_link_at_all_is_closed(self):
        for path in self.sockets:
            said = self.answer(path, b"GET / HTTP/1.1\r\n\r\n")
            self.assertIn("does not speak the link", said["message"])
            self.answer(path, b"REEVE\0" + struct.pack("<HQ", 9, 0))  # another version: closed
        self.still_works()

    def test_what_is_cut_off_is_closed(self):
        whole = PREFACE + frame(HELLO, b'{"token":"x"}')
        for path in self.sockets:
            for size in (0, 1, 15, 16, 20, 31, len(whole) - 1):
                self.answer(path, whole[:size], shut=True)
        self.still_works()

    def test_a_wrong_token_is_refused(self):
        for hello in ({}, {"token": ""}, {"token": "0" * 64}, {"token": 7}, {"token": "x" * 60000}):
            self.assertTrue(self.answer(self.worker_socket, PREFACE, frame(HELLO, json.dumps(hello).encode())), hello)
        self.still_works()


if __name__ == "__main__":
    unittest.main()
