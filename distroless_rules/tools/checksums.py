"""Checksums: the SHA-1 of files, which SPDX asks for, computed once for each deb, tree and set of files.

Inputs: those of ``tools.reading``. Output ``checksums``: a JSON object, SHA-256 -> SHA-1, both hexadecimal.
"""

from __future__ import annotations

import hashlib
import json

from distroless_rules.tools.reading import Files
from distroless_rules.tools.tool import Tool, Workbench
from distroless_rules.values.tree import Kind

__all__ = ["TOOL"]


def _perform(bench: Workbench) -> None:
    found: dict[str, str] = {}
    with Files(bench) as files:
        for entry in files.entries():
            if entry.kind is Kind.FILE and entry.sha256 not in found:
                state = hashlib.sha1(usedforsecurity=False)
                for piece in files.pieces(entry):
                    state.update(piece)
                found[entry.sha256] = state.hexdigest()
    with bench.output("checksums") as sink:
        sink.write(json.dumps(found, sort_keys=True, separators=(",", ":")).encode())


TOOL = Tool("Checksums", "1", _perform)
