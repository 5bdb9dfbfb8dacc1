"""WriteFile: text in (the parameter ``content``), a file out (``out``)."""

from __future__ import annotations

from distroless_rules.tools.tool import Tool, Workbench

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    with bench.output("out") as sink:
        sink.write(bench.parameters["content"].encode("utf-8", "surrogateescape"))


TOOL = Tool("WriteFile", "1", _perform)
