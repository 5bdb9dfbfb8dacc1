"""The workspace's files as loading sees them.

Everything looked at is recorded, so that a later build can tell whether looking again would show anything new.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from distroless_rules.errors import LoadError, Location
from distroless_rules.loading.workspace import CONFIG_NAME, OUTPUT_NAME

__all__ = ["Folder", "Seen", "Signature", "WorkspaceFiles", "listing_digest", "signature"]

Signature = tuple[int, int, int, int]


def signature(path: str | Path) -> Signature | None:
    """Give what changes when a file or folder does: size, mtime and ctime in ns, inode; None when it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@dataclass(frozen=True, slots=True)
class Folder:
    """The names in a folder: regular files (and links to files), and folders, both sorted."""

    files: frozenset[str]
    folders: tuple[str, ...]


@dataclass(slots=True)
class Seen:
    """What was looked at: path below the workspace -> (signature before the look, SHA-256 of what was seen)."""

    files: dict[str, tuple[Signature | None, str]] = field(default_factory=dict)
    folders: dict[str, tuple[Signature | None, str]] = field(default_factory=dict)


def listing_digest(path: str | Path) -> str:
    """Give a digest of a folder's names and which of them are folders; ``""`` when it is not there."""
    try:
        return _digest(_scan(path))
    except OSError:
        return ""


def _digest(folder: Folder) -> str:
    text = "\0".join(sorted(folder.files)) + "\0\0" + "\0".join(folder.folders)
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def _scan(path: str | Path) -> Folder:
    files, folders = [], []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.is_file():
                files.append(entry.name)
    return Folder(frozenset(files), tuple(sorted(folders)))


class WorkspaceFiles:
    """Reads files and folders below a root.

    Args:
        root: the workspace.
        build_file: the name of BUILD files.
        ignore: folders below the root in which no package is looked for.
    """

    def __init__(self, root: Path, build_file: str, ignore: tuple[str, ...] = ()) -> None:
        self.root = str(root)
        self.build_file = build_file
        self.seen = Seen()
        self._ignored = frozenset(ignore)
        self._folders: dict[str, Folder] = {}

    def read(self, path: str) -> str | None:
        """Give the text of a file, without a byte order mark, None when it is not there.

        Raises:
            LoadError: if it cannot be read or is not UTF-8.
        """
        full = os.path.join(self.root, path)
        before = signature(full)
        try:
            with open(full, "rb") as file:
                data = file.read()
        except (FileNotFoundError, NotADirectoryError):
            self.seen.files[path] = (before, "")
            return None
        except OSError as error:
            raise LoadError(f"read {path}", error.strerror or str(error)) from error
        self.seen.files[path] = (before, hashlib.sha256(data).hexdigest())
        try:
            return data.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line, newline = data.count(b"\n", 0, error.start) + 1, data.rfind(b"\n", 0, error.start)
            at = Location(path, line, error.start - newline)
            raise LoadError(f"read {path}", f"the byte 0x{data[error.start]:02x} is not UTF-8", at=at) from error

    def folder(self, path: str) -> Folder:
        """Give the names in a folder; none when it is not there."""
        found = self._folders.get(path)
        if found is None:
            full = os.path.join(self.root, path)
            before = signature(full)
            try:
                found = _scan(full)
            except OSError:
                found = Folder(frozenset(), ())
                self.seen.folders[path] = (before, "")
            else:
                self.seen.folders[path] = (before, _digest(found))
            self._folders[path] = found
        return found

    def is_package(self, path: str) -> bool:
        """Say whether a folder has a BUILD file."""
        return self.build_file in self.folder(path).files

    def is_file(self, path: str) -> bool:
        """Say whether a path is a file."""
        folder, _, name = path.rpartition("/")
        return name in self.folder(folder).files

    def packages(self, below: str) -> Iterator[str]:
        """Give the packages at and below a folder, sorted; not in hidden folders, outputs or other workspaces."""
        waiting = [below]
        while waiting:
            path = waiting.pop()
            found = self.folder(path)
            if path != below and CONFIG_NAME in found.files:
                continue
            if self.build_file in found.files:
                yield path
            prefix = f"{path}/" if path else ""
            waiting += [
                prefix + name
                for name in reversed(found.folders)
                if not name.startswith(".") and name != OUTPUT_NAME and prefix + name not in self._ignored
            ]
