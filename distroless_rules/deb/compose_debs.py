"""What a deb brings to an image: its entries in, those that stay out, with the count of what was dropped and why.

Source: Debian policy 4.7 section 7.6 (Replaces), 10.1 (merged /usr), 12.5 (copyright files).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from distroless_rules.deb import control, version
from distroless_rules.deb.compose_tree import same
from distroless_rules.deb.package import DebIndex
from distroless_rules.deb.prune import Pruner
from distroless_rules.errors import FormatError
from distroless_rules.values.path import fold_usr, parents, sort_key
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Kept", "Selection", "replaced", "select"]

_PRIVILEGE = 0o6000  # setuid and setgid, chmod(2)


@dataclass(frozen=True, slots=True)
class Selection:
    """What of debs' entries is taken.

    Attributes:
        pruner: the rules that drop files.
        exclude: true for paths that the image does not want.
        keep: true for paths that keep their setuid and setgid bits.
    """

    pruner: Pruner
    exclude: Callable[[str], bool]
    keep: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Kept:
    """What of one deb is taken.

    Attributes:
        entries: in order of path; hard links are files (see ``compose_links``).
        dropped: rule -> number of files and links that it dropped.
        unprivileged: paths whose setuid or setgid bit was taken away.
    """

    entries: tuple[Entry, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)
    unprivileged: tuple[str, ...] = ()


def select(index: DebIndex, selection: Selection) -> Kept:
    """Choose the entries of a deb that reach the image, at their paths under merged /usr.

    A folder stays when something in it does, or when the deb ships it empty.

    Raises:
        FormatError: if merged /usr makes one path of two that differ, or a hard link names no file.
    """
    dropped: Counter[str] = Counter()
    kept: dict[str, Entry] = {}
    lost: dict[str, Entry] = {}
    for entry in index.entries:
        path = fold_usr(entry.path)
        if not path:
            continue
        rule = _rule(path, entry, selection)
        if rule:
            if entry.kind is not Kind.DIRECTORY:
                dropped[rule] += 1
            lost[path] = entry
            continue
        moved = entry if path == entry.path else entry.moved(path)
        before = kept.setdefault(path, moved)
        if before is not moved and not _agree(before, moved):
            alias = path.removeprefix("usr/")
            cause = f'deb "{index.control["Package"]}" has "/{alias}" too, which merged /usr makes the same path'
            raise FormatError(f'compose "/{path}"', cause)
    _unlink(kept, lost)
    _drop_emptied(kept, lost)
    unprivileged = _drop_privileges(kept, selection.keep)
    entries = tuple(kept[path] for path in sorted(kept, key=sort_key))
    return Kept(entries, dict(sorted(dropped.items())), unprivileged)


def _agree(a: Entry, b: Entry) -> bool:
    return a.kind is b.kind is Kind.DIRECTORY or same(a, b)


def _rule(path: str, entry: Entry, selection: Selection) -> str | None:
    if selection.exclude(path) and not selection.keep(path):
        return "exclude"
    if entry.kind is Kind.DIRECTORY:
        return None
    if entry.kind is Kind.SYMLINK and path.startswith("usr/share/doc/") and path.count("/") == 3:
        return None  # a doc folder shared with another deb: the way to its licence
    return selection.pruner.rule(path)


def _drop_privileges(kept: dict[str, Entry], keep: Callable[[str], bool]) -> tuple[str, ...]:
    paths = [path for path, e in kept.items() if e.mode & _PRIVILEGE and e.kind is Kind.FILE and not keep(path)]
    for path in paths:
        kept[path] = replace(kept[path], mode=kept[path].mode & ~_PRIVILEGE)
    return tuple(sorted(paths, key=sort_key))


def _unlink(kept: dict[str, Entry], lost: Mapping[str, Entry]) -> None:
    """Make each hard link a file whose bytes are where its file's are, whether or not that one is taken."""
    for path, entry in kept.items():
        if entry.kind is Kind.HARDLINK:
            root = _root(entry, kept, lost)
            file = kept.get(root) or lost.get(root)
            if file is None or file.kind is not Kind.FILE:
                raise FormatError(f'compose "/{path}"', f'it is a hard link to "/{root}", which is no file of its deb')
            kept[path] = file.moved(path)


def _root(entry: Entry, kept: Mapping[str, Entry], lost: Mapping[str, Entry]) -> str:
    for _ in range(len(kept) + len(lost)):
        target = fold_usr(entry.target)
        following = kept.get(target) or lost.get(target)
        if following is None or following.kind is not Kind.HARDLINK:
            return target
        entry = following
    return ""


def _drop_emptied(kept: dict[str, Entry], lost: Iterable[str]) -> None:
    emptied = {parent for path in lost for parent in parents(path)}
    full = {parent for path, entry in kept.items() if entry.kind is not Kind.DIRECTORY for parent in parents(path)}
    empty = [path for path, e in kept.items() if e.kind is Kind.DIRECTORY and path not in emptied and path not in full]
    full.update(parent for path in empty for parent in (*parents(path), path))
    for path in [path for path, e in kept.items() if e.kind is Kind.DIRECTORY and path not in full]:
        del kept[path]


def replaced(winner: DebIndex, loser: DebIndex) -> bool:
    """Whether ``winner`` may take files that ``loser`` ships too, by its Replaces field."""
    for group in control.relations(winner.control.get("Replaces", "")):
        for relation in group:
            if relation.name == loser.control.get("Package"):
                return not relation.operator or version.satisfies(
                    loser.control.get("Version", ""), relation.operator, relation.version
                )
    return False
