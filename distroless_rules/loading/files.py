"""The workspace's files as loading sees them.

Everything looked at is recorded, so that a later build can tell whether looking again would show anything new.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from distroless_rules.errors import LoadError, Location
from distroless_rules.loading.workspace import CONFIG_NAME, OUTPUT_NAME

__all__ = ["Folder", "Seen", "Signature", "WorkspaceFiles", "listing_digest", "signature"]

Signature = tuple[int, int, int, int]
MAX_BYTES = 8 << 20  # of a BUILD or .bzl file


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
    """Give a digest of a folder's names and which of them are folders; ``""`` when it is not there.

    The output folder does not count.
    """
    try:
        return _digest(_scan(path))
    except OSError:
        return ""


def _digest(folder: Folder) -> str:
    folders = [name for name in folder.folders if name != OUTPUT_NAME]  # which a build makes itself
    text = "\0".join(sorted(folder.files)) + "\0\0" + "\0".join(folders)
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def _scan(path: str | Path) -> Folder:
    files, folders = [], []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif _is_file(entry):
                files.append(entry.name)
    return Folder(frozenset(files), tuple(sorted(folders)))


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads round in a circle, or to where nobody may look
        return False


def _opener(path: str, flags: int) -> int:
    """Open a regular file; a named pipe would make a reader wait for ever."""
    number = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return number


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
            LoadError: if it cannot be read, is no regular file, is too large or is not UTF-8.
        """
        full = os.path.join(self.root, path)
        before = signature(full)
        try:
            with open(full, "rb", opener=_opener) as file:
                data = file.read(MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            self.seen.files[path] = (before, "")
            return None
        except OSError as error:
            raise LoadError(f"read {path}", error.strerror or str(error)) from error
        if len(data) > MAX_BYTES:
            raise LoadError(f"read {path}", f"it is larger than {MAX_BYTES >> 20} MiB")
        self.seen.files[path] = (before, hashlib.sha256(data).hexdigest())
        try:
            return data.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line, newline = data.count(b"\n", 0, error.start) + 1, data.rfind(b"\n", 0, error.start)
            at = Location(path, line, error.start - newline)
            raise LoadError(f"read {path}", f"the byte 0x{data[error.start]:02x} is not UTF-8", at=at) from error

    def folder(self, path: str) -> Folder:
        """Give the names in a folder; none when it is not there.

        Raises:
            LoadError: if it is there and cannot be read.
        """
        found = self._folders.get(path)
        if found is None:
            full = os.path.join(self.root, path)
            before = signature(full)
            try:
                found = _scan(full)
            except (FileNotFoundError, NotADirectoryError):
                found = Folder(frozenset(), ())
                self.seen.folders[path] = (before, "")
            except OSError as error:
                hint = f'name it in "ignore" of [workspace] in {CONFIG_NAME} if it holds no packages'
                raise LoadError(f"read the folder {path}", error.strerror or str(error), hint=hint) from error
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
        return (path for path in self.folders(below) if self.is_package(path))

    def folders(self, below: str) -> Iterator[str]:
        """Give a folder and those below it, sorted; not hidden folders, outputs or other workspaces."""
        waiting = [below]
        while waiting:
            path = waiting.pop()
            found = self.folder(path)
            if path != below and CONFIG_NAME in found.files:
                continue
            yield path
            prefix = f"{path}/" if path else ""
            waiting += [
                prefix + name
                for name in reversed(found.folders)
                if not name.startswith(".") and name != OUTPUT_NAME and prefix + name not in self._ignored
            ]
