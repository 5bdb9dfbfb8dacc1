"""BuildRoot: the composed files of debs in; the tree that becomes ``/`` of a sandbox out.

Inputs: ``recipe/<n>`` (rows of ``values.tree`` that do not overlap but in folders), ``blob/<n>`` with their bytes.
Parameters ``links``: path -> target of further symbolic links; ``empty``: folders that are there, without what debs
ship in them; ``folders``: folders that are there. Output: ``tree``, a tar archive that is not compressed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from distroless_rules.oci import layer
from distroless_rules.oci.compressor import compressor
from distroless_rules.tools.tool import Tool, Workbench
from distroless_rules.values import tree
from distroless_rules.values.path import parents
from distroless_rules.values.tree import Entry

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    recipes = [file for name, file in bench.inputs.items() if name.startswith("recipe/")]
    rows = [entry for file in recipes for entry in tree.load(file.path.read_bytes())]
    blobs = {file.digest.hash: file.path for name, file in bench.inputs.items() if name.startswith("blob/")}
    with bench.output("tree") as sink:
        layer.write(_merged(rows, bench.parameters), blobs, sink.write, compressor("none"), bench.map)


def _merged(rows: Iterable[Entry], told: Mapping[str, Any]) -> list[Entry]:
    """Put recipes, mount points and links together; a path that is there twice is taken once."""
    empty = told["empty"]
    entries = {entry.path: entry for entry in rows if entry.path.partition("/")[0] not in empty}
    for path in ("", *empty, *told["folders"]):
        entries.setdefault(path, Entry.directory(path))
    for path, target in told["links"].items():
        entries[path] = Entry.symlink(path, target)
        for parent in parents(path):
            entries.setdefault(parent, Entry.directory(parent))
    return tree.order(entries.values())


TOOL = Tool("BuildRoot", "2", _perform)
