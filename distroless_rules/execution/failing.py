"""Commands that failed, as errors: how one ended and what it printed in, the same words out wherever it ran."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distroless_rules.actions.action import Action
from distroless_rules.actions.command import Command
from distroless_rules.errors import ActionError, TestError

__all__ = ["FILE", "MEMORY", "OUTPUT", "PROCESSES", "SHOWN", "Ending", "error", "tail", "tail_of"]

MEMORY = 8 << 30
"""Bytes that all processes of an action may use together."""
PROCESSES = 1024
"""Processes that it may have at once."""
OUTPUT = 64 << 20
"""Bytes that it may print."""
FILE = 16 << 30
"""Bytes of the largest file that it may write."""
SHOWN = 1 << 14
"""Bytes of what it printed that are shown, at most."""

_LINES = 100  # lines of that
_LOGGED = 1 << 20  # bytes that are kept of what a test printed that failed
_SHELL = ("/bin/sh", "-e", "-c")  # how actions.run_shell starts a script


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended that failed.

    Attributes:
        status: its exit status; 128 and the number of the signal that ended it.
        limit: the limit at which it was ended (``time``, ``memory``, ``processes``, ``output``), else ``""``.
        printed: the end of what it printed, and how many bytes that was in all.
        milliseconds: how long it took.
        enter: the command line that runs it once more, None if it cannot be.
    """

    status: int
    limit: str
    printed: tuple[bytes, int]
    milliseconds: int
    enter: Sequence[str] | None = None


def error(action: Action, command: Command, ending: Ending) -> ActionError:
    """Say how a command ended, what it printed (of a test: apart from the message), and how to run it again."""
    doing = f"perform {action.mnemonic} for {action.owner}"
    again = [] if ending.enter is None else [f"  to run it again in its sandbox: {shlex.join(ending.enter)}"]
    if command.log:
        failed = TestError(doing, "\n".join([_cause(ending, command), *again]))
        failed.printed, failed.milliseconds = tail(*ending.printed, _LOGGED), ending.milliseconds
        failed.timeout = ending.limit == "time"
        return failed
    parts = [_cause(ending, command)]
    if printed := tail(*ending.printed, SHOWN):
        parts.append(f"  it printed:\n{printed}")
    parts.append(f"  command: {_shown_command(command.arguments)}")
    return ActionError(doing, "\n".join([*parts, *again]))


def tail(data: bytes, size: int, most: int = SHOWN) -> str:
    """Give the end of what a command printed, fit to be shown on a terminal: ``most`` bytes, or some lines less.

    Args:
        data: its last bytes.
        size: how many it printed.
        most: how many may be shown.
    """
    decoded = data[-most:].decode("utf-8", "replace")
    text = "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in decoded)
    lines = text.strip("\n").split("\n")
    lines_shown = len(lines) if most > SHOWN else _LINES
    if size <= most and len(lines) <= lines_shown:
        return "\n".join(lines)
    return "\n".join(["[... the beginning is left out]", *lines[-lines_shown:]])


def tail_of(path: Path) -> tuple[bytes, int]:
    """Read the end of what a command printed into a file, and how many bytes that was."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOGGED))
            return file.read(_LOGGED), size
    except FileNotFoundError:
        return b"", 0


def _shown_command(arguments: Sequence[str]) -> str:
    """Write a command for people: of a script of many lines, which ``--sandbox-debug`` shows, the arguments only."""
    if tuple(arguments[:3]) == _SHELL and "\n" in arguments[3]:
        return shlex.join([*_SHELL, "...", *arguments[4:]]) + "; --sandbox-debug shows all of it"
    return shlex.join(arguments)


def _cause(ending: Ending, command: Command) -> str:
    causes = {
        "time": f"it was ended after {command.seconds:g} seconds",
        "memory": f"it was ended: it used more than {MEMORY >> 20} MiB of memory",
        "processes": f"it was ended: it had more than {PROCESSES} processes",
        "output": f"it was ended: it printed more than {OUTPUT >> 20} MiB",
    }
    signal = ending.status - 128
    return causes.get(ending.limit) or (f"signal {signal} ended it" if signal > 0 else f"exit status {ending.status}")
