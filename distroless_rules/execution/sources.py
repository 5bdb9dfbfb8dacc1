"""Digests of the workspace's files, hashed once and then known by their status.

Going in: paths below the workspace. Going out: digests, remembered from build to build in a table of the cache
folder. A file is hashed again when its inode, size, modification or change time differ from the table's. A file
changed too shortly before it was hashed is not remembered, since a second change within one tick of the file
system's clock would leave no trace (git documents the same as "racy git").
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from contextlib import suppress
from pathlib import Path

from distroless_rules.errors import ActionError, StorageError
from distroless_rules.storage import folder
from distroless_rules.storage.seal import signature
from distroless_rules.values.digest import Digest

__all__ = ["Sources", "table_path"]

_CHUNK = 1 << 20  # bytes
_TICK = 100_000_000  # ns: more than a tick of any file system that has fractions of a second
_COARSE_TICK = 2_000_000_000  # ns: for those that have not; FAT counts in steps of two seconds

_Row = tuple[str, tuple[int, int, int, int]]  # hash; inode, size, modification time, change time


def table_path(cache: Path, workspace: Path) -> Path:
    """Give the place of a workspace's table in the cache folder."""
    name = hashlib.sha256(os.fsencode(workspace.absolute())).hexdigest()
    return cache / folder.SOURCES / name[:32]


class Sources:
    """The source files of one workspace, as one build sees them: a digest once given stays.

    Args:
        workspace: the workspace's root.
        table: where digests are remembered (see ``table_path``); None: nowhere.
    """

    def __init__(self, workspace: Path, table: Path | None = None) -> None:
        self._root = workspace
        self._table = table
        self._rows: dict[str, _Row] = _load(table) if table else {}
        self._given: dict[str, Digest] = {}
        self._changed = False

    def file(self, path: str) -> Path:
        """Give the place of a source file."""
        return self._root / path

    def digest(self, path: str) -> Digest:
        """Give the digest of the source file at ``path`` below the workspace.

        Raises:
            ActionError: if it is not a readable regular file, or changes while it is read.
        """
        given = self._given.get(path)
        if given is None:
            given = self._given[path] = self._find(path)
        return given

    def check(self, path: str, digest: Digest) -> None:
        """See that a source file that was just used is still what it was.

        Raises:
            ActionError: if it is not.
        """
        if self._find(path) != digest:
            hint = "build again when it is at rest"
            raise ActionError(f'use source file "{path}"', "it changed while it was used", hint=hint)

    def save(self) -> None:
        """Remember the digests for the next build.

        Raises:
            StorageError: if the table cannot be written.
        """
        if not self._changed or self._table is None:
            return
        body = json.dumps(self._rows, separators=(",", ":")).encode("ascii")
        aside = self._table.with_name(f"{self._table.name}.{os.urandom(8).hex()}")
        try:
            self._table.parent.mkdir(parents=True, exist_ok=True)
            try:
                aside.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
                os.replace(aside, self._table)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(aside)
        except OSError as error:
            raise folder.refused("remember the digests of source files", error) from error
        self._changed = False

    def _find(self, path: str) -> Digest:
        name = f"{self._root}/{path}"
        row = self._rows.get(path)
        try:
            if row is not None and row[1] == signature(os.stat(name)):
                return Digest(row[0], row[1][1])
            begun = time.time_ns()
            value, state = _hash(name)
        except OSError as error:
            cause = (error.strerror or str(error)).lower()
            raise ActionError(f'read source file "{path}"', cause) from error
        if _at_rest(state, begun):
            self._rows[path] = (value, state)
            self._changed = True
        elif self._rows.pop(path, None):
            self._changed = True
        return Digest(value, state[1])


def _hash(name: str) -> tuple[str, tuple[int, int, int, int]]:
    with open(name, "rb", buffering=0, opener=_open) as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a regular file")
        checked = hashlib.sha256()
        while data := stream.read(_CHUNK):
            checked.update(data)
        if signature(os.fstat(stream.fileno())) != signature(status):
            raise OSError("it changed while it was read")
    return checked.hexdigest(), signature(status)


def _open(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK)  # a pipe is not waited for


def _at_rest(state: tuple[int, int, int, int], begun: int) -> bool:
    """Tell whether a change after ``begun`` (ns) would have given the file another state."""
    _, _, modified, changed = state
    tick = _COARSE_TICK if changed % 1_000_000_000 == 0 else _TICK
    return max(modified, changed) + tick < begun


def _load(table: Path) -> dict[str, _Row]:
    """Read a table; one that is missing or damaged is empty, which costs only time."""
    try:
        check, _, body = table.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError("read the digests of source files", error.strerror or str(error)) from error
    if hashlib.sha256(body).hexdigest().encode() != check:
        return {}
    rows: dict[str, tuple[str, tuple[int, ...]]] = json.loads(body)
    return {path: (value, (state[0], state[1], state[2], state[3])) for path, (value, state) in rows.items()}
