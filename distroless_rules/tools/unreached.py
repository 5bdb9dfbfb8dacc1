"""Unreached: what is in an image's layers and what its files say in, what nothing leads to out.

Inputs: ``recipe/<n>`` of every layer of debs, ``recipe/system`` and ``recipe/app``; the ``report`` of ``Compose``;
``deb/<name>/index`` and ``offer/<archive>/<name>/index``; facts and mentions as ``tools.gating`` has them.

Parameters: ``platform``, ``gate``, and ``keep``, globs of paths.

Output ``unreached``: JSON rows of path, bytes and deb, by path: what ``closure = "files"`` would leave out.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping

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
    libraries = json.loads(bench.inputs["report"].path.read_bytes())["libraries"]
    brought = _brought(bench.inputs, libraries)
    entries, owners = {}, {}
    has_layers = "recipe/00" in bench.inputs  # else the debs that were taken are in the system's
    for name, file in bench.inputs.items():
        if name.startswith("recipe/"):
            of_deb = name not in ("recipe/app", "recipe/system") or (name == "recipe/system" and not has_layers)
            other = Owner("tree" if name == "recipe/app" else "image", "")
            for entry in tree.load(file.path.read_bytes()):
                entries[entry.path] = entry
                deb = brought.get(entry.path) if of_deb else None
                owners[entry.path] = Owner("deb", deb) if deb else other
    known, said = gating.read(bench.inputs, libraries)
    start = gating.program(told, bench.parameters["platform"])
    keep = matcher(bench.parameters["keep"], fold_usr)
    lost = unreached(View(entries, known), said, start, owners, frozenset(told["whole"]), keep)
    rows = [[path, entries[path].size, owners[path].name] for path in lost]
    with bench.output("unreached") as sink:
        sink.write(json.dumps(rows, separators=(",", ":")).encode())


def _brought(inputs: Mapping[str, InputFile], libraries: Container[str]) -> dict[str, str]:
    """Give the deb that brings each path of the layers of debs."""
    found: dict[str, str] = {}
    for name, file in inputs.items():
        kind, *_, deb, what = name.split("/") if name.count("/") > 1 else ("", "", "")
        if what == "index" and (kind == "deb" or (kind == "offer" and deb in libraries)):
            found.update((fold_usr(entry.path), deb) for entry in package.loads(file.path.read_bytes()).entries)
    return found


TOOL = Tool("Unreached", "4", _perform)
