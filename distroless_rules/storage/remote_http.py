"""A shared cache on an HTTP server: ``/cas/<sha-256>`` holds blobs, ``/ac/<key>`` action results, by GET, HEAD and PUT.

Any server that keeps what is put will do, nginx with its dav module for one; what is kept is what Bazel keeps there,
too. Source: bazel.build, "HTTP caching protocol"; ``ActionResult`` in ``remote_execution.proto``.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TypeVar

from distroless_rules.errors import FormatError
from distroless_rules.storage import wire
from distroless_rules.storage.endpoint import Endpoint
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.http_call import HttpServer
from distroless_rules.storage.messages import ActionResult
from distroless_rules.storage.patience import Patience
from distroless_rules.storage.remote import Bytes, Write, without_empty
from distroless_rules.storage.store import MissingBlobError
from distroless_rules.values.digest import EMPTY, Digest

__all__ = ["HttpCache"]

T = TypeVar("T")
R = TypeVar("R")

_TOGETHER = 8  # requests at once
_LARGEST = 16 << 20  # bytes of an action result
_DONE = (200, 201, 202, 204)


class HttpCache:
    """An HTTP server that holds blobs and action results (see ``storage.remote.Remote``); safe for many threads.

    Args:
        endpoint: the server; ``ac`` and ``cas`` are below its path.
        seconds: how long it may say nothing.

    Attributes:
        shown: its address.
        traffic: how many bytes went each way.
    """

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        self.shown = endpoint.shown
        self._server = HttpServer(endpoint, seconds)
        self.traffic = self._server.traffic
        self._patience = Patience(partial(self._holds, EMPTY))

    def close(self) -> None:
        """End what is under way (see ``Remote.close``)."""
        self._patience.close()
        self._server.close()

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Give those of ``digests`` that it does not hold (see ``Remote.missing``)."""
        wanted = without_empty(digests)
        held = _each(lambda digest: self._patience.call(partial(self._holds, digest)), wanted)
        return {digest for digest, here in zip(wanted, held, strict=True) if not here}

    def fetch(self, digest: Digest, write: Write) -> None:
        """Write a blob's bytes to ``write`` (see ``Remote.fetch``); goes on where a transfer broke off."""
        at = 0

        def read() -> None:
            nonlocal at
            headers = {"Range": f"bytes={at}-"} if at else {}
            with self._server.ask("GET", f"cas/{digest.hash}", headers) as (status, _, pieces):
                if status not in (200, 206):
                    raise self._server.refused(status, f"read a blob of {self.shown}")
                skip = at if status == 200 else 0
                for piece in pieces:
                    rest = piece[skip:]
                    skip -= len(piece) - len(rest)
                    write(rest)
                    at += len(rest)
            if at < digest.size:
                raise RemoteError(f"read a blob of {self.shown}", "it hung up", Code.UNAVAILABLE)

        try:
            self._patience.call(read)
        except RemoteError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            raise MissingBlobError(digest) from error

    def fetch_many(self, digests: Collection[Digest], take: Callable[[Digest, bytes], object]) -> set[Digest]:
        """Give all ``digests`` back: the protocol knows one blob at a time."""
        return set(digests)

    def send(self, blobs: Mapping[Digest, Bytes]) -> None:
        """Have it keep blobs (see ``Remote.send``)."""

        def send(digest: Digest) -> None:
            self._patience.call(partial(self._put, f"cas/{digest.hash}", digest.size, blobs[digest]))

        _each(send, without_empty(blobs))

    def find(self, key: Digest) -> ActionResult | None:
        """Give the result kept under an action's digest (see ``Remote.find``)."""
        doing = f"look up an action result in {self.shown}"

        def find() -> bytes | None:
            data = bytearray()
            with self._server.ask("GET", f"ac/{key.hash}") as (status, _, pieces):
                if status == 404:
                    return None
                if status != 200:
                    raise self._server.refused(status, doing)
                for piece in pieces:
                    data += piece
                    if len(data) > _LARGEST:
                        raise RemoteError(doing, f"it is larger than {_LARGEST >> 20} MiB", Code.DATA_LOSS)
            return bytes(data)

        found = self._patience.call(find)
        try:
            return None if found is None else wire.decode(ActionResult, found)
        except FormatError as error:
            raise RemoteError(doing, error.cause, Code.DATA_LOSS) from error

    def keep(self, key: Digest, result: ActionResult) -> None:
        """Have it keep a result (see ``Remote.keep``)."""
        data = wire.encode(result)
        self._patience.call(partial(self._put, f"ac/{key.hash}", len(data), _Data(data)))

    def _holds(self, digest: Digest) -> bool:
        with self._server.ask("HEAD", f"cas/{digest.hash}") as (status, headers, _):
            if status not in (200, 204, 404):
                raise self._server.refused(status, f"ask which blobs are missing of {self.shown}")
            return status != 404 and headers.get("Content-Length", str(digest.size)) == str(digest.size)

    def _put(self, path: str, size: int, source: Bytes) -> None:
        with source.open("rb", buffering=0) as body:
            headers = {"Content-Length": str(size)}
            with self._server.ask("PUT", path, headers, body) as (status, _, _):
                if status not in _DONE:
                    raise self._server.refused(status, f"send to {self.shown}")


class _Data(io.BytesIO):
    """Bytes, to be opened like a file (see ``storage.remote.Bytes``)."""

    def read_bytes(self) -> bytes:
        return self.getvalue()

    def open(self, mode: str, buffering: int) -> io.BytesIO:
        return io.BytesIO(self.getvalue())


def _each(function: Callable[[T], R], items: Collection[T]) -> list[R]:
    """Apply ``function`` to items, some at once; the first error is raised."""
    if len(items) < 2:
        return [function(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_TOGETHER, "cache-http") as pool:
        return list(pool.map(function, items))
