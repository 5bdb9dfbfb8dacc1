"""Screen: secrets in files, and what kind of things they are; read once for each deb, tree and set of files.

Inputs: those of ``tools.reading``. Parameter ``public``: whether everybody has the bytes who has the archive that they
come from; in ``/usr`` only private keys are looked for then. Output ``screen`` (``policy.screen``).
"""

from __future__ import annotations

from distroless_rules.policy import screen
from distroless_rules.tools.reading import Files
from distroless_rules.tools.tool import Tool, Workbench

__all__ = ["TOOL"]

_PUBLIC = ("usr/", "bin/", "sbin/", "lib/", "lib64/")


def _perform(bench: Workbench) -> None:
    is_public = bool(bench.parameters.get("public"))
    with Files(bench) as files:
        marks = screen.screen(files.entries(), files.read, lambda path: is_public and path.startswith(_PUBLIC))
    with bench.output("screen") as sink:
        sink.write(screen.dumps(marks))


TOOL = Tool("Screen", "2", _perform)
