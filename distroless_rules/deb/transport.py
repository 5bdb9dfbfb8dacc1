"""One request to one mirror: a URI in, an open answer out.

Mirrors, retries and checks are ``deb.mirror``'s work. Redirects are followed here, never from https to http, and
never with the credentials of another origin. Source: RFC 9110 (HTTP semantics), RFC 8089 (file URIs).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from distroless_rules.deb.credentials import authorization, shown

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

__all__ = ["Answer", "NotThere", "Refused", "Unreachable", "open_uri"]

CONNECT_SECONDS = 10
READ_SECONDS = 30
CHUNK = 1 << 18
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {"User-Agent": "distroless-rules", "Accept-Encoding": "identity"}
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)")


class Unreachable(Exception):  # noqa: N818 - what became of the request
    """The mirror gave no whole answer now; it may later."""


class NotThere(Exception):  # noqa: N818
    """The mirror answers that it has no such file."""


class Refused(Exception):  # noqa: N818
    """The mirror, or a rule of ours, forbids the request."""


@dataclass(slots=True)
class Answer:
    """An open answer.

    Attributes:
        offset: where in the file its first byte is.
        total: the size of the whole file where the mirror told.
        validators: If-Range-worthy header values of the file, ``etag`` and ``last-modified``.
        unchanged: whether the mirror says that the file is what the validators of the request name.
        chunks: its bytes.
        close: to be called when no more of it is read.
    """

    offset: int
    total: int | None
    validators: Mapping[str, str]
    unchanged: bool
    chunks: Iterator[bytes]
    close: Callable[[], None] = field(repr=False)


def open_uri(uri: str, headers: Mapping[str, str], offset: int = 0, login: str = "") -> Answer:
    """Ask for a file.

    Args:
        uri: ``http``, ``https`` or ``file``.
        headers: request headers beyond the usual.
        offset: the first byte wanted; the answer's own offset tells whether the mirror heeded it.
        login: the value of the Authorization header; what apt's files and the URI say without it.

    Raises:
        Unreachable: if there is no answer, or one that says to try later.
        NotThere: if the file is not there.
        Refused: for any other answer.
    """
    if urlsplit(uri).scheme == "file":
        return _open_file(uri, offset)
    return _open_http(uri, {**headers, "Range": f"bytes={offset}-"} if offset else dict(headers), login)


def _open_file(uri: str, offset: int) -> Answer:
    path = unquote(urlsplit(uri).path)
    try:
        file = open(path, "rb")  # noqa: SIM115 - the answer closes it
        total = os.fstat(file.fileno()).st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotThere from error
    except OSError as error:
        raise Refused(error.strerror or str(error)) from error
    offset = min(offset, total)
    file.seek(offset)
    return Answer(offset, total, {}, False, iter(lambda: file.read(CHUNK), b""), file.close)


def _open_http(uri: str, headers: dict[str, str], login: str) -> Answer:
    login = login or authorization(uri)
    headers = _HEADERS | headers
    for _ in range(_MAX_REDIRECTS + 1):
        response = _request(uri, {**headers, "Authorization": login} if login else headers)
        location = response.headers.get("Location", "")
        if response.status not in _REDIRECTS or not location:
            return _answer(response)
        response.close()
        target = urljoin(uri, location)
        old, new = urlsplit(uri), urlsplit(target)
        if new.scheme != "https" and new.scheme != old.scheme:
            raise Refused(f"it redirects from {old.scheme} to {new.scheme or 'nowhere'}")
        if (old.scheme, old.hostname, old.port) != (new.scheme, new.hostname, new.port):
            login = ""
        uri = target
    raise Refused(f"it redirects more than {_MAX_REDIRECTS} times")


def _request(uri: str, headers: dict[str, str]) -> BaseHTTPResponse:
    from urllib3.exceptions import HTTPError, LocationParseError

    try:
        pool = _pool(_proxy(uri), os.getpid())
        return pool.request("GET", shown(uri), headers=headers, preload_content=False, redirect=False, retries=False)
    except LocationParseError as error:
        raise Refused("it is not a URI that can be fetched from") from error
    except HTTPError as error:
        raise Unreachable(_reason(error)) from error


def _answer(response: BaseHTTPResponse) -> Answer:
    status, headers = response.status, response.headers
    if status in (200, 206, 304):
        match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "")) if status == 206 else None
        length = headers.get("Content-Length", "")
        total = (match[2] if match else length) or "*"
        if status == 304:
            response.release_conn()  # it has no body
        if status == 206 and not match:
            response.close()
            raise Refused("it sent a part without saying which")
        return Answer(
            offset=int(match[1]) if match else 0,
            total=int(total) if total.isascii() and total.isdigit() else None,
            validators={key.lower(): headers[key] for key in ("ETag", "Last-Modified") if key in headers},
            unchanged=status == 304,
            chunks=_chunks(response),
            close=response.close,
        )
    response.close()
    if status in (404, 410):
        raise NotThere
    if status in (408, 416, 425, 429) or status >= 500:
        raise Unreachable(f"it answers {status} {response.reason or ''}".rstrip())
    raise Refused(f"it answers {status} {response.reason or ''}".rstrip())


def _chunks(response: BaseHTTPResponse) -> Iterator[bytes]:
    """Give the body as it comes in, so that what came before a break is kept."""
    from urllib3.exceptions import HTTPError

    try:
        while chunk := response.read1(CHUNK, decode_content=False):
            yield chunk
    except (HTTPError, OSError) as error:
        raise Unreachable(_reason(error)) from error
    response.release_conn()


@lru_cache(maxsize=8)
def _pool(proxy: str, _process: int) -> PoolManager:
    """Give the connections of this process; a forked one must not share them."""
    import urllib3

    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    if not proxy:
        return urllib3.PoolManager(maxsize=16, timeout=timeout)
    parts = urlsplit(proxy)
    login = unquote(parts.netloc.rpartition("@")[0])
    return urllib3.ProxyManager(
        shown(proxy),
        maxsize=16,
        timeout=timeout,
        proxy_headers=urllib3.make_headers(proxy_basic_auth=login) if login else None,
    )


def _proxy(uri: str) -> str:
    """Give the proxy for a URI: the environment's, else apt's; ``""`` for none."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(uri)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    found = getproxies().get(parts.scheme) or _apt_proxies().get(parts.scheme, "")
    return "" if found == "DIRECT" else found


@lru_cache(maxsize=1)
def _apt_proxies(etc: Path = Path("/etc/apt")) -> dict[str, str]:
    setting = re.compile(r'^[ \t]*Acquire::(https?)::Proxy[ \t]+"([^"]*)"', re.MULTILINE | re.IGNORECASE)
    proxies: dict[str, str] = {}
    for path in (*sorted((etc / "apt.conf.d").glob("*")), etc / "apt.conf"):
        if path.is_file() and os.access(path, os.R_OK):
            proxies.update(setting.findall(path.read_text("utf-8", "replace")))
    return proxies


def _reason(error: Exception) -> str:
    """Say in a few words why there is no answer."""
    from urllib3 import exceptions

    words: list[tuple[type[Exception], str]] = [
        (exceptions.NameResolutionError, "its name cannot be resolved"),
        (exceptions.ReadTimeoutError, f"no byte in {READ_SECONDS} s"),
        (exceptions.ProxyError, "the proxy gives no connection"),
        (exceptions.IncompleteRead, "the answer is cut off"),
    ]
    causes = list(_causes(error))
    for kind, text in words:
        if any(isinstance(cause, kind) for cause in causes):
            return text
    if isinstance(error, exceptions.ConnectTimeoutError) and not isinstance(error, exceptions.NewConnectionError):
        return f"no connection in {CONNECT_SECONDS} s"
    told = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return told[0] if told else str(causes[-1]).partition("\n")[0][:120] or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and those that led to it; urllib3 keeps some as arguments."""
    while error is not None:
        yield error
        yield from (inner for inner in error.args if isinstance(inner, Exception))
        error = error.__cause__ or error.__context__
