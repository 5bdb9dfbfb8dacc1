"""One request to one HTTP server: method, path and body in, status and body out, ``RemoteError`` for the rest.

A server that says nothing, or next to nothing, is given up in any part of an exchange. Redirects are not followed, so
that no credential reaches another origin. urllib3 is imported when a server is first asked. Source: RFC 9110.
"""

from __future__ import annotations

import http.client
import io
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol
from urllib.parse import quote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from distroless_rules.errors import ConfigError
from distroless_rules.storage.endpoint import Endpoint, Login
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.traffic import Traffic, Watch, Watched

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

__all__ = ["Answer", "HttpServer", "Web"]

Answer = tuple[int, Mapping[str, str], Iterator[bytes]]
"""Status, headers, and the pieces of the body."""

_CONNECT_SECONDS = 1.5
_PIECE = 1 << 18  # bytes
_CONNECTIONS = 32
_SHORT = 4  # pieces of a body that are read to keep the connection
_CODES = {
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    405: Code.PERMISSION_DENIED,
    410: Code.NOT_FOUND,
    429: Code.RESOURCE_EXHAUSTED,
    501: Code.UNIMPLEMENTED,
    507: Code.RESOURCE_EXHAUSTED,
}
_HINTS = {
    Code.UNAUTHENTICATED: 'see "token_file", "credential_helper" and "headers" in [cache]',
    Code.PERMISSION_DENIED: 'see "token_file" in [cache]; without the right to write set upload = false',
    Code.UNAVAILABLE: 'see "remote" in [cache]',
}


class Proof(Protocol):
    """What proves who asks, as ``endpoint.Login`` does."""

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Give names, in lower case, and values."""

    def forget(self) -> None:
        """Take note that the server has refused them."""


class Web(Protocol):
    """What can be asked in HTTP."""

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: BinaryIO | None = None,
        *,
        silence: float = 0,
    ) -> AbstractContextManager[Answer]:
        """Ask once (see ``HttpServer.ask``)."""

    def refused(self, status: int, doing: str) -> RemoteError:
        """Give the error that a status means."""


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
        self._elsewhere: PoolManager | None = None
        path = endpoint.path if path is None else path
        self._base = f"{endpoint.web}://{endpoint.target}/{quote(path)}{'/' if path else ''}"
        self._origin = _origin(self._base)

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
        silence: float = 0,
        known: bool = True,
    ) -> Iterator[Answer]:
        """Ask once; give the status, the headers and the body's pieces.

        Args:
            method: of HTTP.
            path: after the server's; or a whole URL, which may lead to another server.
            headers: beside those that prove who asks, which no other server is sent.
            body: read from the start; ``Content-Length`` is among the headers.
            silence: seconds for which it may say nothing; 0: as long as is usual.
            known: whether it is told who asks.

        Raises:
            RemoteError: if there is no answer; also while pieces are taken.
        """
        doing = f"{'send a blob to' if body else 'read'} {self.endpoint.shown}"
        url = self.url(path)
        here = _origin(url) == self._origin
        longest = silence or self._seconds * (3 if body else 1)
        with (
            self.traffic.during(f"HTTP {method}"),
            self._watch.over(self._hang_up(), longest, quick=longest == self._seconds) as watched,
        ):
            watched.waits()
            with self._errors(doing, watched):
                response: BaseHTTPResponse = (self._pool if here else self._other()).request(
                    method,
                    url,
                    headers={**self._headers(doing, known and here), **(headers or {})},
                    body=_Counted(body, self.traffic, watched) if body else None,
                    preload_content=False,
                    redirect=False,
                )
            try:
                watched.came(0)
                yield response.status, response.headers, self._pieces(response, doing, watched)
            except BaseException:
                response.close()
                raise
            self._finish(response, doing, watched)

    def refused(self, status: int, doing: str) -> RemoteError:
        """Give the error that a status means."""
        code = _CODES.get(status, Code.UNAVAILABLE if status >= 500 else Code.FAILED_PRECONDITION)
        if code is Code.UNAUTHENTICATED:
            self._login.forget()
        words = http.client.responses.get(status, "")
        cause = f"it answers {status} {words}".rstrip()
        if 300 <= status < 400:
            return RemoteError(doing, f"{cause}; redirects are not followed", Code.FAILED_PRECONDITION)
        return RemoteError(doing, cause, code, hint=_HINTS.get(code, ""))

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

    def _hang_up(self) -> Any:
        here = self._here.__dict__
        here.pop("socket", None)

        def cancel() -> None:
            with suppress(OSError):
                here["socket"].shutdown(socket.SHUT_RDWR) if "socket" in here else None

        return cancel

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


class _Counted(io.RawIOBase):
    """A body that says how much of it has gone."""

    def __init__(self, body: BinaryIO, traffic: Traffic, watched: Watched) -> None:
        self._body, self._traffic, self._watched = body, traffic, watched

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._body.read(size)
        self._traffic.sent(len(data))
        self._watched.passed(len(data))
        self._watched.waits()
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
    if "ssl" in lower:
        return "TLS fails", "see whether the server expects http:// or a client certificate"
    if "connect timeout" in lower or "timed out" in lower:
        return f"it cannot be reached within {_CONNECT_SECONDS:g} seconds", ""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.strerror):
        cause = cause.__cause__ or cause.__context__
    said = (cause.strerror or "").lower() if isinstance(cause, OSError) else ""
    return (f"it cannot be reached: {said}" if said else "it hung up"), ""


def _pool(endpoint: Endpoint, here: threading.local) -> PoolManager:
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Plain(HTTPConnection):
        def getresponse(self) -> Any:
            here.__dict__["socket"] = self.sock
            return super().getresponse()

    class Secure(HTTPSConnection):
        def getresponse(self) -> Any:
            here.__dict__["socket"] = self.sock
            return super().getresponse()

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    settings: dict[str, Any] = {
        "maxsize": _CONNECTIONS,
        "timeout": urllib3.Timeout(connect=_CONNECT_SECONDS, read=60.0),
        "retries": False,
    }
    identity = endpoint.identity
    files = {"ca_certs": identity.ca, "cert_file": identity.certificate, "key_file": identity.key}
    for name, file in files.items():
        if file is not None:
            _readable(file)
            settings[name] = str(file)
    proxies = {} if endpoint.local or proxy_bypass(endpoint.host) else getproxies_environment()
    proxy = proxies.get(endpoint.web)
    pool = urllib3.ProxyManager(proxy, **settings) if proxy else urllib3.PoolManager(**settings)
    pool.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return pool


def _readable(file: os.PathLike[str]) -> None:
    try:
        with open(file, "rb"):
            return
    except OSError as error:
        hint = 'see "ca", "certificate" and "key" in [cache]'
        raise ConfigError(f'read "{file}"', (error.strerror or str(error)).lower(), hint=hint) from error
