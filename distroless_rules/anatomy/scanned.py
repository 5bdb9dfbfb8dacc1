"""What files of an image say in their bytes, read when it is asked for first: facts and mentions by SHA-256.

An image's compilers and documentation are never asked for, so they are never read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from distroless_rules.closure import mentions, scan
from distroless_rules.closure.facts import Facts
from distroless_rules.closure.mentions import Mentions
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Scanned", "by_hash", "facts_of", "mentions_of"]

V = TypeVar("V")
Read = Callable[[Entry, int], bytes]
"""Gives the first bytes of a file."""


@dataclass
class Scanned(Mapping[str, V], Generic[V]):
    """What is known of files by the SHA-256 of their bytes.

    Attributes:
        files: a file of each SHA-256.
        look: reads one, and gives what is known of it; None if nothing is.
    """

    files: Mapping[str, Entry]
    look: Callable[[Entry], V | None]

    def __post_init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[str, V | None] = {}

    def __getitem__(self, sha256: str) -> V:
        """Give what is known, read now if it was not.

        Raises:
            KeyError: if there is no such file, or nothing is to be said of it.
            OSError: if it cannot be read.
        """
        if sha256 not in self._known:
            entry = self.files.get(sha256)
            self._known[sha256] = None if entry is None else self.look(entry)
        found = self._known[sha256]
        if found is None:
            raise KeyError(sha256)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def by_hash(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Give a file of each SHA-256, of several the first."""
    found: dict[str, Entry] = {}
    for entry in entries.values():
        if entry.kind is Kind.FILE:
            found.setdefault(entry.sha256, entry)
    return found


def facts_of(files: Mapping[str, Entry], read: Read) -> Scanned[Facts]:
    """Give what files are (``closure.facts``)."""
    return Scanned(files, lambda entry: scan.scan([entry], read, lambda each: read(each, each.size)).get(entry.sha256))


def mentions_of(files: Mapping[str, Entry], read: Read) -> Scanned[Mentions]:
    """Give what files name (``closure.mentions``)."""
    return Scanned(files, lambda entry: mentions.scan([entry], read, map).get(entry.sha256))
