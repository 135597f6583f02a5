"""web.py PORT DIRECTORY: an HTTP server whose health is in files of the directory: `sick` answers 503, `deaf` never answers,
`late` keeps it from listening until it is gone."""
import http.server
import os
import sys
import time

port, directory = int(sys.argv[1]), sys.argv[2]


def there(name):
    return os.path.exists(os.path.join(directory, name))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        while there("deaf"):
            time.sleep(0.01)
        ok = self.path == "/health" and not there("sick")
        self.send_response(200 if ok else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


with open(os.path.join(directory, "starts"), "a", encoding="ascii") as f:
    f.write("%d\n" % os.getpid())
while there("late"):
    time.sleep(0.01)
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
