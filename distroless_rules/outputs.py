"""What was built, put in its place below the output folder: layouts of images, and files.

Files are linked from the cache where the file system allows it, and are read-only. A layout is put together aside and
takes its place in one step, so that a reader finds the old one or the new one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distroless_rules.actions.analysis import Wanted
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.values.digest import Digest

if TYPE_CHECKING:
    from distroless_rules.storage.store import LocalStore

__all__ = ["Result", "artifacts", "place", "stands"]

_Mark = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Result:
    """A target that was built.

    Attributes:
        label: its label.
        rule: its rule.
        paths: what is in the output folder, below it: the layout's folder, or files.
        digest: of an image the digest of its manifest or index, ``sha256:...``, else ``""``.
        size: bytes of the files or of the layout's blobs.
        marks: file below the output folder -> size, mtime in ns and inode that it was left with.
    """

    label: str
    rule: str
    paths: tuple[str, ...]
    digest: str
    size: int
    marks: Mapping[str, _Mark]

    def dump(self) -> list[Any]:
        """Give the result as JSON values."""
        return [self.label, self.rule, self.paths, self.digest, self.size, self.marks]

    @staticmethod
    def load(row: list[Any]) -> Result:
        """Read what ``dump`` gave."""
        label, rule, paths, digest, size, marks = row
        return Result(label, rule, tuple(paths), digest, size, {path: tuple(mark) for path, mark in marks.items()})


def artifacts(wanted: Wanted) -> Iterator[Artifact]:
    """Give everything that a target's place in the output folder is made of."""
    if wanted.layout is None:
        yield from wanted.files
        return
    yield wanted.layout.descriptor
    yield from wanted.layout.blobs
    if wanted.layout.report is not None:
        yield wanted.layout.report


def stands(result: Result, folder: Path) -> bool:
    """Say whether everything is still as ``place`` left it."""
    root = str(folder)
    return all(_mark(f"{root}/{path}") == mark for path, mark in result.marks.items())


def place(folder: Path, wanted: Wanted, digests: Mapping[Artifact, Digest], store: LocalStore) -> Result:
    """Put what a target consists of into its place below ``folder``.

    Raises:
        StorageError: if it cannot be written; what was there before stays.
        MissingBlobError: if a blob has vanished from the store.
    """
    if wanted.layout is not None:
        return _place_layout(folder, wanted, digests, store)
    from distroless_rules.storage.folder import refused

    paths, size = [], 0
    for file in wanted.files:
        if file.root is not Root.DERIVED:
            continue
        path = file.path.partition("/")[2]
        try:
            _link(store.path(digests[file]), folder / path)
        except OSError as error:
            raise refused(f'write "{path}" to the output folder', error) from error
        paths.append(path)
        size += digests[file].size
    marks = {path: mark for path in paths if (mark := _mark(f"{folder}/{path}"))}
    return Result(str(wanted.label), wanted.rule, tuple(paths), "", size, marks)


def _link(blob: Path, path: Path) -> None:
    """Put a file in its place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        try:
            os.link(blob, aside)
        except OSError:
            aside.write_bytes(blob.read_bytes())
            aside.chmod(0o444)
        os.replace(aside, path)
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()


def _place_layout(folder: Path, wanted: Wanted, digests: Mapping[Artifact, Digest], store: LocalStore) -> Result:
    from distroless_rules.oci import layout

    assert wanted.layout is not None
    path = f"{wanted.label.package}/{wanted.label.name}" if wanted.label.package else wanted.label.name
    descriptor = json.loads(store.path(digests[wanted.layout.descriptor]).read_bytes())
    blobs = {digests[blob].oci: store.path(digests[blob]) for blob in wanted.layout.blobs}
    layout.write(folder / path, descriptor, blobs)
    if wanted.layout.report is not None:
        _link(store.path(digests[wanted.layout.report]), folder / f"{path}.report.json")
    files = [f"{path}/index.json", f"{path}/oci-layout", *(f"{path}/blobs/{name.replace(':', '/')}" for name in blobs)]
    if wanted.layout.report is not None:
        files.append(f"{path}.report.json")
    size = sum(digests[blob].size for blob in wanted.layout.blobs)
    marks = {file: mark for file in files if (mark := _mark(f"{folder}/{file}"))}
    return Result(str(wanted.label), wanted.rule, (path,), descriptor["digest"], size, marks)


def _mark(path: str) -> _Mark | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns, status.st_ino)
