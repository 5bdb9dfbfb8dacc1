"""What a declaration of the distroless equivalent says: an anatomy in, files, accounts, debs and what is waived out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from distroless_rules.anatomy.anatomy import Anatomy
from distroless_rules.anatomy.groups import Group
from distroless_rules.anatomy.system import is_left
from distroless_rules.closure.gate import Gate
from distroless_rules.closure.owner import Owner
from distroless_rules.closure.view import View
from distroless_rules.deb.installed import INFO
from distroless_rules.deb.prune import Pruner
from distroless_rules.values.path import fold_usr
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Account", "Declared", "declare"]

_HUMAN = range(1000, 60_000)  # numbers of accounts that people make, adduser.conf(5)
_USUAL = re.compile(
    r"(?:boot|home|media|mnt|opt|root|srv|etc/opt|var/(?:local|lock|mail|opt|run|spool/mail)|usr/local|usr/local/"
    r"(?:bin|etc|games|lib|libexec|sbin|share|src|share/ca-certificates|lib/python3[^/]*(?:/(?:dist|site)-packages)?))"
)
"""Folders that scripts of the base system make; empty ones say nothing of the application."""
_MASTERS = ("usr/share/base-passwd/passwd.master", "usr/share/base-passwd/group.master")


@dataclass(frozen=True, slots=True)
class Account:
    """A line of /etc/passwd, or of /etc/group with the number -1 for the user."""

    name: str
    uid: int
    gid: int
    home: str = ""
    shell: str = ""


@dataclass(frozen=True)
class Declared:
    """What is declared.

    Attributes:
        files: path -> file of the application.
        links: path -> text of a symbolic link of the application.
        folders: path -> folder of the application that has something to say: empty, or with a mode or owner of its own.
        accounts: users that the image's makers added.
        groups: groups that they added.
        debs: the debs that ``contents`` names.
        foreign: debs of a second architecture that the application needs, which no declaration can name.
        changed: files of debs that are replaced by the application's.
        waived: what files want and is not there, in the image neither.
        skipped: files that no BUILD file can name, with why.
        timezone: what /etc/localtime is, ``""`` for UTC.
    """

    files: Mapping[str, Entry] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, Entry] = field(default_factory=dict)
    accounts: tuple[Account, ...] = ()
    groups: tuple[Account, ...] = ()
    debs: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    timezone: str = ""


def declare(anatomy: Anatomy) -> Declared:
    """Give what a declaration of an image's distroless equivalent says.

    Raises:
        OSError: if a file of the image cannot be read.
    """
    entries = anatomy.view.entries
    files, links, skipped = {}, {}, {}
    for path in sorted(anatomy.application):
        entry = entries[path]
        if any(0xDC80 <= ord(letter) <= 0xDCFF for letter in path + entry.target):
            skipped[path] = "its name is not UTF-8"
        elif entry.kind is Kind.SYMLINK:
            links[path] = entry.target
        else:
            files[path] = entry
    accounts = _Accounts(anatomy)
    users = tuple(accounts.users())
    roots = anatomy.grouped.roots.get(Group.RUNTIME, ())
    return Declared(
        files,
        links,
        _folders(anatomy, {each.home for each in users}),
        users,
        tuple(accounts.groups(users)),
        tuple(name for name in roots if ":" not in name),
        tuple(name for name in roots if ":" in name),
        tuple(sorted(anatomy.changed)),
        _waived(anatomy),
        skipped,
        _timezone(anatomy),
    )


def _folders(anatomy: Anatomy, homes: set[str]) -> dict[str, Entry]:
    """Give folders of no deb that are empty or not as a build would make them, and those given to an account."""
    found = {}
    for path, entry in anatomy.view.entries.items():
        if entry.kind is not Kind.DIRECTORY or f"/{path}" in homes or is_left(f"{path}/x"):
            continue
        if _USUAL.fullmatch(path) and entry.uid == 0:
            continue
        given = entry.uid in _HUMAN or entry.gid in _HUMAN
        if path in anatomy.database.owners and not given:
            continue
        plain = (entry.mode, entry.uid, entry.gid) == (0o755, 0, 0)
        if given or not plain or path not in anatomy.view.children:
            found[path] = entry
    return found


def _timezone(anatomy: Anatomy) -> str:
    entry = anatomy.view.entries.get("etc/localtime")
    if entry is None or entry.kind is not Kind.SYMLINK or "tzdata" not in anatomy.grouped.stays:
        return ""
    zone = entry.target.partition("/usr/share/zoneinfo/")[2]
    return "" if zone in ("UTC", "Etc/UTC", "Etc/Universal", "UCT", "Universal", "Zulu") else zone


def _waived(anatomy: Anatomy) -> tuple[str, ...]:
    """Say what the gate would find: the image has run without, or the interpreter is one that nothing starts."""
    prune = Pruner()
    stays, database = anatomy.grouped.stays, anatomy.database
    entries, owners = {}, {}
    for path, entry in anatomy.view.entries.items():
        names = database.owners.get(path, ())
        if path in anatomy.application:
            owner = Owner("file", "//:app")
        elif any(name in stays for name in names):
            owner = Owner("deb", next(name for name in names if name in stays))
            if entry.kind is not Kind.DIRECTORY and prune.rule(fold_usr(path)):
                continue
        elif names and entry.kind is not Kind.DIRECTORY:
            continue
        else:
            owner = Owner("image", "the image")
        entries[path], owners[path] = entry, owner
    gate = Gate(View(entries, anatomy.view.known), owners, anatomy.program, anatomy.mentions)
    wants = Counter(each.wants for each in gate.findings() if each.owner.kind == "file")
    return tuple(sorted(wants))


class _Accounts:
    """The accounts that neither Debian's base system nor a deb that stays has."""

    def __init__(self, anatomy: Anatomy) -> None:
        self._anatomy = anatomy
        self._known = {row[0] for path in _MASTERS for row in self._rows(path)}
        self._own = {anatomy.view.entries[path].uid for path in anatomy.application}
        self._started = anatomy.image.config.start.user.partition(":")[0]

    def _rows(self, path: str) -> Iterator[list[str]]:
        entry = self._anatomy.view.at(path)
        if entry is None or entry.kind is not Kind.FILE:
            return
        text = self._anatomy.layers.bytes_of(entry, 1 << 20).decode("utf-8", "replace")
        for line in text.splitlines():
            fields = line.split(":")
            if len(fields) >= 4 and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", fields[0]) and fields[2].isdecimal():
                yield fields

    def _is_made_by_deb(self, name: str) -> bool:
        """Tell whether a maintainer script of a deb that stays names the account, and so makes it."""
        folder = self._anatomy.view.real(INFO) or ""
        for deb in self._anatomy.grouped.stays:
            for base in (deb, f"{deb}:{self._anatomy.database.debs[deb].package.architecture}"):
                entry = self._anatomy.view.entries.get(f"{folder}/{base}.postinst")
                if entry is not None and re.search(rb"\b%s\b" % name.encode(), self._anatomy.layers.bytes_of(entry)):
                    return True
        return False

    def _is_wanted(self, name: str, number: int) -> bool:
        if name in self._known or name in ("root", "nobody", "nogroup", "nonroot", "_apt") or number == 0:
            return False
        wanted = number in _HUMAN or number in self._own or self._started in (name, str(number))
        return wanted and not self._is_made_by_deb(name)

    def users(self) -> Iterator[Account]:
        """Give the users."""
        seen: set[int] = set()
        for fields in self._rows("etc/passwd"):
            uid = int(fields[2])
            if len(fields) >= 7 and fields[3].isdecimal() and self._is_wanted(fields[0], uid) and uid not in seen:
                seen.add(uid)
                yield Account(fields[0], uid, int(fields[3]), fields[5], fields[6])

    def groups(self, users: tuple[Account, ...]) -> Iterator[Account]:
        """Give the groups that are not made with a user of their name."""
        made = {each.gid for each in users} | {each.uid for each in users}
        used = {self._anatomy.view.entries[path].gid for path in self._anatomy.application}
        for fields in self._rows("etc/group"):
            gid = int(fields[2])
            if fields[0] in self._known or gid in made or not gid:
                continue
            if gid in used or (gid in _HUMAN and self._is_wanted(fields[0], gid)):
                made.add(gid)
                yield Account(fields[0], -1, gid)
