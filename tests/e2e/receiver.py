"""receiver.py - whoever is called back: an HTTP server in a process of its own, which a test can kill and start again.

    with Receiver() as r:
        ... submit a job with {"callback": {"url": r.url}} ...
        delivery = r.wait(1)[0]     # {"path", "headers", "body"}

What it gets it appends to a file before it answers; how it answers stands in another file, so both outlive a kill.
"""
import contextlib
import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

from support import wait_until


class Receiver:
    def __init__(self, tls=False):
        self._directory = tempfile.TemporaryDirectory(prefix="reeve-receiver-")
        self.directory, self.process, self.port, self.tls = self._directory.name, None, 0, tls
        self.log = os.path.join(self.directory, "log")
        self.answer(200)
        if tls:
            self.certificate = os.path.join(self.directory, "cert.pem")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", self.certificate,
                            "-keyout", os.path.join(self.directory, "key.pem")], check=True, stderr=subprocess.DEVNULL)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        self._directory.cleanup()

    @property
    def url(self):
        return "%s://localhost:%d/hook" % ("https" if self.tls else "http", self.port)

    def answer(self, status, **headers):
        """From now on, to everything."""
        path = os.path.join(self.directory, "answer")
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump([status, {k.replace("_", "-"): str(v) for k, v in headers.items()}], f)
        os.replace(path + ".new", path)

    def start(self):
        """On the port that it had, when it ran before."""
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), self.directory, str(self.port), str(int(self.tls))],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def kill(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def got(self):
        with contextlib.suppress(FileNotFoundError), open(self.log, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.endswith("\n")]
        return []

    def wait(self, n, patience_s=20):
        """The requests, when there are at least n."""
        return wait_until(lambda: self.got() if len(self.got()) >= n else None, "%d requests; there are %r" % (n, self.got()), patience_s)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open(os.path.join(self.server.directory, "log"), "a", encoding="utf-8") as f:
            f.write(json.dumps({"path": self.path, "headers": dict(self.headers.items()), "body": body}) + "\n")
        with open(os.path.join(self.server.directory, "answer"), encoding="utf-8") as f:
            status, headers = json.load(f)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def serve(directory, port, tls):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.directory = directory
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def silent():
    """A socket that takes connections and says nothing: a receiver that hangs. Close it."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(64)
    return s


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1")
