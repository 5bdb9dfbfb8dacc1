"""An image as the policy looks at it: its files, who brings them, what they are, and how it is started."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

from distroless_rules.closure.owner import Owner
from distroless_rules.closure.program import Program
from distroless_rules.closure.view import View
from distroless_rules.oci.config import Config
from distroless_rules.policy.screen import Marks
from distroless_rules.policy.violation import Violation
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Subject", "without_hard_links"]

_IMAGE = Owner("image", "the image")
_NO_MARKS = Marks()


def without_hard_links(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Give entries by path, the later of two for one; a hard link is the file that it names."""
    found = {entry.path: entry for entry in entries}
    for path, entry in found.items():
        file = found.get(entry.target) if entry.kind is Kind.HARDLINK else None
        if file is not None:
            found[path] = file.moved(path)
    return found


@dataclass(frozen=True)
class Subject:
    """An image.

    Attributes:
        view: its files, and the facts of them.
        marks: what was seen in files' bytes, by the SHA-256 of these.
        config: how it is started, and for what platform.
        owners: who brings each path; what is not there is nobody's.
        debs: the debs in it.
        asked: those of them that targets name.
        allow: what may be missing, as ``closure.gate`` has it.
        accepted: commands of maintainer scripts, unmodelled and accepted: ``postinst of <deb>, line 3: ...``.
        buried: violations in files that a layer has and a higher one hides.
        is_built: whether all owners are known, as it was built here.
    """

    view: View
    marks: Mapping[str, Marks]
    config: Config
    owners: Mapping[str, Owner] = field(default_factory=dict)
    debs: tuple[str, ...] = ()
    asked: frozenset[str] = frozenset()
    allow: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    buried: tuple[Violation, ...] = ()
    is_built: bool = True

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every path and what is there."""
        return self.view.entries

    def files(self) -> Iterator[tuple[str, Entry]]:
        """Give the regular files."""
        return ((path, entry) for path, entry in self.entries.items() if entry.kind is Kind.FILE)

    def owner(self, path: str) -> Owner:
        """Give who brings a path."""
        return self.owners.get(path, _IMAGE)

    def marked(self, path: str) -> Marks:
        """Give what was seen in the file at ``path`` itself."""
        entry = self.entries.get(path)
        return self.marks.get(entry.sha256, _NO_MARKS) if entry is not None else _NO_MARKS

    def is_asked(self, path: str) -> bool:
        """Tell whether a target asks for what is at ``path`` itself: it brings it, or names the deb that does."""
        owner = self.owner(path)
        return owner.name in self.asked if owner.kind == "deb" else owner.kind in ("file", "tree")

    def is_program(self, path: str) -> bool:
        """Tell whether the file at ``path`` itself can be executed: it may be, and is an ELF file or a script."""
        entry, facts = self.entries.get(path), self.view.facts(path)
        if entry is None or not entry.mode & 0o111 or facts is None:
            return False
        return bool(facts.script) or (facts.elf is not None and facts.elf.kind in ("exec", "dyn"))

    def is_waived_by_name(self, wants: str) -> bool:
        """Tell whether the image says that something may be missing."""
        return any(fnmatchcase(wants, pattern) for pattern in self.allow)

    def of_path(self, check: str, path: str, message: str, *, level: str = "", line: int = 0) -> Violation:
        """Make a violation that is about a path."""
        owner = self.owner(path)
        return Violation(check, f"/{path}", message, str(owner), owner.kind, level, line)

    @cached_property
    def program(self) -> Program:
        """What it starts."""
        start = self.config.start
        words = (*start.entrypoint, *start.cmd)
        volumes = tuple(volume.strip("/") for volume in start.volumes)
        return Program(str(self.config.platform), words, start.env, start.workdir or "/", volumes)

    @cached_property
    def links(self) -> Mapping[str, tuple[str, ...]]:
        """The links that lead to each path, over however many others."""
        found: dict[str, tuple[str, ...]] = {}
        for path, entry in self.entries.items():
            if entry.kind is Kind.SYMLINK:
                real = self.view.real(path)
                if real is not None:
                    found[real] = (*found.get(real, ()), path)
        return found

    @cached_property
    def user(self) -> tuple[int, int]:
        """The numbers of the user and group that its program runs as; -1 where a name has none that is known here."""
        user, _, group = self.config.start.user.partition(":")
        uid = int(user) if user.isdecimal() else {"": 0, "root": 0}.get(user, -1)
        gid = int(group) if group.isdecimal() else {"": uid if uid else 0, "root": 0}.get(group, -1)
        return uid, gid
