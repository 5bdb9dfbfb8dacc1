"""Commands of maintainer scripts: their words in, what they do to the file tree and the accounts out.

A command is modelled (it gives acts), harmless (the reason stands in its row; ``script_checks`` says in which uses) or
neither: anything else is not modelled, and is reported with the deb's name. Source: the man pages named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from distroless_rules.deb.effects.script_accounts import ACCOUNTS
from distroless_rules.deb.effects.script_acts import Act, Alternative, Model, System, Unmodelled, is_scratch
from distroless_rules.deb.effects.script_checks import CHECKS, RUNNERS
from distroless_rules.deb.effects.script_enable import ENABLE
from distroless_rules.deb.effects.script_files import FILES
from distroless_rules.deb.effects.shell_builtins import SOURCED
from distroless_rules.deb.effects.shell_walk import Command, Write

__all__ = ["HARMLESS", "MODELLED", "Act", "Alternative", "Unmodelled", "acts"]


def _each(reason: str, *lines: str) -> dict[str, str]:
    return {name: reason for line in lines for name in line.split()}


HARMLESS: Mapping[str, str] = {
    **_each(
        "only reads",
        "awk basename cat cmp comm cut date diff dirname egrep expr fgrep find getcap getent grep head id logger",
        "md5sum mountpoint netstat paste pathfind pgrep pidof ps pwd readlink realpath sed seq sha256sum sleep sort",
        "groups ls ss stat tail test tr uname uniq wc xargs df phpquery",
    ),
    **_each(
        "belongs to the shell",
        ": break cd continue echo exec exit export false getopts hash local printf read readonly return set shift sync",
        "true type ulimit wait command which [ [[",
    ),
    **_each(
        "asks the person who installs; nobody is there",
        "ucfr ucfq debconf-set-selections debconf-communicate",
    ),
    **_each(
        "manages services, and an image starts its program itself",
        "deb-systemd-helper deb-systemd-invoke systemctl update-rc.d invoke-rc.d service initctl rc-update loginctl",
        "update-inetd udevadm kill killall start-stop-daemon pg_ctlcluster modprobe sysctl busctl aa-status",
        "runit-helper",
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
    **_each("prints or checks a program's settings", "chronyd named-checkconf"),
    **_each("lists fonts for a display server", "update-fonts-alias update-fonts-dir update-fonts-scale"),
    "update-gsfontmap": "joins lists of fonts; the effect ghostscript-fonts does",
    **_each(
        "makes what each machine has of its own, and an image is for many",
        "dbus-uuidgen rndc-confgen systemd-machine-id-setup",
    ),
    **_each("takes away what an older version left, and nothing is older here", "mv rm rmdir"),
    "mktemp": "its file is gone when the script ends",
    **_each("reads what the effects tmpfiles and accounts read", "systemd-sysusers systemd-tmpfiles"),
    "restorecon": "labels for a security module that the host decides on",
    "apparmor_parser": "loads a profile into the host's kernel",
    "setcap": "gives privileges that images do not have",
    "pam-auth-update": "writes the host's login policy; an image has no logins",
    **_each("lists login shells; nobody logs in", "add-shell remove-shell update-shells"),
    "update-ca-certificates": "makes the CA bundle, which is modelled",
    "newaliases": "belongs to a mail server's own set-up",
}

MODELLED: Mapping[str, Model] = dict(sorted({**ACCOUNTS, **ENABLE, **FILES}.items()))

_ELSEWHERE = ("/proc/", "/sys/", "/dev/")  # what is written there is the host's
_LOGS = "/var/log/"
_MAX_RUNS = 5  # commands that run commands


def acts(command: Command, system: System) -> Iterator[Act]:
    """Give what a command does.

    Args:
        command: the command.
        system: what the image holds when it runs.

    Raises:
        Unmodelled: if that is not known.
    """
    writes = [write for write in command.writes if not _is_elsewhere(write)]
    if writes and not _is_log(command, writes):
        yield _written(command, writes, system)
    else:
        yield from _run(command.words, system)


def _is_elsewhere(write: Write) -> bool:
    return write.path is not None and (write.path.startswith(_ELSEWHERE) or is_scratch(write.path))


def _is_log(command: Command, writes: list[Write]) -> bool:
    """Say whether only what a program tells of its work is written, which is not the same twice."""
    logs = all(write.path is not None and write.path.startswith(_LOGS) for write in writes)
    return logs and command.words[0] not in (":", "true", "false", "cat", "echo", "printf")


def _written(command: Command, writes: list[Write], system: System) -> Act:
    """Give the act of a command that writes a text that is known to one file."""
    path, words = writes[0].path, command.words
    if len(writes) > 1 or path is None or not path.startswith("/") or writes[0].fd != 1:
        raise Unmodelled
    text = None
    if words in ((":",), ("true",), ("false",)):
        text = ""
    elif words == ("cat",):
        text = command.document
    elif words[0] == "echo" and None not in words and not any(set(word or "") & set("\\*?[") for word in words):
        text = None if words[1:2] in (("-n",), ("-e",)) else " ".join(word or "" for word in words[1:]) + "\n"
    if text == "" and writes[0].append:
        return Act("file", path)
    if text is None or (writes[0].append and system.at(path) is not None):
        raise Unmodelled
    return Act("text", path, text)


def _run(words: tuple[str | None, ...], system: System, depth: int = 0) -> Iterator[Act]:
    name, arguments = words[0], words[1:]
    if name is None or depth > _MAX_RUNS:
        raise Unmodelled
    name = name.rpartition("/")[2]
    if name in MODELLED:
        yield from MODELLED[name](arguments, system)
    elif name in RUNNERS:
        runs = RUNNERS[name](arguments, system)
        if runs is None:
            raise Unmodelled
        for run in runs:
            yield from _run(run, system, depth + 1)
    elif not _is_harmless(name, arguments, system):
        raise Unmodelled


def _is_harmless(name: str, arguments: tuple[str | None, ...], system: System) -> bool:
    if name == ".":
        return (arguments[0] or "").endswith(SOURCED) if arguments else False
    if name in CHECKS:
        return CHECKS[name](arguments, system)
    return name in HARMLESS or name.startswith("db_")
