"""Folders and accounts that debs declare for systemd: tmpfiles.d and sysusers.d in, changes and accounts out.

Source: tmpfiles.d(5), sysusers.d(5).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from distroless_rules.deb.effects.effect import Change, Effect, Scene, folder, link
from distroless_rules.deb.effects.script_commands import Act
from distroless_rules.deb.package import DebIndex
from distroless_rules.values.path import clean, fold_usr, parents
from distroless_rules.values.tree import Entry, Kind

__all__ = ["TMPFILES", "sysusers"]

_VOLATILE = ("run/", "var/run/", "tmp/", "proc/", "sys/", "dev/")


def _lines(debs: Mapping[str, DebIndex], kind: str, scene: Scene) -> Iterator[tuple[str, list[str]]]:
    """Give (deb, fields) of each line of the files that debs ship in a folder such as ``tmpfiles.d``."""
    for name in sorted(debs):
        for entry in debs[name].entries:
            path = entry.path
            if entry.kind is Kind.FILE and path.startswith(f"usr/lib/{kind}/") and path.endswith(".conf"):
                for line in scene.read(entry).decode("utf-8", "replace").splitlines():
                    if line.strip() and not line.lstrip().startswith("#"):
                        try:
                            yield name, shlex.split(line, posix=True)
                        except ValueError:
                            scene.warnings.append(f'a line of "/{path}" is malformed: {line.strip()[:80]}')


def sysusers(debs: Mapping[str, DebIndex], scene: Scene) -> Iterator[tuple[str, Act]]:
    """Give the users and groups that debs declare, as acts of their scripts."""
    for name, fields in _lines(debs, "sysusers.d", scene):
        kind, subject, number, gecos, home, shell = (*fields, *["-"] * 6)[:6]
        if kind == "g" and not number.startswith("/"):
            yield name, Act("group", subject, "" if number == "-" else number)
        elif kind.rstrip("!") == "u":
            uid, _, group = number.partition(":")
            named = {"uid": uid, "gecos": gecos, "home": home, "shell": shell, "group": group or subject}
            yield (
                name,
                Act("user", subject, options={key: text for key, text in named.items() if text not in ("-", "")}),
            )
        elif kind == "m":
            yield name, Act("member", subject, number)


def _tmpfiles(scene: Scene) -> Iterator[Change]:
    for name, fields in _lines(scene.debs, "tmpfiles.d", scene):
        kind, path, mode, user, group, _, argument = (*fields, *["-"] * 7)[:7]
        kind = kind.rstrip("!-=~^+$")
        place = fold_usr(clean(path, what=f'tmpfiles.d of deb "{name}"'))
        if "%" in path or not place or scene.tree.get(scene.tree.place(place)) is not None:
            continue
        if kind in ("d", "D", "v", "q", "Q"):
            doing = f'make "/{place}", as deb "{name}" declares'
            uid = scene.accounts.ids(user, doing)[0] if user != "-" else 0
            gid = scene.accounts.gid(group, doing) if group != "-" else 0
            for parent in parents(place):
                if scene.tree.follow(parent) is None:
                    yield Change(parent, Entry.directory(parent))
            yield folder(place, int(mode.lstrip(":~"), 8) if mode.lstrip(":~").isdecimal() else 0o755, uid, gid)
        elif kind == "L" and argument != "-" and not place.startswith(_VOLATILE):
            yield link(place, argument)


TMPFILES = Effect(
    "tmpfiles",
    "Folders and links that debs declare in /usr/lib/tmpfiles.d are there, with their modes and owners.",
    _tmpfiles,
)
