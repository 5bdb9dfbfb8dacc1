"""What a tool action sees: parameters, input files, places for outputs, and nothing else.

The executor (``execution.tool``) implements ``Workbench``; a tool is a function that takes one and returns nothing.
A tool does not read the clock, the environment, the network or any path that the workbench did not hand it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from distroless_rules.values.digest import Digest

__all__ = ["InputFile", "Sink", "Tool", "Workbench"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input on this machine: read it, never write it.

    Attributes:
        path: where its bytes are; already checked against ``digest``, or a source file that the
            executor checks again after the action.
        digest: what the bytes are.
    """

    path: Path
    digest: Digest


class Sink(Protocol):
    """Where an output's bytes go; it hashes what it is given."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append ``data``."""

    @property
    def digest(self) -> Digest:
        """The digest of everything written; complete once the ``with`` block that gave the sink has ended."""


class Workbench(Protocol):
    """Everything that a tool action may touch."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What the rule told the tool: JSON values."""

    @property
    def inputs(self) -> Mapping[str, InputFile]:
        """The inputs by name, in order of name."""

    def output(self, name: str) -> AbstractContextManager[Sink]:
        """Open the declared output ``name`` for writing, once; it counts only if the block ends without an error."""

    def check(self) -> None:
        """Raise ``Interrupted`` if the build is being ended; for what takes long without writing."""

    def lay_out(self, name: str) -> Path:
        """Give the input ``name``, a tree, as a folder; to be read, never written."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Apply ``function`` on all cores, giving results in order and reading few ``items`` ahead."""


@dataclass(frozen=True)
class Tool:
    """A tool action's code.

    Attributes:
        mnemonic: the name by which actions ask for it.
        version: changed whenever the same inputs may give other outputs; part of every action's key.
        perform: does the work.
        prepare: makes ready for that, by imports.
    """

    mnemonic: str
    version: str
    perform: Callable[[Workbench], None]
    prepare: Callable[[], object] = lambda: None
