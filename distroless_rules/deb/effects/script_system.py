"""What an image holds while its maintainer scripts are read: the debs' files, what effects make, what scripts made.

In come the tree and, one by one, the acts of the scripts; out come answers about paths.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from distroless_rules.deb.compose_tree import Tree
from distroless_rules.deb.effects.folders import HIERARCHY
from distroless_rules.deb.effects.script_acts import Act
from distroless_rules.deb.effects.script_commands import HARMLESS, MODELLED
from distroless_rules.values.path import fold_usr, parents, resolve_link
from distroless_rules.values.tree import Entry, Kind

__all__ = ["ImageSystem"]

_MAX_LINKS = 40
_HOST = ("dev/", "proc/", "sys/")
# Other effects make these once the scripts have been read; a system that scripts run on has them all.
_LATER = frozenset(
    (
        *("etc/debian_version", "etc/group", "etc/gshadow", "etc/localtime", "etc/nsswitch.conf", "etc/os-release"),
        *("etc/passwd", "etc/shadow", "etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/java/cacerts"),
        *("etc/timezone", "usr/lib/os-release"),
    )
)


class ImageSystem:
    """See the module; ``deb`` and ``script`` say whose script is being read."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._made: dict[str, Entry] = {}
        self.deb = ""
        self.script = ""

    def took(self, act: Act) -> None:
        """Take note of what an act makes."""
        path = act.options.get("home", "") if act.verb == "user" and "home" in act.flags else act.path
        if not path.startswith("/") or self.at(path, follow=False) is not None:
            return
        place = self._place(path)
        if act.verb == "link":
            self._made[place] = Entry.symlink(place, act.value)
        elif act.verb in ("copy", "file", "text"):
            self._made[place] = Entry(place, Kind.FILE, 0o644)
        elif act.verb in ("folder", "user"):
            for folder in (*parents(place), place):
                if self._entry(folder) is None:
                    self._made[folder] = Entry.directory(folder)

    def at(self, path: str, *, follow: bool = True) -> Kind | None:
        """Give what is at an absolute path, links followed or not."""
        place = self._place(path)
        for _ in range(_MAX_LINKS):
            entry = self._entry(place)
            if not follow or entry is None or entry.kind is not Kind.SYMLINK:
                return entry.kind if entry else None
            place = self._place(resolve_link(place, entry.target) or "")
        return None

    def matches(self, pattern: str) -> bool:
        """Say whether a path, or a pattern of paths, names anything; a ``*`` matches slashes too."""
        first = next((n for n, char in enumerate(pattern) if char in "*?["), None)
        if first is None:
            return self.at(pattern, follow=False) is not None
        folder, _, rest = pattern[:first].rpartition("/")
        if not folder:
            return True
        place = self._place(f"{folder}/x").removesuffix("/x")
        wanted = f"{place}/{rest}{pattern[first:]}"
        return any(fnmatchcase(path, wanted) for path in self._below(place))

    def expand(self, path: str) -> list[str]:
        """Give the paths that a pattern of names in one folder names, itself when there are none, as a shell does."""
        folder, _, name = path.rpartition("/")
        if not set(name) & set("*?[") or set(folder) & set("*?[") or not folder:
            return [path]
        place = self._place(f"{folder}/x").removesuffix("/x")
        below = {each.rpartition("/")[2] for each in self._below(place) if each.count("/") == place.count("/") + 1}
        found = sorted(each for each in below if fnmatchcase(each, name) and (each[0] != "." or name[0] == "."))
        return [f"{folder}/{each}" for each in found] or [path]

    def is_foreign(self, path: str) -> bool:
        """Say whether another deb than the script's own ships the path."""
        claim = self._tree.claim(self._place(path))
        return claim is not None and claim.rank == "deb" and claim.origin != f'deb "{self.deb}"'

    def exists(self, operator: str, path: str) -> bool | None:
        """Answer a script's question: by the tree, or None for what scripts made and what the host decides."""
        if operator == "command" or (operator == "-x" and self._is_tool(path)):
            return self._is_runnable(path.rpartition("/")[2])
        if not path.startswith("/") or set(path) & set("*?[") or self._is_unsure(self._place(path)):
            return None
        if operator in ("-h", "-L"):
            return self.at(path, follow=False) is Kind.SYMLINK
        kind = self.at(path)
        if operator == "-d":
            return kind is Kind.DIRECTORY
        if operator == "-f":
            return kind in (Kind.FILE, Kind.HARDLINK)
        if operator in ("-e", "-r"):
            return kind is not None
        return False if kind is None else None

    def _is_unsure(self, place: str) -> bool:
        return place in _LATER or place in self._made or f"{place}/".startswith(_HOST)

    def _is_tool(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return folder in ("/bin", "/sbin", "/usr/bin", "/usr/sbin") and (name in MODELLED or name in HARMLESS)

    def _is_runnable(self, name: str) -> bool | None:
        if name in MODELLED:
            return True
        if name in HARMLESS or any(self.at(f"/usr/{folder}/{name}") is not None for folder in ("bin", "sbin")):
            return None
        return False

    def _place(self, path: str) -> str:
        return self._tree.place(fold_usr(resolve_link("", f"/{path}") or ""))

    def _below(self, place: str) -> list[str]:
        there = (*(entry.path for entry in self._tree.below(place)), *self._made)
        return [path for path in there if path.startswith(f"{place}/") and self._entry(path) is not None]

    def _entry(self, place: str) -> Entry | None:
        """Give what is at a place; before a deb is unpacked, which is after its preinst, its files are not there."""
        if place in HIERARCHY or not place:
            return Entry.directory(place)
        claim = self._tree.claim(place)
        hidden = claim is not None and self.script == "preinst" and claim.origin == f'deb "{self.deb}"'
        if claim is not None and not hidden:
            return claim.entry
        if place in self._made:
            return self._made[place]
        return Entry(place, Kind.FILE, 0o644) if place in _LATER else None
