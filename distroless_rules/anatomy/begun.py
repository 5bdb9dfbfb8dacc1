"""What is started when an image is: words of the config in, the files that run and what they call by name out.

Beside the program itself: what wrappers such as tini start, scripts and modules that arguments name, and the commands
of shell scripts, which are found in PATH.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from distroless_rules.closure.imports import Import
from distroless_rules.closure.program import Program
from distroless_rules.closure.view import View
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Runs", "runs"]

_WRAPPERS_TEXT = """
tini tini-static dumb-init catatonit gosu su-exec setpriv env nice ionice nohup stdbuf timeout chpst exec
"""
_WRAPPERS = frozenset(_WRAPPERS_TEXT.split())
_SHELLS = frozenset(("sh", "bash", "dash", "ash", "ksh", "zsh"))
_SCRIPT = 1 << 20  # bytes; what is longer is no script that people wrote
_WORDS = r"(?:then|do|else|elif|if|while|until|exec|xargs|time|command|sudo|nohup|!)"
_COMMAND = re.compile(
    rf"(?:^|[;&|(`{{]|\$\(|\b{_WORDS}\b)[ \t]*(?:{_WORDS}[ \t]+|[A-Za-z_]\w*=\S*[ \t]+)*[\"']?([A-Za-z0-9_./+-]+)",
    re.MULTILINE,
)
_COMMENT = re.compile(r"(?m)(?:^|(?<=\s))#.*$")


@dataclass
class Runs:
    """What runs.

    Attributes:
        paths: what is started, as it is named -> why, as a sentence about it.
        imports: modules of Python that an interpreter is told to start.
        lost: names of commands that no folder of PATH has.
    """

    paths: dict[str, str] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def runs(program: Program, view: View, text: Callable[[Entry, int], bytes], shell_line: str = "") -> Runs:
    """Say what runs when an image is started.

    Args:
        program: how it is started.
        view: its files.
        text: gives the first bytes of a file.
        shell_line: a line that a shell is started with, ``""`` for none.

    Raises:
        OSError: if a script cannot be read.
    """
    found = Runs()
    waiting: list[str] = []

    def add(path: str | None, why: str) -> None:
        real = view.real(path) if path else None
        if path and real and view.entries.get(real) is not None and path not in found.paths:
            found.paths[path] = why
            waiting.append(real)

    def call(word: str, why: str) -> bool:
        path = next(iter(_places(program, view, word)), None)
        add(path, why)
        return path is not None

    for word, why in _named(program, view, found):
        call(word, why)
    for name in _commands(shell_line):
        call(name, "the line that the shell is started with runs it")
    for real in waiting:  # grows while it is walked
        facts = view.facts(real)
        if facts is None or not facts.script:
            continue
        words = facts.script.split()
        if not words:
            continue
        add(words[0], f"/{real} is a script for it")
        if words[0].rpartition("/")[2] == "env":
            named = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
            call(named, f"/{real} is a script for it")
        if _SHELLS & {word.rpartition("/")[2] for word in words[:2]} and view.entries[real].size <= _SCRIPT:
            script = text(view.entries[real], _SCRIPT).decode("utf-8", "replace")
            found.lost += [name for name in _commands(script) if not call(name, f"/{real} runs it")]
    return found


def _named(program: Program, view: View, found: Runs) -> Iterator[tuple[str, str]]:
    """Give the words of the command line that are started, each with why."""
    words = program.words
    at = 0
    while at < len(words):
        word, name = words[at], words[at].rpartition("/")[2]
        yield word, "the image starts it"
        if name not in _WRAPPERS:
            break
        at += 1
        while at < len(words) and (
            words[at].startswith("-") or "=" in words[at] or not _is_program(program, view, words[at])
        ):
            at += 1
    rest = words[at + 1 :]
    if "python" in (words[at] if at < len(words) else "") or "pypy" in "".join(words[:1]):
        for option, module in pairwise(rest):
            if option == "-m":
                found.imports.append(Import(module, 0, ("__main__",)))
    for word in rest:
        if word.startswith("/") and view.at(word) is not None:
            yield word, "an argument of the image's program names it"


def _is_program(program: Program, view: View, word: str) -> bool:
    return any(True for _ in _places(program, view, word))


def _places(program: Program, view: View, word: str) -> Iterator[str]:
    """Give where a command is found: a path as it is, a name in the folders of PATH. Source: execvp(3)."""
    if "/" in word:
        path = word if word.startswith("/") else f"{program.workdir}/{word}"
        if view.at(path) is not None:
            yield path
        return
    for folder in program.search_path:
        entry = view.at(f"{folder}/{word}")
        if entry is not None and entry.kind is Kind.FILE and entry.mode & 0o111:
            yield f"{folder}/{word}"


def _commands(script: str) -> list[str]:
    """Give the words that stand where a shell script may name a command; some of them name none."""
    return list(dict.fromkeys(_COMMAND.findall(_COMMENT.sub("", script))))
