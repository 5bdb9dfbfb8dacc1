"""Every error a user can meet: one tree, made of data, printed once by ``cli``.

DistrolessError                 place: cannot <doing>: <cause>; <hint>
├── RequestError      exit 2    the request is wrong
│   ├── ConfigError             distroless.toml, a flag, the environment
│   ├── LabelError              a label or pattern that is not well formed
│   ├── LoadError               a BUILD or .bzl file
│   ├── AnalysisError           a target: attributes, visibility, cycles, rule code
│   ├── LockError               distroless.lock is missing, stale or not readable
│   │   └── StaleLockError      it lacks something that locking anew would add
│   └── ResolveError            no set of debs satisfies what the BUILD files name
├── BuildError        exit 1    the request is right, the build failed
│   ├── FetchError              a mirror or registry did not give what was asked
│   ├── TrustError              a signature, digest, date or size is not what it must be
│   ├── FormatError             a deb, tar, ELF file or OCI document is malformed or hostile
│   ├── ActionError             an action failed
│   │   ├── MissingError        an image lacks what its files need
│   │   └── TestError           a test failed
│   ├── SandboxError            no sandbox works on this machine
│   ├── StorageError            the cache or output folder cannot be used
│   └── RuntimeMissingError     no container runtime to run the image with
├── Interrupted       exit 3    Ctrl-C or a termination signal
└── InternalError     exit 3    a fault of this program
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = [
    "ActionError",
    "AnalysisError",
    "BuildError",
    "ConfigError",
    "DistrolessError",
    "FetchError",
    "FormatError",
    "InternalError",
    "Interrupted",
    "LabelError",
    "LoadError",
    "Location",
    "LockError",
    "MissingError",
    "RequestError",
    "ResolveError",
    "RuntimeMissingError",
    "SandboxError",
    "StaleLockError",
    "StorageError",
    "TestError",
    "TrustError",
    "did_you_mean",
    "escaped",
]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # what a terminal would obey, or not encode


@dataclass(frozen=True)
class Location:
    """A place in a file that a user wrote; line and column count from 1, 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file, *(str(number) for number in (self.line, self.column) if number)]
        return ":".join(parts)


class DistrolessError(Exception):
    """An error as data: where, what was being done, why it cannot be, what would be right.

    Args:
        doing: the verb and its object, without "cannot": ``resolve "//app:mian"``.
        cause: why it cannot be done.
        at: the place in the user's files, if there is one.
        hint: what would be right, if that is known.
    """

    status: ClassVar[int] = 1

    def __init__(self, doing: str, cause: str, *, at: Location | None = None, hint: str = "") -> None:
        super().__init__(doing, cause)
        self.doing = doing
        self.cause = cause
        self.at = at
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.at}: " if self.at else ""
        hint = f"; {self.hint}" if self.hint else ""
        text = f"{place}cannot {self.doing}: {self.cause}{hint}"
        return escaped(text)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep every field when the error crosses from the evaluating process."""
        return (_rebuild, (type(self), self.doing, self.cause, self.at, self.hint))


def _rebuild(kind: type[DistrolessError], doing: str, cause: str, at: Location | None, hint: str) -> DistrolessError:
    return kind(doing, cause, at=at, hint=hint)


class RequestError(DistrolessError):
    """The request is wrong: usage, BUILD file, label or configuration."""

    status = 2


class ConfigError(RequestError):
    """``distroless.toml``, a flag or an environment variable is wrong."""


class LabelError(RequestError):
    """A label or target pattern is not well formed."""


class LoadError(RequestError):
    """A BUILD or .bzl file cannot be read or evaluated."""


class AnalysisError(RequestError):
    """A target is wrong: attributes, references, visibility, cycles, or its rule's code."""


class LockError(RequestError):
    """``distroless.lock`` is missing, stale or unreadable."""


class StaleLockError(LockError):
    """The lock lacks a deb that a BUILD file names; locking anew adds it."""


class ResolveError(RequestError):
    """No set of debs satisfies what the BUILD files name."""


class BuildError(DistrolessError):
    """The request is right, but the build failed."""


class FetchError(BuildError):
    """A mirror or registry did not give what was asked of it."""


class TrustError(BuildError):
    """A signature, digest, date or size is not what it must be."""


class FormatError(BuildError):
    """A deb, tar, ELF file or OCI document is malformed or hostile."""


class ActionError(BuildError):
    """An action failed."""


class MissingError(ActionError):
    """An image lacks what its files need.

    Attributes:
        findings: what does not hold (``closure.gate.Finding``), so that somebody who knows the archive can advise.
        excluded: the debs that the image excludes.
    """

    findings: tuple[Any, ...] = ()
    excluded: tuple[str, ...] = ()


class TestError(ActionError):
    """A test failed.

    Attributes:
        printed: what it printed; of more than a MiB the end.
        timeout: whether it took too long.
        milliseconds: how long it took.
    """

    __test__ = False  # pytest takes it for one of its own
    printed = ""
    timeout = False
    milliseconds = 0


class SandboxError(BuildError):
    """No sandbox works on this machine."""


class StorageError(BuildError):
    """The cache or the output folder cannot be used."""


class RuntimeMissingError(BuildError):
    """There is no container runtime to run the image with."""


class Interrupted(DistrolessError):  # noqa: N818 - the field's word for it
    """Ctrl-C or a termination signal."""

    status = 3


class InternalError(DistrolessError):
    """A fault of this program, not of the user's input."""

    status = 3

    def __str__(self) -> str:
        return f"internal error: {super().__str__()}"


def escaped(text: str) -> str:
    """Give a text with what a terminal would obey, or not encode, written out in hexadecimal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def did_you_mean(word: str, known: object) -> str:
    """Give ``did you mean "x"?`` for the closest of ``known`` (an iterable of str), or ``""``."""
    import difflib

    close = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.6)  # type: ignore[attr-defined]
    return f'did you mean "{close[0]}"?' if close else ""
