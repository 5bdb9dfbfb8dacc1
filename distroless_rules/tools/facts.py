"""Facts: what is known of files by their bytes alone, read once for each deb, tree and set of files.

Inputs: those of ``tools.reading``. Output ``facts`` (``closure.facts``).
"""

from __future__ import annotations

from distroless_rules.closure import facts, scan
from distroless_rules.tools.reading import Files
from distroless_rules.tools.tool import Tool, Workbench

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    with Files(bench) as files:
        found = scan.scan(files.entries(), files.read, files.whole)
    with bench.output("facts") as sink:
        sink.write(facts.dumps(found))


TOOL = Tool("Facts", "3", _perform)
