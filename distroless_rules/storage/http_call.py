"""One request to one HTTP server: method, path and body in, status and body out, ``RemoteError`` for the rest.

A server that says nothing, or next to nothing, is given up in any part of an exchange. Redirects are not followed, so
that no credential reaches another origin. urllib3 is imported when a server is first asked. Source: RFC 9110.
"""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from distroless_rules.errors import ConfigError
from distroless_rules.storage import certificates
from distroless_rules.storage.endpoint import Endpoint, Login
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.meter import Meter
from distroless_rules.storage.traffic import Traffic, Watch, Watched
from distroless_rules.storage.web import TOO_LARGE, Answer, Proof

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool, PoolManager

__all__ = ["HttpServer"]

_CONNECT_SECONDS = 1.5
_SILENCE = 60.0  # seconds after which a socket gives up by itself
_PIECE = 1 << 18  # bytes
_CONNECTIONS = 32
_SHORT = 4  # pieces of a body that are read to keep the connection
_CODES = {
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    405: Code.PERMISSION_DENIED,
    410: Code.NOT_FOUND,
    TOO_LARGE: Code.OUT_OF_RANGE,
    429: Code.RESOURCE_EXHAUSTED,
    501: Code.UNIMPLEMENTED,
    507: Code.RESOURCE_EXHAUSTED,
}
_HINTS = {
    Code.UNAUTHENTICATED: 'see "token_file", "credential_helper" and "headers" in [cache]',
    Code.PERMISSION_DENIED: 'see "token_file" in [cache]; without the right to write set upload = false',
    Code.UNAVAILABLE: 'see "remote" in [cache]',
    Code.OUT_OF_RANGE: "raise its limit, which nginx calls client_max_body_size",
    Code.FAILED_PRECONDITION: 'see "remote" in [cache]; where the server expects TLS write https://',
}


class HttpServer:
    """A server; safe for many threads.

    Args:
        endpoint: where it is.
        seconds: how long it may say nothing.
        login: what proves who asks; None: what the endpoint says of that.
        path: below which everything is; None: the endpoint's.

    Attributes:
        endpoint: where it is.
        traffic: how many bytes of bodies went each way.

    Raises:
        ConfigError: if a token or a certificate cannot be read.
    """

    def __init__(self, endpoint: Endpoint, seconds: float, login: Proof | None = None, path: str | None = None) -> None:
        self.endpoint = endpoint
        self.traffic = Traffic()
        self._seconds = seconds
        self._login = login or Login(endpoint)
        self._login.headers()
        self._watch = Watch(seconds)
        self._here = threading.local()
        self._pool = _pool(endpoint, self._here)
        self._home: HTTPConnectionPool | None = None  # what the pool would look up for each request
        self._elsewhere: PoolManager | None = None
        path = endpoint.path if path is None else path
        self._base = f"{endpoint.web}://{endpoint.target}/{quote(path)}{'/' if path else ''}"
        self._origin = _origin(self._base)
        if self._pool.proxy is None:
            self._home = self._pool.connection_from_url(self._base)

    def close(self) -> None:
        """End what is under way."""
        self._watch.close()
        self._pool.clear()
        if self._elsewhere is not None:
            self._elsewhere.clear()

    def url(self, path: str) -> str:
        """Give the URL of a path after the server's, or of a URL."""
        return path if path.startswith(("http://", "https://")) else self._base + path

    @contextmanager
    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: BinaryIO | None = None,
        *,
        work: int = 0,
        known: bool = True,
    ) -> Iterator[Answer]:
        """Ask once; give the status, the headers and the body's pieces.

        Args:
            method: of HTTP.
            path: after the server's; or a whole URL, which may lead to another server.
            headers: beside those that prove who asks, which no other server is sent.
            body: read from the start; ``Content-Length`` is among the headers.
            work: bytes that it has to keep, or to look through, before it answers; 0: those of the body.
            known: whether it is told who asks.

        Raises:
            RemoteError: if there is no answer; also while pieces are taken.
        """
        doing = f"{'send a blob to' if body else 'read'} {self.endpoint.shown}"
        url = self.url(path)
        here = _origin(url) == self._origin
        headers = headers or {}
        work = work or int(headers.get("Content-Length", "0"))
        with (
            self.traffic.during(f"HTTP {method}"),
            self._line() as line,
            self._watch.over(line.hang_up, meter=line.meter) as watched,
        ):
            watched.waits()
            sent = _Sent(body, self.traffic, watched, line, work) if body else None
            if body is None and work:
                watched.sent(work)
            with self._errors(doing, watched):
                response = self._request(method, url, here, {**self._headers(doing, known and here), **headers}, sent)
            try:
                watched.came(0)
                yield response.status, response.headers, self._pieces(response, doing, watched)
            except BaseException:
                response.close()
                raise
            if sent is not None and not sent.whole:
                response.close()
                return
            self._finish(response, doing, watched)

    def refused(self, status: int, doing: str) -> RemoteError:
        """Give the error that a status means."""
        code = _CODES.get(status, Code.UNAVAILABLE if status >= 500 else Code.FAILED_PRECONDITION)
        if code is Code.UNAUTHENTICATED:
            self._login.forget()
        words = http.client.responses.get(status, "")
        cause = f"it answers {status} {words}".rstrip()
        if code is Code.UNAUTHENTICATED and self._login.overlooked:
            cause += f"; {self._login.overlooked}"
        if 300 <= status < 400:
            return RemoteError(doing, f"{cause}; redirects are not followed", Code.FAILED_PRECONDITION)
        return RemoteError(doing, cause, code, hint=_HINTS.get(code, ""))

    def too_large(self, size: int, doing: str) -> RemoteError:
        """Give the error that ``TOO_LARGE`` means of a body of ``size`` bytes."""
        error = self.refused(TOO_LARGE, doing)
        return RemoteError(doing, f"{error.cause} to one of {size} bytes", error.code, hint=error.hint)

    def _request(
        self, method: str, url: str, here: bool, headers: dict[str, str], body: _Sent | None
    ) -> BaseHTTPResponse:
        if here and self._home is not None:
            target = urlsplit(url)._replace(scheme="", netloc="").geturl() or "/"
            return self._home.urlopen(method, target, body, headers, False, False, preload_content=False)
        manager = self._pool if here else self._other()
        return manager.request(method, url, headers=headers, body=body, preload_content=False, redirect=False)

    def _pieces(self, response: BaseHTTPResponse, doing: str, watched: Watched) -> Iterator[bytes]:
        while True:
            watched.waits()
            with self._errors(doing, watched):
                piece = response.read1(_PIECE, decode_content=False)
            watched.came(len(piece))
            if not piece:
                return
            self.traffic.received(len(piece))
            yield piece

    def _finish(self, response: BaseHTTPResponse, doing: str, watched: Watched) -> None:
        """Give the connection back for the next request, unless the body that nobody took is long."""
        watched.waits()
        with self._errors(doing, watched):
            for _ in range(_SHORT):
                if not response.read1(_PIECE, decode_content=False):
                    response.release_conn()
                    return
        response.close()

    def _other(self) -> PoolManager:
        """Give connections to other servers, which do not learn who asks."""
        if self._elsewhere is None:
            unknown = replace(self.endpoint.identity, certificate=None, key=None)
            self._elsewhere = _pool(replace(self.endpoint, identity=unknown), self._here)
        return self._elsewhere

    def _headers(self, doing: str, known: bool) -> dict[str, str]:
        fixed = {"User-Agent": "distroless-rules", "Accept-Encoding": "identity"}
        try:
            return fixed | dict(self._login.headers()) if known else fixed
        except ConfigError as error:  # it went well at first
            raise RemoteError(doing, str(error), Code.UNAUTHENTICATED) from error

    @contextmanager
    def _line(self) -> Iterator[_Line]:
        """Give what becomes the connection of this thread's request, and put that of a request around it back."""
        here = self._here.__dict__
        before, here["line"] = here.get("line"), _Line()
        try:
            yield here["line"]
        finally:
            here["line"] = before

    @contextmanager
    def _errors(self, doing: str, watched: Watched) -> Iterator[None]:
        import urllib3.exceptions as errors

        try:
            yield
        except (errors.HTTPError, OSError, http.client.HTTPException) as error:
            if why := watched.why():
                raise RemoteError(doing, why, Code.DEADLINE_EXCEEDED) from error
            if isinstance(error, (errors.ReadTimeoutError, TimeoutError)):
                raise RemoteError(doing, "it gave no answer in time", Code.DEADLINE_EXCEEDED) from error
            cause, hint = _explain(error)
            raise RemoteError(doing, cause, Code.UNAVAILABLE, hint=hint or _HINTS[Code.UNAVAILABLE]) from error


class _Line:
    """The connection of one request, once there is one."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.meter = Meter(lambda: [] if self.socket is None else [(self.socket, self.socket)])

    def hang_up(self) -> None:
        """End what is under way."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    def speaks(self) -> bool:
        """Tell whether the server has said something already, or hung up; over TLS that cannot be told."""
        if self.socket is None or isinstance(self.socket, ssl.SSLSocket):
            return False
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))


class _Sent(io.RawIOBase):
    """A body that says how much of it has gone, and ends where the server answers before it has it all.

    Attributes:
        whole: whether it came to its own end.
    """

    def __init__(self, body: BinaryIO, traffic: Traffic, watched: Watched, line: _Line, work: int) -> None:
        self.whole = False
        self._body, self._traffic, self._watched, self._line, self._work = body, traffic, watched, line, work

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._line.speaks():
            return b""
        data = self._body.read(size)
        self._traffic.sent(len(data))
        self._watched.passed(len(data))
        self._watched.waits()
        if not data:
            self.whole = True
            self._watched.sent(self._work)
        return data


def _origin(url: str) -> tuple[str, str, int]:
    """Give scheme, host and port of a URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", "", 0  # of nobody
    return parts.scheme, parts.hostname or "", port or (443 if parts.scheme == "https" else 80)


def _explain(error: Exception) -> tuple[str, str]:
    """Say why there is no connection, and which setting to change."""
    text = str(error)
    lower = text.lower()
    if "certificate has expired" in lower:
        return "its certificate has expired", ""
    if "certificate verify failed" in lower:
        return "its certificate is not one that is trusted", 'name the authority\'s file as "ca" in [cache]'
    if "wrong version number" in lower:
        return "it does not speak TLS", 'write http:// as "remote" in [cache] if that is meant'
    if "ssl" in lower:
        return "TLS fails", "see whether the server expects http:// or a client certificate"
    if "connect timeout" in lower or "timed out" in lower:
        return f"it cannot be reached within {_CONNECT_SECONDS:g} seconds", ""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.strerror):
        cause = cause.__cause__ or cause.__context__
    said = (cause.strerror or "").lower() if isinstance(cause, OSError) else ""
    return (f"it cannot be reached: {said}" if said else "it hung up"), ""


def _noted(kind: Any, here: threading.local) -> Any:
    """Give a kind of connection that says which socket a request goes over, and leaves it to ``Watch`` to be quick."""

    class Noted(kind):  # type: ignore[misc]  # imported late
        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            here.__dict__["line"].socket = self.sock
            self.sock.settimeout(_SILENCE)
            super().send(data)

    return Noted


def _pool(endpoint: Endpoint, here: threading.local) -> PoolManager:
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = _noted(HTTPConnection, here)

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = _noted(HTTPSConnection, here)

    settings: dict[str, Any] = {
        "maxsize": _CONNECTIONS,
        "timeout": urllib3.Timeout(connect=_CONNECT_SECONDS, read=_SILENCE),
        "retries": False,
    }
    identity = endpoint.identity
    if endpoint.secure:
        certificates.read(endpoint)
    files = {"ca_certs": identity.ca, "cert_file": identity.certificate, "key_file": identity.key}
    settings |= {name: str(file) for name, file in files.items() if file is not None}
    proxies = {} if endpoint.local or proxy_bypass(endpoint.host) else getproxies_environment()
    proxy = proxies.get(endpoint.web)
    pool = urllib3.ProxyManager(proxy, **settings) if proxy else urllib3.PoolManager(**settings)
    pool.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return pool
