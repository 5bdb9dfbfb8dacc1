"""The files of an image as a bill of materials looks at them: paths, bytes, and digests by SHA-256 and SHA-1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from distroless_rules.values.path import sort_key
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Files", "Hashes", "Read"]

_MAX_LINKS = 40  # as Linux follows, path_resolution(7)
_MAX_STEPS = 4096 * _MAX_LINKS

Read = Callable[[Entry, int], bytes]
"""Gives at most so many of a file's first bytes."""


class Hashes(NamedTuple):
    """Digests of a file's bytes, hexadecimal."""

    sha1: str
    sha256: str


class Files:
    """The files of one image.

    Args:
        entries: every path once; hard links are files.
        read: gives the first bytes of a file.
        sha1: gives the SHA-1 of a file.
    """

    def __init__(self, entries: Iterable[Entry], read: Read, sha1: Callable[[Entry], str]) -> None:
        ordered = sorted(entries, key=lambda entry: sort_key(entry.path))
        self.entries: Mapping[str, Entry] = {entry.path: entry for entry in ordered}
        self._read = read
        self._sha1 = sha1
        self._folders: dict[str, str | None] = {}

    def regular(self) -> Iterator[Entry]:
        """Give every regular file, in order of path."""
        return (entry for entry in self.entries.values() if entry.kind is Kind.FILE)

    def links(self) -> Iterator[Entry]:
        """Give every symbolic link, in order of path."""
        return (entry for entry in self.entries.values() if entry.kind is Kind.SYMLINK)

    def hashes(self, path: str) -> Hashes:
        """Give the digests of the regular file at ``path``."""
        entry = self.entries[path]
        return Hashes(self._sha1(entry), entry.sha256)

    def read(self, path: str, limit: int) -> bytes:
        """Give the first bytes of the regular file that ``path`` leads to, links followed; none if there is none."""
        entry = self.follow(path)
        return b"" if entry is None or entry.kind is not Kind.FILE else self._read(entry, limit)

    def follow(self, path: str) -> Entry | None:
        """Give what a program that opens ``path`` finds, None if that is nothing."""
        real = self._real(path)
        return None if real is None else self.entries.get(real)

    def place(self, path: str) -> str | None:
        """Give where an entry called ``path`` really lies: links among its parents are followed; None if nowhere."""
        folder, slash, name = path.rpartition("/")
        if not slash:
            return path
        if folder not in self._folders:
            self._folders[folder] = self._real(folder)
        real = self._folders[folder]
        return None if real is None else f"{real}/{name}" if real else name

    def below(self, folder: str) -> Iterator[Entry]:
        """Give the regular files in a folder, at any depth."""
        prefix = f"{folder}/" if folder else ""
        return (entry for entry in self.regular() if entry.path.startswith(prefix))

    def _real(self, path: str) -> str | None:
        done: list[str] = []
        todo = path.split("/")[::-1]
        links = 0
        while todo:
            name = todo.pop()
            if name == "..":
                del done[-1:]
            elif name not in ("", "."):
                done.append(name)
                entry = self.entries.get("/".join(done))
                if entry is not None and entry.kind is Kind.SYMLINK:
                    links += 1
                    if links > _MAX_LINKS or len(todo) > _MAX_STEPS:
                        return None
                    done = [] if entry.target.startswith("/") else done[:-1]
                    todo += entry.target.split("/")[::-1]
        return "/".join(done)
