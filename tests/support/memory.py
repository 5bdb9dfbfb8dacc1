"""A store in memory: the second implementation that shows the protocols to be seams."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from distroless_rules.errors import FormatError
from distroless_rules.storage.store import (
    ActionResult,
    BlobSink,
    MissingBlobError,
    check_expected,
    dump_result,
    load_result,
)
from distroless_rules.values.digest import Digest
from tests.support.workbench import Buffer

__all__ = ["MemoryStore"]


class MemoryStore:
    """Blobs and action results in two dicts.

    Attributes:
        blobs: SHA-256 -> bytes.
        actions: key -> what ``store.dump_result`` gives.
        corrupt: how many damaged values this store has met and dropped.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.actions: dict[str, bytes] = {}
        self.corrupt = 0

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Give those of ``digests`` that are not here, or corrupt."""
        return {digest for digest in digests if self._find(digest) is None}

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob for reading.

        Raises:
            MissingBlobError: if it is not here.
        """
        data = self._find(digest)
        if data is None:
            raise MissingBlobError(digest)
        return io.BytesIO(data)

    @contextmanager
    def sink(self, expected: Digest | None = None) -> Iterator[BlobSink]:
        """Open a new blob for writing (see ``BlobStore.sink``)."""
        sink = Buffer()
        yield sink
        digest = sink.digest
        check_expected(digest, expected)
        self.blobs[digest.hash] = bytes(sink.data)

    def get(self, key: str) -> ActionResult | None:
        """Give the result kept under ``key``, or None."""
        data = self.actions.get(key)
        if data is None:
            return None
        try:
            return load_result(key, data)
        except FormatError:
            self.corrupt += 1
            self.actions.pop(key, None)
            return None

    def put(self, key: str, result: ActionResult) -> None:
        """Keep ``result`` under ``key``."""
        self.actions[key] = dump_result(key, result)

    def _find(self, digest: Digest) -> bytes | None:
        data = self.blobs.get(digest.hash)
        if data is None:
            return None
        if hashlib.sha256(data).hexdigest() != digest.hash:
            self.corrupt += 1
            self.blobs.pop(digest.hash, None)
            return None
        return data if len(data) == digest.size else None
