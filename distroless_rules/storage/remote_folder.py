"""A shared cache in a folder that many machines mount: no server, any number of writers.

The folder has the names of an HTTP cache, ``cas/<sha-256>`` and ``ac/<key>``, below two letters of each, so that a web
server may serve it. What is written is written aside and renamed, which is all that a network file system has to do
in one step; nothing is locked. A file that another machine has cut short is missing.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from distroless_rules.errors import FormatError
from distroless_rules.storage import folder, wire
from distroless_rules.storage.endpoint import Endpoint
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.messages import ActionResult
from distroless_rules.storage.remote import Bytes, Write, without_empty
from distroless_rules.storage.store import MissingBlobError
from distroless_rules.storage.traffic import Traffic
from distroless_rules.values.digest import Digest

__all__ = ["FolderCache"]

_PIECE = 1 << 20  # bytes
_LARGEST = 16 << 20  # bytes of an action result
_CODES = {
    errno.EACCES: Code.PERMISSION_DENIED,
    errno.EPERM: Code.PERMISSION_DENIED,
    errno.EROFS: Code.PERMISSION_DENIED,
    errno.ENOSPC: Code.RESOURCE_EXHAUSTED,
    errno.EDQUOT: Code.RESOURCE_EXHAUSTED,
}
_TOUCH = 3600  # seconds within which a second use is not recorded


class FolderCache:
    """A folder that holds blobs and action results (see ``storage.remote.Remote``); safe for many threads and machines.

    Args:
        endpoint: its path is the folder, which must exist: one that is not mounted is not filled.

    Attributes:
        shown: the folder.
        traffic: how many bytes went each way.
        little: bytes of a blob that is brought as soon as it is named (see ``Remote``).
    """

    little = 0

    def __init__(self, endpoint: Endpoint) -> None:
        self.shown = endpoint.shown
        self.traffic = Traffic()
        self._root = Path(endpoint.path)

    def close(self) -> None:
        """Do nothing: nothing is held (see ``Remote.close``)."""

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Give those of ``digests`` that it does not hold (see ``Remote.missing``)."""
        return {digest for digest in without_empty(digests) if not self._holds(digest)}

    def fetch(self, digest: Digest, write: Write) -> None:
        """Write a blob's bytes to ``write`` (see ``Remote.fetch``)."""
        with self._errors(f"read a blob of {self.shown}"):
            try:
                file = self._blob(digest).open("rb", buffering=0)
            except FileNotFoundError as error:
                raise MissingBlobError(digest) from error
            with file:
                while piece := file.read(_PIECE):
                    self.traffic.received(len(piece))
                    write(piece)
                if time.time() - os.fstat(file.fileno()).st_mtime > _TOUCH:
                    with suppress(OSError):  # not ours to touch: it only looks older to whoever cleans up
                        os.utime(file.fileno())

    def fetch_many(self, digests: Collection[Digest], take: Callable[[Digest, bytes], object]) -> set[Digest]:
        """Give all ``digests`` back: nothing is gained by reading files together."""
        return set(digests)

    def send(self, blobs: Mapping[Digest, Bytes]) -> None:
        """Have it keep blobs (see ``Remote.send``)."""
        for digest in without_empty(blobs):
            with blobs[digest].open("rb", buffering=0) as source:
                self._write(f"send a blob to {self.shown}", self._blob(digest), source)
            self.traffic.sent(digest.size)

    def find(self, key: Digest) -> ActionResult | None:
        """Give the result kept under an action's digest (see ``Remote.find``)."""
        doing = f"look up an action result in {self.shown}"
        with self._errors(doing):
            try:
                with self._result(key).open("rb") as file:
                    data = file.read(_LARGEST)
            except FileNotFoundError:
                self._root.stat()  # a folder that is not mounted is an error
                return None
        self.traffic.received(len(data))
        try:
            return wire.decode(ActionResult, data)
        except FormatError as error:
            raise RemoteError(doing, error.cause, Code.DATA_LOSS) from error

    def keep(self, key: Digest, result: ActionResult) -> None:
        """Have it keep a result (see ``Remote.keep``)."""
        import io

        data = wire.encode(result)
        self._write(f"keep an action result in {self.shown}", self._result(key), io.BytesIO(data))
        self.traffic.sent(len(data))

    def _blob(self, digest: Digest) -> Path:
        return self._root / folder.BLOBS / digest.hash[:2] / digest.hash

    def _result(self, key: Digest) -> Path:
        return self._root / folder.ACTIONS / key.hash[:2] / key.hash

    def _holds(self, digest: Digest) -> bool:
        with self._errors(f"ask which blobs are missing of {self.shown}"):
            try:
                return self._blob(digest).stat().st_size == digest.size
            except (FileNotFoundError, NotADirectoryError):
                return False

    def _write(self, doing: str, place: Path, source: BinaryIO) -> None:
        with self._errors(doing):
            self._root.stat()
            place.parent.mkdir(parents=True, exist_ok=True)
            aside = place.with_name(f".{place.name[:16]}.{os.urandom(8).hex()}")
            try:
                with aside.open("xb", buffering=0) as target:
                    shutil.copyfileobj(source, target, _PIECE)
                aside.rename(place)
            finally:
                aside.unlink(missing_ok=True)

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            code = _CODES.get(error.errno or 0, Code.FAILED_PRECONDITION)
            cause = (error.strerror or str(error)).lower()
            raise RemoteError(doing, cause, code, hint='see "remote" and "upload" in [cache]') from error
