"""A shared cache on an HTTP server: ``/cas/<sha-256>`` holds blobs, ``/ac/<key>`` action results, by GET, HEAD and PUT.

Any server that keeps what is put will do, nginx with its dav module for one; what is kept is what Bazel keeps there,
too. Source: bazel.build, "HTTP caching protocol"; ``ActionResult`` in ``remote_execution.proto``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from distroless_rules.errors import FormatError
from distroless_rules.storage import wire
from distroless_rules.storage.endpoint import Endpoint
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.http_blobs import HttpBlobs, each
from distroless_rules.storage.http_call import HttpServer
from distroless_rules.storage.messages import ActionResult
from distroless_rules.storage.remote import Bytes, InMemory, without_empty
from distroless_rules.storage.web import TOO_LARGE
from distroless_rules.values.digest import Digest

__all__ = ["HttpCache"]

_LARGEST = 16 << 20  # bytes of an action result
_DONE = (200, 201, 202, 204)


class HttpCache(HttpBlobs):
    """An HTTP server that holds blobs and action results (see ``storage.remote.Remote``); safe for many threads.

    Args:
        endpoint: the server; ``ac`` and ``cas`` are below its path.
        seconds: how long it may say nothing.
    """

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        self._server = HttpServer(endpoint, seconds)
        super().__init__(self._server, endpoint.shown, lambda digest: f"cas/{digest.hash}")
        self._refused: int | None = None  # the fewest bytes that it has found too many

    def send(self, blobs: Mapping[Digest, Bytes]) -> None:
        """Have it keep blobs (see ``Remote.send``)."""

        def send(digest: Digest) -> None:
            self.patience.call(partial(self._put, f"cas/{digest.hash}", digest.size, blobs[digest]))

        each(send, without_empty(blobs))

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

        found = self.patience.call(find)
        try:
            return None if found is None else wire.decode(ActionResult, found)
        except FormatError as error:
            raise RemoteError(doing, error.cause, Code.DATA_LOSS) from error

    def keep(self, key: Digest, result: ActionResult) -> None:
        """Have it keep a result (see ``Remote.keep``)."""
        data = wire.encode(result)
        self.patience.call(partial(self._put, f"ac/{key.hash}", len(data), InMemory(data)))

    def _put(self, path: str, size: int, source: Bytes) -> None:
        doing = f"send to {self.shown}"
        if self._refused is not None and size >= self._refused:
            raise self._server.too_large(size, doing)
        with source.open("rb", buffering=0) as body:
            headers = {"Content-Length": str(size)}
            with self._server.ask("PUT", path, headers, body) as (status, _, _):
                if status == TOO_LARGE:
                    self._refused = size
                    raise self._server.too_large(size, doing)
                if status not in _DONE:
                    raise self._server.refused(status, doing)
