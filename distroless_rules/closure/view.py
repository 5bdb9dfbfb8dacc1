"""The files of an image as programs see them: a path in, what is there once links are followed out."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import cached_property

from distroless_rules.closure.facts import Facts
from distroless_rules.elf.read import Elf
from distroless_rules.values.path import MAX_PATH_BYTES
from distroless_rules.values.tree import Entry, Kind

__all__ = ["View"]

_MAX_LINKS = 40  # as Linux follows, path_resolution(7)

_Way = tuple[tuple[str, ...], str]
"""The links that were followed, in order, and where they lead."""


class View:
    """A file system.

    Each link is followed once, whatever leads through it, so that links which multiply each other cost no more than
    their number.

    Args:
        entries: path -> what is there.
        facts: what is known of files, by the SHA-256 of their bytes.
    """

    def __init__(self, entries: Mapping[str, Entry], facts: Mapping[str, Facts]) -> None:
        self.entries = entries
        self.known = facts
        self._links: dict[str, _Way | None] = {}
        self._folders: dict[str, _Way | None] = {}

    def trail(self, path: str) -> _Way | None:
        """Follow a path: give the links on the way, in order, and where it leads; None if nothing is there."""
        folder, _, name = path.strip("/").rpartition("/")
        above = self._above(folder)
        return None if above is None else self._follow(above, name)

    def _above(self, folder: str) -> _Way | None:
        if folder not in self._folders:
            self._folders[folder] = self._follow(((), ""), folder)
        return self._folders[folder]

    def _follow(self, way: _Way, path: str) -> _Way | None:
        while isinstance(found := self._walk(way, path), str):
            self._settle(found)
        return found

    def _walk(self, way: _Way, path: str) -> _Way | str | None:
        """Go a path from where a way has led; give a link instead if that must be settled first."""
        for part in path.split("/"):
            passed, real = way
            if part in ("", "."):
                continue
            if part == "..":
                way = passed, real.rpartition("/")[0]
                continue
            at = f"{real}/{part}" if real else part
            entry = self.entries.get(at)
            if entry is not None and entry.kind is Kind.SYMLINK:
                if at not in self._links:
                    return at
                link = self._links[at]
                if link is None or len(passed) + len(link[0]) > _MAX_LINKS:
                    return None
                way = (*passed, *link[0]), link[1]
            elif entry is not None or at in self.children:
                way = passed, at
            else:
                return None
        return way

    def _settle(self, link: str) -> None:
        """Find where a link leads, and before it each link that it leads through; one in a circle leads nowhere."""
        waiting, going = [link], {link}
        while waiting:
            at = waiting[-1]
            target = self.entries[at].target
            start = "" if target.startswith("/") else at.rpartition("/")[0]
            found = self._walk(((at,), start), target) if 0 < len(target) < MAX_PATH_BYTES else None
            if isinstance(found, str) and found not in going:
                waiting.append(found)
                going.add(found)
                continue
            self._links[at] = None if isinstance(found, str) else found
            going.discard(waiting.pop())

    def real(self, path: str) -> str | None:
        """Give where a path leads once every link is followed, None if nothing is there."""
        found = self.trail(path)
        return None if found is None else found[1]

    def place(self, path: str) -> str | None:
        """Give where what is called ``path`` lies itself, be it a link: only links above it are followed.

        There may be nothing at that place; it is None if there is no such folder.
        """
        folder, _, name = path.strip("/").rpartition("/")
        if name in (".", ".."):  # which is no link
            return self.real(path)
        above = self._above(folder)
        if above is None:
            return None
        return f"{above[1]}/{name}" if above[1] else name

    def at(self, path: str) -> Entry | None:
        """Give the file or folder that a program finds at a path, None if nothing is there."""
        real = self.real(path)
        return None if real is None else self.entries.get(real)

    def facts(self, path: str) -> Facts | None:
        """Give what is known of the file that lies at ``path`` itself."""
        entry = self.entries.get(path)
        return self.known.get(entry.sha256) if entry is not None and entry.kind is Kind.FILE else None

    def find_elf(self, path: str) -> tuple[str, Elf] | None:
        """Give where an ELF file really lies and what it says (``elf.search.Find``)."""
        real = self.real(path)
        facts = self.facts(real) if real else None
        return (real, facts.elf) if real and facts is not None and facts.elf is not None else None

    def names(self, folder: str) -> Set[str]:
        """Give the names in the folder that a path leads to, none if there is no such folder."""
        real = self.real(folder)
        return self.children.get(real, frozenset()) if real is not None else frozenset()

    @cached_property
    def children(self) -> Mapping[str, set[str]]:
        """The names in each folder, links not followed."""
        found: dict[str, set[str]] = {"": set()}
        for path in self.entries:
            while path:
                folder, _, name = path.rpartition("/")
                names = found.setdefault(folder, set())
                if name in names:
                    break
                names.add(name)
                path = folder
        return found
