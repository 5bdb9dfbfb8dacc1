"""Sandboxes made by the kernel alone, where bubblewrap is not installed: a request in, how it ended out.

The same namespaces, mounts and limits as with bubblewrap; ``entering`` makes them, in a process of its own.
"""

from __future__ import annotations

import json
import marshal
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distroless_rules.sandbox.request import HOST, Ended, Request, mounts
from distroless_rules.sandbox.supervise import supervise

__all__ = ["Namespaces"]

_PROGRAM = Path(__file__).with_name("entering.py")
# As a module, so that its byte code is kept.
_START = f"import sys; sys.path.insert(0, {str(_PROGRAM.parent)!r}); import entering; entering.main(sys.argv[1:])"


class Namespaces:
    """Runs commands by system calls.

    Attributes:
        name: what messages call this kind.
    """

    name = "namespaces"

    def command(self, request: Request) -> list[str]:
        """Give the command line that runs the request once more, by hand."""
        return [sys.executable, "-I", "-S", str(_PROGRAM), json.dumps(_spec(request))]

    def run(self, request: Request, check: Callable[[], None]) -> Ended:
        """Run a request to its end (see ``Sandbox.run``).

        Raises:
            OSError: if it cannot be started.
        """
        file = os.memfd_create("sandbox")
        try:
            os.write(file, marshal.dumps(_spec(request)))
            words = [sys.executable, "-I", "-S", "-c", _START]
            return supervise(request, check, lambda told, held: [*words, str(file), str(told), str(held)], (file,))
        finally:
            os.close(file)


def _spec(request: Request) -> dict[str, Any]:
    return {
        "mounts": [[str(source), target, writable] for source, target, writable in mounts(request)],
        "words": list(request.arguments),
        "environment": dict(request.environment),
        "folder": request.folder,
        "user": list(request.user),
        "host": HOST,
    }
