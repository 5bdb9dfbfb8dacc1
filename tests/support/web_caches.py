"""Caches in memory that are asked in HTTP and tell the truth, or lie as a test says: a web server, and a registry.

    with serving(Web()) as server:                     # or Registry()
        server.lie = lambda handler, truth: ...        # sends what it likes and gives True; False: the truth is told
        ... server.address, server.kept, server.asked ...

``truth`` is the bytes that are kept under the path that was asked for, None: there are none, or they are being written.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["Handler", "Lie", "Registry", "Web", "serving"]

NAME = "team/cache"


class Web:
    """A server of what is put; ``lie`` may answer in its place."""

    scheme, path = "http", "cache"
    answers: type[Handler]

    def __init__(self) -> None:
        """Start with nothing kept and no lie."""
        self.kept: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.lie: Lie | None = None
        self.closing = threading.Event()
        answers = type("Answers", (self.answers,), {"owner": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), answers)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.address = f"{self.scheme}://127.0.0.1:{self.port}/{self.path}"


class Handler(BaseHTTPRequestHandler):
    """Answers for a web server."""

    owner: Web
    protocol_version = "HTTP/1.1"

    @property
    def of_blob(self) -> bool:
        """Whether a blob is asked for."""
        return "/cas/" in self.path

    @property
    def of_result(self) -> bool:
        """Whether a result is asked for."""
        return "/ac/" in self.path

    def do_GET(self) -> None:
        """Give what is kept."""
        self.owner.asked.append((self.command, self.path, {name.lower(): v for name, v in self.headers.items()}))
        truth = self.owner.kept.get(self.path)
        if self.owner.lie is None or not self.owner.lie(self, truth):
            self.give(truth)

    do_HEAD = do_GET  # noqa: N815 - the name that the library calls

    def do_PUT(self) -> None:
        """Keep."""
        data = self.body()
        if not self.lies():
            self.owner.kept[self.path] = data
            self.give(b"", 201)

    def lies(self) -> bool:
        """Tell whether a request that writes was answered with a lie."""
        return self.owner.lie is not None and self.owner.lie(self, None)

    def body(self) -> bytes:
        """Give what was sent."""
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def give(self, body: bytes | None, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Answer; None: there is nothing."""
        self.send_response(status if body is not None else 404)
        for name, value in {"Content-Length": str(len(body or b"")), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Answer until the client hangs up, as one does on a lie."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True


Web.answers = Handler


class Registry(Web):
    """A registry of one repository.

    Attributes:
        users: name -> password of those who may ask; none: anybody may.
        token: whether these have to bring a token from ``/token``; else it is the password itself.
        writers: who of them may write; None: all.
        tokens: those that were given -> the actions that each is for.
        most: bytes that an upload may have at once.
    """

    scheme, path = "oci", NAME

    def __init__(self) -> None:
        """Start with nothing kept, and open to anybody."""
        super().__init__()
        self.users: dict[str, str] = {}
        self.token = False
        self.realm = f"http://127.0.0.1:{self.port}/token"
        self.writers: set[str] | None = None
        self.tokens: dict[str, str] = {}
        self.most = 1 << 40
        self.uploads: dict[str, bytearray] = {}


class RegistryHandler(Handler):
    """Answers for a registry (OCI distribution-spec 1.1)."""

    owner: Registry

    @property
    def of_blob(self) -> bool:
        """Whether a blob is asked for."""
        return f"/v2/{NAME}/blobs/sha256:" in self.path

    @property
    def of_result(self) -> bool:
        """Whether a result is asked for."""
        return f"/v2/{NAME}/manifests/" in self.path

    def do_GET(self) -> None:
        """Give a token, a blob or a manifest."""
        if self.path.startswith("/token"):
            self._give_token()
        elif not self._allowed("pull"):
            return
        elif self.path == "/v2/":
            if not self.lies():
                self.give(b"{}")
        else:
            super().do_GET()

    do_HEAD = do_GET  # noqa: N815 - the name that the library calls

    def do_POST(self) -> None:
        """Begin an upload."""
        assert self.path == f"/v2/{NAME}/blobs/uploads/"
        assert not self.body()
        if self._allowed("push") and not self.lies():
            place = f"/uploads/{uuid.uuid4()}?state=a%2Fb"
            self.owner.uploads[place] = bytearray()
            self.give(b"", 202, {"Location": place, "OCI-Chunk-Min-Length": "1000"})

    def do_PATCH(self) -> None:
        """Take a part of an upload."""
        part = self.body()
        if self._allowed("push") and not self.lies():
            data = self.owner.uploads[self.path]
            assert self.headers["Content-Range"] == f"{len(data)}-{len(data) + len(part) - 1}"
            data += part
            self.give(b"", 202, {"Location": self.path})

    def do_PUT(self) -> None:
        """End an upload, or keep a manifest."""
        data = self.body()
        if not self._allowed("push") or self.lies():
            return
        if "/manifests/" in self.path:
            manifest = json.loads(data)
            named = [each["digest"] for each in (manifest["config"], *manifest["layers"])]
            if all(f"/v2/{NAME}/blobs/{digest}" in self.owner.kept for digest in named):
                self.owner.kept[self.path] = data
                self.give(b"", 201)
            else:
                self.give(b'{"errors": [{"code": "MANIFEST_BLOB_UNKNOWN"}]}', 400)
        elif len(data) > self.owner.most:
            self.give(b"", 413)
        else:
            place, _, query = self.path.rpartition("&")
            digest = parse_qs(query)["digest"][0]
            data = bytes(self.owner.uploads.pop(place)) + data
            assert digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
            self.owner.kept[f"/v2/{NAME}/blobs/{digest}"] = data
            self.give(b"", 201)

    def _who(self) -> str:
        """Give who asks by password; "": nobody who is known."""
        given = self.headers.get("Authorization", "")
        if not given.startswith("Basic "):
            return ""
        user, _, password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
        return user if self.owner.users.get(user) == password else ""

    def _give_token(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        user = self._who()
        if not user or asked["service"] != ["test"]:
            self.give(b"", 401)
            return
        (scope,) = asked["scope"]
        match = re.fullmatch(rf"repository:{NAME}:(pull|pull,push)", scope)
        assert match, "the client decides what it asks a token for"
        actions = match[1] if self.owner.writers is None or user in self.owner.writers else "pull"
        token = f"token-{uuid.uuid4()}"
        self.owner.tokens[token] = actions
        self.give(json.dumps({"token": token, "expires_in": 300}).encode())

    def _allowed(self, action: str) -> bool:
        owner = self.owner
        if not owner.users:
            return True
        given = self.headers.get("Authorization", "")
        if owner.token:
            allowed = action in owner.tokens.get(given.removeprefix("Bearer "), "")
            wanted = f'Bearer realm="{owner.realm}",service="test",scope="repository:other:*"'
        else:
            allowed, wanted = bool(self._who()), 'Basic realm="test"'
        if not allowed:
            self.give(b'{"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}', 401, {"WWW-Authenticate": wanted})
        return allowed


Registry.answers = RegistryHandler
Lie = Callable[[Handler, "bytes | None"], bool]


@contextmanager
def serving(server: Web) -> Iterator[Web]:
    """Have a server answer until the block ends."""
    threading.Thread(target=server.http.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.closing.set()
        server.http.shutdown()
        server.http.server_close()
