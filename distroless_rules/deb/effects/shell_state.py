"""The state of a walk through a script, and what becomes of it where it is not known what runs.

What is walked in doubt, apart or to an early end stands in a ``with`` block; afterwards the variables hold what can
still be said of them. Source: POSIX.1-2017 Shell Command Language, sections 2.12 and 2.14.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from distroless_rules.deb.effects.shell_syntax import Node
from distroless_rules.deb.effects.shell_values import Values

__all__ = ["Command", "State", "Stop", "Write"]


@dataclass(frozen=True, slots=True)
class Write:
    """A file that output goes to: its path, None where that is not known; the descriptor; whether at its end."""

    path: str | None
    fd: int = 1
    append: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A command that could run.

    Attributes:
        words: its name and arguments; None where a value is not known. The name ``(...)`` stands for several
            commands that have the same output.
        writes: the files that its output goes to; no device.
        text: the command as the script has it, in one line.
        line: where in the script.
        document: the text of its here-document, None without one or when it is not known.
    """

    words: tuple[str | None, ...]
    writes: tuple[Write, ...]
    text: str
    line: int
    document: str | None = None


class Stop(Exception):  # noqa: N818 - control flow, never an error
    """What ends here: the script (``exit``), the function (``return``), loops (``break``) or their turn."""

    def __init__(self, kind: str, loops: int = 1) -> None:
        super().__init__()
        self.kind = kind
        self.loops = loops


class State:
    """The state of one walk; a function has one or more bodies, None for a command of its name."""

    def __init__(self, values: Values, perform: Callable[[Command], None]) -> None:
        self.values = values
        self.perform = perform
        self.functions: dict[str, tuple[Node | None, ...]] = {}
        self.local: list[dict[str, str | None]] = []
        self.loops = 0
        self.left = False  # whether a function or loop may have ended early
        self.line = 0  # of the command whose text is followed, 0 in the script's own
        self.depth = 0
        self.steps = 0

    @contextmanager
    def doubt(self) -> Iterator[None]:
        """Walk what may or may not run: what it sets is not known afterwards."""
        values = self.values
        before, arguments, functions = dict(values.variables), values.arguments, dict(self.functions)
        self.steps += len(before) // 8
        try:
            yield
        except Stop as stop:
            self.left |= stop.kind != "exit"
        self._forget(before)
        if values.arguments != arguments:
            values.arguments = None
        for name, bodies in self.functions.items():
            if bodies != functions.get(name):
                self.functions[name] = tuple(dict.fromkeys((*functions.get(name, (None,)), *bodies)))

    def _forget(self, before: Mapping[str, str | None]) -> None:
        """Let what was set since then be not known."""
        variables = self.values.variables
        for name in before.keys() | variables.keys():
            if name not in variables or name not in before or variables[name] != before[name]:
                variables[name] = None

    @contextmanager
    def early(self) -> Iterator[None]:
        """Walk what may end early: if that is not known, neither is what it sets."""
        before, arguments, left = dict(self.values.variables), self.values.arguments, self.left
        self.steps += len(before) // 8
        self.left = False
        try:
            yield
        finally:
            if self.left:
                self._forget(before)
                self.values.arguments = arguments if self.values.arguments == arguments else None
            self.left |= left

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Walk what runs in a process of its own: what it sets stays there, and only it ends."""
        values = self.values
        before = dict(values.variables), values.arguments, dict(self.functions)
        self.steps += len(before[0]) // 8
        with suppress(Stop):
            yield
        values.variables, values.arguments, self.functions = before
