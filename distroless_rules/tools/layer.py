"""Layer: a recipe and the blobs that it takes bytes from in; a layer and what an image needs to know of it out.

Inputs: ``recipe`` (rows of ``values.tree``), ``blob/<n>``. Parameters: ``compression`` (``gzip``, ``zstd``, ``none``),
``compressor`` (the recipe that ``oci.compressor`` must have), ``epoch`` (seconds since 1970, the time of every entry).

Outputs: ``blob``; ``descriptor``, a JSON object with mediaType, digest, size and diffId as in OCI image-spec 1.1, bytes
(of the tar archive) and files (entries that are no folders).
"""

from __future__ import annotations

import json

from distroless_rules.errors import LockError
from distroless_rules.oci import layer
from distroless_rules.oci.compressor import compressor
from distroless_rules.tools.tool import Tool, Workbench
from distroless_rules.values import tree

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    chosen = compressor(bench.parameters["compression"])
    pinned = bench.parameters["compressor"]
    if chosen.recipe != pinned:
        raise LockError(
            "write a layer",
            f'it is to be compressed by "{pinned}", and this is "{chosen.recipe}"',
            hint="run `distroless lock` to take the one that is here",
        )
    entries = tree.load(bench.inputs["recipe"].path.read_bytes())
    blobs = {file.digest.hash: file.path for name, file in bench.inputs.items() if name != "recipe"}
    with bench.output("blob") as blob:
        written = layer.write(entries, blobs, blob.write, chosen, bench.map, bench.parameters.get("epoch", 0))
    descriptor = {
        "mediaType": chosen.media_type,
        "digest": blob.digest.oci,
        "size": blob.digest.size,
        "diffId": written.diff_id,
        "bytes": written.bytes,
        "files": written.files,
    }
    with bench.output("descriptor") as sink:
        sink.write(json.dumps(descriptor, sort_keys=True, separators=(",", ":")).encode())


TOOL = Tool("Layer", "1", _perform)
