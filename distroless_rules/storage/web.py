"""What can be asked of servers in HTTP, whether directly or with a registry's logins and redirects.

Source: RFC 9110.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

from distroless_rules.storage.faults import RemoteError
from distroless_rules.storage.traffic import Traffic

__all__ = ["TOO_LARGE", "Answer", "Proof", "Web"]

Answer = tuple[int, Mapping[str, str], Iterator[bytes]]
"""Status, headers, and the pieces of the body."""

TOO_LARGE = 413
"""Status of a request whose body is larger than the server takes."""


class Proof(Protocol):
    """What proves who asks, as ``endpoint.Login`` does."""

    @property
    def overlooked(self) -> str:
        """What could have proved it and could not be read."""

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Give names, in lower case, and values."""

    def forget(self) -> None:
        """Take note that the server has refused them."""


class Web(Protocol):
    """What can be asked in HTTP.

    Attributes:
        traffic: how many bytes of bodies went each way.
    """

    traffic: Traffic

    def close(self) -> None:
        """End what is under way."""

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: BinaryIO | None = None,
        *,
        work: int = 0,
    ) -> AbstractContextManager[Answer]:
        """Ask once (see ``HttpServer.ask``)."""

    def refused(self, status: int, doing: str) -> RemoteError:
        """Give the error that a status means."""
