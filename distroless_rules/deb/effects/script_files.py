"""Commands that make files, folders and links or change their modes and owners: words in, acts out.

Source: mkdir(1), install(1), chmod(1), chown(1), chgrp(1), ln(1), cp(1), touch(1), ucf(1), dpkg-statoverride(1),
update-alternatives(1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from distroless_rules.deb.effects.script_acts import (
    Act,
    Alternative,
    Model,
    System,
    Unmodelled,
    Words,
    absolute,
    is_mode,
    is_scratch,
    options,
)
from distroless_rules.values.tree import Kind

__all__ = ["FILES"]

_REPLACE = frozenset({"replace"})
_RECURSIVE = frozenset({"recursive"})
_FILE = (Kind.FILE, Kind.HARDLINK)


def _mode(found: Mapping[str, str]) -> str:
    mode = found.get("m", found.get("mode", ""))
    if mode and not is_mode(mode):
        raise Unmodelled
    return mode


def _mkdir(words: Words, system: System) -> Iterator[Act]:
    found, paths = options(words, "pvZm:", "parents", "verbose", "mode=")
    mode = _mode(found)
    for path in absolute(paths):
        if system.at(path) is None:
            yield Act("folder", path)
            if mode:
                yield Act("mode", path, mode)


def _install(words: Words, system: System) -> Iterator[Act]:
    named = ("directory", "mode=", "owner=", "group=", "verbose", "preserve-timestamps", "compare")
    found, paths = options(words, "cCdDpvTm:o:g:", *named)
    absolute(paths)
    mode = _mode(found) or "0755"
    owner = ":".join((found.get("o", found.get("owner", "")), found.get("g", found.get("group", ""))))
    if "d" in found or "directory" in found:
        for path in paths:
            yield Act("folder", path)
            yield Act("mode", path, mode)
            if owner != ":":
                yield Act("owner", path, owner)
    elif len(paths) == 2 and mode.isdecimal():
        settings = {"mode": mode} | ({"owner": owner} if owner != ":" else {})
        yield from _copied(paths[0], _within(paths[0], paths[1], system, into="T" not in found), system, settings)
    else:
        raise Unmodelled


def _within(source: str, path: str, system: System, *, into: bool = True) -> str:
    """Give where a copy or link goes: into what is a folder."""
    name = source.rstrip("/").rpartition("/")[2]
    if path.endswith("/") or (into and system.at(path) is Kind.DIRECTORY):
        return f"{path.rstrip('/')}/{name}"
    return path


def _copied(source: str, path: str, system: System, settings: Mapping[str, str], *, replace: bool = True) -> list[Act]:
    if system.at(source) not in _FILE:
        raise Unmodelled
    return [Act("copy", path, source, settings, _REPLACE if replace else frozenset())]


def _cp(words: Words, system: System) -> Iterator[Act]:
    found, paths = options(words, "adfnpvTZ", "archive", "force", "no-clobber", "verbose", "preserve=")
    if len(absolute(paths)) != 2:
        raise Unmodelled
    path = _within(paths[0], paths[1], system, into="T" not in found)
    yield from _copied(paths[0], path, system, {}, replace=not found.keys() & {"n", "no-clobber"})


def _ucf(words: Words, system: System) -> Iterator[Act]:
    named = ("debug", "help", "no-action", "purge", "verbose", "three-way", "debconf-ok", "debconf-template=")
    found, paths = options(words, "hd:npvZ", *named, "src-dir=", "sum-file=", "state-dir=")
    if found.keys() & {"p", "purge", "n", "no-action", "h", "help"}:
        return
    if len(absolute(paths)) != 2:
        raise Unmodelled
    yield from _copied(paths[0], paths[1], system, {}, replace=False)


def _touch(words: Words, system: System) -> Iterator[Act]:
    found, paths = options(words, "acfhmt:d:r:", "no-create", "date=", "reference=", "time=")
    if not found.keys() & {"c", "h", "no-create"}:
        for path in _lasting(paths, system):
            yield Act("file", path)


def _lasting(paths: list[str], system: System) -> list[str]:
    """Give the paths, patterns expanded, without those that mktemp made, which are gone when the script ends."""
    return absolute([each for path in paths if not is_scratch(path) for each in system.expand(path)])


def _chmod(words: Words, system: System) -> Iterator[Act]:
    found, rest = options(words, "cfvR", "changes", "silent", "quiet", "verbose", "recursive", "preserve-root")
    if not rest or not is_mode(rest[0]):
        raise Unmodelled
    for path in _lasting(rest[1:], system):
        yield Act("mode", path, rest[0], flags=_RECURSIVE if found.keys() & {"R", "recursive"} else frozenset())


def _chown(words: Words, system: System) -> Iterator[Act]:
    found, rest = options(
        words, "cfhvRP", "changes", "silent", "quiet", "verbose", "recursive", "no-dereference", "preserve-root"
    )
    if not rest:
        raise Unmodelled
    flags = {"recursive"} if found.keys() & {"R", "recursive"} else set()
    flags |= {"itself"} if found.keys() & {"h", "no-dereference"} else set()
    # ``user.group`` is the old way to write it; chown takes it for a name first, but no name has a dot.
    owner = rest[0] if ":" in rest[0] else rest[0].replace(".", ":", 1)
    for path in _lasting(rest[1:], system):
        yield Act("owner", path, owner, flags=frozenset(flags))


def _chgrp(words: Words, system: System) -> Iterator[Act]:
    for act in _chown(words, system):
        yield Act("owner", act.path, f":{act.value}", flags=act.flags)


def _ln(words: Words, system: System) -> Iterator[Act]:
    found, rest = options(words, "sfnTvb", "symbolic", "force", "no-dereference", "no-target-directory", "verbose")
    if not found.keys() & {"s", "symbolic"} or "b" in found or len(rest) != 2:
        raise Unmodelled
    [path] = absolute(rest[1:])
    itself = bool(found.keys() & {"n", "no-dereference"}) and system.at(path, follow=False) is Kind.SYMLINK
    path = _within(rest[0], path, system, into=not itself and not found.keys() & {"T", "no-target-directory"})
    yield Act("link", path, rest[0], flags=_REPLACE if found.keys() & {"f", "force"} else frozenset())


def _statoverride(words: Words, system: System) -> Iterator[Act]:
    found, rest = options(words, "", "update", "force", "force-all", "quiet", "add", "remove", "list")
    if "add" not in found:
        return
    if len(rest) != 4 or not re.fullmatch(r"[0-7]{3,5}", rest[2]):
        raise Unmodelled
    user, group, mode, path = rest
    absolute([path])
    # A number is written with a sign here.
    yield Act("owner", path, f"{user.removeprefix('#')}:{group.removeprefix('#')}")
    yield Act("mode", path, mode)


def _alternatives(words: Words, system: System) -> Iterator[Act]:
    """Read ``--install link name path priority [--slave link name path]...``."""
    known = [word for word in words if word not in ("--quiet", "--force", "--verbose", "--skip-auto")]
    if "--install" not in known:
        if set(known) & {"--remove", "--remove-all", "--auto", "--query", "--list", "--display", "--get-selections"}:
            return
        raise Unmodelled
    at = known.index("--install")
    main = known[at + 1 : at + 5]
    if len(main) != 4 or None in main or not re.fullmatch(r"-?[0-9]{1,9}", main[3] or ""):
        raise Unmodelled
    link, name, path, priority = (word or "" for word in main)
    links = [(link, name, path)]
    rest = known[at + 5 :]
    while rest:
        if rest[0] not in ("--slave", "--follower") or len(rest) < 4 or None in rest[:4]:
            raise Unmodelled
        links.append((rest[1] or "", rest[2] or "", rest[3] or ""))
        rest = rest[4:]
    for path, short, target in links:
        absolute([path, target])
        if "/" in short or short in ("", ".", ".."):
            raise Unmodelled
    yield Act("alternative", link, alternative=Alternative(name, int(priority), tuple(links)))


def _my_cnf(words: Words, system: System) -> Iterator[Act]:
    """Read ``configure-symlinks install VARIANT PATH`` of mysql-common, which chooses the server's configuration."""
    if words[:1] == ("remove",):
        return
    if len(words) != 3 or words[0] != "install":
        raise Unmodelled
    yield from _alternatives(("--install", "/etc/mysql/my.cnf", "my.cnf", words[2], "200"), system)


FILES: Mapping[str, Model] = {
    "chgrp": _chgrp,
    "chmod": _chmod,
    "chown": _chown,
    "configure-symlinks": _my_cnf,
    "cp": _cp,
    "dpkg-statoverride": _statoverride,
    "install": _install,
    "ln": _ln,
    "mkdir": _mkdir,
    "touch": _touch,
    "ucf": _ucf,
    "update-alternatives": _alternatives,
}
"""Name -> what it does."""
