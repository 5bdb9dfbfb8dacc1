"""Trees of the store as Merkle trees, each computed once, ever: a tree's digest in, its ``Merkle`` out.

An archive has one Merkle tree, so it is kept like the result of an action whose only input is the archive: a thousand
actions that share a toolchain, in this build or the next, do not read its files again.
"""

from __future__ import annotations

import hashlib
import threading

from distroless_rules.errors import FormatError
from distroless_rules.execution.merkle import Merkle, of_entries
from distroless_rules.storage.store import ActionCache, ActionResult, LocalStore, MissingBlobError, copy_in
from distroless_rules.tar import reader as tar
from distroless_rules.values.digest import Digest

__all__ = ["Roots"]

_FORMAT = "merkle 1"  # changed when the same archive becomes another tree
_NAME = "tree"


class Roots:
    """The Merkle trees of archives; safe for many threads.

    Args:
        store: holds the archives, and takes the trees.
        cache: remembers which tree is which archive's.
    """

    def __init__(self, store: LocalStore, cache: ActionCache) -> None:
        self._store = store
        self._cache = cache
        self._guard = threading.Lock()
        self._turns: dict[Digest, threading.Lock] = {}
        self._known: dict[Digest, Merkle] = {}

    def of(self, digest: Digest) -> Merkle:
        """Give the Merkle tree of an archive.

        Raises:
            MissingBlobError: if it is not known and the store does not hold the archive.
            FormatError: if the archive is malformed, or a name in it is not Unicode.
            StorageError: if it cannot be kept.
        """
        with self._guard:
            turn = self._turns.setdefault(digest, threading.Lock())
        with turn:
            if digest not in self._known:
                self._known[digest] = self._recall(digest) or self._compute(digest)
        return self._known[digest]

    def places(self, digest: Digest) -> dict[Digest, int]:
        """Give where in an archive the bytes of its files begin, each once.

        Raises:
            MissingBlobError: if the store does not hold the archive.
            FormatError: if it is malformed.
        """
        with self._store.path(digest).open("rb") as file:
            entries = tar.read(file, digest.hash, "a tree")
            return {Digest(entry.sha256, entry.size): entry.offset for entry in entries if entry.sha256}

    def _recall(self, digest: Digest) -> Merkle | None:
        kept = self._cache.get(_key(digest))
        if kept is None or _NAME not in kept.outputs:
            return None
        try:
            with self._store.open(kept.outputs[_NAME]) as stream:
                return Merkle.load(stream.read())
        except (MissingBlobError, FormatError):
            return None

    def _compute(self, digest: Digest) -> Merkle:
        with self._store.path(digest).open("rb") as file:
            merkle = of_entries(tar.read(file, digest.hash, "a tree"))
        made = copy_in(self._store, merkle.tree())
        self._cache.put(_key(digest), ActionResult({_NAME: made}, code=_FORMAT))
        return merkle


def _key(digest: Digest) -> str:
    return hashlib.sha256(f"{_FORMAT} {digest}".encode()).hexdigest()
