"""Why a server did not do what it was asked: gRPC's codes, for HTTP as well, and whether asking again may help.

Source: grpc.io, "Status codes"; RFC 9110, 15 (HTTP status codes).
"""

from __future__ import annotations

from enum import IntEnum

from distroless_rules.errors import StorageError
from distroless_rules.storage.messages import Status

__all__ = ["Code", "RemoteError"]


class Code(IntEnum):
    """How a call ended."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11  # of what is larger than the server takes
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @classmethod
    def _missing_(cls, value: object) -> Code | None:
        """Take a number that nobody has given a meaning for ``UNKNOWN``."""
        return cls.UNKNOWN if isinstance(value, int) else None


_AGAIN = frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.ABORTED, Code.DEADLINE_EXCEEDED})
_AWAY = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED})


class RemoteError(StorageError):
    """A server did not do what it was asked, or what it sent cannot be so.

    Attributes:
        code: what kind of failure it is; ``DATA_LOSS`` where the server's answer was wrong.
        said: what the server said beyond that, if it did.
    """

    def __init__(self, doing: str, cause: str, code: Code, *, hint: str = "", said: Status | None = None) -> None:
        super().__init__(doing, cause, hint=hint)
        self.code = code
        self.said = said

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.doing, self.cause, self.code, self.hint, self.said))

    @property
    def transient(self) -> bool:
        """Whether the same call may go through a little later."""
        return self.code in _AGAIN

    @property
    def away(self) -> bool:
        """Whether the server cannot be reached, or says nothing."""
        return self.code in _AWAY


def _rebuild(doing: str, cause: str, code: Code, hint: str, said: Status | None) -> RemoteError:
    return RemoteError(doing, cause, code, hint=hint, said=said)
