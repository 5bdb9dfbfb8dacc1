"""What the maintainer scripts of an image's debs do, and which of them nobody has modelled.

In come the debs and the tree; out come acts by deb (``script_commands``), and for each script that does something
unknown the deb, the script and the command. No script is run. Source: Debian policy 4.7 chapter 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from distroless_rules.deb.compose_tree import Tree
from distroless_rules.deb.effects.script_commands import HARMLESS, MODELLED, Act, Unmodelled, acts
from distroless_rules.deb.effects.scripts_known import known
from distroless_rules.deb.effects.shell_parse import parse
from distroless_rules.deb.effects.shell_walk import Command, walk
from distroless_rules.deb.package import DebIndex
from distroless_rules.errors import FormatError
from distroless_rules.values.path import fold_usr
from distroless_rules.values.tree import Kind

__all__ = ["Finding", "Review", "review"]

# What dpkg calls on a first installation, in order; config only asks, prerm and postrm belong to removal.
_CALLS = (("preinst", ("install",)), ("postinst", ("configure", "")))
_SHELLS = ("sh", "bash", "dash")


@dataclass(frozen=True, slots=True)
class Finding:
    """A command in a script whose effect is not modelled."""

    deb: str
    script: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.script} of {self.deb}, line {self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Review:
    """What the scripts do: (deb, act) in order of the debs' names, and what is not known."""

    acts: tuple[tuple[str, Act], ...]
    findings: tuple[Finding, ...]


def review(debs: Mapping[str, DebIndex], tree: Tree, architecture: str) -> Review:
    """Read the scripts of the debs.

    Args:
        debs: the debs of the image.
        tree: their files; tests like ``[ -e /etc/x ]`` are answered by it.
        architecture: Debian's name of the one that the image is for.
    """
    done: list[tuple[str, Act]] = []
    findings: list[Finding] = []
    for name in sorted(debs):
        if known(name):
            continue
        for script, arguments in _CALLS:
            text = debs[name].scripts.get(script)
            if text:
                for found in _script(_Script(name, script, text, architecture), arguments, tree):
                    if isinstance(found, Finding):
                        findings.append(found)
                    else:
                        done.append((name, found))
    return Review(tuple(_once(done)), tuple(dict.fromkeys(findings)))


def _once(rows: list[tuple[str, Act]]) -> list[tuple[str, Act]]:
    """Drop repeats, which come from following both ways of a condition."""
    kept: list[tuple[str, Act]] = []
    for row in rows:
        if row not in kept:
            kept.append(row)
    return kept


@dataclass(frozen=True, slots=True)
class _Script:
    """A script: the deb's name, its own name, its text, and what it is called for."""

    deb: str
    name: str
    text: str
    architecture: str


def _script(script: _Script, arguments: tuple[str, ...], tree: Tree) -> Iterator[Act | Finding]:
    first = script.text.partition("\n")[0]
    if not first.startswith("#!") or not any(word.rpartition("/")[2] in _SHELLS for word in first[2:].split()):
        what = first[2:].strip() if first.startswith("#!") else "no shell"
        yield Finding(script.deb, script.name, 1, f"it is written for {what}")
        return
    variables = {
        "DPKG_ROOT": "",
        "DPKG_ADMINDIR": "/var/lib/dpkg",
        "DPKG_MAINTSCRIPT_PACKAGE": script.deb,
        "DPKG_MAINTSCRIPT_ARCH": script.architecture,
        "DPKG_MAINTSCRIPT_NAME": script.name,
        "DEBIAN_FRONTEND": "noninteractive",
    }
    try:
        commands = walk(parse(script.text), variables, arguments, lambda operator, path: _exists(tree, operator, path))
    except FormatError as error:
        yield Finding(script.deb, script.name, 1, error.cause)
        return
    for command in commands:
        yield from _command(script, command)


def _command(script: _Script, command: Command) -> Iterator[Act | Finding]:
    try:
        yield from acts(command)
    except Unmodelled:
        yield Finding(script.deb, script.name, command.line, " ".join(command.text.split())[:120])


def _exists(tree: Tree, operator: str, path: str) -> bool | None:
    """Answer a script's question about the system: the image's files, and the tools that are modelled."""
    name = path.rpartition("/")[2]
    if operator in ("command", "-x") and name in MODELLED:
        return True
    if operator in ("command", "-x") and name in HARMLESS:
        return None
    if operator == "command":
        there = any(tree.follow(f"{folder}/{name}") for folder in ("usr/bin", "usr/sbin"))
        return None if there else False
    if not path.startswith("/") or set(path) & set("*?["):
        return None
    place = fold_usr(path.strip("/"))
    if operator in ("-h", "-L"):
        entry = tree.get(tree.place(place))
        return entry is not None and entry.kind is Kind.SYMLINK
    entry = tree.follow(place)
    if operator == "-d":
        return entry is not None and entry.kind is Kind.DIRECTORY
    if operator == "-f":
        return entry is not None and entry.kind is not Kind.DIRECTORY
    if operator in ("-e", "-r"):
        return entry is not None
    return None if entry is not None else False
