"""BuildRoot: the composed files of debs in; the tree that becomes ``/`` of a sandbox out.

Inputs: ``recipe/<m>/<n>`` (rows of ``values.tree``; of what several have, that of the first ``m`` is taken, and nothing
of the others lies beneath what is no folder there), ``blob/<n>`` with their bytes.
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
from distroless_rules.values.tree import Entry, Kind

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    recipes = [bench.inputs[name] for name in sorted(bench.inputs) if name.startswith("recipe/")]
    rows = [entry for file in recipes for entry in tree.load(file.path.read_bytes())]
    blobs = {file.digest.hash: file.path for name, file in bench.inputs.items() if name.startswith("blob/")}
    with bench.output("tree") as sink:
        layer.write(_merged(rows, bench.parameters), blobs, sink.write, compressor("none"), bench.map)


def _merged(rows: Iterable[Entry], told: Mapping[str, Any]) -> list[Entry]:
    """Put recipes, mount points and links together; of a path that is there twice the first is taken."""
    empty = told["empty"]
    entries: dict[str, Entry] = {}
    for entry in rows:
        if entry.path.partition("/")[0] not in empty and entry.path not in entries and _is_open(entry.path, entries):
            entries[entry.path] = entry
    for path in ("", *empty, *told["folders"]):
        entries.setdefault(path, Entry.directory(path))
    for path, target in told["links"].items():
        entries[path] = Entry.symlink(path, target)
        for parent in parents(path):
            entries.setdefault(parent, Entry.directory(parent))
    return tree.order(entries.values())


def _is_open(path: str, entries: Mapping[str, Entry]) -> bool:
    """Tell whether everything above a path is a folder, as far as it is there."""
    return all(above not in entries or entries[above].kind is Kind.DIRECTORY for above in parents(path))


TOOL = Tool("BuildRoot", "3", _perform)
