"""What was built, put in its place below the output folder: layouts of images, and files.

Files are linked from the cache where the file system allows it, and are read-only; programs and scripts are copied, as
they are executable. A folder is laid out. A layout is put together aside and
takes its place in one step, so that a reader finds the old one or the new one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distroless_rules.actions.analysed import Layout, Wanted
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.errors import StorageError
from distroless_rules.storage.seal import is_sealed
from distroless_rules.values.digest import Digest
from distroless_rules.values.tree import is_program

if TYPE_CHECKING:
    from distroless_rules.storage.store import LocalStore

__all__ = ["Mark", "Outputs", "Result", "artifacts", "descriptors", "stands"]

Mark = tuple[int, int, int]
"""Size, modification time in ns, and inode that a file was left with."""

_GONE: Mark = (-1, 0, 0)  # what no file has


@dataclass(frozen=True, slots=True)
class Result:
    """A target that was built.

    Attributes:
        label: its label.
        rule: its rule.
        paths: what is in the output folder, below it: the layout's folder, or files; none if it was only learned.
        digest: of an image the digest of its manifest or index, ``sha256:...``, else ``""``.
        size: bytes of the files or of the layout's blobs.
    """

    label: str
    rule: str
    paths: tuple[str, ...]
    digest: str
    size: int

    def dump(self) -> list[Any]:
        """Give the result as JSON values."""
        return [self.label, self.rule, self.paths, self.digest, self.size]

    @staticmethod
    def load(row: list[Any]) -> Result:
        """Read what ``dump`` gave."""
        label, rule, paths, digest, size = row
        return Result(label, rule, tuple(paths), digest, size)


def artifacts(wanted: Wanted) -> Iterator[Artifact]:
    """Give everything that a target's place in the output folder is made of."""
    if wanted.layout is None:
        yield from wanted.files
        return
    yield wanted.layout.descriptor
    yield from wanted.layout.blobs
    if wanted.layout.report is not None:
        yield wanted.layout.report
    yield from (file for _, file in wanted.layout.beside)


def descriptors(wanted: Wanted) -> Iterator[Artifact]:
    """Give what says the digest of a target that is an image."""
    if wanted.layout is not None:
        yield wanted.layout.descriptor


def stands(marks: Mapping[str, Mark], folder: Path) -> bool:
    """Say whether everything below the output folder is still as ``Outputs`` left it.

    Blobs of other builds may be linked to the same file, which sets its time anew; a seal says that its bytes are
    right all the same.
    """
    root = str(folder)
    for path, (size, mtime, inode) in marks.items():
        try:
            status = os.lstat(f"{root}/{path}")
        except OSError:
            return False
        same = (status.st_size, status.st_ino) == (size, inode)
        if not same or (status.st_mtime_ns != mtime and not is_sealed(status)):
            return False
    return True


class Outputs:
    """Puts what targets consist of into its place below the output folder; a file of several targets once.

    Args:
        folder: the output folder.
        digests: what was built.
        store: holds it.
    """

    def __init__(self, folder: Path, digests: Mapping[Artifact, Digest], store: LocalStore) -> None:
        self._folder = folder
        self._digests = digests
        self._store = store
        self._paths: dict[str, Digest | None] = {}

    def place(self, wanted: Wanted) -> Result:
        """Put one target into its place.

        Raises:
            StorageError: if it cannot be written; what was there before stays.
            MissingBlobError: if a blob has vanished from the store.
        """
        try:
            return self._layout(wanted, wanted.layout) if wanted.layout is not None else self._files(wanted)
        except (OSError, StorageError) as error:
            from distroless_rules.storage.store import MissingBlobError

            derived = (artifact for artifact in artifacts(wanted) if artifact.root is Root.DERIVED)
            if gone := self._store.missing(self._digests[artifact] for artifact in derived):
                raise MissingBlobError(min(gone, key=str)) from error
            raise

    def learn(self, wanted: Wanted) -> Result:
        """Give what a target is, and put nothing in its place; of an image only the descriptor is read.

        Raises:
            MissingBlobError: if the descriptor has vanished from the store.
        """
        parts, digests = wanted.layout, self._digests
        digest = self._descriptor(parts)["digest"] if parts else ""
        size = sum(digests[file].size for file in (parts.blobs if parts else _made(wanted)))
        return Result(str(wanted.label), wanted.rule, (), digest, size)

    def _descriptor(self, parts: Layout) -> dict[str, Any]:
        descriptor: dict[str, Any] = json.loads(self._store.path(self._digests[parts.descriptor]).read_bytes())
        return descriptor

    def _files(self, wanted: Wanted) -> Result:
        files = _made(wanted)
        paths = tuple((self._tree if file.tree else self._file)(file, file.path.partition("/")[2]) for file in files)
        return Result(str(wanted.label), wanted.rule, paths, "", sum(self._digests[file].size for file in files))

    def marks(self) -> dict[str, Mark]:
        """Give what tells, later, that everything placed is still there: see ``stands``."""
        root = str(self._folder)
        return {path: _mark(f"{root}/{path}") for path in self._paths}

    def _file(self, file: Artifact, path: str) -> str:
        digest = self._digests[file]
        if self._paths.get(path) == digest:
            return path
        from distroless_rules.storage.folder import refused

        blob = self._store.path(digest)
        try:
            _link(blob, self._folder / path)
        except OSError as error:
            raise refused(f'write "{path}" to the output folder', error) from error
        self._paths[path] = digest
        return path

    def _tree(self, tree: Artifact, path: str) -> str:
        from distroless_rules.execution.trees import lay
        from distroless_rules.storage.folder import refused

        try:
            lay(self._digests[tree], self._store, self._folder / path)
        except OSError as error:
            raise refused(f'write "{path}" to the output folder', error) from error
        for at, folders, files in os.walk(self._folder / path):
            self._paths.update((os.path.relpath(f"{at}/{name}", self._folder), None) for name in (*folders, *files))
        return path

    def _layout(self, wanted: Wanted, parts: Layout) -> Result:
        from distroless_rules.oci import layout

        label, digests = wanted.label, self._digests
        path = f"{label.package}/{label.name}" if label.package else label.name
        descriptor = self._descriptor(parts)
        blobs = {digests[blob].oci: self._store.path(digests[blob]) for blob in parts.blobs}
        layout.write(self._folder / path, descriptor, blobs)
        if parts.report is not None:
            self._file(parts.report, f"{path}.report.json")
        for suffix, file in parts.beside:
            self._file(file, f"{path}{suffix}")
        names = ("index.json", "oci-layout", *(f"blobs/{name.replace(':', '/')}" for name in blobs))
        self._paths.update((f"{path}/{name}", None) for name in names)
        size = sum(digests[blob].size for blob in parts.blobs)
        return Result(str(label), wanted.rule, (path,), descriptor["digest"], size)


def _made(wanted: Wanted) -> list[Artifact]:
    return [file for file in wanted.files if file.root is Root.DERIVED]


def _mark(path: str) -> Mark:
    try:
        status = os.lstat(path)
    except FileNotFoundError:  # somebody removed it this moment, or another build replaced it
        return _GONE
    return status.st_size, status.st_mtime_ns, status.st_ino


def _link(blob: Path, path: Path) -> None:
    """Put a file in its place in one step, unless it is there already."""
    try:
        if os.path.samestat(os.stat(blob), os.lstat(path)):
            return
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        _link_or_copy(blob, aside)
        os.replace(aside, path)
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()


def _link_or_copy(blob: Path, path: Path) -> None:
    program = is_program(blob)
    if not program:
        with suppress(OSError):  # another file system, or one without links
            os.link(blob, path)
    if not path.exists():
        shutil.copyfile(blob, path)
        path.chmod(0o555 if program else 0o444)
