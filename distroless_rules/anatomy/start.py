"""How an image is started, without a shell: entrypoint and cmd in, the program's own words out.

A Dockerfile's shell form starts ``/bin/sh -c "exec python3 app.py"``. Where that line is one simple command, its words
are the command; where it is more, the shell stays, and what it calls with it. Source: POSIX.1-2017, XCU 2.9.1 (simple
commands) and 2.3 (tokens); OCI image-spec config.md.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from distroless_rules.oci.config import Start

__all__ = ["Begun", "begin"]

_SHELLS = ("sh", "bash", "dash", "ash")
_SPECIAL = re.compile(r"[|&;<>()$`\\*?\[\]#~{}\n\r!]")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_FOLDER = re.compile(r"\s*cd\s+(/?[A-Za-z0-9_./-]+)\s*(?:&&|;)\s*(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_BUILTINS_TEXT = """
. : alias bg break cd command continue eval exec exit export fc fg for getopts hash if jobs kill local read readonly
return set shift source test times trap type ulimit umask unalias unset until wait while case function time
"""
_BUILTINS = frozenset(_BUILTINS_TEXT.split())


@dataclass(frozen=True)
class Begun:
    """How an image is started once its shell is taken away.

    Attributes:
        start: entrypoint, cmd, environment and folder.
        notes: what was changed, and why, or why it could not be; sentences for people.
        keeps_shell: whether a shell has to stay for it.
    """

    start: Start
    notes: tuple[str, ...] = ()
    keeps_shell: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The program with all its arguments."""
        return (*self.start.entrypoint, *self.start.cmd)


Find = Callable[[str], "tuple[str, str]"]
"""Gives the absolute path of the program that a word names, and what stands after ``#!`` in it; both may be ``""``."""


def begin(start: Start, find: Find) -> Begun:
    """Say how an image is started without a shell, as far as that is sound.

    Args:
        start: what its config says.
        find: looks programs up.
    """
    words = (*start.entrypoint, *start.cmd)
    if not words:
        return Begun(start, ("the image starts nothing: entrypoint and cmd are empty",))
    if _name(words[0]) in _SHELLS and len(words) == 1:
        text = f"the image starts a shell ({words[0]}), for people; nothing says what its program is"
        return Begun(replace(start, entrypoint=(), cmd=()), (f"{text}: set entrypoint",))
    if _name(words[0]) in _SHELLS and words[1] in ("-c", "-ec", "-lc"):
        return _without_shell(start, words)
    return _without_env(Begun(start), find)


def _name(word: str) -> str:
    return word.rpartition("/")[2]


def _without_shell(start: Start, words: tuple[str, ...]) -> Begun:
    """Take a shell's one simple command for the program."""
    line, folder, rest = words[2] if len(words) > 2 else "", start.workdir, words[3:]
    shown = f"the shell form {line!r}"
    if (moved := _FOLDER.fullmatch(line)) and not _SPECIAL.search(moved[1]):
        folder, line = posixpath.normpath(posixpath.join("/", folder, moved[1])), moved[2]
    line = re.sub(r"\s*exec\s+(?=\S)", "", line, count=1) if re.match(r"\s*exec\s+[^-\s]", line) else line
    line, missing, fixed = _expanded(line, start.env)
    why = ""
    env: dict[str, str] = {}
    found: list[str] = []
    if missing:
        why = f"it reads the variable {missing}, which only a shell expands when it starts"
    elif _SPECIAL.search(_unquoted(line)):
        why = "it is more than one simple command"
    else:
        try:
            found = shlex.split(line)
        except ValueError as error:
            why = f"it cannot be read: {error}"
        while found and (set_ := _ASSIGNMENT.fullmatch(found[0])):
            env[set_[1]] = set_[2]
            del found[0]
        if found and found[0] in _BUILTINS:
            why = f"{found[0]} is a command of the shell itself"
        elif not found and not why:
            why = "it names no program"
    if why:
        return Begun(start, (f"{shown} stays as it is, with the shell: {why}",), keeps_shell=True)
    made = replace(start, entrypoint=tuple(found), cmd=(), workdir=folder, env={**start.env, **env})
    note = f"{shown} became the words of its program, without a shell"
    if fixed:
        note += f"; {', '.join(fixed)} got the value that the image sets, whatever a container is started with"
    if rest:
        note += "; arguments after it, which such a line never sees, are left out"
    return Begun(made, (note,))


def _expanded(line: str, env: Mapping[str, str]) -> tuple[str, str, tuple[str, ...]]:
    """Put in variables that the image sets to a plain word; give the first that it does not, and those put in."""
    missing, fixed = "", {}

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        name = match[1] or match[2]
        if re.fullmatch(r"[A-Za-z0-9_./:@%+,-]+", env.get(name, "")):
            fixed[name] = True
            return env[name]
        missing = missing or name
        return match[0]

    parts = line.split("'")
    made = "'".join(_VARIABLE.sub(value, part) if at % 2 == 0 else part for at, part in enumerate(parts))
    return made, missing, tuple(fixed)


def _unquoted(line: str) -> str:
    """Give what of a line stands outside quotes; within double quotes some signs keep their meaning."""
    without = re.sub(r"'[^']*'", "", line)
    return re.sub(r'"([^"\\$`]*)"', "", without)


def _without_env(begun: Begun, find: Find) -> Begun:
    """Start a script's interpreter by itself where its ``#!`` line goes through ``env``, which is all of coreutils."""
    words = begun.words
    path, script = find(words[0])
    parts = script.split()
    if len(parts) != 2 or _name(parts[0]) != "env" or "=" in parts[1] or parts[1].startswith("-"):
        return begun
    start = begun.start
    entrypoint = (path, *(start.entrypoint or start.cmd[:1])[1:])
    cmd = start.cmd if start.entrypoint else start.cmd[1:]
    note = f"{words[0]} is started by {parts[1]} itself, so that env need not be there"
    made = replace(start, entrypoint=(parts[1], *entrypoint), cmd=cmd)
    return replace(begun, start=made, notes=(*begun.notes, note))
