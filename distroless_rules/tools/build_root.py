"""BuildRoot: the composed files of debs in; the tree that becomes ``/`` of a sandbox out.

Inputs: ``recipe/<n>`` (rows of ``values.tree`` that do not overlap but in folders), ``blob/<n>`` with their bytes.
Parameter ``links``: path -> target of further symbolic links. Output: ``tree``, a tar archive that is not compressed.
Folders on which a sandbox mounts something are there, empty; what debs ship in them is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from distroless_rules.oci import layer
from distroless_rules.oci.compressor import compressor
from distroless_rules.tools.tool import Tool, Workbench
from distroless_rules.values import tree
from distroless_rules.values.path import parents
from distroless_rules.values.tree import Entry

__all__ = ["TOOL"]

_MOUNTED = ("build", "dev", "proc", "sys", "tmp")


def _perform(bench: Workbench) -> None:
    recipes = [file for name, file in bench.inputs.items() if name.startswith("recipe/")]
    rows = [entry for file in recipes for entry in tree.load(file.path.read_bytes())]
    blobs = {file.digest.hash: file.path for name, file in bench.inputs.items() if name.startswith("blob/")}
    with bench.output("tree") as sink:
        layer.write(_merged(rows, bench.parameters["links"]), blobs, sink.write, compressor("none"), bench.map)


def _merged(rows: Iterable[Entry], links: Mapping[str, str]) -> list[Entry]:
    """Put recipes, mount points and links together; a path that is there twice is taken once."""
    entries = {entry.path: entry for entry in rows if entry.path.partition("/")[0] not in _MOUNTED}
    entries.update((path, Entry.directory(path)) for path in ("", *_MOUNTED))
    for path, target in links.items():
        entries[path] = Entry.symlink(path, target)
        for parent in parents(path):
            entries.setdefault(parent, Entry.directory(parent))
    return tree.order(entries.values())


TOOL = Tool("BuildRoot", "1", _perform)
