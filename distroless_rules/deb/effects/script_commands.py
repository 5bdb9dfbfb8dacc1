"""What the commands of maintainer scripts mean for an image: a command in, what it does (or that it does nothing) out.

Two tables: commands that leave nothing that a running image needs, each with its reason, and commands whose effect is
modelled. Everything else is not modelled, and is reported with the deb's name. Source: the man pages named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from distroless_rules.deb.effects.shell_walk import Command

__all__ = ["HARMLESS", "MODELLED", "Act", "Alternative", "Unmodelled", "acts"]


def _each(reason: str, *lines: str) -> dict[str, str]:
    return {name: reason for line in lines for name in line.split()}


HARMLESS: Mapping[str, str] = {
    **_each(
        "only reads",
        "awk basename cat cmp comm cut date diff dirname egrep expr fgrep find getent grep groups head id logger ls",
        "md5sum mountpoint netstat paste pathfind perl pgrep pidof ps pwd readlink realpath sed sha256sum sleep sort",
        "ss stat tail test tr uname uniq wc xargs df",
    ),
    **_each(
        "belongs to the shell",
        ": break cd continue echo eval exec exit export false hash local printf read readonly return set shift sync",
        "trap true type ulimit umask unset wait command which [ [[ (...)",
    ),
    **_each(
        "asks the person who installs; nobody is there",
        "ucfr ucfq debconf-set-selections debconf-communicate",
    ),
    **_each(
        "manages services, and an image starts its program itself",
        "deb-systemd-helper deb-systemd-invoke systemctl update-rc.d invoke-rc.d service initctl rc-update loginctl",
        "update-inetd udevadm kill killall start-stop-daemon pg_ctlcluster modprobe sysctl busctl aa-status",
    ),
    **_each(
        "keeps the package manager's own records",
        "apt-config dpkg dpkg-architecture dpkg-deb dpkg-divert dpkg-maintscript-helper dpkg-query dpkg-trigger",
        "dpkg-vendor",
    ),
    **_each(
        "writes a cache that programs do without",
        "fc-cache gio-querymodules glib-compile-schemas gtk-update-icon-cache install-info ldconfig mandb py3clean",
        "py3compile py3versions pyclean pycompile systemd-hwdb update-desktop-database update-icon-caches",
        "update-info-dir update-menus update-mime-database update-python-modules",
    ),
    "rm": "removes what an older version left, and nothing is older here",
    "rmdir": "removes what an older version left, and nothing is older here",
    "mv": "renames what an older version left, and nothing is older here",
    "mktemp": "its file is gone when the script ends",
    "restorecon": "labels for a security module that the host decides on",
    "apparmor_parser": "loads a profile into the host's kernel",
    "setcap": "gives privileges that images do not have",
    "pam-auth-update": "writes the host's login policy; an image has no logins",
    "add-shell": "lists login shells; nobody logs in",
    "remove-shell": "lists login shells; nobody logs in",
    "update-ca-certificates": "makes the CA bundle, which is modelled",
    "newaliases": "belongs to a mail server's own set-up",
}

_OPTIONS = re.compile(r"--?[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Alternative:
    """An ``update-alternatives --install``: links by name, each to a path; the first is the master."""

    name: str
    priority: int
    links: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a script does to the file tree or the accounts.

    Attributes:
        verb: ``folder``, ``link``, ``copy``, ``file``, ``text``, ``mode``, ``owner``, ``user``, ``group``, ``member``,
            ``alternative``.
        path: the path that it is done to, or the name of the user or group.
        value: the mode, the owner, the link's target, the file copied, the text, the group; or ``""``.
        options: of a user its ``uid``, ``gid``, ``home``, ``shell``, ``gecos``, ``group`` as far as they are named.
        alternative: of an alternative what it links.
    """

    verb: str
    path: str
    value: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    alternative: Alternative | None = None


class Unmodelled(Exception):  # noqa: N818 - an answer, turned into one error for all scripts of an image
    """A command whose effect is not known."""


def acts(command: Command) -> Iterator[Act]:
    """Give what a command does.

    Raises:
        Unmodelled: if that is not known.
    """
    name = command.words[0]
    if command.words == ("cat",) and len(command.writes) == 1 and command.writes[0] and command.document is not None:
        yield Act("text", command.writes[0], command.document)
        return
    if name is None or any(path is None or path.startswith("/") for path in command.writes):
        raise Unmodelled
    name = name.rpartition("/")[2]
    if name == "touch":
        yield from (Act("file", path) for path in _paths(command.words[1:]))
    elif name == ".":
        if not (command.words[1] or "").endswith("/confmodule"):
            raise Unmodelled
    elif name in ("systemd-tmpfiles", "systemd-sysusers"):
        return  # the effects of these read the same files
    elif name in MODELLED:
        yield from MODELLED[name](command.words[1:])
    elif name == "dpkg-statoverride":
        yield from _statoverride(command.words[1:])
    elif not _is_harmless(name, command.words[1:]):
        raise Unmodelled


def _is_harmless(name: str, arguments: tuple[str | None, ...]) -> bool:
    if name == "sed" and any((word or "").startswith(("-i", "--in-place")) for word in arguments):
        return False
    if name == "perl" and not re.fullmatch(r"-[lna0]*e", (arguments or ("",))[0] or ""):
        return False
    return name in HARMLESS or name.startswith("db_")


def _statoverride(words: tuple[str | None, ...]) -> Iterator[Act]:
    """Read ``--update --add user group mode path``, dpkg-statoverride(1)."""
    if "--add" not in words:
        if "--list" not in words and "--remove" not in words:
            raise Unmodelled
        return
    rest = [word for word in words if word is None or not word.startswith("--")]
    if len(rest) != 4 or None in rest:
        raise Unmodelled
    user, group, mode, path = (word or "" for word in rest)
    yield Act("owner", path, f"{user}:{group}")
    yield Act("mode", path, mode)


def _paths(words: tuple[str | None, ...]) -> list[str]:
    """Give the arguments that are no options, each of which must be an absolute path."""
    paths = []
    for word in words:
        if word is None or (not word.startswith("/") and not _OPTIONS.match(word)):
            raise Unmodelled
        if word.startswith("/"):
            if set(word) & set("*?["):
                raise Unmodelled
            paths.append(word)
    return paths


def _mkdir(words: tuple[str | None, ...]) -> Iterator[Act]:
    rest, mode = _option(words, "-m", "--mode")
    for path in _paths(rest):
        yield Act("folder", path, mode or "")


def _install(words: tuple[str | None, ...]) -> Iterator[Act]:
    rest, mode = _option(words, "-m", "--mode")
    rest, owner = _option(rest, "-o", "--owner")
    rest, group = _option(rest, "-g", "--group")
    paths = _paths(rest)
    if "-d" in rest or "--directory" in rest:
        for path in paths:
            yield Act("folder", path, mode or "0755")
            if owner or group:
                yield Act("owner", path, f"{owner or '0'}:{group or '0'}")
    elif len(paths) == 2:
        yield Act("copy", paths[1], paths[0])
        yield Act("mode", paths[1], mode or "0755")
        if owner or group:
            yield Act("owner", paths[1], f"{owner or '0'}:{group or '0'}")
    else:
        raise Unmodelled


def _chmod(words: tuple[str | None, ...]) -> Iterator[Act]:
    rest = [word for word in words if word is None or not word.startswith("-")]
    if not rest or rest[0] is None or not re.fullmatch(r"[0-7]{3,5}|[ugoa]*[-+=][rwxXst]*(,.*)?", rest[0]):
        raise Unmodelled
    for path in _paths(tuple(rest[1:])):
        yield Act("mode", path, rest[0])


def _chown(words: tuple[str | None, ...]) -> Iterator[Act]:
    rest = [word for word in words if word is None or not word.startswith("-")]
    if not rest or rest[0] is None:
        raise Unmodelled
    for path in _paths(tuple(rest[1:])):
        yield Act("owner", path, rest[0].replace(".", ":", 1) if ":" not in rest[0] else rest[0])


def _chgrp(words: tuple[str | None, ...]) -> Iterator[Act]:
    rest = [word for word in words if word is None or not word.startswith("-")]
    if not rest or rest[0] is None:
        raise Unmodelled
    for path in _paths(tuple(rest[1:])):
        yield Act("owner", path, f":{rest[0]}")


def _ln(words: tuple[str | None, ...]) -> Iterator[Act]:
    rest = [word for word in words if word is None or not word.startswith("-")]
    symbolic = any(word and word.startswith("-") and "s" in word for word in words)
    if not symbolic or len(rest) != 2 or rest[0] is None or rest[1] is None or not rest[1].startswith("/"):
        raise Unmodelled
    path = rest[1] + rest[0].rpartition("/")[2] if rest[1].endswith("/") else rest[1]
    yield Act("link", path, rest[0])


def _cp(words: tuple[str | None, ...]) -> Iterator[Act]:
    paths = _paths(words)
    if len(paths) != 2 or any(word and re.match(r"-[a-zA-Z]*[rRa]", word) for word in words):
        raise Unmodelled
    path = paths[1] + paths[0].rpartition("/")[2] if paths[1].endswith("/") else paths[1]
    yield Act("copy", path, paths[0])


def _ucf(words: tuple[str | None, ...]) -> Iterator[Act]:
    """Install a configuration file, ucf(1)."""
    rest, _ = _option(words, "--src-dir", "--state-dir")
    if "-p" in words or "--purge" in words:
        return
    paths = _paths(rest)
    if len(paths) != 2:
        raise Unmodelled
    yield Act("copy", paths[1], paths[0])


def _option(words: tuple[str | None, ...], *names: str) -> tuple[tuple[str | None, ...], str | None]:
    """Take an option with a value out of the words."""
    rest: list[str | None] = []
    value: str | None = None
    following = False
    for word in words:
        if following:
            value, following = word, False
            if word is None:
                raise Unmodelled
        elif word in names:
            following = True
        elif word is not None and any(word.startswith(f"{name}=") for name in names if name.startswith("--")):
            value = word.partition("=")[2]
        elif word is not None and any(len(name) == 2 and re.fullmatch(f"{name}[0-7]+", word) for name in names):
            value = word[2:]
        else:
            rest.append(word)
    return tuple(rest), value


_ACCOUNT = {
    "--home": "home",
    "--home-dir": "home",
    "-d": "home",
    "--shell": "shell",
    "-s": "shell",
    "--uid": "uid",
    "-u": "uid",
    "--gid": "gid",
    "-g": "gid",
    "--ingroup": "group",
    "--gecos": "gecos",
    "--comment": "gecos",
    "-c": "gecos",
    "--groups": "groups",
    "-G": "groups",
    "-K": "",
    "--conf": "",
    "--firstuid": "",
    "--lastuid": "",
    "--base-dir": "",
}


def _account(words: tuple[str | None, ...]) -> tuple[list[str], dict[str, str], set[str]]:
    """Give names, options with values and options without."""
    names: list[str] = []
    options: dict[str, str] = {}
    flags: set[str] = set()
    waiting = ""
    for word in words:
        if word is None:
            if not waiting:
                raise Unmodelled
            waiting = ""
        elif waiting:
            options[_ACCOUNT[waiting]] = word
            waiting = ""
        elif word.partition("=")[0] in _ACCOUNT:
            key, equals, value = word.partition("=")
            if equals:
                options[_ACCOUNT[key]] = value
            else:
                waiting = word
        elif word.startswith("-"):
            flags.add(word)
        else:
            names.append(word)
    return names, options, flags


def _adduser(words: tuple[str | None, ...]) -> Iterator[Act]:
    names, options, flags = _account(words)
    if len(names) == 2:
        yield Act("member", names[0], names[1])
        return
    if len(names) != 1:
        raise Unmodelled
    if "--group" in flags or "--user-group" in flags or "-U" in flags:
        options["group"] = names[0]
    create = not flags & {"--no-create-home", "--no-create", "-M"} and ("home" in options)
    yield Act("user", names[0], "create" if create else "", options)
    for group in filter(None, options.get("groups", "").split(",")):
        yield Act("member", names[0], group)


def _useradd(words: tuple[str | None, ...]) -> Iterator[Act]:
    """As adduser, but with a group of the same name unless told otherwise, useradd(8)."""
    for act in _adduser(words):
        own = act.verb == "user" and not {"gid", "group"} & act.options.keys() and "-N" not in words
        yield replace(act, options={**act.options, "group": act.path}) if own else act


def _addgroup(words: tuple[str | None, ...]) -> Iterator[Act]:
    names, options, _ = _account(words)
    if len(names) == 2:
        yield Act("member", names[0], names[1])
    elif len(names) == 1:
        yield Act("group", names[0], options.get("gid", ""))
    else:
        raise Unmodelled


def _usermod(words: tuple[str | None, ...]) -> Iterator[Act]:
    names, options, flags = _account(tuple("-G" if word in ("-aG", "-a", "--append") else word for word in words))
    if len(names) != 1 or set(options) - {"groups", "home", "shell", "gecos", ""} or flags - {"-L", "-U", "-m"}:
        raise Unmodelled
    for group in filter(None, options.get("groups", "").split(",")):
        yield Act("member", names[0], group)


def _alternatives(words: tuple[str | None, ...]) -> Iterator[Act]:
    """Read ``--install link name path priority [--slave link name path]...``, update-alternatives(1)."""
    known = [word for word in words if word not in ("--quiet", "--force", "--verbose")]
    if "--install" not in known:
        if set(known) & {"--remove", "--remove-all", "--auto", "--query", "--list", "--display", "--get-selections"}:
            return
        raise Unmodelled
    at = known.index("--install")
    main = known[at + 1 : at + 5]
    if len(main) != 4 or None in main or not re.fullmatch(r"-?\d+", main[3] or ""):
        raise Unmodelled
    link, name, path, priority = (word or "" for word in main)
    links = [(link, name, path)]
    rest = known[at + 5 :]
    while rest and rest[0] in ("--slave", "--follower"):
        if len(rest) < 4 or None in rest[:4]:
            raise Unmodelled
        links.append((rest[1] or "", rest[2] or "", rest[3] or ""))
        rest = rest[4:]
    yield Act("alternative", link, alternative=Alternative(name, int(priority), tuple(links)))


MODELLED = {
    "addgroup": _addgroup,
    "adduser": _adduser,
    "chgrp": _chgrp,
    "chmod": _chmod,
    "chown": _chown,
    "cp": _cp,
    "groupadd": _addgroup,
    "install": _install,
    "ln": _ln,
    "mkdir": _mkdir,
    "ucf": _ucf,
    "update-alternatives": _alternatives,
    "useradd": _useradd,
    "usermod": _usermod,
}
