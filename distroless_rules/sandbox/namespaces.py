"""Sandboxes made by the kernel alone, where bubblewrap is not installed: a request in, how it ended out.

The same namespaces, mounts and limits as with bubblewrap; ``entering`` makes them, in a process of its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from distroless_rules.sandbox.request import HOST, Ended, Request, mounts
from distroless_rules.sandbox.supervise import supervise

__all__ = ["Namespaces"]

_PROGRAM = str(Path(__file__).with_name("entering.py"))


class Namespaces:
    """Runs commands by system calls.

    Attributes:
        name: what messages call this kind.
    """

    name = "namespaces"

    def command(self, request: Request) -> list[str]:
        """Give the command line that runs the request once more, by hand."""
        return [sys.executable, "-I", "-S", _PROGRAM, _spec(request)]

    def run(self, request: Request, check: Callable[[], None]) -> Ended:
        """Run a request to its end (see ``Sandbox.run``).

        Raises:
            OSError: if it cannot be started.
        """
        file = os.memfd_create("sandbox")
        try:
            os.write(file, _spec(request).encode())
            words = [sys.executable, "-I", "-S", _PROGRAM]
            return supervise(request, check, lambda told, held: [*words, str(file), str(told), str(held)], (file,))
        finally:
            os.close(file)


def _spec(request: Request) -> str:
    document = {
        "mounts": [[str(source), target, writable] for source, target, writable in mounts(request)],
        "words": request.arguments,
        "environment": dict(request.environment),
        "folder": request.folder,
        "user": request.user,
        "host": HOST,
    }
    return json.dumps(document)
