"""The lists of fonts that Ghostscript reads: those of /etc/ghostscript in, each kind joined out.

Source: update-gsfontmap of the deb ghostscript.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from distroless_rules.deb.effects.effect import Change, Effect, Scene, file
from distroless_rules.values.tree import Kind

__all__ = ["GHOSTSCRIPT_FONTS"]

_LISTS = {"fontmap": "Fontmap", "cidfmap": "cidfmap"}
_FOLDER = "var/lib/ghostscript/fonts"


def _fonts(scene: Scene) -> Iterator[Change]:
    if "usr/sbin/update-gsfontmap" not in scene.tree:
        return
    for kind, name in _LISTS.items():
        lists = re.compile(rf"etc/ghostscript/{kind}\.d/[^/.][^/]*\.conf")
        rows = [entry for entry in scene.tree.below(f"etc/ghostscript/{kind}.d") if lists.fullmatch(entry.path)]
        data = b"".join(scene.read(row) for row in sorted(rows, key=lambda row: row.path) if row.kind is Kind.FILE)
        if f"{_FOLDER}/{name}" not in scene.tree:
            yield file(f"{_FOLDER}/{name}", data)


GHOSTSCRIPT_FONTS = Effect(
    "ghostscript-fonts",
    "/var/lib/ghostscript/fonts has the lists of fonts that debs put below /etc/ghostscript, joined.",
    _fonts,
)
