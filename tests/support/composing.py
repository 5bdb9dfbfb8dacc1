"""A composed image as text: listings of debs and declared files in, the lines of each layer out.

    made = composed(tmp_path, {"a": "usr/bin/a = text", "b": make_deb(...)}, exclude=["/usr/share/x"])
    made.text("0", "1") == '''\
    layer 0
      0755 0:0 usr/bin/
      0644 0:0 usr/bin/a = text
    '''

The lines are those that ``tests.support.debs`` reads. Every deb has a layer of its own, in order of their names,
unless ``layers`` says otherwise. Debs are unpacked and images composed by the tools that a build runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distroless_rules.tools.compose import TOOL as COMPOSE
from distroless_rules.tools.deb_unpack import TOOL as UNPACK
from distroless_rules.values import tree
from distroless_rules.values.digest import Digest
from distroless_rules.values.tree import Entry, Kind
from tests.support.archive import control_of
from tests.support.debs import make_deb
from tests.support.workbench import perform

__all__ = ["Composed", "composed", "deb", "unpacked"]


@dataclass(frozen=True)
class Composed:
    """A composed image.

    Attributes:
        layers: name -> its entries: ``0``, ``1``, ..., ``system``, ``app``.
        report: what the tool reports.
        blobs: SHA-256 -> the bytes that entries are parts of.
    """

    layers: Mapping[str, list[Entry]]
    report: Mapping[str, Any]
    blobs: Mapping[str, bytes]

    def text(self, *layers: str, folders: bool = True) -> str:
        """Give the lines of these layers, of all without a name; without ``folders`` those at 0755 0:0 are left out."""
        lines = []
        for name in layers or self.layers:
            lines.append(f"layer {name}")
            for entry in self.layers[name]:
                plain = entry.kind is Kind.DIRECTORY and (entry.mode, entry.uid, entry.gid) == (0o755, 0, 0)
                if folders or not plain:
                    lines.append(f"  {self.line(entry)}")
        return "".join(f"{line}\n" for line in lines)

    def line(self, entry: Entry) -> str:
        """Give the line of an entry."""
        sign = {
            Kind.DIRECTORY: "/",
            Kind.SYMLINK: f" -> {entry.target}",
            Kind.HARDLINK: f" => {entry.target}",
            Kind.FILE: "",
        }[entry.kind]
        if entry.kind is Kind.FILE and entry.size:
            sign = " = " + self.bytes(entry).decode("utf-8", "surrogateescape").replace("\n", "\\n")
        return f"{entry.mode:04o} {entry.uid}:{entry.gid} {entry.path}{sign}"

    def bytes(self, entry: Entry) -> bytes:
        """Give the bytes of a regular file."""
        return self.blobs[entry.source][entry.offset : entry.offset + entry.size]

    def file(self, path: str) -> str:
        """Give the text of the file at a path, whatever its layer."""
        (entry,) = (entry for rows in self.layers.values() for entry in rows if entry.path == path)
        return self.bytes(entry).decode()


def deb(name: str, entries: str = "", **fields: str) -> bytes:
    """Give a deb of this name; ``fields`` are of its control file."""
    return make_deb(entries, {"Package": name, **fields}, compression="none")


def unpacked(folder: Path, data: bytes) -> dict[str, bytes]:
    """Give the ``index`` and the ``tree`` of a deb."""
    fields = control_of(data)
    wanted = {word.lower(): fields[word] for word in ("Version", "Architecture")}
    return perform(UNPACK, folder, {"deb": data}, {"name": fields["Package"], **wanted})


def composed(
    folder: Path,
    debs: Mapping[str, bytes | str] | None = None,
    given: Mapping[str, bytes] | None = None,
    base: Mapping[str, bytes | str] | None = None,
    **parameters: Any,
) -> Composed:
    """Compose an image.

    Args:
        folder: where to work.
        debs: name -> deb or listing.
        given: further inputs by name: ``file/0``, ``certificate/mine.pem``.
        base: the debs whose effects every image has.
        parameters: of the tool.
    """
    inputs: dict[str, bytes | Path] = dict(given or {})
    for kind, some in (("deb", debs or {}), ("base", base or {})):
        for name, data in some.items():
            parts = unpacked(folder, deb(name, data) if isinstance(data, str) else data)
            inputs |= {f"{kind}/{name}/{part}": content for part, content in parts.items()}
    parameters = {"layers": [[name] for name in sorted(debs or {})], **parameters}
    made = perform(COMPOSE, folder, inputs, parameters)
    layers = {
        (name if name in ("system", "app") else str(int(name))): tree.load(made[f"recipe/{name}"])
        for name in (output.partition("/")[2] for output in made if output.startswith("recipe/"))
    }
    known = [made["generated"], *(data for data in inputs.values() if isinstance(data, bytes))]
    return Composed(layers, json.loads(made["report"]), {Digest.of(data).hash: data for data in known})
