"""A real HTTP server for a folder, with faults planted by path: what mirrors do when they fail.

    with Server(folder) as server:
        server.plant("/pool/a.deb", Fault(status=503, times=2))   # fails twice, then serves the file
        server.plant("/pool/a.deb", Fault(cut=1000))              # sends 1000 bytes, then closes; every time
        server.plant("*", Fault(delay=0.1))                       # for all paths
        ... server.uri, server.requests ...

Files are served with ETag, Last-Modified, Content-Length, conditional requests (304) and ranges (206, If-Range).
"""

from __future__ import annotations

import contextlib
import hashlib
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["Fault", "Request", "Server"]

ALWAYS = 1 << 30


@dataclass
class Fault:
    """What goes wrong.

    Attributes:
        status: answer with this status and ``headers`` and no file.
        headers: headers added to the answer (``Location`` for a redirect).
        body: serve these bytes in the file's place.
        cut: close the connection after this many bytes of the answer's body.
        delay: seconds to wait before answering.
        ranges: whether ranges are heeded.
        chunked: send without Content-Length.
        times: how many requests it meets; later ones are served as they should be.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: int | None = None
    delay: float = 0
    ranges: bool = True
    chunked: bool = False
    times: int = ALWAYS


@dataclass(frozen=True)
class Request:
    """A request that came in; header names are lower case."""

    path: str
    headers: Mapping[str, str]


class Server:
    """A server on loopback for the files of ``folder``, from ``__enter__`` to ``__exit__``."""

    def __init__(self, folder: Path, tls: ssl.SSLContext | None = None) -> None:
        """Serve ``folder`` once entered; over TLS with a context."""
        self.folder = folder
        self.requests: list[Request] = []
        self._faults: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()
        self.closing = threading.Event()
        server = self

        class Handler(_Handler):
            owner = server

        self._http = _Http(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        if tls:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self.uri = f"{'https' if tls else 'http'}://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Server:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def plant(self, path: str, fault: Fault) -> None:
        """Let requests for ``path`` (with its leading slash; ``*``: all) meet a fault; the first planted goes first."""
        self._faults.setdefault(path, []).append(fault)

    def heal(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def paths(self) -> list[str]:
        """Give the paths asked for so far."""
        return [request.path for request in self.requests]

    def meet(self, path: str, headers: Mapping[str, str]) -> Fault:
        """Note a request and give the fault that it meets."""
        with self._lock:
            self.requests.append(Request(path, headers))
            for planted in (self._faults.get(path, []), self._faults.get("*", [])):
                for fault in planted:
                    if fault.times > 0:
                        fault.times -= 1
                        return fault
        return Fault()


class _Http(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        pass  # a client that hangs up is what some tests are about


class _Handler(BaseHTTPRequestHandler):
    owner: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        fault = self.owner.meet(path, {name.lower(): value for name, value in self.headers.items()})
        self.owner.closing.wait(fault.delay)
        if fault.status:
            self._send(fault.status, fault.headers, b"", fault)
            return
        file = self.owner.folder / path.lstrip("/")
        if fault.body is None and not file.is_file():
            self._send(404, {}, b"not here", fault)
            return
        data = file.read_bytes() if fault.body is None else fault.body
        self._file(data, file, fault)

    def _file(self, data: bytes, file: Path, fault: Fault) -> None:
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        modified = formatdate(file.stat().st_mtime if file.exists() else 0, usegmt=True)
        headers = {"ETag": etag, "Last-Modified": modified, **fault.headers}
        if self.headers.get("If-None-Match") == etag:
            self._send(304, headers, b"", fault)
            return
        given, condition = self.headers.get("Range", ""), self.headers.get("If-Range", etag)
        if given.startswith("bytes=") and fault.ranges and condition in (etag, modified):
            start = int(given[len("bytes=") :].partition("-")[0])
            if start >= len(data):
                self._send(416, {"Content-Range": f"bytes */{len(data)}"}, b"", fault)
                return
            part = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self._send(206, {"Content-Range": part, **headers}, data[start:], fault)
            return
        self._send(200, headers, data, fault)

    def _send(self, status: int, headers: Mapping[str, str], data: bytes, fault: Fault) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if fault.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif status != 304:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        sent = data if fault.cut is None else data[: fault.cut]
        with contextlib.suppress(ConnectionError):
            if fault.chunked:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(sent), sent) if sent else b"")
                self.wfile.write(b"0\r\n\r\n" if fault.cut is None else b"")
            else:
                self.wfile.write(sent)
        if len(sent) < len(data):
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass
