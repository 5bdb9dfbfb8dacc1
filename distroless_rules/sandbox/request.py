"""What is to be run in a sandbox, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["HOST", "SCRATCH", "SCRATCH_SIZE", "Ended", "Limits", "Request", "mounts"]

HOST = "build"
"""The name of the machine in a sandbox."""

SCRATCH = "/tmp"  # noqa: S108 - a path in the sandbox
SCRATCH_SIZE = 4 << 30
"""Bytes that ``SCRATCH`` may hold."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a sandbox may use before it is ended.

    Attributes:
        seconds: of time.
        memory: bytes of all its processes together.
        processes: at once.
        output: bytes on standard output and standard error together.
        file_size: bytes of each file that it writes.
    """

    seconds: float
    memory: int
    processes: int
    output: int
    file_size: int


@dataclass(frozen=True, slots=True)
class Request:
    """A command and its world. Paths within are those of the sandbox, unless they are ``Path`` values.

    Attributes:
        root: a laid-out tree that becomes ``/``, read-only; it has the empty folders dev, proc and tmp, and build where
            there are inputs.
        inputs: the folder that becomes ``/build``, read-only; None for none.
        mounts: path below ``/build`` -> a folder that is mounted there, read-only.
        writable: path below ``/build`` -> a folder that is mounted there, writable.
        arguments: the program and its arguments; a program without a slash is found through ``PATH``.
        environment: all variables but ``PWD``, which is the folder.
        output: a file that takes standard output and, unless it has a file of its own, standard error.
        limits: what it may use.
        folder: where the command works.
        own: path of a folder of the root, ``/`` for all -> a folder that is mounted there, writable.
        errors: a file that takes standard error; None for ``output``.
        user: the numbers of user and group that the command has within.
    """

    root: Path
    inputs: Path | None
    mounts: Mapping[str, Path]
    writable: Mapping[str, Path]
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    output: Path
    limits: Limits
    folder: str = "/build"
    own: Mapping[str, Path] = field(default_factory=dict)
    errors: Path | None = None
    user: tuple[int, int] = (1000, 1000)


def mounts(request: Request) -> Iterator[tuple[Path, str, bool]]:
    """Give what is mounted where, in order, and whether it can be written: first what is mounted on ``/``."""
    if "/" not in request.own:
        yield request.root, "/", False
    yield from ((folder, path, True) for path, folder in sorted(request.own.items()))
    if request.inputs is not None:
        yield request.inputs, "/build", False
    yield from ((folder, f"/build/{path}", False) for path, folder in sorted(request.mounts.items()))
    yield from ((folder, f"/build/{path}", True) for path, folder in sorted(request.writable.items()))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Attributes:
        status: its exit status; 128 and the number of the signal that ended it.
        limit: the limit at which it was ended (``time``, ``memory``, ``processes``, ``output``), else ``""``.
    """

    status: int
    limit: str = ""
