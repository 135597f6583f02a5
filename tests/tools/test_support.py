"""The end-to-end tests' own helper speaks HTTP over a Unix socket and does not wait for ever."""
import http.server
import os
import socketserver
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import support  # noqa: E402


class Echo(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202)
        self.send_header("Content-Type", self.headers["Content-Type"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "unix"

    def log_message(self, *args):
        pass


class Support(unittest.TestCase):
    def setUp(self):
        self.daemon = support.Daemon("node: {name: test}\n")
        self.addCleanup(self.daemon._directory.cleanup)

    def test_it_sends_json_and_reads_the_answer(self):
        server = socketserver.ThreadingUnixStreamServer(self.daemon.socket, Echo)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        answer = self.daemon.http("POST", "/v1/jobs", {"capability": "echo"})
        self.assertEqual((answer.status, answer.json()), (202, {"capability": "echo"}))
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertEqual(self.daemon.engine(), os.getpid())
        self.assertEqual(self.daemon.keeper(), os.getppid())

    def test_nobody_listening_is_seen(self):
        self.assertFalse(self.daemon.listens())

    def test_a_wait_in_vain_says_for_what(self):
        with self.assertRaisesRegex(AssertionError, "waited 0 s in vain: the moon"):
            support.wait_until(lambda: False, "the moon", 0)

    def test_the_configuration_is_a_file_of_its_own(self):
        with open(self.daemon.config, encoding="utf-8") as f:
            self.assertEqual(f.read(), "node: {name: test}\n")


if __name__ == "__main__":
    unittest.main()
