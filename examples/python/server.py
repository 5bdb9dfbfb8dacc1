"""Answers every GET with a greeting, the path and the version of Python.

`server.py PORT` serves until it is stopped; without a port it answers one request of its own and ends.
"""

import json
import platform
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers in JSON."""

    def do_GET(self):
        body = json.dumps({"hello": "world", "path": self.path, "python": platform.python_version()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Keep quiet."""


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = ThreadingHTTPServer(("127.0.0.1" if not port else "0.0.0.0", port), Handler)
    if port:
        print(f"serving on port {port}", flush=True)
        server.serve_forever()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/self") as answer:
        print(answer.read().decode())


main()
