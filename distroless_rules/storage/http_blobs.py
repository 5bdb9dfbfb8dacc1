"""Blobs of a server that is asked in HTTP, by digest: HEAD says whether one is there, GET gives it, or the rest of it.

Source: RFC 9110; for registries OCI distribution-spec 1.1, "Pulling blobs".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import TypeVar

from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.patience import Patience
from distroless_rules.storage.remote import Write, without_empty
from distroless_rules.storage.store import MissingBlobError
from distroless_rules.storage.web import Web
from distroless_rules.values.digest import EMPTY, Digest

__all__ = ["HttpBlobs", "each"]

T = TypeVar("T")
R = TypeVar("R")

_LITTLE = 1000  # bytes of a blob that are no more than the headers of an answer without it
_TOGETHER = 8  # requests at once


class HttpBlobs:
    """Reads a server's blobs, as any ``storage.remote.Remote`` that is asked in HTTP does; safe for many threads.

    Args:
        web: the server; closed with this.
        shown: its address, for messages.
        place: gives the path of a blob.

    Attributes:
        shown: its address.
        traffic: how many bytes went each way.
        patience: lets requests through.
        little: bytes of a blob that is brought as soon as it is named (see ``Remote``).
    """

    little = _LITTLE

    def __init__(self, web: Web, shown: str, place: Callable[[Digest], str]) -> None:
        self.shown = shown
        self.traffic = web.traffic
        self._web = web
        self._place = place
        self.patience = Patience(partial(self._holds, EMPTY))

    def close(self) -> None:
        """End what is under way (see ``Remote.close``)."""
        self.patience.close()
        self._web.close()

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Give those of ``digests`` that it does not hold (see ``Remote.missing``)."""
        wanted = without_empty(digests)
        held = each(lambda digest: self.patience.call(partial(self._holds, digest)), wanted)
        return {digest for digest, here in zip(wanted, held, strict=True) if not here}

    def fetch(self, digest: Digest, write: Write) -> None:
        """Write a blob's bytes to ``write`` (see ``Remote.fetch``); goes on where a transfer broke off."""
        at = 0
        doing = f"read a blob of {self.shown}"

        def read() -> None:
            nonlocal at
            headers = {"Range": f"bytes={at}-"} if at else {}
            with self._web.ask("GET", self._place(digest), headers) as (status, _, pieces):
                if status != 200 and not (status == 206 and at):
                    raise self._web.refused(status, doing)
                skip = at if status == 200 else 0
                for piece in pieces:
                    rest = piece[skip:]
                    skip -= len(piece) - len(rest)
                    write(rest)
                    at += len(rest)
            if at < digest.size:
                raise RemoteError(doing, "it hung up", Code.UNAVAILABLE)

        try:
            self.patience.call(read)
        except RemoteError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            raise MissingBlobError(digest) from error

    def fetch_many(self, digests: Collection[Digest], take: Callable[[Digest, bytes], object]) -> set[Digest]:
        """Give all ``digests`` back: one blob is asked for at a time (see ``Remote.fetch_many``)."""
        return set(digests)

    def _holds(self, digest: Digest) -> bool:
        with self._web.ask("HEAD", self._place(digest)) as (status, headers, _):
            if status not in (200, 204, 404):
                raise self._web.refused(status, f"ask which blobs are missing of {self.shown}")
            return status != 404 and headers.get("Content-Length", str(digest.size)) == str(digest.size)


def each(function: Callable[[T], R], items: Collection[T]) -> list[R]:
    """Apply ``function`` to items, some at once; the first error is raised."""
    if len(items) < 2:
        return [function(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_TOGETHER, "cache-http") as pool:
        return list(pool.map(function, items))
