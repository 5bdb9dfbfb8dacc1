"""Mentions: what files name in their bytes, read once for each deb, tree and set of files.

Inputs: those of ``tools.reading``. Parameter ``texts``: true if ELF files are not read. Output ``mentions``
(``closure.mentions``).
"""

from __future__ import annotations

from distroless_rules.closure import mentions
from distroless_rules.tools.reading import Files
from distroless_rules.tools.tool import Tool, Workbench

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    with Files(bench) as files:
        found = mentions.scan(files.entries(), files.read, bench.map, bench.parameters.get("texts", False))
    with bench.output("mentions") as sink:
        sink.write(mentions.dumps(found))


TOOL = Tool("Mentions", "3", _perform)
