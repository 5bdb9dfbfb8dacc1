"""Files from mirrors: URIs, a path and what the file must be in, its bytes out.

Mirrors are tried in order; what fails for the moment is tried again after a growing, jittered pause, and goes on where
it broke off. Never more bytes are read than the file may have, and bytes of another digest are never handed over.
Source: Debian repository format; RFC 9110 section 14 (range requests).
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import quote, urlsplit

from distroless_rules.deb import transport
from distroless_rules.deb.transport import Answer, NotThere, Refused, Unreachable
from distroless_rules.errors import FetchError, TrustError
from distroless_rules.values.digest import Digest

__all__ = ["NotFoundError", "Retry", "Text", "fetch", "fetch_bytes", "fetch_text"]

Progress = Callable[[int], None]
T = TypeVar("T")

_GRACE_SECONDS = 60
_LEAST_BYTES_PER_SECOND = 1024


class NotFoundError(FetchError):
    """Every mirror answered that it has no such file."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a mirror that fails for the moment is asked, and how long the first pause is, in seconds."""

    attempts: int = 4
    pause: float = 0.4


@dataclass(frozen=True, slots=True)
class Text:
    """A small file that was fetched without knowing its digest.

    Attributes:
        data: its bytes; empty if ``unchanged``.
        validators: header values by which a later request can ask whether it has changed.
        unchanged: whether the mirror says that it is what the validators given name.
    """

    data: bytes
    validators: Mapping[str, str]
    unchanged: bool = False


class _WrongBytes(Exception):  # noqa: N818 - not an error of the program
    """The mirror gave a whole file that is not the one wanted."""


def _nothing(_: int) -> None:
    pass


def fetch(
    uris: Sequence[str],
    path: str,
    write_to: Path | BinaryIO,
    digest: Digest,
    progress: Progress = _nothing,
    retry: Retry = Retry(),
) -> str:
    """Fetch a file whose digest is known.

    Args:
        uris: mirrors in order.
        path: the file's path below them, not encoded.
        write_to: a file to write to from its start (readable, seekable), or a path; what is there already is taken
            for the beginning of the file, so a later run goes on where an earlier one broke off.
        digest: what the file must be.
        progress: called with the number of bytes that came in, negative when they have to be thrown away.
        retry: how mirrors that fail for the moment are asked again.

    Returns:
        The URI of ``uris`` that served it.

    Raises:
        NotFoundError: if no mirror has the file.
        TrustError: if a mirror has it with other bytes, and no mirror with these.
        FetchError: if no mirror gave it.
        OSError: if it cannot be written.
    """
    with _sink(write_to) as sink:
        download = _Download(sink, digest, progress)
        return _ask(uris, path, download.run, retry)[0]


def fetch_bytes(uris: Sequence[str], path: str, digest: Digest, progress: Progress = _nothing) -> bytes:
    """Fetch a file whose digest is known into memory; arguments and errors are those of ``fetch``."""
    buffer = BytesIO()
    fetch(uris, path, buffer, digest, progress)
    return buffer.getvalue()


def fetch_text(
    uris: Sequence[str],
    path: str,
    limit: int,
    validators: Mapping[str, str] | None = None,
    retry: Retry = Retry(),
) -> tuple[str, Text]:
    """Fetch a small file whose digest is not known.

    Args:
        uris: mirrors in order.
        path: the file's path below them, not encoded.
        limit: the most bytes it may have.
        validators: of the file fetched earlier; a mirror may answer that it has not changed.
        retry: how mirrors that fail for the moment are asked again.

    Returns:
        The URI that served it, and the file.

    Raises:
        NotFoundError: if no mirror has the file.
        FetchError: if no mirror gave it.
    """
    names = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
    headers = {names[key]: value for key, value in (validators or {}).items() if key in names}
    headers["Cache-Control"] = "max-age=0"  # an intermediate cache asks the mirror too
    return _ask(uris, path, lambda uri: _read(uri, headers, limit), retry)


def _read(uri: str, headers: Mapping[str, str], limit: int) -> Text:
    answer = transport.open_uri(uri, headers)
    try:
        if answer.unchanged:
            return Text(b"", answer.validators, True)
        data = b"".join(_bounded(answer, limit))
    finally:
        answer.close()
    if answer.total not in (None, len(data)):
        raise Unreachable("the answer is cut off")
    return Text(data, answer.validators)


class _Download:
    """The file so far: what is written, its hash, and what is known of the mirror's copy."""

    def __init__(self, sink: BinaryIO, digest: Digest, progress: Progress) -> None:
        self._sink = sink
        self._digest = digest
        self._progress = progress
        self._hash = hashlib.sha256()
        self._size = 0
        self._reported = 0
        self._validator = ""
        sink.seek(0)
        while chunk := sink.read(transport.CHUNK):
            self._count(chunk)

    def run(self, uri: str) -> None:
        """Get the rest of the file from a mirror, and check the whole."""
        if self._size > self._digest.size or (self._size == self._digest.size and not self._is_right()):
            self._restart()
        resumed = self._size
        if self._size < self._digest.size or self._size == 0:
            headers = {"If-Range": self._validator} if self._size and self._validator else {}
            answer = transport.open_uri(uri, headers, self._size)
            try:
                self._take(answer)
            finally:
                answer.close()
        if self._size < self._digest.size:
            raise Unreachable(f"the answer is cut off after {self._size} of {self._digest.size} bytes")
        if not self._is_right():
            found = self._hash.hexdigest()
            self._restart()
            if resumed:  # the beginning came from elsewhere; this mirror's own copy may be right
                raise Unreachable("the rest does not fit the beginning")
            raise _WrongBytes(f"it serves another file (SHA-256 {found}, not {self._digest.hash})")

    def _take(self, answer: Answer) -> None:
        if answer.offset != self._size:
            self._restart()
            if answer.offset:
                raise Unreachable("it sent another part than was asked for")
        etag = answer.validators.get("etag", "")
        self._validator = etag if etag.startswith('"') else answer.validators.get("last-modified", "")
        if answer.total not in (None, self._digest.size):
            raise _WrongBytes(f"it serves another file ({answer.total} bytes, not {self._digest.size})")
        for chunk in _bounded(answer, self._digest.size - self._size):
            self._sink.write(chunk)
            self._count(chunk)
            self._progress(len(chunk))
            self._reported += len(chunk)

    def _count(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        self._size += len(chunk)

    def _is_right(self) -> bool:
        return self._hash.hexdigest() == self._digest.hash

    def _restart(self) -> None:
        self._progress(-self._reported)
        self._reported = 0
        self._sink.seek(0)
        self._sink.truncate()
        self._hash = hashlib.sha256()
        self._size = 0


def _bounded(answer: Answer, limit: int) -> Iterator[bytes]:
    """Give the answer's bytes up to a limit; more of them, or too slow ones, end the answer."""
    if answer.total is not None and answer.total - answer.offset > limit:
        raise Refused(f"it serves {answer.total - answer.offset} bytes, more than the {limit} that are allowed")
    received, start = 0, time.monotonic()
    for chunk in answer.chunks:
        received += len(chunk)
        if received > limit:
            raise Refused(f"it sends more than the {limit} bytes that are allowed")
        yield chunk
        if time.monotonic() - start > _GRACE_SECONDS + received / _LEAST_BYTES_PER_SECOND:
            raise Unreachable(f"it sends less than {_LEAST_BYTES_PER_SECOND} bytes a second")


def _ask(uris: Sequence[str], path: str, ask: Callable[[str], T], retry: Retry) -> tuple[str, T]:
    """Ask mirrors in order; give the first that serves the file, and what it gave."""
    failures: list[tuple[str, Exception]] = []
    for uri in uris:
        for attempt in range(retry.attempts):
            try:
                return uri, ask(_join(uri, path))
            except (NotThere, Refused, _WrongBytes) as failure:  # noqa: PERF203 - a request costs more
                failures.append((uri, failure))
                break
            except Unreachable as failure:
                if attempt == retry.attempts - 1:
                    failures.append((uri, failure))
                else:
                    time.sleep(retry.pause * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load only
    raise _error(path, failures)


@contextmanager
def _sink(write_to: Path | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(write_to, Path):
        write_to.touch()
        with write_to.open("r+b") as file:
            yield file
    else:
        yield write_to


def _join(uri: str, path: str) -> str:
    # "+" is encoded, as apt does, because some stores take it for a blank.
    return f"{uri.rstrip('/')}/{quote(path, safe='/~:')}"


def _error(path: str, failures: Sequence[tuple[str, Exception]]) -> FetchError | TrustError:
    doing = f'fetch "{path}"'
    reasons = [f"{_place(uri)}: {str(failure) or 'it has no such file'}" for uri, failure in failures]
    cause = ", ".join(dict.fromkeys(reasons)) or "no mirror is named"
    if any(isinstance(failure, _WrongBytes) for _, failure in failures):
        return TrustError(doing, cause)
    if failures and all(isinstance(failure, NotThere) for _, failure in failures):
        return NotFoundError(doing, cause)
    return FetchError(doing, cause)


def _place(uri: str) -> str:
    """Give what a user knows a mirror by: its host and port, without user and password; a folder's path."""
    parts = urlsplit(uri)
    return parts.netloc.rpartition("@")[2] or parts.path
