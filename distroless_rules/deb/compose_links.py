"""Hard links: a tree whose files each have their bytes in, the same tree with links to the first of equal ones out.

Whatever puts files into a tree gives a hard link as a file whose bytes are where its file's are. Only once every path
has its place and layer is it known which of them can be links: a layer is unpacked by itself, so a link must name a
file of its own layer, by the path that it really has there.
"""

from __future__ import annotations

from dataclasses import replace

from distroless_rules.deb.compose_tree import Tree
from distroless_rules.values.tree import Kind

__all__ = ["link"]


def link(tree: Tree) -> None:
    """Make hard links of the files of one source and layer that are one file in its archive.

    An archive holds no byte of two files at one place, and no file at its start; a file that is a blob by itself may
    be at several paths without being one file.
    """
    files: dict[object, str] = {}
    for claim in list(tree):
        entry = claim.entry
        if entry.kind is not Kind.FILE or not entry.offset:
            continue
        attributes = (entry.mode, entry.uid, entry.gid, entry.xattrs)
        file = files.setdefault((claim.origin, claim.layer, entry.source, entry.offset, attributes), entry.path)
        if file != entry.path:
            made = replace(entry, kind=Kind.HARDLINK, target=file, size=0, sha256="", source="", offset=0)
            tree.replace(replace(claim, entry=made))
