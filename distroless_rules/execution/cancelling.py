"""Work that is given up while the build goes on: tokens in, ``Interrupted`` out on the threads that work under one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from distroless_rules.errors import Interrupted

__all__ = ["Cancels"]


class Cancels:
    """Tells each thread whether its work is still wanted.

    Args:
        check: raises ``Interrupted`` when the whole build is not.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._thread = threading.local()

    def check(self) -> None:
        """Return if this thread's work is still wanted.

        Raises:
            Interrupted: if it is not.
        """
        self._check()
        token: threading.Event | None = getattr(self._thread, "token", None)
        if token is not None and token.is_set():
            raise Interrupted("go on", "it was done elsewhere meanwhile")

    @contextmanager
    def under(self, token: threading.Event) -> Iterator[None]:
        """Have this thread's work given up when ``token`` is set."""
        self._thread.token = token
        try:
            yield
        finally:
            self._thread.token = None
