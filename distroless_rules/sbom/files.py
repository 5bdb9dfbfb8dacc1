"""The files of an image as a bill of materials looks at them: paths, bytes, and digests by SHA-256 and SHA-1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from distroless_rules.closure.view import View
from distroless_rules.deb import installed
from distroless_rules.values.path import sort_key
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Files", "Hashes", "Read"]

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
        self.view = View(self.entries, {})

    @property
    def database(self) -> installed.Files:
        """The files as ``deb.installed`` takes them."""
        return installed.Files(self.view.at, self.view.names, lambda entry: self._read(entry, entry.size))

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
        entry = self.view.at(path)
        return b"" if entry is None or entry.kind is not Kind.FILE else self._read(entry, limit)

    def below(self, folder: str) -> Iterator[Entry]:
        """Give the regular files in a folder, at any depth."""
        prefix = f"{folder}/" if folder else ""
        return (entry for entry in self.regular() if entry.path.startswith(prefix))
