"""The file tree of an image while it is put together: claims in, one owner for each path out.

A path belongs to the source that claimed it first; a second claim must agree with it or is an error that names both.
Parents that are links are followed inside the tree, so ``/bin/tool`` lands at ``usr/bin/tool`` and nothing climbs out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from distroless_rules.errors import AnalysisError, FormatError
from distroless_rules.values.path import sort_key
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Claim", "Tree", "leave_out", "same"]

_MAX_LINKS = 40  # as Linux follows, path_resolution(7)
_RANK = {"deb": 0, "effect": 1, "user": 2}


@dataclass(frozen=True, slots=True)
class Claim:
    """A path and who says what is there.

    Attributes:
        entry: what is there.
        origin: who says so, for people: ``deb "libc6"``, ``effect "nsswitch"``, ``//app:etc``.
        rank: ``deb``, ``effect`` or ``user``; for folders a later word's mode and owner beat an earlier one's.
        layer: the name of the recipe that its bytes go to: ``0``, ``1``, ... , ``system``, ``app``.
    """

    entry: Entry
    origin: str
    rank: str
    layer: str


class Tree:
    """Paths and their claims; one claim a path."""

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._order: list[str] | None = None  # the paths in order, until one comes or goes
        self._links: set[str] = set()
        self._folders: dict[str, str] = {}

    def __iter__(self) -> Iterator[Claim]:
        """Give the claims in the order of the bytes of their paths."""
        if self._order is None:
            self._order = sorted(self._claims, key=sort_key)
        for path in self._order:
            yield self._claims[path]

    def __contains__(self, path: str) -> bool:
        return path in self._claims

    def get(self, path: str) -> Entry | None:
        """Give what is at ``path`` itself, links not followed."""
        claim = self._claims.get(path)
        return claim.entry if claim else None

    def claim(self, path: str) -> Claim | None:
        """Give who claims ``path`` itself, links not followed."""
        return self._claims.get(path)

    def below(self, folder: str) -> list[Entry]:
        """Give what lies under ``folder`` at any depth, in order."""
        prefix = f"{folder}/"
        found = [path for path in self._claims if path.startswith(prefix)]
        return [self._claims[path].entry for path in sorted(found, key=sort_key)]

    def follow(self, path: str) -> Entry | None:
        """Give what a program that opens ``path`` finds, links followed, or None."""
        real = self._real(path)
        return None if real is None else self.get(real)

    def place(self, path: str) -> str:
        """Give where an entry at ``path`` really lies, once the links among its parents are followed.

        Raises:
            FormatError: if the links go round in circles.
        """
        folder, slash, name = path.rpartition("/")
        if not slash:
            return path
        known = self._folders.get(folder)
        if known is None:
            known = self._real(folder)
            if known is None:
                raise FormatError(f'compose "/{folder}"', "its links go round in circles")
            self._folders[folder] = known
        return f"{known}/{name}" if known else name

    def _real(self, path: str) -> str | None:
        """Give where ``path`` leads once every link on the way is followed, None if that has no end."""
        done: list[str] = []
        todo = path.split("/")[::-1]
        links = 0
        while todo:
            name = todo.pop()
            if name == "..":
                del done[-1:]
            elif name not in ("", "."):
                done.append(name)
                at = "/".join(done)
                if at in self._links:
                    links += 1
                    if links > _MAX_LINKS:
                        return None
                    target = self._claims[at].entry.target
                    done = [] if target.startswith("/") else done[:-1]
                    todo += target.split("/")[::-1]
        return "/".join(done)

    def add(self, claim: Claim) -> None:
        """Add a claim where its path really lies.

        Raises:
            AnalysisError: if another source claims the path with something else there.
            FormatError: for devices and FIFOs, and for links that go round in circles.
        """
        entry = claim.entry
        if entry.kind not in (Kind.FILE, Kind.SYMLINK, Kind.DIRECTORY):
            raise FormatError(f'compose "/{entry.path}"', f"{claim.origin} makes it a device or FIFO")
        path = self.place(entry.path)
        if not path:
            return
        if path != entry.path:
            claim = replace(claim, entry=entry.moved(path))
        old = self._claims.get(path)
        if old is None:
            self._put(path, claim)
        else:
            self._join(path, old, claim)

    def replace(self, claim: Claim) -> None:
        """Put a claim in the place of what is there; for effects that change a deb's own file."""
        path = self.place(claim.entry.path)
        self.remove(path)
        self._put(path, replace(claim, entry=claim.entry.moved(path)))

    def remove(self, path: str) -> None:
        """Take ``path`` itself out, if it is there."""
        if self._claims.pop(path, None) is None:
            return
        self._order = None
        if path in self._links:
            self._links.discard(path)
            self._folders.clear()

    def _put(self, path: str, claim: Claim) -> None:
        self._claims[path] = claim
        self._order = None
        if claim.entry.kind is Kind.SYMLINK:
            self._links.add(path)
            self._folders.clear()

    def _join(self, path: str, old: Claim, new: Claim) -> None:
        a, b = old.entry, new.entry
        if a.kind is Kind.DIRECTORY and b.kind is Kind.DIRECTORY:
            if _RANK[new.rank] > _RANK[old.rank]:
                self._claims[path] = replace(new, entry=b)
                return
            if _RANK[new.rank] < _RANK[old.rank] or (a.mode, a.uid, a.gid) == (b.mode, b.uid, b.gid):
                return
        elif same(a, b) or self._is_folder_link(path, a, b):
            return
        raise AnalysisError(
            f'compose "/{path}"',
            f"{_say(old)} and {_say(new)}",
            hint=leave_out(path, old, new),
        )

    def _is_folder_link(self, path: str, a: Entry, b: Entry) -> bool:
        """Whether the folder ``b`` is there through the link ``a``: dpkg keeps such a link, dpkg(1)."""
        if a.kind is not Kind.SYMLINK or b.kind is not Kind.DIRECTORY:
            return False
        target = self.follow(path)
        return target is None or target.kind is Kind.DIRECTORY


def leave_out(path: str, *claims: Claim) -> str:
    """Give the advice for claims of which only one can stay; ``exclude`` is only for what debs bring to ``path``."""
    debs = any(claim.rank == "deb" for claim in claims)
    return "leave one out" + (f', of a deb with exclude = ["/{path}"]' if debs else "")


def same(a: Entry, b: Entry) -> bool:
    """Whether two entries say the same of a path, wherever their bytes are and whenever they were made."""
    return _said(a) == _said(b)


def _said(e: Entry) -> tuple[object, ...]:
    return e.kind, e.mode, e.uid, e.gid, e.size, e.target, e.sha256, e.xattrs


def _say(claim: Claim) -> str:
    entry = claim.entry
    what = {
        Kind.FILE: f"a file of {entry.size} bytes, SHA-256 {entry.sha256[:12]}",
        Kind.SYMLINK: f'a link to "{entry.target}"',
        Kind.DIRECTORY: "a folder",
    }[entry.kind]
    owner = f" of {entry.uid}:{entry.gid}" if entry.uid or entry.gid else ""
    mode = "" if entry.kind is Kind.SYMLINK else f", mode {entry.mode:04o}{owner}"
    attributes = "".join(f", {name}" for name, _ in entry.xattrs)
    return f"{claim.origin} says {what}{mode}{attributes}"
