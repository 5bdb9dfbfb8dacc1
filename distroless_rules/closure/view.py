"""The files of an image as programs see them: a path in, what is there once links are followed out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from distroless_rules.closure.facts import Facts
from distroless_rules.elf.read import Elf
from distroless_rules.values.tree import Entry, Kind

__all__ = ["View"]

_MAX_LINKS = 40  # as Linux follows, path_resolution(7)


class View:
    """A file system.

    Args:
        entries: path -> what is there.
        facts: what is known of files, by the SHA-256 of their bytes.
    """

    def __init__(self, entries: Mapping[str, Entry], facts: Mapping[str, Facts]) -> None:
        self.entries = entries
        self._facts = facts
        self._folders: dict[str, tuple[tuple[str, ...], str] | None] = {"": ((), "")}

    def trail(self, path: str) -> tuple[tuple[str, ...], str] | None:
        """Follow a path: give the links on the way, in order, and where it leads; None if nothing is there."""
        return self._walk(path, 0)

    def _walk(self, path: str, links: int) -> tuple[tuple[str, ...], str] | None:
        folder, _, name = path.strip("/").rpartition("/")
        above = self._folder(folder, links)
        if above is None:
            return None
        passed, real = above
        if name in ("", "."):
            return above
        if name == "..":
            return passed, real.rpartition("/")[0]
        at = f"{real}/{name}" if real else name
        entry = self.entries.get(at)
        if entry is None:
            return (passed, at) if at in self.children else None
        if entry.kind is not Kind.SYMLINK:
            return passed, at
        if links >= _MAX_LINKS or not entry.target:
            return None
        target = entry.target if entry.target.startswith("/") else f"{real}/{entry.target}"
        further = self._walk(target, links + 1)
        return None if further is None else ((*passed, at, *further[0]), further[1])

    def _folder(self, path: str, links: int) -> tuple[tuple[str, ...], str] | None:
        if path not in self._folders:
            # Found with fewer links left than there could be: not to be kept, it may be too pessimistic.
            found = self._walk(path, links)
            if links:
                return found
            self._folders[path] = found
        return self._folders[path]

    def real(self, path: str) -> str | None:
        """Give where a path leads once every link is followed, None if nothing is there."""
        found = self.trail(path)
        return None if found is None else found[1]

    def at(self, path: str) -> Entry | None:
        """Give the file or folder that a program finds at a path, None if nothing is there."""
        real = self.real(path)
        return None if real is None else self.entries.get(real)

    def facts(self, path: str) -> Facts | None:
        """Give what is known of the file that lies at ``path`` itself."""
        entry = self.entries.get(path)
        return self._facts.get(entry.sha256) if entry is not None and entry.kind is Kind.FILE else None

    def find_elf(self, path: str) -> tuple[str, Elf] | None:
        """Give where an ELF file really lies and what it says (``elf.search.Find``)."""
        real = self.real(path)
        facts = self.facts(real) if real else None
        return (real, facts.elf) if real and facts is not None and facts.elf is not None else None

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
