"""`server PORT` answers every GET with one line of JSON until SIGTERM."""

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from wheels.answers.answer import answer


class Handler(BaseHTTPRequestHandler):
    """Answers in JSON."""

    def do_GET(self):
        body = answer(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Keep quiet."""


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("listening on", port, flush=True)
    ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
