"""Unreached: what is in an image's layers and what its files say in, what nothing leads to out.

Inputs: ``recipe/<n>`` of every layer of debs, ``recipe/system`` and ``recipe/app``; ``deb/<name>/index``; facts and
mentions as ``tools.gating`` has them. Parameters: ``platform``, ``gate``, and ``keep``, globs of paths.

Output ``unreached``: JSON rows of path, bytes and deb, by path: what ``closure = "files"`` would leave out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from distroless_rules.closure.owner import Owner
from distroless_rules.closure.reach import unreached
from distroless_rules.closure.view import View
from distroless_rules.deb import package
from distroless_rules.deb.prune import matcher
from distroless_rules.tools import gating
from distroless_rules.tools.tool import InputFile, Tool, Workbench
from distroless_rules.values import tree
from distroless_rules.values.path import fold_usr

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    told = bench.parameters["gate"]
    brought = _brought(bench.inputs)
    entries, owners = {}, {}
    for name, file in bench.inputs.items():
        if name.startswith("recipe/"):
            of_deb = name not in ("recipe/app", "recipe/system")
            other = Owner("tree" if name == "recipe/app" else "image", "")
            for entry in tree.load(file.path.read_bytes()):
                entries[entry.path] = entry
                deb = brought.get(entry.path) if of_deb else None
                owners[entry.path] = Owner("deb", deb) if deb else other
    known, said = gating.read(bench.inputs)
    start = gating.program(told, bench.parameters["platform"])
    keep = matcher(bench.parameters["keep"], fold_usr)
    lost = unreached(View(entries, known), said, start, owners, frozenset(told["whole"]), keep)
    rows = [[path, entries[path].size, owners[path].name] for path in lost]
    with bench.output("unreached") as sink:
        sink.write(json.dumps(rows, separators=(",", ":")).encode())


def _brought(inputs: Mapping[str, InputFile]) -> dict[str, str]:
    """Give the deb that brings each path of the layers of debs."""
    return {
        fold_usr(entry.path): name.split("/")[1]
        for name, file in inputs.items()
        if name.endswith("/index")
        for entry in package.loads(file.path.read_bytes()).entries
    }


TOOL = Tool("Unreached", "3", _perform)
