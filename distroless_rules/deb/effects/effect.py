"""What an effect is: what it sees, and the changes that it gives.

An effect never touches the tree: it gives ``Change`` values, and ``deb.compose`` makes claims of them, so that a
report can say which effect made what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from distroless_rules.deb.compose_options import Options
from distroless_rules.deb.compose_tree import Tree
from distroless_rules.deb.effects.accounts import Accounts
from distroless_rules.deb.effects.script_commands import Act
from distroless_rules.deb.package import DebIndex
from distroless_rules.values.platform import Platform
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Change", "Effect", "Scene", "file", "folder", "link", "removal"]


@dataclass(frozen=True, slots=True)
class Change:
    """One path that an effect makes or takes away.

    Attributes:
        entry: what is made; None takes the path away.
        path: the path.
        data: the bytes of a regular file.
        replace: whether it takes the place of what debs ship there.
        attributes: whether only the mode and owner of what is there change.
    """

    path: str
    entry: Entry | None
    data: bytes = b""
    replace: bool = False
    attributes: bool = False


def file(path: str, data: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0, *, replace: bool = False) -> Change:
    """Give a change that writes a regular file."""
    return Change(path, Entry(path, Kind.FILE, mode, uid, gid, len(data)), data, replace)


def folder(path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Change:
    """Give a change that makes a folder, or sets the mode and owner of one that debs ship."""
    return Change(path, Entry.directory(path, mode, uid, gid))


def link(path: str, target: str, *, replace: bool = False) -> Change:
    """Give a change that makes a symbolic link."""
    return Change(path, Entry.symlink(path, target), replace=replace)


def removal(path: str) -> Change:
    """Give a change that takes a path away."""
    return Change(path, None)


@dataclass(frozen=True)
class Scene:
    """What an effect sees; it changes nothing of it but adds warnings.

    Attributes:
        options: what the image asks for.
        tree: the debs' and the user's files.
        debs: the debs of the image, by name.
        base: the debs whose effects every image has (base-files, base-passwd, libc-bin), by name; empty for an image
            without an archive.
        accounts: the users and groups.
        read: gives the bytes of a regular file of a deb or of the user.
        extra_certificates: (file name, PEM text) that the image adds to the CA bundle.
        warnings: what people should know, in order.
        acts: (deb, what its scripts do), once they have been read.
    """

    options: Options
    tree: Tree
    debs: Mapping[str, DebIndex]
    base: Mapping[str, DebIndex]
    accounts: Accounts
    read: Callable[[Entry], bytes]
    extra_certificates: tuple[tuple[str, bytes], ...] = ()
    warnings: list[str] = field(default_factory=list)
    acts: list[tuple[str, Act]] = field(default_factory=list)

    @property
    def platform(self) -> Platform:
        """The platform that the image is for."""
        return Platform.parse(self.options.platform)

    def base_file(self, deb: str, path: str) -> bytes | None:
        """Give the bytes of a file that the base deb ships, None without that deb or file."""
        index = self.debs.get(deb) or self.base.get(deb)
        entry = next((e for e in index.entries if e.path == path), None) if index else None
        return self.read(entry) if entry is not None and entry.kind is Kind.FILE else None


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that maintainer scripts do and that programs rely on.

    Attributes:
        name: a word for reports and ``docs/effects.md``.
        sentence: what it does, for people.
        changes: computes it.
    """

    name: str
    sentence: str
    changes: Callable[[Scene], Iterable[Change]]
