"""Sbom: an image as it was composed in, a bill of materials out.

Inputs: ``recipe/<n>`` of every layer; ``blob/<n>``, what holds the bytes that they name; ``checksums/<n>``, as the tool
``Checksums`` gives them; ``config`` and ``descriptor``, as the tool ``Image`` does. Parameters: ``name``, what the
image is called; ``format``, a name of ``sbom.formats``; ``archives``, the SHA-256 of each deb by its name.

Output ``sbom``: the document.
"""

from __future__ import annotations

import hashlib
import json

from distroless_rules.oci.config import Config
from distroless_rules.sbom.component import Subject
from distroless_rules.sbom.files import Files
from distroless_rules.sbom.formats import WRITERS
from distroless_rules.sbom.inventory import take
from distroless_rules.tools import reading
from distroless_rules.tools.tool import Tool, Workbench
from distroless_rules.values import tree
from distroless_rules.values.tree import Entry, Kind

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    inputs, told = bench.inputs, bench.parameters
    config = Config.loads(inputs["config"].path.read_bytes())
    digest = json.loads(inputs["descriptor"].path.read_bytes())["digest"]
    known: dict[str, str] = {}
    for name, file in inputs.items():
        if name.startswith("checksums/"):
            known |= json.loads(file.path.read_bytes())
    with reading.Files(bench) as blobs:

        def sha1(entry: Entry) -> str:
            if entry.sha256 not in known:  # the few that Compose generated
                data = blobs.read(entry, entry.size)
                known[entry.sha256] = hashlib.sha1(data, usedforsecurity=False).hexdigest()
            return known[entry.sha256]

        files = Files(_entries(bench), blobs.read, sha1)
        subject = Subject(told["name"], digest, config.diff_ids, str(config.platform), config.created)
        document = WRITERS[told["format"]](take(files, subject, told["archives"]))
    with bench.output("sbom") as sink:
        sink.write(document)


def _entries(bench: Workbench) -> list[Entry]:
    """Give every path of the image once; what is a hard link in a layer is a file."""
    found: dict[str, Entry] = {}
    for name, file in bench.inputs.items():
        if name.startswith("recipe/"):
            found.update((entry.path, entry) for entry in tree.load(file.path.read_bytes()))
    links = {path: found[entry.target] for path, entry in found.items() if entry.kind is Kind.HARDLINK}
    return list((found | {path: entry.moved(path) for path, entry in links.items()}).values())


TOOL = Tool("Sbom", "4", _perform)
