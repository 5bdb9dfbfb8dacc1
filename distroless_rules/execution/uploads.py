"""What an engine lacks of an action's inputs, given to it: each blob once in a build, a toolchain's files in one go.

What the engine has said that it holds is not asked again, unless it turns out that it has lost something.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, cast

from distroless_rules.execution.remote_action import RemoteAction
from distroless_rules.execution.roots import Roots
from distroless_rules.storage.store import LocalStore
from distroless_rules.values.digest import EMPTY, Digest

__all__ = ["Part", "Receiver", "Uploads"]


@dataclass(frozen=True, slots=True)
class Part:
    """A blob's bytes, in memory or as a part of a file.

    Attributes:
        digest: what they are.
        data: the bytes, None if they are in a file.
        file: which.
        offset: where in it they begin.
    """

    digest: Digest
    data: bytes | None = None
    file: Path = Path()
    offset: int = 0

    def read_bytes(self) -> bytes:
        """Give the bytes, as they are now.

        Raises:
            OSError: if the file cannot be read.
        """
        with self.open() as stream:
            return stream.read()

    def open(self, mode: Literal["rb"] = "rb", buffering: Literal[0] = 0) -> BinaryIO:
        """Open them for reading, as a file alone would be.

        Raises:
            OSError: if the file cannot be read.
        """
        if self.data is not None:
            return io.BytesIO(self.data)
        return cast(BinaryIO, _Slice(self.file, self.offset, self.digest.size))


class _Slice(io.RawIOBase):
    """A part of a file, opened."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        super().__init__()
        self._file = path.open("rb", buffering=0)
        self._start, self._size, self._at = offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self._size - self._at))
        data = os.pread(self._file.fileno(), wanted, self._start + self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class Receiver(Protocol):
    """A store that takes many blobs at once."""

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Give those of ``digests`` that it does not hold.

        Raises:
            RemoteError: if it cannot be asked.
        """

    def put(self, parts: Iterable[Part]) -> None:
        """Take blobs.

        Raises:
            TrustError: if the bytes of one are not what its digest says.
            RemoteError: if it does not take them.
            OSError: if a file cannot be read.
        """


class Uploads:
    """Gives an engine what it lacks; safe for many threads.

    Args:
        receiver: the engine's store.
        store: holds the archives of trees.
        roots: knows what is in them.
    """

    def __init__(self, receiver: Receiver, store: LocalStore, roots: Roots) -> None:
        self._receiver = receiver
        self._store = store
        self._roots = roots
        self._guard = threading.Lock()
        self._turns: dict[Digest, threading.Lock] = {}
        self._there: set[Digest] = {EMPTY}
        self._trees: set[Digest] = set()

    def provide(self, named: RemoteAction, check: Callable[[], None], *, again: bool = False) -> None:
        """See that the engine holds all that an action needs.

        Args:
            named: the action.
            check: called every now and then; raises ``Interrupted``.
            again: whether what it is known to hold is asked again.

        Raises:
            RemoteError: if it does not take it.
            TrustError: if a file is not what it was.
            MissingBlobError: if the archive of a tree is gone that it lacks something of.
            OSError: if a file cannot be read.
        """
        if again:
            with self._guard:
                self._there.intersection_update({EMPTY})
                self._trees.difference_update(named.trees)
        for tree in named.trees:
            with self._guard:
                turn = self._turns.setdefault(tree, threading.Lock())
            with turn:
                if tree not in self._trees:
                    self._provide_tree(tree, check)
                    self._trees.add(tree)
        own = {digest: Part(digest, data) for digest, data in named.messages.items()}
        own.update((digest, Part(digest, file=path)) for digest, path in named.files.items())
        self._give(own, check)

    def _provide_tree(self, tree: Digest, check: Callable[[], None]) -> None:
        """Give what is lacking of a tree: its files out of the archive first, then the folders that name them."""
        merkle = self._roots.of(tree)
        lacking = self._receiver.missing({*merkle.files, *merkle.directories} - {EMPTY})
        if files := lacking & merkle.files:
            archive, places = self._store.path(tree), self._roots.places(tree)
            wanted = sorted(files, key=lambda digest: places[digest])
            self._receiver.put(_checked((Part(each, file=archive, offset=places[each]) for each in wanted), check))
        folders = sorted(lacking & merkle.directories.keys())
        self._receiver.put(_checked((Part(each, merkle.directories[each]) for each in folders), check))

    def _give(self, parts: Mapping[Digest, Part], check: Callable[[], None]) -> None:
        unknown = parts.keys() - self._there
        if not unknown:
            return
        lacking = self._receiver.missing(unknown)
        if lacking:
            self._receiver.put(_checked((parts[digest] for digest in sorted(lacking)), check))
        with self._guard:
            self._there |= unknown


def _checked(parts: Iterable[Part], check: Callable[[], None]) -> Iterator[Part]:
    for part in parts:
        check()
        yield part
