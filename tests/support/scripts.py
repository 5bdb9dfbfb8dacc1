"""Scripts as text in, the commands that could run out."""

from __future__ import annotations

from collections.abc import Mapping

from distroless_rules.deb.effects.shell_parse import parse
from distroless_rules.deb.effects.shell_state import Command
from distroless_rules.deb.effects.shell_walk import walk

__all__ = ["follow", "shown"]


def follow(script: str, there: Mapping[str, bool] | None = None, arguments: str = "configure ''") -> list[Command]:
    """Give the commands of a script; ``there`` answers questions, ``-e /x`` or ``command x``."""
    found: list[Command] = []
    given = {"configure ''": ("configure", ""), "": ()}.get(arguments, tuple(arguments.split()))
    answers = there or {}
    walk(parse(script), {"DPKG_MAINTSCRIPT_ARCH": "amd64"}, given, lambda o, p: answers.get(f"{o} {p}"), found.append)
    return found


def shown(script: str, there: Mapping[str, bool] | None = None, arguments: str = "configure ''") -> str:
    """Give the commands as text: words in brackets where a blank is in them, ``?`` for one that is not known."""
    lines = []
    for command in follow(script, there, arguments):
        words = ["?" if word is None else f"[{word}]" if word.split() != [word] else word for word in command.words]
        writes = [f"{'>>' if w.append else '>'}{'' if w.fd == 1 else w.fd} {w.path or '?'}" for w in command.writes]
        document = [] if command.document is None else [repr(command.document)]
        lines.append(" ".join([*words, *writes, *document]))
    return "\n".join(lines)
