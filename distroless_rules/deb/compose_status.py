"""What scanners read: a stanza and a list of checksums for each deb of the image.

The stanza is at ``var/lib/dpkg/status.d/<deb>``, as other distroless images have it, and the MD5 sums of the files that
are really there at ``<deb>.md5sums`` beside it. Source: deb822(5), deb-md5sums(5), dpkg's status file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from distroless_rules.deb.package import DebIndex
from distroless_rules.values.path import fold_usr
from distroless_rules.values.tree import Entry

__all__ = ["checksums", "stanza"]


def stanza(index: DebIndex) -> bytes:
    """Give the control fields of a deb as dpkg's status file holds them."""
    fields = {"Package": index.control["Package"], "Status": "install ok installed"}
    fields.update((name, value) for name, value in index.control.items() if name not in fields)
    return "".join(
        f"{name}: {value}\n" if not value.startswith("\n") else f"{name}:{value}\n" for name, value in fields.items()
    ).encode()


def checksums(index: DebIndex, present: Iterable[Entry], md5: Callable[[Entry], str]) -> bytes:
    """Give the lines of ``<md5>  <path>``, by path, for a deb's files that are in an image.

    Args:
        index: the deb.
        present: its files, where they are in the image.
        md5: gives the MD5 of one that the deb does not state: of conffiles, and where it has no md5sums at all.
    """
    stated = {fold_usr(path): sum_ for path, sum_ in index.md5sums.items()}
    sums = {entry.path: stated.get(entry.path) or md5(entry) for entry in present}
    lines = (f"{sums[path]}  {path}\n" for path in sorted(sums))
    return "".join(lines).encode("utf-8", "surrogateescape")
